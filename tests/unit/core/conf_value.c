/* conf_value: texts to values and back. */
#include "conf_table.h"

union any {
	const char *text;
	bool flag;
	uint64_t number;
	unsigned choice;
	struct conf_list list;
};

struct value_case {
	enum conf_type type;
	const char *low, *high;
	const char *text;
	const char *printed; /* NULL: refused */
};

static const struct value_case cases[] = {
	{CONF_SIZE, "", "", "0", "0"},
	{CONF_SIZE, "", "", "1", "1"},
	{CONF_SIZE, "", "", "1023", "1023"},
	{CONF_SIZE, "", "", "1024", "1k"},
	{CONF_SIZE, "", "", "512K", "512k"},
	{CONF_SIZE, "", "", "1 MiB", "1M"},
	{CONF_SIZE, "", "", "2gb", "2G"},
	{CONF_SIZE, "", "", "64B", "64"},
	{CONF_SIZE, "", "", "1536k", "1536k"},
	{CONF_SIZE, "", "", "17179869183G", "17179869183G"},
	{CONF_SIZE, "", "", "17179869184G", NULL},
	{CONF_SIZE, "", "", "", NULL},
	{CONF_SIZE, "", "", "k", NULL},
	{CONF_SIZE, "", "", " 1k", NULL},
	{CONF_SIZE, "", "", "1  k", NULL},
	{CONF_SIZE, "", "", "1 ", NULL},
	{CONF_SIZE, "", "", "1.5M", NULL},
	{CONF_SIZE, "", "", "-1", NULL},
	{CONF_SIZE, "", "", "0x10", NULL},
	{CONF_SIZE, "1k", "2k", "1k", "1k"},
	{CONF_SIZE, "1k", "2k", "2048", "2k"},
	{CONF_SIZE, "1k", "2k", "1023", NULL},
	{CONF_SIZE, "1k", "2k", "2049", NULL},
	{CONF_DURATION, "", "", "0", "0"},
	{CONF_DURATION, "", "", "250ms", "250ms"},
	{CONF_DURATION, "", "", "3", "3s"},
	{CONF_DURATION, "", "", "1500 ms", "1500ms"},
	{CONF_DURATION, "", "", "60s", "1m"},
	{CONF_DURATION, "", "", "48h", "2d"},
	{CONF_DURATION, "", "", "90m", "90m"},
	{CONF_DURATION, "", "", "5 minutes", NULL},
	{CONF_DURATION, "", "", "1h30m", NULL},
	{CONF_COUNT, "", "", "18446744073709551615", "18446744073709551615"},
	{CONF_COUNT, "", "", "18446744073709551616", NULL},
	{CONF_COUNT, "", "", "1k", NULL},
	{CONF_BOOL, "", "", "YES", "yes"},
	{CONF_BOOL, "", "", "off", "no"},
	{CONF_BOOL, "", "", "1", "yes"},
	{CONF_BOOL, "", "", "y", NULL},
	{CONF_CHOICE, "one two three", "", "two", "two"},
	{CONF_CHOICE, "one two three", "", "three", "three"},
	{CONF_CHOICE, "one two three", "", "tw", NULL},
	{CONF_CHOICE, "one two three", "", "", NULL},
	{CONF_TEXT, "", "", "", "\"\""},
	{CONF_TEXT, "", "", "a \"b\" \\c", "\"a \\\"b\\\" \\\\c\""},
	{CONF_TEXT, "", "", "Zürich ☃ 𝄞", "\"Zürich ☃ 𝄞\""},
	{CONF_TEXT, "", "", "a\nb", NULL},
	{CONF_TEXT, "", "", "\x7f", NULL},
	{CONF_TEXT, "", "", "\xc2\x85", NULL},           /* U+0085 */
	{CONF_TEXT, "", "", "\xc2\xa0", "\"\xc2\xa0\""}, /* U+00A0 */
	{CONF_TEXT, "", "", "\xe2\x80\xa8", NULL},       /* U+2028 */
	{CONF_TEXT, "", "", "\xe2\x80\xae", NULL},       /* U+202E */
	{CONF_TEXT, "", "", "\xef\xbb\xbf", NULL},       /* U+FEFF */
	{CONF_TEXT, "", "", "\xef\xbf\xbe", NULL},       /* U+FFFE */
	{CONF_TEXT, "", "", "\xc0\x80", NULL},           /* longer than needed */
	{CONF_TEXT, "", "", "\xe0\x80\xaf", NULL},
	{CONF_TEXT, "", "", "\xed\xa0\x80", NULL},     /* a surrogate */
	{CONF_TEXT, "", "", "\xf4\x90\x80\x80", NULL}, /* past U+10FFFF */
	{CONF_TEXT, "", "", "\xf4\x8f\xbf\xbd", "\"\xf4\x8f\xbf\xbd\""},
	{CONF_TEXT, "", "", "\xe2\x82", NULL}, /* cut off */
	{CONF_LIST, "", "", "", "[]"},
	{CONF_LIST, "", "", " , ,", "[]"},
	{CONF_LIST, "", "", "a", "[\"a\"]"},
	{CONF_LIST, "", "", " a,b  c, d ", "[\"a\", \"b\", \"c\", \"d\"]"},
	{CONF_LISTEN, "", "", "[::]:80 0.0.0.0:80", "[\"[::]:80\", \"0.0.0.0:80\"]"},
	{CONF_LIST, "", "", "a\n", NULL},
	{CONF_LIST, "", "", "a\tb", NULL},
};

