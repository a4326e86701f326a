/* EBML heads: every length of ID and size, the size that means "not known", children. */
#include "guarded.h"

#include "radio/proto/ebml.h"

static void reads_ids_and_sizes(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		uint32_t id;
		uint64_t size;
		bool unsized;
	} cases[] = {
		{"\xec\x80", 2, EBML_VOID, 0, false},
		{"\xec\xfe", 2, EBML_VOID, 126, false},
		{"\xec\xff", 2, EBML_VOID, 0, true},
		{"\xec\x40\x7f", 3, EBML_VOID, 127, false},
		{"\xec\x7f\xff", 3, EBML_VOID, 0, true},
		{"\x58\x54\x20\x00\x01", 5, EBML_SILENT_TRACKS, 1, false},
		{"\x2a\xd7\xb1\x83", 4, EBML_TIMESTAMP_SCALE, 3, false},
		{"\x1f\x43\xb6\x75\x10\x00\x00\x05", 8, EBML_CLUSTER, 5, false},
		{"\x1f\x43\xb6\x75\x08\x00\x00\x00\x06", 9, EBML_CLUSTER, 6, false},
		{"\x1f\x43\xb6\x75\x04\x00\x00\x00\x00\x07", 10, EBML_CLUSTER, 7, false},
		{"\x1f\x43\xb6\x75\x02\x00\x00\x00\x00\x00\x08", 11, EBML_CLUSTER, 8, false},
		{"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff", 12, EBML_SEGMENT, 0, true},
		{"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xfe", 12, EBML_SEGMENT,
		 0xfffffffffffffe, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (size_t len = 0; len <= cases[i].len; len++) {
			struct bytes in = guarded(bytes_of(cases[i].bytes, len));
			struct ebml element;
			enum ebml_status status = ebml_parse(in, &element);

			guarded_free(in);
			assert_int_equal(status, len < cases[i].len ? EBML_SHORT : EBML_OK);
			if (status != EBML_OK)
				continue;
			assert_int_equal(element.id, cases[i].id);
			assert_int_equal(element.size, cases[i].size);
			assert_int_equal(element.unsized, cases[i].unsized);
			assert_int_equal(element.head, len);
		}
	}
}

static void refuses_what_no_element_begins_with(void **state)
{
	struct ebml element;

	(void)state;
	assert_int_equal(ebml_parse(BYTES("\x08\0\0\0\0\x80"), &element), EBML_BAD);
	assert_int_equal(ebml_parse(BYTES("\0"), &element), EBML_BAD);
	assert_int_equal(ebml_parse(BYTES("\xec\0"), &element), EBML_BAD);
}

static void goes_over_children(void **state)
{
	struct bytes in = BYTES("\xd7\x81\x07\x83\x80\x86\x84"
				"A_");
	struct ebml element;
	struct bytes payload;
	bool whole;

	(void)state;
	assert_true(ebml_child(&in, &element, &payload, &whole));
	assert_true(whole);
	assert_int_equal(ebml_uint(payload), 7);
	assert_true(ebml_child(&in, &element, &payload, &whole));
	assert_true(whole);
	assert_int_equal(payload.len, 0);
	assert_true(ebml_child(&in, &element, &payload, &whole));
	assert_false(whole);
	assert_true(bytes_equal(payload, BYTES("A_")));
	assert_false(ebml_child(&in, &element, &payload, &whole));
}

static void reads_numbers(void **state)
{
	(void)state;
	assert_int_equal(ebml_uint(BYTES("")), 0);
	assert_int_equal(ebml_uint(BYTES("\x01\x02\x03")), 0x010203);
	assert_true(ebml_uint(BYTES("\xff\xff\xff\xff\xff\xff\xff\xff")) == UINT64_MAX);
	assert_int_equal(ebml_uint(BYTES("123456789")), 0);
	assert_true(ebml_float(BYTES("\x47\x3b\x80\x00")) == 48000.0);
	assert_true(ebml_float(BYTES("\x40\xe5\x88\x80\0\0\0\0")) == 44100.0);
	assert_true(ebml_float(BYTES("\x47\x3b\x80")) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_ids_and_sizes),
		cmocka_unit_test(refuses_what_no_element_begins_with),
		cmocka_unit_test(goes_over_children),
		cmocka_unit_test(reads_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
