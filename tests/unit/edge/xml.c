#include "edge/proto/xml.h"

#include <stdio.h>

#include "radio/text.h"

#define DECLARATION "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

static void test_document(void **state)
{
	uint8_t buf[512];
	struct writer w = writer_of(buf, sizeof buf);
	struct xml xml;

	(void)state;
	xml_start(&xml, &w);
	xml_open(&xml, "icestats");
	xml_leaf(&xml, "admin", BYTES("a@b"));
	xml_leaf(&xml, "clients", BYTES("18446744073709551615"));
	xml_open(&xml, "source");
	xml_attr_str(&xml, "mount", "/live");
	xml_attr(&xml, "id", BYTES("0"));
	xml_leaf(&xml, "title", BYTES(""));
	xml_open(&xml, "listener");
	xml_close(&xml);
	xml_text(&xml, BYTES("x"));
	xml_close(&xml);
	xml_close(&xml);
	assert_true(xml_end(&xml));
	assert_written(
		&w, DECLARATION
		"<icestats><admin>a@b</admin><clients>18446744073709551615</clients>"
		"<source mount=\"/live\" id=\"0\"><title/><listener/>x</source></icestats>\n");
}

static void test_escaping(void **state)
{
	static const struct {
		struct bytes in;
		const char *text, *attribute;
	} cases[] = {
		{{(const uint8_t *)"a&b<c>\"d'", 9},
		 "a&amp;b&lt;c&gt;\"d'",
		 "a&amp;b&lt;c&gt;&quot;d'"},
		{{(const uint8_t *)"]]>", 3}, "]]&gt;", "]]&gt;"},
		{{(const uint8_t *)"\t\n\r", 3}, "\t\n&#13;", "&#9;&#10;&#13;"},
		{{(const uint8_t *)"x\0\x01\x08\x0b\x1fy", 7}, "xy", "xy"},
		{{(const uint8_t *)"\xef\xbf\xbe\xef\xbf\xbfz", 7}, "z", "z"},
		{{(const uint8_t *)"\xed\xa0\x80", 3},
		 "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
		 "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{{(const uint8_t *)"\xc3\xb6\xf0\x9f\x8e\xb5", 6},
		 "\xc3\xb6\xf0\x9f\x8e\xb5",
		 "\xc3\xb6\xf0\x9f\x8e\xb5"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint8_t buf[256];
		char want[256];
		struct writer w = writer_of(buf, sizeof buf);
		struct xml xml;
		struct bytes in = guarded(cases[i].in);

		xml_start(&xml, &w);
		xml_open(&xml, "a");
		xml_attr(&xml, "b", in);
		xml_text(&xml, in);
		xml_close(&xml);
		assert_true(xml_end(&xml));
		snprintf(want, sizeof want, DECLARATION "<a b=\"%s\">%s</a>\n", cases[i].attribute,
			 cases[i].text);
		assert_written(&w, want);
		guarded_free(in);
	}
}

static struct xml begun(struct writer *w)
{
	struct xml xml;

	xml_start(&xml, w);
	return xml;
}

static void test_what_is_no_document_fails(void **state)
{
	uint8_t buf[512];
	struct writer w = writer_of(buf, sizeof buf);
	struct xml xml = begun(&w);

	(void)state;
	xml_close(&xml);
	assert_false(xml_end(&xml));

	w = writer_of(buf, sizeof buf);
	xml = begun(&w);
	xml_open(&xml, "a");
	assert_false(xml_end(&xml));

	w = writer_of(buf, sizeof buf);
	xml = begun(&w);
	assert_false(xml_end(&xml));

	w = writer_of(buf, sizeof buf);
	xml = begun(&w);
	xml_leaf(&xml, "a", BYTES("one root"));
	assert_true(writer_ok(&w));
	xml_leaf(&xml, "a", BYTES("two roots"));
	assert_false(xml_end(&xml));

	w = writer_of(buf, sizeof buf);
	xml = begun(&w);
	xml_text(&xml, BYTES("outside"));
	assert_false(xml_end(&xml));

	w = writer_of(buf, sizeof buf);
	xml = begun(&w);
	xml_open(&xml, "a");
	xml_text(&xml, BYTES("x"));
	xml_attr_str(&xml, "late", "1");
	xml_close(&xml);
	assert_false(xml_end(&xml));

	w = writer_of(buf, sizeof buf);
	xml = begun(&w);
	for (size_t i = 0; i < XML_DEPTH_MAX; i++)
		xml_open(&xml, "a");
	assert_true(writer_ok(&w));
	xml_open(&xml, "a");
	assert_false(writer_ok(&w));
}

static void test_every_lack_of_room_is_noticed(void **state)
{
	uint8_t buf[128];
	size_t whole = 0;

	(void)state;
	for (size_t size = sizeof buf; size-- > 0;) {
		struct writer w = writer_of(buf, size);
		struct xml xml = begun(&w);

		xml_open(&xml, "a");
		xml_attr_str(&xml, "b", "<");
		xml_leaf(&xml, "c", BYTES("&"));
		xml_close(&xml);
		bool ok = xml_end(&xml);

		if (ok)
			whole = w.len;
		assert_int_equal(ok, size >= whole);
		assert_true(w.len <= size);
	}
	assert_int_equal(whole, strlen(DECLARATION "<a b=\"&lt;\"><c>&amp;</c></a>\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_document),
		cmocka_unit_test(test_escaping),
		cmocka_unit_test(test_what_is_no_document_fails),
		cmocka_unit_test(test_every_lack_of_room_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
