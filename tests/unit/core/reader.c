#include "core/reader.h"
#include "guarded.h"

static void fields_in_both_orders(void **state)
{
	static const uint8_t raw[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13,   14,  15,
				      16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 0xff, 0xfe};
	struct bytes in = guarded(bytes_of(raw, sizeof raw));
	struct reader r = reader_of(in);

	(void)state;
	assert_int_equal(reader_u8(&r), 1);
	assert_int_equal(reader_be16(&r), 0x0203);
	assert_int_equal(reader_be32(&r), 0x04050607);
	assert_int_equal(reader_be64(&r), 0x08090a0b0c0d0e0f);
	assert_int_equal(reader_le32(&r), 0x13121110);
	assert_int_equal(reader_le64(&r), 0x1b1a191817161514);
	assert_int_equal(reader_left(&r), 2);
	assert_int_equal(reader_le(&r, 2), 0xfeff);
	assert_true(reader_ok(&r));
	assert_int_equal(reader_left(&r), 0);
	guarded_free(in);
}

/* Whatever was asked for beyond the end, nothing after it succeeds, and nothing moves. */
static void an_overrun_sticks(void **state)
{
	for (size_t len = 0; len < 12; len++)
		for (size_t ask = 0; ask < 16; ask++) {
			uint8_t raw[12];
			struct bytes in;
			struct reader r;
			struct bytes taken;

			memset(raw, 0xff, sizeof raw);
			in = guarded(bytes_of(raw, len));
			r = reader_of(in);
			taken = reader_take(&r, ask);
			assert_int_equal(reader_ok(&r), ask <= len);
			assert_int_equal(taken.len, ask <= len ? ask : 0);
			assert_int_equal(reader_left(&r), ask <= len ? len - ask : len);
			if (ask > len) {
				assert_int_equal(reader_u8(&r), 0);
				assert_int_equal(reader_be(&r, 1), 0);
				assert_int_equal(reader_le(&r, 1), 0);
				assert_int_equal(reader_take(&r, 0).len, 0);
				reader_skip(&r, 1);
				assert_int_equal(reader_left(&r), len);
				assert_false(reader_ok(&r));
			}
			guarded_free(in);
		}
	(void)state;
}

static void lengths_near_the_top_do_not_wrap(void **state)
{
	struct bytes in = guarded(BYTES("abc"));
	struct reader r = reader_of(in);

	(void)state;
	reader_skip(&r, 1);
	assert_int_equal(reader_take(&r, SIZE_MAX).len, 0);
	assert_false(reader_ok(&r));
	guarded_free(in);
}

static void nothing_at_all_reads_as_nothing(void **state)
{
	struct reader r = reader_of((struct bytes){NULL, 0});

	(void)state;
	assert_true(reader_ok(&r));
	assert_int_equal(reader_left(&r), 0);
	assert_int_equal(reader_u8(&r), 0);
	assert_false(reader_ok(&r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_in_both_orders),
		cmocka_unit_test(an_overrun_sticks),
		cmocka_unit_test(lengths_near_the_top_do_not_wrap),
		cmocka_unit_test(nothing_at_all_reads_as_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