static char *print_value(const struct conf_item *item, const void *values)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	conf_value_print(out, item, values);
	fclose(out);
	return text;
}

static void texts_become_values_and_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct value_case *c = &cases[i];
		struct conf_item item = {
			.name = "x", .type = c->type, .low = c->low, .high = c->high};
		struct conf_said said = {.text = &c->text, .count = 1};
		struct conf_kept *kept = NULL;
		const char *found = NULL;
		union any value = {0};
		enum conf_verdict verdict = conf_value_parse(&item, &said, &kept, &value, &found);

		if (!c->printed) {
			if (verdict != CONF_WRONG)
				fail_msg("%s was accepted as %d", c->text, c->type);
			assert_string_equal(found, c->text);
		} else {
			if (verdict != CONF_FINE)
				fail_msg("%s was refused as %d", c->text, c->type);
			char *printed = print_value(&item, &value);

			assert_string_equal(printed, c->printed);
			free(printed);
		}
		conf_kept_free(&kept);
	}
}

static void a_refused_text_changes_nothing(void **state)
{
	(void)state;
	static const char *const text = "65";
	struct conf_item item = {.type = CONF_COUNT, .low = "0", .high = "64"};
	struct conf_said said = {.text = &text, .count = 1};
	struct conf_kept *kept = NULL;
	const char *found;
	uint64_t value = 7;

	assert_int_equal(conf_value_parse(&item, &said, &kept, &value, &found), CONF_WRONG);
	assert_int_equal(value, 7);
}

static void a_text_has_a_longest_length(void **state)
{
	(void)state;
	char text[4098];
	const char *at = text;
	struct conf_item item = {.type = CONF_TEXT};
	struct conf_said said = {.text = &at, .count = 1};
	struct conf_kept *kept = NULL;
	const char *found, *value;

	memset(text, 'x', sizeof text);
	text[4097] = '\0';
	assert_int_equal(conf_value_parse(&item, &said, &kept, &value, &found), CONF_WRONG);
	text[4096] = '\0';
	assert_int_equal(conf_value_parse(&item, &said, &kept, &value, &found), CONF_FINE);
	assert_int_equal(strlen(value), 4096);
	conf_kept_free(&kept);
}

static void edits_are_counted(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b;
		size_t distance;
	} pairs[] = {
		{"", "", 0},           {"abc", "abc", 0},        {"abc", "abd", 1},
		{"abc", "ab", 1},      {"", "abc", 3},           {"lisen", "listen", 1},
		{"plian", "plain", 1}, {"kitten", "sitting", 3}, {"ab", "ba", 1},
	};

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		assert_int_equal(conf_error_distance(pairs[i].a, pairs[i].b), pairs[i].distance);
		assert_int_equal(conf_error_distance(pairs[i].b, pairs[i].a), pairs[i].distance);
	}
}

static void quotes_are_cut_between_characters(void **state)
{
	(void)state;
	char text[80], buf[128], small[16];

	assert_string_equal(conf_error_quote("a\x1b[31m", buf, sizeof buf), "\"a\\x1b[31m\"");
	memset(text, 'x', 59);
	strcpy(text + 59, "éé");
	conf_error_quote(text, buf, sizeof buf);
	assert_int_equal(strlen(buf), 1 + 59 + strlen("…\""));
	conf_error_quote("a rather long text", small, sizeof small);
	assert_true(strlen(small) < sizeof small);
	assert_string_equal(small + strlen(small) - 1, "\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_become_values_and_texts),
		cmocka_unit_test(a_refused_text_changes_nothing),
		cmocka_unit_test(a_text_has_a_longest_length),
		cmocka_unit_test(edits_are_counted),
		cmocka_unit_test(quotes_are_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
