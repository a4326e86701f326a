#include "guarded.h"

#include "../../random.h"
#include "core/check.h"

static bool same(struct bytes a, const char *b)
{
	return bytes_equal(a, bytes_str(b));
}

static void parts_lie_inside(void **state)
{
	struct bytes in = guarded(BYTES("0123456789"));

	(void)state;
	for (size_t n = 0; n < 20; n++) {
		struct bytes first = bytes_first(in, n), rest = bytes_skip(in, n);

		assert_int_equal(first.len + rest.len, 10);
		assert_ptr_equal(first.at, in.at);
		assert_ptr_equal(rest.at, in.at + first.len);
	}
	guarded_free(in);
	assert_int_equal(bytes_skip((struct bytes){NULL, 0}, 3).len, 0);
	assert_int_equal(bytes_first((struct bytes){NULL, 0}, 3).len, 0);
	assert_int_equal(bytes_str(NULL).len, 0);
	assert_true(same(bytes_str("abc"), "abc"));
	assert_int_equal(BYTES("a\0b").len, 3);
}

static void words_compare(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal, nocase, starts, ends, starts_nocase;
	} cases[] = {
		{"", "", true, true, true, true, true},
		{"a", "", false, false, true, true, true},
		{"", "a", false, false, false, false, false},
		{"Host", "Host", true, true, true, true, true},
		{"hOST", "Host", false, true, false, false, true},
		{"host: x", "HOST", false, false, false, false, true},
		{"a.mp3", ".mp3", false, false, false, true, false},
		{"[", "{", false, false, false, false, false}, /* 0x20 apart, no letters */
		{"@", "`", false, false, false, false, false},
		{"\xc4", "\xe4", false, false, false, false, false}, /* ASCII only */
		{"ab", "abc", false, false, false, false, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct bytes a = guarded(bytes_str(cases[i].a)), b = guarded(bytes_str(cases[i].b));

		assert_int_equal(bytes_equal(a, b), cases[i].equal);
		assert_int_equal(bytes_equal_nocase(a, b), cases[i].nocase);
		assert_int_equal(bytes_start_with(a, b), cases[i].starts);
		assert_int_equal(bytes_start_with_nocase(a, b), cases[i].starts_nocase);
		assert_int_equal(bytes_end_with(a, b), cases[i].ends);
		guarded_free(a);
		guarded_free(b);
	}
	for (unsigned c = 0; c < 256; c++)
		assert_int_equal(byte_lower((uint8_t)c), c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static void found_where_it_is(void **state)
{
	struct bytes in = guarded(BYTES("a-Bb-C"));

	(void)state;
	assert_int_equal(bytes_find(in, '-'), 1);
	assert_int_equal(bytes_find(in, 'C'), 5);
	assert_int_equal(bytes_find(in, 'x'), 6);
	assert_int_equal(bytes_find((struct bytes){NULL, 0}, 'x'), 0);
	assert_int_equal(bytes_find_nocase(in, BYTES("bB-c")), 2);
	assert_int_equal(bytes_find_nocase(in, BYTES("c")), 5);
	assert_int_equal(bytes_find_nocase(in, BYTES("cc")), 6);
	assert_int_equal(bytes_find_nocase(in, BYTES("")), 0);
	assert_int_equal(bytes_find_nocase(in, BYTES("a-bb-c?")), 6);
	guarded_free(in);
}

static void cut_takes_each_part_once(void **state)
{
	struct bytes rest = BYTES("a,,bc,");

	(void)state;
	assert_true(same(bytes_cut(&rest, ','), "a"));
	assert_true(same(bytes_cut(&rest, ','), ""));
	assert_true(same(bytes_cut(&rest, ','), "bc"));
	assert_int_equal(rest.len, 0);
	assert_true(same(bytes_cut(&rest, ','), ""));
	rest = BYTES("whole");
	assert_true(same(bytes_cut(&rest, ','), "whole"));
	assert_int_equal(rest.len, 0);
}

static void trimmed_of_blanks(void **state)
{
	(void)state;
	assert_true(same(bytes_trim(BYTES(" \t\r\na b\r\n")), "a b"));
	assert_true(same(bytes_trim(BYTES(" \t ")), ""));
	assert_true(same(bytes_trim(BYTES("")), ""));
	assert_true(same(bytes_trim(BYTES("x")), "x"));
	/* What HTTP and IRC do not call blank stays: "chunked\v" is not "chunked". */
	assert_true(same(bytes_trim(BYTES("\vchunked\f")), "\vchunked\f"));
}

static void numbers_fill_the_text(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		bool ok;
		uint64_t value;
	} cases[] = {
		{"0", 0, true, 0},
		{"007", 7, true, 7},
		{"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
		{"18446744073709551616", UINT64_MAX, false, 0},
		{"18446744073709551620", UINT64_MAX, false, 0},
		{"99999999999999999999999999", UINT64_MAX, false, 0},
		{"256", 255, false, 0},
		{"255", 255, true, 255},
		{"", 9, false, 0},
		{" 1", 9, false, 0},
		{"1 ", 9, false, 0},
		{"+1", 9, false, 0},
		{"-1", UINT64_MAX, false, 0},
		{"1x", 9, false, 0},
		{":", 99, false, 0},
		{"/", 99, false, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct bytes in = guarded(bytes_str(cases[i].text));
		uint64_t value = 0;

		assert_int_equal(bytes_to_u64(in, cases[i].max, &value), cases[i].ok);
		if (cases[i].ok)
			assert_int_equal(value, cases[i].value);
		guarded_free(in);
	}
}

static void text_is_cut_to_fit(void **state)
{
	char buf[4];

	(void)state;
	assert_int_equal(bytes_to_str(BYTES("abc"), buf, sizeof buf), 3);
	assert_string_equal(buf, "abc");
	assert_int_equal(bytes_to_str(BYTES("abcd"), buf, sizeof buf), 3);
	assert_string_equal(buf, "abc");
	assert_int_equal(bytes_to_str((struct bytes){NULL, 0}, buf, sizeof buf), 0);
	assert_string_equal(buf, "");
	assert_int_equal(bytes_to_str(BYTES("abc"), buf, 1), 0);
	assert_string_equal(buf, "");
}

/* Cutting and joining again is the same text, whatever it is. */
static void cut_and_join_is_the_same(void **state)
{
	struct random random = random_start("bytes");

	(void)state;
	for (int round = 0; round < 2000; round++) {
		uint8_t text[24], joined[24];
		size_t len = random_below(&random, sizeof text + 1), at = 0;

		for (size_t i = 0; i < len; i++)
			text[i] = ",ab"[random_below(&random, 3)];
		for (struct bytes rest = bytes_of(text, len); rest.len;) {
			size_t before = rest.len;
			struct bytes part = bytes_cut(&rest, ',');

			memcpy(joined + at, part.at, part.len);
			at += part.len;
			if (part.len < before)
				joined[at++] = ',';
			assert_int_equal(before - rest.len, part.len + (part.len < before));
		}
		assert_int_equal(at, len);
		assert_memory_equal(joined, text, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_lie_inside),   cmocka_unit_test(words_compare),
		cmocka_unit_test(found_where_it_is),  cmocka_unit_test(cut_takes_each_part_once),
		cmocka_unit_test(trimmed_of_blanks),  cmocka_unit_test(numbers_fill_the_text),
		cmocka_unit_test(text_is_cut_to_fit), cmocka_unit_test(cut_and_join_is_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
