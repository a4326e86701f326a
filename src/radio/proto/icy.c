#include "radio/proto/icy.h"

#include "edge/proto/charset.h"

#define UNIT 16u

static const char title_open[] = "StreamTitle='";
static const char url_open[] = "StreamUrl='";
static const char value_end[] = "';";

/* One character as it goes into a title; before is the byte that it comes behind. */
static void put_title_char(struct writer *w, uint32_t code, uint8_t before,
			   enum icy_charset charset)
{
	if (charset_is_control(code))
		code = ' ';
	if (code == ';' && before == '\'')
		writer_u8(w, ' ');
	if (charset == ICY_UTF8)
		charset_encode(code, w);
	else
		writer_u8(w, code < 0x100 ? (uint8_t)code : '?');
}

static void put_title(struct writer *text, struct bytes title, enum icy_charset charset)
{
	uint8_t before = '\''; /* the opening quote: "';" would end the value there, too */

	writer_str(text, title_open);
	while (title.len) {
		uint8_t buf[1 + CHARSET_CHAR_MAX];
		struct writer piece = writer_of(buf, sizeof buf);
		uint32_t code;

		title = bytes_skip(title, charset_decode(title, &code));
		put_title_char(&piece, code, before, charset);
		if (piece.len + sizeof value_end - 1 > text->size - text->len)
			break;
		writer_put(text, writer_done(&piece));
		before = buf[piece.len - 1];
	}
	writer_str(text, value_end);
}

/* A URL is ASCII (RFC 3986 section 2); a blank is left alone, since some write words here. */
static void put_url(struct writer *text, struct bytes url)
{
	static const char hex[] = "0123456789ABCDEF";
	struct writer w = *text;

	writer_str(&w, url_open);
	for (size_t i = 0; i < url.len; i++) {
		uint8_t c = url.at[i];

		if (c >= ' ' && c < 0x7f && c != '\'' && (c != ';' || i > 0)) {
			writer_u8(&w, c);
			continue;
		}
		writer_u8(&w, '%');
		writer_u8(&w, (uint8_t)hex[c >> 4]);
		writer_u8(&w, (uint8_t)hex[c & 15]);
	}
	writer_str(&w, value_end);
	if (writer_ok(&w)) /* a URL that was cut would be another URL */
		*text = w;
}

void icy_metadata_write(struct bytes title, struct bytes url, enum icy_charset charset,
			struct writer *out)
{
	uint8_t buf[ICY_TEXT_MAX];
	struct writer text = writer_of(buf, sizeof buf - 1); /* some players want the last NUL */

	put_title(&text, title, charset);
	if (url.len)
		put_url(&text, url);
	size_t units = text.len / UNIT + 1;

	writer_u8(out, (uint8_t)units);
	writer_put(out, writer_done(&text));
	writer_fill(out, 0, units * UNIT - text.len);
}

struct bytes icy_empty(void)
{
	static const uint8_t none;

	return bytes_of(&none, 1);
}

struct icy_phase icy_phase_of(uint32_t interval)
{
	return (struct icy_phase){interval, interval};
}

size_t icy_phase_audio(const struct icy_phase *phase, size_t want)
{
	return phase->interval == 0 || want < phase->left ? want : phase->left;
}

void icy_phase_sent(struct icy_phase *phase, size_t len)
{
	if (phase->interval)
		phase->left -= (uint32_t)len;
}

bool icy_phase_due(const struct icy_phase *phase)
{
	return phase->interval && phase->left == 0;
}

void icy_phase_block_sent(struct icy_phase *phase)
{
	phase->left = phase->interval;
}

static struct bytes skip_separators(struct bytes in)
{
	while (in.len && (in.at[0] == ';' || in.at[0] <= ' '))
		in = bytes_skip(in, 1);
	return in;
}

