#include "irc/proto/irc_text.h"

#include "guarded.h"

static void test_times(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
		{"1970-01-01T00:00:00.000Z", 0},
		{"2026-11-21T06:30:00.123Z", 1795242600123},
		{"2000-02-29T23:59:59.999Z", 951868799999},
		{"2024-03-01T00:00:00.000Z", 1709251200000},
	};
	static const char *const bad[] = {"",
					  "2026-11-21",
					  "2026-13-01T00:00:00Z",
					  "2026-00-01T00:00:00Z",
					  "2026-02-30T00:00:00Z",
					  "2026-01-01T24:00:00Z",
					  "2026-01-01T00:00:00",
					  "2026-01-01T00:00:00.Zx",
					  "1969-12-31T23:59:59Z",
					  "2026-01-01T00:00:00.123"};
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct bytes in = guarded(bytes_str(good[i].text));
		char buf[32];
		struct writer w = writer_of(buf, sizeof buf);

		assert_true(irc_time_parse(in, &ms));
		assert_int_equal(ms, good[i].ms);
		irc_time_write(&w, ms);
		assert_true(bytes_equal(writer_done(&w), in));
		guarded_free(in);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(irc_time_parse(bytes_str(bad[i]), &ms));
	assert_true(irc_time_parse(BYTES("2026-11-21T06:30:00Z"), &ms));
	assert_int_equal(ms, 1795242600000);
	assert_true(irc_time_parse(BYTES("2026-11-21T06:30:00.1Z"), &ms));
	assert_int_equal(ms, 1795242600100);
	assert_true(irc_time_parse(BYTES("2026-11-21T06:30:00.123456Z"), &ms));
	assert_int_equal(ms, 1795242600123);
}

static void test_split(void **state)
{
	struct bytes rest = BYTES("aaaa bbbb cccc dddd");
	struct bytes one = irc_split(&rest, 12);

	(void)state;
	assert_true(bytes_equal(one, BYTES("aaaa bbbb ")));
	assert_true(bytes_equal(irc_split(&rest, 12), BYTES("cccc dddd")));
	assert_int_equal(rest.len, 0);
	/* No blank near: cut where it must, but not in a character. */
	rest = BYTES("aaaaaaa\xf0\x9f\x98\x80zz");
	one = irc_split(&rest, 9);
	assert_int_equal(one.len, 7);
	rest = BYTES("\xf0\x9f\x98\x80\xf0\x9f\x98\x80");
	assert_int_equal(irc_split(&rest, 4).len, 4);
	/* Not UTF-8 at all: it still goes on. */
	rest = BYTES("\x80\x80\x80\x80\x80\x80\x80\x80");
	assert_true(irc_split(&rest, 3).len > 0);
	rest = BYTES("ab");
	assert_int_equal(irc_split(&rest, 1).len, 1);
}

static void test_words(void **state)
{
	struct bytes verb, words;

	(void)state;
	assert_true(irc_has_word(BYTES("hey Bob, look"), BYTES("bob")));
	assert_true(irc_has_word(BYTES("bob"), BYTES("bob")));
	assert_false(irc_has_word(BYTES("bobby and kabob"), BYTES("bob")));
	assert_false(irc_has_word(BYTES("bob_ x"), BYTES("bob")));
	assert_false(irc_has_word(BYTES("x"), BYTES("")));
	assert_true(irc_ctcp_parse(BYTES("\1ACTION waves\1"), &verb, &words));
	assert_true(bytes_equal(verb, BYTES("ACTION")));
	assert_true(bytes_equal(words, BYTES("waves")));
	assert_true(irc_ctcp_parse(BYTES("\1VERSION"), &verb, &words));
	assert_false(irc_ctcp_parse(BYTES("\1\1"), &verb, &words));
	assert_false(irc_ctcp_parse(BYTES("VERSION"), &verb, &words));
}

static void test_utf8(void **state)
{
	(void)state;
	assert_true(irc_is_utf8(BYTES("h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80")));
	assert_false(irc_is_utf8(BYTES("\xe9")));
	assert_false(irc_is_utf8(BYTES("\xc0\x80")));
	assert_false(irc_is_utf8(BYTES("\xed\xa0\x80")));
	assert_false(irc_is_utf8(BYTES("\xe2\x82")));
}

static void test_rate(void **state)
{
	struct irc_rate rate;
	mono_t now = {1000000000}, when = {0};

	(void)state;
	irc_rate_init(&rate, 2000000, 10);
	for (int i = 0; i < 10; i++)
		assert_true(irc_rate_take(&rate, now, &when));
	assert_false(irc_rate_take(&rate, now, &when));
	assert_int_equal(mono_since_us(when, now), 2000000);
	assert_true(irc_rate_take(&rate, when, &when));
	assert_false(irc_rate_take(&rate, when, &when));
	now = mono_add_us(now, 3600 * (int64_t)1000000);
	for (int i = 0; i < 10; i++)
		assert_true(irc_rate_take(&rate, now, &when));
	assert_false(irc_rate_take(&rate, now, &when));
}

static void test_hours(void **state)
{
	static const char *const bad[] = {
		"",          "22:00",        "22-07",       "24:00-07:00", "22:60-07:00",
		"a:00-b:00", "22:00-07:00-", "22:00-24:01", ":-:",         "222:00-07:00",
		"-",         "22:0-07:00"};
	static const char *const no_zone[] = {"",       "+",   "02:00", "+15:00",
					      "+02:60", "UTC", "+2",    "+-2:00"};
	uint16_t from, to;
	int16_t zone;

	(void)state;
	assert_true(irc_hours_parse(BYTES("22:00-07:30"), &from, &to));
	assert_true(from == 1320 && to == 450);
	assert_true(irc_hours_hold(from, to, 1320) && irc_hours_hold(from, to, 0) &&
		    irc_hours_hold(from, to, 449));
	assert_false(irc_hours_hold(from, to, 450) || irc_hours_hold(from, to, 1319));
	assert_true(irc_hours_parse(BYTES("9:05-1700"), &from, &to));
	assert_true(from == 545 && to == 1020);
	assert_true(irc_hours_hold(from, to, 545) && irc_hours_hold(from, to, 1019));
	assert_false(irc_hours_hold(from, to, 544) || irc_hours_hold(from, to, 1020));
	assert_true(irc_hours_parse(BYTES("00:00-24:00"), &from, &to));
	for (unsigned minute = 0; minute < 1440; minute++)
		assert_true(irc_hours_hold(from, to, minute));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(irc_hours_parse(bytes_str(bad[i]), &from, &to));
	assert_true(irc_zone_parse(BYTES("+02:00"), &zone) && zone == 120);
	assert_true(irc_zone_parse(BYTES("-0530"), &zone) && zone == -330);
	for (size_t i = 0; i < sizeof no_zone / sizeof *no_zone; i++)
		assert_false(irc_zone_parse(bytes_str(no_zone[i]), &zone));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times), cmocka_unit_test(test_split),
		cmocka_unit_test(test_words), cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_rate),  cmocka_unit_test(test_hours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
