#include "core/writer.h"
#include "guarded.h"

#include "../../random.h"
#include "core/reader.h"

static void fields_in_both_orders(void **state)
{
	static const uint8_t want[] = {0x01, 0x02, 0x03, 0x04, 0x07, 0x06, 0x05, 'x',
				       'y',  'z',  '0',  '1',  '0',  0xaa, 0xaa};
	uint8_t buf[sizeof want];
	struct writer w = writer_of(buf, sizeof buf);

	(void)state;
	writer_u8(&w, 1);
	writer_be(&w, 0x020304, 3);
	writer_le(&w, 0x050607, 3);
	writer_str(&w, "xyz");
	writer_dec(&w, 0);
	writer_dec(&w, 10);
	writer_fill(&w, 0xaa, 2);
	writer_put(&w, (struct bytes){NULL, 0});
	assert_true(writer_ok(&w));
	assert_true(bytes_equal(writer_done(&w), bytes_of(want, sizeof want)));
}

static void decimals_are_what_bytes_read(void **state)
{
	static const uint64_t values[] = {0,   9,          10,         99,
					  100, UINT32_MAX, UINT64_MAX, UINT64_MAX / 10};

	(void)state;
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		uint8_t buf[20];
		struct writer w = writer_of(buf, sizeof buf);
		uint64_t back = 1;

		writer_dec(&w, values[i]);
		assert_true(writer_ok(&w));
		assert_true(bytes_to_u64(writer_done(&w), UINT64_MAX, &back));
		assert_int_equal(back, values[i]);
	}
}

static void an_overrun_sticks(void **state)
{
	uint8_t buf[5] = {0};
	struct writer w = writer_of(buf, 4);

	(void)state;
	writer_str(&w, "abc");
	writer_str(&w, "de");
	assert_false(writer_ok(&w));
	writer_u8(&w, 'f');
	writer_fill(&w, 'g', 1);
	writer_put(&w, (struct bytes){NULL, 0});
	assert_false(writer_ok(&w));
	assert_true(bytes_equal(writer_done(&w), BYTES("abc")));
	assert_int_equal(buf[3], 0);
	assert_int_equal(buf[4], 0);
	w = writer_of(NULL, 0);
	writer_put(&w, BYTES(""));
	assert_true(writer_ok(&w));
	writer_fill(&w, 0, (size_t)1 << 40);
	assert_false(writer_ok(&w));
}

/* What is written is read back, in any size, until the buffer ends at exactly the same field. */
static void reader_reads_what_writer_wrote(void **state)
{
	struct random random = random_start("writer");

	(void)state;
	for (int round = 0; round < 2000; round++) {
		uint8_t raw[40] = {0};
		size_t size = random_below(&random, sizeof raw + 1), fields = 0;
		struct bytes buf = guarded(bytes_of(raw, size));
		struct writer w = writer_of((void *)(uintptr_t)buf.at, size);
		struct reader r = reader_of(buf);
		struct random again = random;

		for (; fields < 12; fields++) {
			uint64_t value = random_next(&random);
			size_t n = 1 + value % 8;

			writer_be(&w, value >> (64 - 8 * n), n);
			if (!writer_ok(&w))
				break;
		}
		for (size_t i = 0; i < fields; i++) {
			uint64_t value = random_next(&again);
			size_t n = 1 + value % 8;

			assert_int_equal(reader_be(&r, n), value >> (64 - 8 * n));
		}
		assert_true(reader_ok(&r));
		guarded_free(buf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_in_both_orders),
		cmocka_unit_test(decimals_are_what_bytes_read),
		cmocka_unit_test(an_overrun_sticks),
		cmocka_unit_test(reader_reads_what_writer_wrote),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
