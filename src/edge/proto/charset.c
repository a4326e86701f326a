#include "edge/proto/charset.h"

/* windows-1252 at 0x80 to 0x9f, as in the WHATWG index: the five holes are the C1 controls. */
static const uint16_t windows_1252[32] = {
	0x20ac, 0x0081, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
	0x2039, 0x0152, 0x008d, 0x017d, 0x008f, 0x0090, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
	0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x009d, 0x017e, 0x0178,
};

bool charset_of_name(struct bytes name, enum charset *charset)
{
	static const struct {
		const char *name;
		enum charset charset;
	} known[] = {
		{"utf-8", CHARSET_UTF8},
		{"utf8", CHARSET_UTF8},
		{"us-ascii", CHARSET_UTF8},
		{"ascii", CHARSET_UTF8},
		{"iso-8859-1", CHARSET_LATIN1},
		{"iso8859-1", CHARSET_LATIN1},
		{"iso_8859-1", CHARSET_LATIN1},
		{"latin1", CHARSET_LATIN1},
		{"latin-1", CHARSET_LATIN1},
		{"l1", CHARSET_LATIN1},
		{"windows-1252", CHARSET_WINDOWS_1252},
		{"cp1252", CHARSET_WINDOWS_1252},
		{"x-cp1252", CHARSET_WINDOWS_1252},
	};

	name = bytes_trim(name);
	if (name.len >= 2 && name.at[0] == '"' && name.at[name.len - 1] == '"')
		name = bytes_trim(bytes_of(name.at + 1, name.len - 2));
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (bytes_equal_nocase(name, bytes_str(known[i].name))) {
			*charset = known[i].charset;
			return true;
		}
	}
	return false;
}

/* RFC 3629 section 4: how long the character is, and what its second byte may be. That range alone
 * keeps out overlong forms, surrogates and what lies beyond U+10FFFF. */
static size_t utf8_shape(uint8_t first, uint8_t *low, uint8_t *high)
{
	*low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
	*high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef)
		return 3;
	if (first >= 0xf0 && first <= 0xf4)
		return 4;
	return 0;
}

size_t charset_decode(struct bytes in, uint32_t *code)
{
	uint8_t first = in.at[0], low, high;
	size_t len = utf8_shape(first, &low, &high);

	*code = first;
	if (first < 0x80)
		return 1;
	*code = CHARSET_REPLACEMENT;
	if (len == 0 || in.len < len || in.at[1] < low || in.at[1] > high)
		return 1;
	uint32_t value = first & (0xffu >> (len + 1));

	for (size_t i = 1; i < len; i++) {
		if ((in.at[i] & 0xc0) != 0x80)
			return 1;
		value = value << 6 | (in.at[i] & 0x3f);
	}
	*code = value;
	return len;
}

void charset_encode(uint32_t code, struct writer *out)
{
	uint8_t buf[CHARSET_CHAR_MAX];
	struct writer w = writer_of(buf, sizeof buf);
	uint32_t more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;

	if (more == 0)
		writer_u8(&w, (uint8_t)code);
	else
		writer_u8(&w, (uint8_t)((0xff00u >> (more + 1) & 0xff) | code >> (6 * more)));
	while (more-- > 0)
		writer_u8(&w, (uint8_t)(0x80 | (code >> (6 * more) & 0x3f)));
	writer_put(out, writer_done(&w));
}

bool charset_is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

bool charset_is_utf8(struct bytes in)
{
	while (in.len) {
		uint32_t code;
		size_t len = charset_decode(in, &code);

		if (len == 1 && code == CHARSET_REPLACEMENT)
			return false;
		in = bytes_skip(in, len);
	}
	return true;
}

static uint32_t code_of_1252(uint8_t byte)
{
	return byte >= 0x80 && byte < 0xa0 ? windows_1252[byte - 0x80] : byte;
}

void charset_to_utf8(struct bytes in, enum charset charset, struct writer *out)
{
	if (charset == CHARSET_UTF8 && charset_is_utf8(in)) {
		writer_put(out, in);
		return;
	}
	for (size_t i = 0; i < in.len; i++)
		charset_encode(code_of_1252(in.at[i]), out);
}

void charset_to_latin1(struct bytes utf8, struct writer *out)
{
	while (utf8.len) {
		uint32_t code;

		utf8 = bytes_skip(utf8, charset_decode(utf8, &code));
		writer_u8(out, code < 0x100 ? (uint8_t)code : '?');
	}
}

void charset_clean(struct bytes utf8, struct writer *out)
{
	while (utf8.len) {
		uint32_t code;

		utf8 = bytes_skip(utf8, charset_decode(utf8, &code));
		charset_encode(charset_is_control(code) ? ' ' : code, out);
	}
}

struct bytes charset_cut(struct bytes utf8, size_t max)
{
	struct bytes left = utf8;

	while (left.len) {
		uint32_t code;
		size_t len = charset_decode(left, &code);

		if (utf8.len - left.len + len > max)
			break;
		left = bytes_skip(left, len);
	}
	return bytes_first(utf8, utf8.len - left.len);
}

/* The next character of in, said to be in charset, with control characters as spaces. */
static uint32_t take_clean(struct bytes *in, bool utf8)
{
	uint32_t code = code_of_1252(in->at[0]);

	*in = bytes_skip(*in, utf8 ? charset_decode(*in, &code) : 1);
	return charset_is_control(code) ? ' ' : code;
}

size_t charset_to_field(struct bytes in, enum charset charset, char *field, size_t size)
{
	struct writer w = writer_of(field, size - 1);
	bool utf8 = charset == CHARSET_UTF8 && charset_is_utf8(in);

	while (in.len && writer_ok(&w)) {
		uint32_t code = take_clean(&in, utf8);

		if (code != ' ' || w.len > 0) /* blanks at the beginning use no room */
			charset_encode(code, &w);
	}
	struct bytes kept = bytes_trim(writer_done(&w));

	field[kept.len] = '\0';
	return kept.len;
}
