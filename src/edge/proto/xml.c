#include "edge/proto/xml.h"

#include "edge/proto/charset.h"

void xml_start(struct xml *xml, struct writer *out)
{
	*xml = (struct xml){.out = out};
	writer_str(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
}

static void leave_tag(struct xml *xml)
{
	if (xml->in_tag)
		writer_str(xml->out, ">");
	xml->in_tag = false;
}

/* XML 1.0 section 2.2, without what charset_decode() never gives (surrogates). */
static bool is_xml_char(uint32_t code)
{
	if (code < 0x20)
		return code == '\t' || code == '\n' || code == '\r';
	return code != 0xfffe && code != 0xffff;
}

static void put_escaped(struct writer *out, struct bytes text, bool attribute)
{
	while (text.len) {
		uint32_t code;

		text = bytes_skip(text, charset_decode(text, &code));
		if (!is_xml_char(code))
			continue;
		if (code == '&')
			writer_str(out, "&amp;");
		else if (code == '<')
			writer_str(out, "&lt;");
		else if (code == '>') /* "]]>" may not stand in text: section 2.4 */
			writer_str(out, "&gt;");
		else if (code == '"' && attribute)
			writer_str(out, "&quot;");
		else if (code == '\r') /* a reader turns a bare one into LF: section 2.11 */
			writer_str(out, "&#13;");
		else if (code == '\n' && attribute) /* and these into spaces: section 3.3.3 */
			writer_str(out, "&#10;");
		else if (code == '\t' && attribute)
			writer_str(out, "&#9;");
		else
			charset_encode(code, out);
	}
}

void xml_open(struct xml *xml, const char *name)
{
	leave_tag(xml);
	if (xml->depth == XML_DEPTH_MAX || (xml->depth == 0 && xml->rooted)) {
		xml->out->failed = true;
		return;
	}
	xml->open[xml->depth++] = name;
	xml->rooted = xml->in_tag = true;
	writer_str(xml->out, "<");
	writer_str(xml->out, name);
}

void xml_attr(struct xml *xml, const char *name, struct bytes value)
{
	if (!xml->in_tag) {
		xml->out->failed = true;
		return;
	}
	writer_str(xml->out, " ");
	writer_str(xml->out, name);
	writer_str(xml->out, "=\"");
	put_escaped(xml->out, value, true);
	writer_str(xml->out, "\"");
}

void xml_attr_str(struct xml *xml, const char *name, const char *value)
{
	xml_attr(xml, name, bytes_str(value));
}

void xml_text(struct xml *xml, struct bytes text)
{
	if (text.len == 0)
		return;
	if (xml->depth == 0) { /* only white space may stand outside the root: section 2.8 */
		xml->out->failed = true;
		return;
	}
	leave_tag(xml);
	put_escaped(xml->out, text, false);
}

void xml_close(struct xml *xml)
{
	if (xml->depth == 0) {
		xml->out->failed = true;
		return;
	}
	const char *name = xml->open[--xml->depth];

	if (xml->in_tag) {
		writer_str(xml->out, "/>");
	} else {
		writer_str(xml->out, "</");
		writer_str(xml->out, name);
		writer_str(xml->out, ">");
	}
	xml->in_tag = false;
}

void xml_leaf(struct xml *xml, const char *name, struct bytes text)
{
	xml_open(xml, name);
	xml_text(xml, text);
	xml_close(xml);
}

bool xml_end(struct xml *xml)
{
	writer_str(xml->out, "\n");
	if (xml->depth || !xml->rooted)
		xml->out->failed = true;
	return writer_ok(xml->out);
}

void xml_escape(struct writer *out, struct bytes text)
{
	put_escaped(out, text, false);
}
