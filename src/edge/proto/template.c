#include "edge/proto/template.h"

#include "edge/proto/charset.h"
#include "edge/proto/url.h"

static void write_json_char(struct writer *w, struct bytes character, uint32_t code)
{
	static const char hex[] = "0123456789abcdef";

	if (code == '"' || code == '\\') {
		writer_u8(w, '\\');
		writer_u8(w, (uint8_t)code);
	} else if (code == '\n') {
		writer_str(w, "\\n");
	} else if (code < 0x20 || code == 0x7f || code == '<' || code == '>' || code == '&') {
		/* As good as itself in JSON, and harmless where somebody puts it into a page. */
		writer_str(w, "\\u00");
		writer_u8(w, (uint8_t)hex[code >> 4]);
		writer_u8(w, (uint8_t)hex[code & 15]);
	} else if (code == CHARSET_REPLACEMENT) {
		writer_str(w, "\\ufffd");
	} else {
		writer_put(w, character);
	}
}

void template_escape(struct writer *w, struct bytes value, enum template_escape escape)
{
	if (escape == TEMPLATE_FORM) {
		url_encode_component(w, value);
		return;
	}
	while (value.len) {
		uint32_t code;
		size_t len = charset_decode(value, &code);

		if (escape == TEMPLATE_JSON)
			write_json_char(w, bytes_first(value, len), code);
		else if (charset_is_control(code))
			writer_u8(w, ' ');
		else
			charset_encode(code, w);
		value = bytes_skip(value, len);
	}
}

/* "{{ name }}" at the beginning of in: how long, and which name. 0: it is none. */
static size_t place_at(struct bytes in, struct bytes *name)
{
	size_t end = 2;

	if (in.len < 4 || in.at[0] != '{' || in.at[1] != '{')
		return 0;
	while (end < in.len && in.at[end] != '}' && in.at[end] != '{' && in.at[end] != '\n')
		end++;
	if (end + 1 >= in.len || in.at[end] != '}' || in.at[end + 1] != '}')
		return 0;
	*name = bytes_trim(bytes_of(in.at + 2, end - 2));
	return end + 2;
}

void template_write(struct writer *w, struct bytes text, enum template_escape escape,
		    const struct template_value *values, size_t count)
{
	while (text.len) {
		struct bytes name;
		size_t len = place_at(text, &name);

		if (len == 0) {
			writer_u8(w, text.at[0]);
			text = bytes_skip(text, 1);
			continue;
		}
		for (size_t i = 0; i < count; i++)
			if (bytes_equal(bytes_str(values[i].name), name)) {
				template_escape(w, values[i].value, escape);
				break;
			}
		text = bytes_skip(text, len);
	}
}

enum template_escape template_escape_of(struct bytes content_type)
{
	struct bytes name = bytes_trim(bytes_cut(&content_type, ';'));

	if (bytes_equal_nocase(name, BYTES("application/json")) ||
	    bytes_end_with(name, BYTES("+json")))
		return TEMPLATE_JSON;
	if (bytes_equal_nocase(name, BYTES("application/x-www-form-urlencoded")))
		return TEMPLATE_FORM;
	return TEMPLATE_TEXT;
}
