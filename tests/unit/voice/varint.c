#include "voice/proto/varint.h"

#include "voice.h"

/* voice_data.md, "Variable length integer encoding": one of each form and the borders between. */
static const struct {
	const char *bytes;
	size_t len;
	uint64_t value;
} forms[] = {
	{"\x00", 1, 0},
	{"\x7f", 1, 127},
	{"\x80\x80", 2, 128},
	{"\xbf\xff", 2, 0x3fff},
	{"\xc0\x40\x00", 3, 0x4000},
	{"\xdf\xff\xff", 3, 0x1fffff},
	{"\xe0\x20\x00\x00", 4, 0x200000},
	{"\xef\xff\xff\xff", 4, 0xfffffff},
	{"\xf0\x10\x00\x00\x00", 5, 0x10000000},
	{"\xf0\xff\xff\xff\xff", 5, 0xffffffff},
	{"\xf4\x00\x00\x00\x01\x00\x00\x00\x00", 9, 0x100000000},
	{"\xf4\xff\xff\xff\xfe\xff\xff\xff\xff", 9, 0xfffffffeffffffff},
	{"\xfc", 1, UINT64_MAX},
	{"\xff", 1, UINT64_MAX - 3},
	{"\xf8\x04", 2, ~UINT64_C(4)},
	{"\xf8\xf0\xff\xff\xff\xff", 6, ~UINT64_C(0xffffffff)},
};

static void test_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		uint8_t buf[16];
		struct writer w = writer_of(buf, sizeof buf);
		struct bytes in = guarded(bytes_of(forms[i].bytes, forms[i].len));
		struct reader r = reader_of(in);

		assert_int_equal(varint_read(&r), forms[i].value);
		assert_true(reader_ok(&r) && reader_left(&r) == 0);
		varint_write(&w, forms[i].value);
		assert_bytes(writer_done(&w), in);
		for (size_t cut = 0; cut < in.len; cut++) {
			struct bytes part = guarded(bytes_first(in, cut));

			r = reader_of(part);
			assert_int_equal(varint_read(&r), 0);
			assert_false(reader_ok(&r));
			guarded_free(part);
		}
		guarded_free(in);
	}
}

static void test_other_spellings(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		uint64_t value;
	} cases[] = {
		{"\x80\x01", 2, 1},
		{"\xf3\x00\x00\x00\x07", 5, 7}, /* the low two bits of that byte mean nothing */
		{"\xf7\x00\x00\x00\x00\x00\x00\x00\x07", 9, 7},
		{"\xfb\x00", 2, UINT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct reader r = reader_of(bytes_of(cases[i].bytes, cases[i].len));

		assert_int_equal(varint_read(&r), cases[i].value);
		assert_true(reader_ok(&r) && reader_left(&r) == 0);
	}
}

static void test_complements_do_not_nest(void **state)
{
	struct reader r = reader_of(BYTES("\xf8\xf8\x01"));

	(void)state;
	assert_int_equal(varint_read(&r), 0);
	assert_false(reader_ok(&r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_other_spellings),
		cmocka_unit_test(test_complements_do_not_nest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
