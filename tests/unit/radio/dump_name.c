/* What files of a dump are called. */
#include <stdlib.h>
#include <time.h>

#include "../guarded.h"

#include "radio/radio_dump.h"

#define NOON 1700049600000000ll /* 2023-11-15 12:00:00 UTC */

static void names_are_made_of_time_mount_and_format(void **state)
{
	static const struct {
		const char *pattern, *mount, *want, *glob;
	} cases[] = {
		{"/d/%Y-%m-%d.mp3", "/live", "/d/2023-11-15.mp3", "/d/*-*-*.mp3"},
		{"/d/{mount}_%H.{ext}", "/live", "/d/live_12.ogg", "/d/live_*.ogg"},
		{"/d/{mount}", "/a/b", "/d/a_b", "/d/a_b"},
		{"/d/{mount}", "/../../etc", "/d/_._.._etc", "/d/_._.._etc"},
		{"/d/{mount}", "/.x", "/d/_x", "/d/_x"},
		{"/d/100%%", "/live", "/d/100%", "/d/100%"},
		{"/d/%D", "/live", "/d/11_15_23", "/d/*"},
		{"/d/{mount}[1]", "/l*v?", "/d/l*v?[1]", "/d/l\\*v\\?\\[1]"},
		{"/d/%", "/live", "/d/%", "/d/%"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char out[256];

		assert_true(
			dump_name(cases[i].pattern, cases[i].mount, "ogg", NOON, out, sizeof out));
		assert_string_equal(out, cases[i].want);
		assert_true(dump_glob(cases[i].pattern, cases[i].mount, "ogg", out, sizeof out));
		assert_string_equal(out, cases[i].glob);
	}
}

static void what_does_not_fit_is_refused(void **state)
{
	char out[8];

	(void)state;
	assert_true(dump_name("1234567", "/live", "mp3", NOON, out, sizeof out));
	assert_false(dump_name("12345678", "/live", "mp3", NOON, out, sizeof out));
	assert_false(dump_name("/{mount}", "/live-and-long", "mp3", NOON, out, sizeof out));
	assert_false(dump_glob("%Y%Y%Y%Y%Y%Y%Y%Y", "/live", "mp3", out, sizeof out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_made_of_time_mount_and_format),
		cmocka_unit_test(what_does_not_fit_is_refused),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
