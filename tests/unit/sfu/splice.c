#include "sfu/proto/splice.h"

#include "guarded.h"

#define START ((mono_t){1000000})

static struct splice splice;

static void map(int64_t seq, int64_t ts, mono_t now, int64_t *out_seq, int64_t *out_ts)
{
	assert_true(splice_map(&splice, seq, ts, now, out_seq, out_ts));
}

static void test_numbers_and_times_go_on(void **state)
{
	int64_t seq, ts, last_seq, last_ts;
	mono_t now = START;

	(void)state;
	splice_init(&splice, 90000, 100, 5000);
	assert_false(splice_map(&splice, 7, 0, now, &seq, &ts)); /* nothing yet */
	splice_begin(&splice, 1, 7, 90000, 90000, now);
	map(7, 90000, now, &seq, &ts);
	assert_int_equal((uint16_t)seq, 100);
	assert_int_equal((uint32_t)ts, 5000);
	map(9, 93000, now, &seq, &ts); /* 8 is on its way */
	assert_int_equal((uint16_t)seq, 102);
	assert_int_equal((uint32_t)ts, 8000);
	map(8, 90000, now, &seq, &ts);
	assert_int_equal((uint16_t)seq, 101);
	assert_false(splice_map(&splice, 6, 80000, now, &seq, &ts)); /* older than the piece */
	last_seq = 102 + 65536;
	last_ts = 8000 + ((int64_t)1 << 32);
	/* Another stream 100 ms later, whose numbers and times lie elsewhere. */
	now = mono_add_ms(now, 100);
	splice_begin(&splice, 2, 60000, 12, 12, now);
	map(60000, 12, now, &seq, &ts);
	assert_true(seq == last_seq + 1 && ts == last_ts + 9000);
	map(60001, 12, now, &seq, &ts);
	assert_true(seq == last_seq + 2 && ts == last_ts + 9000);
	assert_false(splice_map(&splice, 59999, 0, now, &seq, &ts));
}

static void test_two_pictures_never_have_one_time(void **state)
{
	int64_t seq, ts, last;

	(void)state;
	splice_init(&splice, 90000, 0, 0);
	splice_begin(&splice, 1, 1, 1, 1, START);
	map(1, 1, START, &seq, &last);
	splice_begin(&splice, 2, 1, 1, 1, START);
	map(1, 1, START, &seq, &ts);
	assert_true(ts > last);
}

/* The past is squeezed up to the live time, and stays in order. */
static void test_the_past(void **state)
{
	int64_t seq, ts, last = 0, first = 0;

	(void)state;
	splice_init(&splice, 90000, 0, 0);
	splice_begin(&splice, 1, 100, 0, 180000, START); /* two seconds */
	for (int64_t frame = 0; frame <= 70; frame++) {
		map(100 + frame, frame * 3000, START, &seq, &ts);
		if (frame == 0)
			first = ts;
		else
			assert_true(ts > last);
		if (frame == 60) /* live: 180000 */
			assert_true(ts - first <= 180000 / SPLICE_SQUEEZE + 1);
		if (frame > 60)
			assert_int_equal(ts - last, 3000);
		last = ts;
	}
}

static void test_what_is_asked_for_again(void **state)
{
	const struct splice_piece *piece;
	int64_t seq, ts, again;

	(void)state;
	splice_init(&splice, 90000, 65534, 0);
	assert_null(splice_find(&splice, 65534, &again));
	splice_begin(&splice, 1, 10, 0, 0, START);
	for (int64_t i = 10; i < 20; i++)
		map(i, i, START, &seq, &ts);
	splice_begin(&splice, 2, 500, 0, 0, START);
	for (int64_t i = 500; i < 510; i++)
		map(i, i, START, &seq, &ts);
	/* Out: 65534 … 7 of track 1, 8 … 17 of track 2. */
	piece = splice_find(&splice, 65535, &again);
	assert_true(piece && piece->track == 1 && again == 11);
	piece = splice_find(&splice, 7, &again);
	assert_true(piece && piece->track == 1 && again == 19);
	piece = splice_find(&splice, 8, &again);
	assert_true(piece && piece->track == 2 && again == 500);
	piece = splice_find(&splice, 17, &again);
	assert_true(piece && piece->track == 2 && again == 509);
	assert_null(splice_find(&splice, 65533, &again)); /* before all */
	for (unsigned i = 3; i < 3 + SPLICE_PIECES; i++) {
		splice_begin(&splice, i, 0, 0, 0, START);
		map(0, 0, START, &seq, &ts);
	}
	assert_null(splice_find(&splice, 17, &again)); /* forgotten */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_and_times_go_on),
		cmocka_unit_test(test_two_pictures_never_have_one_time),
		cmocka_unit_test(test_the_past),
		cmocka_unit_test(test_what_is_asked_for_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
