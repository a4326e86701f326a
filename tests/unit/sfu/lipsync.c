#include "sfu/proto/lipsync.h"

#include "guarded.h"

#define NTP(us) \
	(((uint64_t)(us) / 1000000 + 1000) << 32 | ((uint64_t)(us) % 1000000 << 32) / 1000000)

static struct lipsync picture, sound;
static struct lipsync_base base;

/* Sound came 400 ms later than the picture of the same moment. */
static void begin(void)
{
	base = (struct lipsync_base){0};
	lipsync_begin(&picture, 90000, 5000, 0);
	lipsync_begin(&sound, 48000, 700, 400000);
}

static void near(int64_t a, int64_t b)
{
	assert_in_range(a - b + 5, 0, 10);
}

static void test_reports_put_them_together(void **state)
{
	(void)state;
	begin();
	near(lipsync_us(&sound, 700 + 48000), 1400000);
	begin();
	lipsync_report(&picture, &base, NTP(20000000), 5000, true);
	lipsync_report(&sound, &base, NTP(20000000), 700, true);
	near(lipsync_us(&picture, 5000 + 9000), 100000);
	near(lipsync_us(&sound, 700 + 4800), 100000);
}

static void test_what_is_said_late_is_put_right_slowly(void **state)
{
	int64_t last = 0, us = 0;

	(void)state;
	begin();
	lipsync_report(&picture, &base, NTP(20000000), 5000, true);
	lipsync_us(&sound, 700);
	lipsync_report(&sound, &base, NTP(20000000), 700, false);
	for (int64_t n = 1; n < 100 * 50; n++) {
		us = lipsync_us(&sound, 700 + n * 960);
		if (n > 1)
			assert_in_range(us - last, 19700, 20000);
		last = us;
	}
	near(us, (100 * 50 - 1) * (int64_t)20000);
}

static void test_clocks_that_drift_are_followed(void **state)
{
	(void)state;
	begin();
	/* Its 90,000 take 90,009 of the clock that its reports tell: 100 in a million. */
	for (int64_t s = 0; s < 3600; s++) {
		lipsync_report(&picture, &base, NTP(20000000 + s * 1000100), 5000 + s * 90000,
			       s == 0);
		lipsync_us(&picture, 5000 + s * 90000 + 3000);
	}
	assert_in_range(lipsync_us(&picture, 5000 + (int64_t)3600 * 90000) -
				(int64_t)3600 * 1000100 + 2000,
			0, 4000);
}

static void test_a_clock_that_is_set_moves_nothing(void **state)
{
	(void)state;
	begin();
	lipsync_report(&picture, &base, NTP(20000000), 5000, true);
	lipsync_us(&picture, 5000);
	lipsync_report(&picture, &base, NTP(500000000), 5000 + 90000, false);
	near(lipsync_us(&picture, 5000 + 10 * 90000), 10000000);
	/* And goes on from there. */
	lipsync_report(&picture, &base, NTP(510050000), 5000 + 11 * 90000, false);
	near(lipsync_us(&picture, 5000 + 21 * 90000), 21050000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reports_put_them_together),
		cmocka_unit_test(test_what_is_said_late_is_put_right_slowly),
		cmocka_unit_test(test_clocks_that_drift_are_followed),
		cmocka_unit_test(test_a_clock_that_is_set_moves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
