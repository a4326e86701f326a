#include "voice/proto/protobuf.h"

#include "voice.h"

/* The examples of developers.google.com/protocol-buffers/docs/encoding. */
static void test_examples(void **state)
{
	struct bytes in =
		guarded(BYTES("\x08\x96\x01\x12\x07testing\x1d\x00\x00\xc0\x3f\x21\x01\x00"
			      "\x00\x00\x00\x00\x00\x80"));
	struct reader r = reader_of(in);
	struct protobuf_field f;

	(void)state;
	assert_true(protobuf_next(&r, &f));
	assert_int_equal(f.number, 1);
	assert_int_equal(f.wire, PROTOBUF_VARINT);
	assert_int_equal(f.value, 150);
	assert_true(protobuf_next(&r, &f));
	assert_int_equal(f.number, 2);
	assert_int_equal(f.wire, PROTOBUF_BYTES);
	assert_bytes(f.bytes, BYTES("testing"));
	assert_true(protobuf_next(&r, &f));
	assert_int_equal(f.wire, PROTOBUF_FIXED32);
	assert_true(protobuf_to_float((uint32_t)f.value) == 1.5f);
	assert_int_equal(protobuf_of_float(1.5f), f.value);
	assert_true(protobuf_next(&r, &f));
	assert_int_equal(f.wire, PROTOBUF_FIXED64);
	assert_int_equal(f.value, UINT64_C(0x8000000000000001));
	assert_false(protobuf_next(&r, &f));
	assert_true(reader_ok(&r));
	guarded_free(in);
}

static void test_what_is_no_field(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *why;
	} cases[] = {
		{"\x00\x01", 2, "number 0"},
		{"\x80", 1, "half a tag"},
		{"\x08", 1, "no value"},
		{"\x08\x80", 2, "half a value"},
		{"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12, "eleven bytes"},
		{"\x12\x02x", 3, "longer than what is there"},
		{"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, "as long as can be"},
		{"\x15\x01\x02\x03", 4, "three of four bytes"},
		{"\x11\x01\x02\x03\x04\x05\x06\x07", 8, "seven of eight bytes"},
		{"\x0e\x01", 2, "wire type 6"},
		{"\x0f\x01", 2, "wire type 7"},
		{"\x0c", 1, "the end of no group"},
		{"\x0b\x10\x01", 3, "a group without an end"},
		{"\x0b\x14", 2, "a group with the end of another"},
		{"\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0c\x0c\x0c\x0c\x0c\x0c\x0c\x0c\x0c", 18,
		 "nine groups deep"},
		{"\x88\x80\x80\x80\x80\x00\x01", 7, "a tag of six bytes"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct bytes in = guarded(bytes_of(cases[i].bytes, cases[i].len));
		struct reader r = reader_of(in);
		struct protobuf_field f;

		if (protobuf_next(&r, &f) || reader_ok(&r))
			fail_msg("taken: %s", cases[i].why);
		guarded_free(in);
	}
}

static void test_groups_are_passed_over(void **state)
{
	struct reader r =
		reader_of(BYTES("\x0b\x08\x01\x12\x01x\x13\x14\x0c\x18\x05"
				"\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0c\x0c\x0c\x0c\x0c\x0c\x0c"
				"\x0c"));
	struct protobuf_field f;

	(void)state;
	assert_true(protobuf_next(&r, &f));
	assert_int_equal(f.number, 3);
	assert_int_equal(f.value, 5);
	assert_false(protobuf_next(&r, &f));
	assert_true(reader_ok(&r));
}

static void test_lengths_are_what_is_written(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 64; bit++) {
		uint8_t buf[16];
		uint64_t values[] = {UINT64_C(1) << bit, (UINT64_C(1) << bit) - 1};

		for (size_t i = 0; i < 2; i++) {
			struct writer w = writer_of(buf, sizeof buf);

			protobuf_put_varint(&w, values[i]);
			assert_int_equal(w.len, protobuf_varint_len(values[i]));
			struct reader r = reader_of(writer_done(&w));

			assert_int_equal(protobuf_varint(&r), values[i]);
			assert_true(reader_ok(&r) && reader_left(&r) == 0);
		}
	}
	struct reader r = reader_of(BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"));

	assert_int_equal(protobuf_varint(&r), UINT64_MAX); /* 70 bits of which 64 count */
	assert_true(reader_ok(&r));
	assert_int_equal(protobuf_tag_len(15), 1);
	assert_int_equal(protobuf_tag_len(16), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_what_is_no_field),
		cmocka_unit_test(test_groups_are_passed_over),
		cmocka_unit_test(test_lengths_are_what_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
