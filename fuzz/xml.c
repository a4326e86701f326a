/* Any calls with any text give either an error or a well-formed document, and the text that XML
 * allows comes back out of it. */
#include "edge/proto/xml.h"

#include "xml_check.h"

static uint8_t document_buf[1u << 20];

/* The text of the only element of a document <a>…</a>, unescaped. */
static void unescape(struct bytes in, struct writer *out)
{
	while (in.len) {
		static const struct {
			const char *reference, *text;
		} known[] = {{"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&#13;", "\r"}};
		struct bytes one = bytes_first(in, 1);
		size_t len = 1;

		for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
			if (bytes_start_with(in, bytes_str(known[i].reference))) {
				one = bytes_str(known[i].text);
				len = strlen(known[i].reference);
			}
		}
		writer_put(out, one);
		in = bytes_skip(in, len);
	}
}

static void check_text_comes_back(struct bytes text)
{
	static const char begin[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a>",
			  end[] = "</a>\n";
	struct writer w = writer_of(document_buf, sizeof document_buf);
	uint8_t *buf = malloc(text.len + 1);
	struct writer back = writer_of(buf, text.len);
	struct xml xml;

	PROPERTY(buf);
	xml_start(&xml, &w);
	xml_leaf(&xml, "a", text);
	PROPERTY(xml_end(&xml));
	if (text.len && oracle_clean(text) &&
	    bytes_find_nocase(text, BYTES("\xef\xbf\xbe")) == text.len &&
	    bytes_find_nocase(text, BYTES("\xef\xbf\xbf")) == text.len) {
		struct bytes inner = bytes_skip(writer_done(&w), sizeof begin - 1);

		PROPERTY(bytes_end_with(inner, bytes_str(end)));
		unescape(bytes_first(inner, inner.len - (sizeof end - 1)), &back);
		PROPERTY(writer_ok(&back) && bytes_equal(writer_done(&back), text));
	}
	free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"a", "icestats", "Listeners", "iceResponse"};
	struct bytes in = bytes_of(data, size < 32768 ? size : 32768);
	struct writer w = writer_of(document_buf, sizeof document_buf);
	struct xml xml;

	check_text_comes_back(in);
	xml_start(&xml, &w);
	while (in.len) {
		uint8_t what = take_u8(&in);
		const char *name = names[what >> 3 & 3];
		struct bytes text = take(&in, what >> 5);

		if (xml.depth == 0 && xml.rooted) /* a second root is an error, which ends it */
			break;
		switch (what & 7) {
		case 0:
		case 1: xml_open(&xml, name); break;
		case 2: xml_close(&xml); break;
		case 3: xml_attr(&xml, name, text); break;
		case 5: xml_leaf(&xml, name, text); break;
		default: xml_text(&xml, text); break;
		}
	}
	while (xml.depth)
		xml_close(&xml);
	if (xml_end(&xml))
		check_xml(writer_done(&w));
	return 0;
}
