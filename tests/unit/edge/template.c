/* template: names and their values, and what a value may not do. */
#include "edge/proto/template.h"

#include "expect.h"

static const struct template_value values[] = {
	{"title", {(const uint8_t *)"a \"b\"\n<c>\\ & \xc3\xa4\x01\xff", 17}},
	{"mount", {(const uint8_t *)"/live", 5}},
	{"empty", {NULL, 0}},
};

static void values_stand_in_their_places(void **state)
{
	static const struct {
		const char *text;
		enum template_escape escape;
		const char *out;
	} rows[] = {
		{"", TEMPLATE_TEXT, ""},
		{"no names", TEMPLATE_TEXT, "no names"},
		{"{{mount}}", TEMPLATE_TEXT, "/live"},
		{"<{{ mount }}|{{empty}}|{{unknown}}>", TEMPLATE_TEXT, "</live||>"},
		{"{{mount}", TEMPLATE_TEXT, "{{mount}"},
		{"{{{mount}}}", TEMPLATE_TEXT, "{/live}"},
		{"{{", TEMPLATE_TEXT, "{{"},
		{"{{mo\nunt}}", TEMPLATE_TEXT, "{{mo\nunt}}"},
		{"{{mount}}", TEMPLATE_FORM, "%2Flive"},
		{"{\"t\":\"{{title}}\"}", TEMPLATE_JSON,
		 "{\"t\":\"a \\\"b\\\"\\n\\u003cc\\u003e\\\\ \\u0026 \xc3\xa4\\u0001\\ufffd\"}"},
		{"{{title}}", TEMPLATE_TEXT, "a \"b\" <c>\\ & \xc3\xa4 \xef\xbf\xbd"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct bytes text = guarded(bytes_str(rows[i].text));
		uint8_t buf[256];
		struct writer w = writer_of(buf, sizeof buf);

		template_write(&w, text, rows[i].escape, values, 3);
		expect_written(&w, rows[i].out);
		guarded_free(text);
	}
}

static void types_say_how(void **state)
{
	(void)state;
	assert_int_equal(template_escape_of(BYTES("application/json; charset=utf-8")),
			 TEMPLATE_JSON);
	assert_int_equal(template_escape_of(BYTES("application/problem+json")), TEMPLATE_JSON);
	assert_int_equal(template_escape_of(BYTES("application/x-www-form-urlencoded")),
			 TEMPLATE_FORM);
	assert_int_equal(template_escape_of(BYTES("text/plain")), TEMPLATE_TEXT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_stand_in_their_places),
		cmocka_unit_test(types_say_how),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
