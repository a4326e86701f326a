#include "edge/proto/charset.h"

#include "radio/text.h"

static void test_names(void **state)
{
	static const struct {
		const char *name;
		int charset; /* -1: not known */
	} cases[] = {
		{"utf-8", CHARSET_UTF8},
		{"UTF8", CHARSET_UTF8},
		{" \"UTF-8\" ", CHARSET_UTF8},
		{"US-ASCII", CHARSET_UTF8},
		{"iso-8859-1", CHARSET_LATIN1},
		{"Latin1", CHARSET_LATIN1},
		{"windows-1252", CHARSET_WINDOWS_1252},
		{"CP1252", CHARSET_WINDOWS_1252},
		{"iso-8859-15", -1},
		{"koi8-r", -1},
		{"utf", -1},
		{"", -1},
		{"\"", -1},
		{"\"\"", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		enum charset charset = CHARSET_LATIN1;
		struct bytes name = guarded(bytes_str(cases[i].name));

		assert_int_equal(charset_of_name(name, &charset), cases[i].charset >= 0);
		if (cases[i].charset >= 0)
			assert_int_equal(charset, cases[i].charset);
		else
			assert_int_equal(charset, CHARSET_LATIN1);
		guarded_free(name);
	}
}

/* RFC 3629 section 4 at its edges, and what Unicode's own test file calls ill-formed. */
static void test_valid(void **state)
{
	static const struct {
		const char *text;
		bool valid;
		uint32_t code; /* of the first character */
		size_t len;
	} cases[] = {
		{"A", true, 'A', 1},
		{"\x7f", true, 0x7f, 1},
		{"\xc2\x80", true, 0x80, 2},
		{"\xdf\xbf", true, 0x7ff, 2},
		{"\xe0\xa0\x80", true, 0x800, 3},
		{"\xed\x9f\xbf", true, 0xd7ff, 3},
		{"\xee\x80\x80", true, 0xe000, 3},
		{"\xef\xbf\xbd", true, 0xfffd, 3},
		{"\xef\xbf\xbf", true, 0xffff, 3},
		{"\xf0\x90\x80\x80", true, 0x10000, 4},
		{"\xf4\x8f\xbf\xbf", true, 0x10ffff, 4},
		{"\x80", false, 0xfffd, 1},
		{"\xbf", false, 0xfffd, 1},
		{"\xc0\x80", false, 0xfffd, 1},
		{"\xc1\xbf", false, 0xfffd, 1},
		{"\xc3", false, 0xfffd, 1},
		{"\xc3(", false, 0xfffd, 1},
		{"\xe0\x9f\xbf", false, 0xfffd, 1},
		{"\xe2\x82", false, 0xfffd, 1},
		{"\xe2\x28\xa1", false, 0xfffd, 1},
		{"\xe2\x82\x28", false, 0xfffd, 1},
		{"\xed\xa0\x80", false, 0xfffd, 1},
		{"\xf0\x8f\xbf\xbf", false, 0xfffd, 1},
		{"\xf0\x9f\x8e", false, 0xfffd, 1},
		{"\xf4\x90\x80\x80", false, 0xfffd, 1},
		{"\xf5\x80\x80\x80", false, 0xfffd, 1},
		{"\xff", false, 0xfffd, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct bytes text = guarded(bytes_str(cases[i].text));
		uint32_t code;

		assert_int_equal(charset_is_utf8(text), cases[i].valid);
		assert_int_equal(charset_decode(text, &code), cases[i].len);
		assert_int_equal(code, cases[i].code);
		guarded_free(text);
	}
	assert_true(charset_is_utf8(BYTES("")));
}

static void test_every_character_comes_back(void **state)
{
	(void)state;
	for (uint32_t code = 0; code <= 0x10ffff; code++) {
		uint8_t buf[CHARSET_CHAR_MAX];
		struct writer w = writer_of(buf, sizeof buf);
		uint32_t back;

		if (code >= 0xd800 && code < 0xe000)
			continue;
		charset_encode(code, &w);
		assert_true(writer_ok(&w));
		if (charset_decode(writer_done(&w), &back) != w.len || back != code)
			fail_msg("U+%04X came back as U+%04X", code, back);
	}
}

static void test_conversion(void **state)
{
	static const struct {
		const char *in;
		enum charset charset;
		const char *utf8, *latin1;
	} cases[] = {
		{"plain", CHARSET_UTF8, "plain", "plain"},
		{"Bj\xc3\xb6rk", CHARSET_UTF8, "Bj\xc3\xb6rk", "Bj\xf6rk"},
		{"Bj\xf6rk", CHARSET_UTF8, "Bj\xc3\xb6rk", "Bj\xf6rk"},
		{"Bj\xf6rk", CHARSET_LATIN1, "Bj\xc3\xb6rk", "Bj\xf6rk"},
		/* Named latin1, it is latin1, even where UTF-8 would do. */
		{"\xc3\xb6", CHARSET_LATIN1, "\xc3\x83\xc2\xb6", "\xc3\xb6"},
		{"Don\x92t \x80", CHARSET_LATIN1, "Don\xe2\x80\x99t \xe2\x82\xac", "Don?t ?"},
		{"Don\x92t", CHARSET_UTF8, "Don\xe2\x80\x99t", "Don?t"},
		{"Don\x92t", CHARSET_WINDOWS_1252, "Don\xe2\x80\x99t", "Don?t"},
		{"\x81\xa0\xff", CHARSET_LATIN1, "\xc2\x81\xc2\xa0\xc3\xbf", "\x81\xa0\xff"},
		{"\xf0\x9f\x8e\xb5\xd0\x94", CHARSET_UTF8, "\xf0\x9f\x8e\xb5\xd0\x94", "??"},
		{"", CHARSET_UTF8, "", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint8_t utf8_buf[64], latin1_buf[64];
		struct writer utf8 = writer_of(utf8_buf, sizeof utf8_buf);
		struct writer latin1 = writer_of(latin1_buf, sizeof latin1_buf);
		struct bytes in = guarded(bytes_str(cases[i].in));

		charset_to_utf8(in, cases[i].charset, &utf8);
		assert_written(&utf8, cases[i].utf8);
		charset_to_latin1(writer_done(&utf8), &latin1);
		assert_written(&latin1, cases[i].latin1);
		guarded_free(in);
	}
}

static void test_clean(void **state)
{
	static const struct {
		struct bytes in;
		const char *out;
	} cases[] = {
		{{(const uint8_t *)"a\0b\r\nc\x7f", 7}, "a b  c "},
		{{(const uint8_t *)"\xc2\x85\xc2\x9f\xc2\xa0", 6}, "  \xc2\xa0"},
		{{(const uint8_t *)"x\xe2\x82", 3}, "x\xef\xbf\xbd\xef\xbf\xbd"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint8_t buf[32];
		struct writer w = writer_of(buf, sizeof buf);
		struct bytes in = guarded(cases[i].in);

		charset_clean(in, &w);
		assert_written(&w, cases[i].out);
		guarded_free(in);
	}
}

static void test_cut(void **state)
{
	struct bytes text = guarded(BYTES("a\xc3\xb6\xe2\x82\xac\xf0\x9f\x8e\xb5")); /* 1 2 3 4 */
	static const size_t kept[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};

	(void)state;
	for (size_t max = 0; max < sizeof kept / sizeof kept[0]; max++)
		assert_int_equal(charset_cut(text, max).len, kept[max]);
	guarded_free(text);
}

static void test_field(void **state)
{
	static const struct {
		const char *in;
		enum charset charset;
		size_t size;
		const char *out;
	} cases[] = {
		{"  My Radio \r\n", CHARSET_UTF8, 16, "My Radio"},
		{"My\r\nSet-Cookie: x", CHARSET_UTF8, 32, "My  Set-Cookie: x"},
		{"abcdef", CHARSET_UTF8, 4, "abc"},
		{"a\xc3\xb6\xc3\xb6", CHARSET_UTF8, 5, "a\xc3\xb6"},
		{"a\xf6\xf6", CHARSET_LATIN1, 5, "a\xc3\xb6"},
		{"abc def", CHARSET_UTF8, 5, "abc"},
		{"abc", CHARSET_UTF8, 1, ""},
		{"\x01\x02", CHARSET_UTF8, 8, ""},
		{"     x", CHARSET_UTF8, 2, "x"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char field[40];
		struct bytes in = guarded(bytes_str(cases[i].in));

		memset(field, '#', sizeof field);
		assert_int_equal(charset_to_field(in, cases[i].charset, field, cases[i].size),
				 strlen(cases[i].out));
		assert_string_equal(field, cases[i].out);
		assert_int_equal(field[cases[i].size], '#');
		guarded_free(in);
	}
}

static void test_no_half_character_where_there_is_no_room(void **state)
{
	uint8_t buf[2];
	struct writer w = writer_of(buf, sizeof buf);

	(void)state;
	charset_encode(0x20ac, &w);
	assert_false(writer_ok(&w));
	assert_int_equal(w.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_every_character_comes_back),
		cmocka_unit_test(test_conversion),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_field),
		cmocka_unit_test(test_no_half_character_where_there_is_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
