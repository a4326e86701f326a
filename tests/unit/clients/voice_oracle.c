#include "voice_oracle.h"

#include "guarded.h"

static struct oracle_payload said(uint64_t number)
{
	return (struct oracle_payload){7, 3, ORACLE_SAID, number, 12345};
}

static void a_payload_is_read_as_it_was_written(void **state)
{
	(void)state;
	for (uint64_t n = 0; n < 200; n++) {
		uint8_t out[ORACLE_MOST];
		struct oracle_payload in, p = said(n);
		struct bytes bytes = voice_oracle_write(&p, 60, 80, out);

		assert_in_range(bytes.len, 60, 140);
		assert_true(voice_oracle_read(bytes, 60, 80, &in));
		assert_int_equal(in.number, n);
		assert_int_equal(in.speaker, 3);
		assert_int_equal(in.sent_us, 12345);
	}
}

static void every_turned_bit_and_lost_byte_is_seen(void **state)
{
	uint8_t out[ORACLE_MOST];
	struct oracle_payload in, p = said(9);
	struct bytes bytes = voice_oracle_write(&p, 60, 80, out);

	(void)state;
	for (size_t bit = 0; bit < 8 * bytes.len; bit++) {
		out[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(voice_oracle_read(bytes, 60, 80, &in));
		out[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t len = 0; len < bytes.len; len++)
		assert_false(voice_oracle_read(bytes_first(bytes, len), 60, 80, &in));
}

static void an_ear_tells_what_went_wrong(void **state)
{
	static const uint64_t order[] = {0, 1, 4, 3, 4, 5, 5, 200, 6};
	struct voice_ear ear = {0};

	(void)state;
	for (size_t i = 0; i < sizeof order / sizeof *order; i++)
		voice_ear_take(&ear, order[i]);
	assert_int_equal(ear.heard, 6);
	assert_int_equal(ear.swapped, 1);
	assert_int_equal(ear.twice, 3); /* 4, 5, and one so old that nobody knows */
	assert_int_equal(ear.lost, 1 + 194);
	voice_ear_end(&ear, 211);
	assert_int_equal(ear.lost, 1 + 194 + 10);
}

static void a_gap_of_our_own_doing_is_counted_apart(void **state)
{
	struct voice_ear ear = {0};

	(void)state;
	voice_ear_take(&ear, 0);
	ear.excused = true;
	voice_ear_take(&ear, 5);
	voice_ear_take(&ear, 7);
	assert_int_equal(ear.lost_excused, 4);
	assert_int_equal(ear.lost, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_payload_is_read_as_it_was_written),
		cmocka_unit_test(every_turned_bit_and_lost_byte_is_seen),
		cmocka_unit_test(an_ear_tells_what_went_wrong),
		cmocka_unit_test(a_gap_of_our_own_doing_is_counted_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
