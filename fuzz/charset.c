/* Text of any worth: what comes out is valid and clean, what was valid comes through untouched, and
 * cuts fall between characters. */
#include "edge/proto/charset.h"

#include "text.h"

static struct writer room(size_t size)
{
	void *buf = malloc(size + 1);

	PROPERTY(buf);
	return writer_of(buf, size);
}

static void check_decode(struct bytes in)
{
	uint32_t *codes = malloc(in.len * 4 + 4);
	struct bytes left = in;

	PROPERTY(codes);
	size_t count = oracle_decode(in, codes);

	PROPERTY(charset_is_utf8(in) == (count != SIZE_MAX));
	for (size_t i = 0; left.len; i++) {
		uint32_t code;
		size_t len = charset_decode(left, &code);

		PROPERTY(len >= 1 && len <= left.len && len <= CHARSET_CHAR_MAX);
		PROPERTY(code <= 0x10ffff && (code < 0xd800 || code > 0xdfff));
		if (count != SIZE_MAX)
			PROPERTY(i < count && codes[i] == code);
		left = bytes_skip(left, len);
	}
	free(codes);
}

static void check_to_utf8(struct bytes in, enum charset charset)
{
	struct writer w = room(in.len * 3), clean = room(in.len * 3), again = room(in.len * 3);

	charset_to_utf8(in, charset, &w);
	PROPERTY(writer_ok(&w) && charset_is_utf8(writer_done(&w)));
	if (charset == CHARSET_UTF8 && charset_is_utf8(in))
		PROPERTY(bytes_equal(in, writer_done(&w)));
	charset_clean(writer_done(&w), &clean);
	PROPERTY(writer_ok(&clean) && oracle_clean(writer_done(&clean)));
	charset_clean(writer_done(&clean), &again);
	PROPERTY(bytes_equal(writer_done(&clean), writer_done(&again)));
	free(w.at);
	free(clean.at);
	free(again.at);
}

/* ISO-8859-1 without C1 comes back as it was. */
static void check_latin1(struct bytes in)
{
	struct writer utf8 = room(in.len * 3), latin1 = room(in.len);
	bool c1 = false;

	for (size_t i = 0; i < in.len; i++)
		c1 |= in.at[i] >= 0x80 && in.at[i] < 0xa0;
	charset_to_utf8(in, CHARSET_LATIN1, &utf8);
	charset_to_latin1(writer_done(&utf8), &latin1);
	PROPERTY(writer_ok(&utf8) && writer_ok(&latin1) && latin1.len == in.len);
	if (!c1)
		PROPERTY(bytes_equal(in, writer_done(&latin1)));
	free(utf8.at);
	free(latin1.at);
}

static void check_cut(struct bytes in, size_t max)
{
	struct bytes cut = charset_cut(in, max), rest = bytes_skip(in, cut.len);
	uint32_t code;

	PROPERTY(cut.len <= max && bytes_start_with(in, cut));
	PROPERTY(rest.len == 0 || cut.len + charset_decode(rest, &code) > max);
	if (charset_is_utf8(in))
		PROPERTY(charset_is_utf8(cut) && charset_is_utf8(rest));
}

static void check_field(struct bytes in, enum charset charset, size_t size)
{
	char *field = malloc(size);

	PROPERTY(field);
	size_t len = charset_to_field(in, charset, field, size);

	PROPERTY(len < size && strlen(field) == len);
	PROPERTY(oracle_clean(bytes_str(field)));
	PROPERTY(bytes_trim(bytes_str(field)).len == len);
	free(field);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	size_t number = take_u8(&in);
	enum charset charset = (enum charset)(number % 3), named;
	uint8_t none;
	struct writer nowhere = writer_of(&none, 0);

	check_decode(in);
	check_to_utf8(in, charset);
	check_latin1(in);
	check_cut(in, number);
	check_field(in, charset, number + 1);
	if (charset_of_name(in, &named))
		PROPERTY(named <= CHARSET_WINDOWS_1252);
	charset_clean(in, &nowhere);
	PROPERTY(writer_ok(&nowhere) == (in.len == 0));
	return 0;
}
