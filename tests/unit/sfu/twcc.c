#include "sfu/proto/twcc.h"

#include "hex.h"

static struct twcc twcc;

/* Reads the report in w, and looks whether it says what came. */
static unsigned check(struct writer *w, const int64_t *came, int64_t first)
{
	struct bytes rest = writer_done(w), entries;
	struct twcc_report report;
	struct rtcp rtcp;
	uint32_t media;
	uint16_t number;
	int64_t at;
	unsigned count = 0;
	bool broken;

	assert_true(rtcp_next(&rest, &rtcp, &broken));
	assert_int_equal(rest.len, 0);
	assert_true(rtcp.type == RTCP_RTPFB && rtcp.count == RTPFB_TWCC);
	assert_true(rtcp_read_feedback(&rtcp, &media, &entries));
	assert_true(twcc_read(entries, &report));
	while (twcc_next(&report, &number, &at)) {
		int64_t wanted = came[first + count];

		assert_int_equal(number, (uint16_t)(first + count));
		if (wanted)
			assert_in_range(at - wanted / 250 * 250 + 1000, 1000, 1000);
		else
			assert_int_equal(at, -1);
		count++;
	}
	assert_int_equal(report.left, 0);
	return count;
}

static void test_what_came_is_reported(void **state)
{
	static int64_t came[70000];
	int64_t reported = 65000;
	uint32_t random = 7;

	(void)state;
	twcc = (struct twcc){0};
	for (int64_t n = 65000, us = 5000000; n < 69000; n++) {
		random = random * 1664525 + 1013904223;
		us += random >> 28 == 0 ? 90000 : (random >> 20) % 3000; /* some gaps are long */
		if ((random >> 10 & 15) != 0) { /* and a sixteenth is lost */
			came[n] = us;
			twcc_came(&twcc, (uint16_t)n, (mono_t){us});
		}
		if (n % 100 == 99) {
			uint8_t buf[1200];
			struct writer w = writer_of(buf, sizeof buf);

			while (twcc_write(&twcc, 1, 2, &w)) {
				reported += check(&w, came, reported);
				w = writer_of(buf, sizeof buf);
			}
		}
	}
	assert_in_range(reported, 68980, 69000);
}

static void test_runs_are_short(void **state)
{
	uint8_t buf[1200];
	struct writer w = writer_of(buf, sizeof buf);
	static int64_t came[400];

	(void)state;
	twcc = (struct twcc){0};
	for (uint16_t n = 0; n < 400; n++) {
		came[n] = 1000000 + n * 250;
		twcc_came(&twcc, n, (mono_t){came[n]});
	}
	assert_true(twcc_write(&twcc, 1, 2, &w));
	assert_true(w.len <= 4 + 16 + 2 + 400 + 4); /* one chunk */
	assert_int_equal(check(&w, came, 0), 400);
	w = writer_of(buf, sizeof buf);
	assert_false(twcc_write(&twcc, 1, 2, &w));
	assert_int_equal(w.len, 0);
}

static void test_overtaking(void **state)
{
	static const int64_t came[] = {100000, 103000, 101000};
	uint8_t buf[200];
	struct writer w = writer_of(buf, sizeof buf);

	(void)state;
	twcc = (struct twcc){0};
	twcc_came(&twcc, 0, (mono_t){100000});
	twcc_came(&twcc, 2, (mono_t){101000});
	twcc_came(&twcc, 1, (mono_t){103000});
	assert_true(twcc_write(&twcc, 1, 2, &w));
	assert_int_equal(check(&w, came, 0), 3);
}

static void test_broken(void **state)
{
	static const char *const bad[] = {
		"0001 0005 000001 00 2001",      /* a chunk for one of five, and no more */
		"0001 0005 000001 00 0000 0000", /* runs of nothing */
		"0001 0005 000001",
	};
	uint8_t buf[64];
	struct twcc_report report;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct bytes in = guarded(from_hex(bad[i], buf));

		assert_false(twcc_read(in, &report));
		guarded_free(in);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_came_is_reported),
		cmocka_unit_test(test_runs_are_short),
		cmocka_unit_test(test_overtaking),
		cmocka_unit_test(test_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
