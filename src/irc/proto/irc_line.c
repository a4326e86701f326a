#include "irc/proto/irc_line.h"

static struct bytes skip_blanks(struct bytes in)
{
	while (in.len && in.at[0] == ' ')
		in = bytes_skip(in, 1);
	return in;
}

/* One word, and the blanks behind it. */
static struct bytes take_word(struct bytes *rest)
{
	struct bytes word = bytes_cut(rest, ' ');

	*rest = skip_blanks(*rest);
	return word;
}

bool irc_line_parse(struct bytes in, struct irc_line *out)
{
	struct bytes rest = skip_blanks(in);

	*out = (struct irc_line){.count = 0};
	for (size_t i = 0; i < in.len; i++)
		if (in.at[i] == '\0' || in.at[i] == '\r' || in.at[i] == '\n')
			return false;
	if (rest.len && rest.at[0] == '@')
		out->tags = bytes_skip(take_word(&rest), 1);
	out->rest = rest;
	if (rest.len && rest.at[0] == ':')
		out->source = bytes_skip(take_word(&rest), 1);
	out->verb = take_word(&rest);
	if (!out->verb.len)
		return false;
	while (rest.len) {
		/* RFC 2812 section 2.3.1: the fifteenth needs no colon. */
		if (rest.at[0] == ':' || out->count == IRC_PARAMS_MAX - 1) {
			if (rest.at[0] == ':')
				rest = bytes_skip(rest, 1);
			out->param[out->count++] = rest;
			break;
		}
		out->param[out->count++] = take_word(&rest);
	}
	return true;
}

unsigned irc_line_numeric(const struct irc_line *line)
{
	unsigned number = 0;

	if (line->verb.len != 3)
		return 0;
	for (size_t i = 0; i < 3; i++) {
		if (line->verb.at[i] < '0' || line->verb.at[i] > '9')
			return 0;
		number = number * 10 + (unsigned)(line->verb.at[i] - '0');
	}
	return number;
}

/* --- tags ----------------------------------------------------------------------------------- */

bool irc_tag_next(struct bytes *tags, struct bytes *key, struct bytes *value)
{
	while (tags->len) {
		*value = bytes_cut(tags, ';');
		*key = bytes_cut(value, '=');
		if (key->len)
			return true;
	}
	return false;
}

bool irc_tag_get(struct bytes tags, const char *name, struct bytes *value)
{
	struct bytes key, raw, wanted = bytes_str(name);
	bool found = false;

	while (irc_tag_next(&tags, &key, &raw))
		if (bytes_equal(key, wanted)) {
			*value = raw;
			found = true;
		}
	return found;
}

void irc_tag_put(struct writer *w, size_t from, struct bytes key, struct bytes value)
{
	if (w->len > from)
		writer_u8(w, ';');
	writer_put(w, key);
	if (value.len) {
		writer_u8(w, '=');
		writer_put(w, value);
	}
}

void irc_tag_unescape(struct writer *w, struct bytes raw)
{
	for (size_t i = 0; i < raw.len; i++) {
		uint8_t c = raw.at[i];

		if (c == '\\') {
			/* message-tags: a lone backslash at the end is dropped. */
			if (++i == raw.len)
				return;
			switch (raw.at[i]) {
			case ':': c = ';'; break;
			case 's': c = ' '; break;
			case 'r': c = '\r'; break;
			case 'n': c = '\n'; break;
			default: c = raw.at[i]; break;
			}
		}
		writer_u8(w, c);
	}
}

void irc_tag_escape(struct writer *w, struct bytes value)
{
	for (size_t i = 0; i < value.len; i++)
		switch (value.at[i]) {
		case ';': writer_str(w, "\\:"); break;
		case ' ': writer_str(w, "\\s"); break;
		case '\r': writer_str(w, "\\r"); break;
		case '\n': writer_str(w, "\\n"); break;
		case '\\': writer_str(w, "\\\\"); break;
		case '\0': break;
		default: writer_u8(w, value.at[i]); break;
		}
}

/* --- writing -------------------------------------------------------------------------------- */

bool irc_is_middle(struct bytes param)
{
	return param.len && param.at[0] != ':' && bytes_find(param, ' ') == param.len;
}

static void put_clean(struct writer *w, struct bytes in)
{
	size_t from = 0;

	for (size_t i = 0; i <= in.len; i++)
		if (i == in.len || in.at[i] == '\r' || in.at[i] == '\n' || in.at[i] == '\0') {
			writer_put(w, bytes_of(in.at + from, i - from));
			from = i + 1;
		}
}

void irc_line_write(struct writer *w, struct bytes source, struct bytes verb,
		    const struct bytes *param, unsigned count, bool trailing)
{
	if (source.len) {
		writer_u8(w, ':');
		put_clean(w, source);
		writer_u8(w, ' ');
	}
	put_clean(w, verb);
	for (unsigned i = 0; i < count; i++) {
		bool last = i + 1 == count;

		writer_u8(w, ' ');
		if (last && (trailing || !irc_is_middle(param[i])))
			writer_u8(w, ':');
		put_clean(w, param[i]);
	}
}