/* Whether in begins like another field: a word and '='. */
static bool is_field(struct bytes in)
{
	size_t n = 0;

	in = skip_separators(in);
	while (n < in.len && (in.at[n] == '_' || in.at[n] == '-' ||
			      (byte_lower(in.at[n]) >= 'a' && byte_lower(in.at[n]) <= 'z') ||
			      (in.at[n] >= '0' && in.at[n] <= '9')))
		n++;
	return n > 0 && n < in.len && in.at[n] == '=';
}

/* The value at the beginning of *rest, which is behind a '='; *rest is then what lies behind it. */
static struct bytes take_value(struct bytes *rest)
{
	struct bytes in = *rest;

	if (in.len == 0 || (in.at[0] != '\'' && in.at[0] != '"'))
		return bytes_cut(rest, ';');
	uint8_t quote = in.at[0];

	in = bytes_skip(in, 1);
	for (size_t i = 0; i + 1 < in.len; i++) {
		if (in.at[i] != quote || in.at[i + 1] != ';')
			continue;
		struct bytes behind = bytes_skip(in, i + 2);

		if (skip_separators(behind).len && !is_field(behind))
			continue;
		*rest = behind;
		return bytes_first(in, i);
	}
	*rest = bytes_skip(in, in.len);
	if (in.len && in.at[in.len - 1] == quote)
		in.len--;
	return in;
}

/* The word at the end of in: what lies before the last field's '=' may begin with anything. */
static struct bytes last_word(struct bytes in)
{
	in = bytes_trim(in);
	for (size_t i = in.len; i > 0; i--)
		if (in.at[i - 1] == ';' || in.at[i - 1] <= ' ')
			return bytes_skip(in, i);
	return in;
}

bool icy_parse_fields(struct bytes block, struct icy_fields *fields)
{
	struct bytes rest = bytes_trim(bytes_first(block, bytes_find(block, 0)));

	*fields = (struct icy_fields){0};
	while (rest.len) {
		struct bytes name = last_word(bytes_cut(&rest, '='));
		struct bytes value = take_value(&rest);

		if (!fields->has_title && bytes_equal_nocase(name, BYTES("StreamTitle"))) {
			fields->has_title = true;
			fields->title = value;
		} else if (!fields->has_url && bytes_equal_nocase(name, BYTES("StreamUrl"))) {
			fields->has_url = true;
			fields->url = value;
		}
	}
	return fields->has_title || fields->has_url;
}

void icy_demux_init(struct icy_demux *demux, uint32_t interval)
{
	demux->interval = demux->left = interval;
	demux->have = 0;
}

/* Moves bytes of a block from in until it is whole. Returns whether it is. */
static bool fill_block(struct icy_demux *demux, struct bytes *in)
{
	while (in->len) {
		size_t need = demux->have ? 1 + UNIT * (size_t)demux->block[0] : 1;
		struct bytes part = bytes_first(*in, need - demux->have);

		if (part.len)
			memcpy(demux->block + demux->have, part.at, part.len);
		demux->have += part.len;
		*in = bytes_skip(*in, part.len);
		if (demux->have == 1 + UNIT * (size_t)demux->block[0])
			return true;
	}
	return false;
}

enum icy_demux_status icy_demux_next(struct icy_demux *demux, struct bytes in, struct bytes *audio,
				     struct icy_fields *fields, size_t *used)
{
	struct bytes rest = in;

	while (rest.len) {
		if (demux->left) {
			*audio = bytes_first(rest, demux->left);
			demux->left -= (uint32_t)audio->len;
			*used = in.len - rest.len + audio->len;
			return ICY_DEMUX_AUDIO;
		}
		if (!fill_block(demux, &rest))
			break;
		struct bytes text = bytes_of(demux->block + 1, demux->have - 1);

		demux->have = 0;
		demux->left = demux->interval;
		if (icy_parse_fields(text, fields)) {
			*used = in.len - rest.len;
			return ICY_DEMUX_TITLE;
		}
	}
	*used = in.len;
	return ICY_DEMUX_MORE;
}
