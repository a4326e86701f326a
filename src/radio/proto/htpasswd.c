#include "radio/proto/htpasswd.h"

static bool is_hex(struct bytes in)
{
	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.at[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f') && !(c >= 'A' && c <= 'F'))
			return false;
	}
	return in.len > 0;
}

static enum htpasswd_hash kind_of(struct bytes hash)
{
	static const char *const slow[] = {"$argon2", "$2a$", "$2b$", "$2y$", "$5$", "$6$", "$y$"};

	for (size_t i = 0; i < sizeof slow / sizeof *slow; i++)
		if (bytes_start_with(hash, bytes_str(slow[i])))
			return HTPASSWD_SLOW;
	return hash.len == 32 && is_hex(hash) ? HTPASSWD_MD5 : HTPASSWD_OTHER;
}

static bool has_control(struct bytes in)
{
	for (size_t i = 0; i < in.len; i++)
		if (in.at[i] < ' ' || in.at[i] == 0x7f)
			return true;
	return false;
}

bool htpasswd_name_is_good(struct bytes name)
{
	return name.len >= 1 && name.len <= HTPASSWD_NAME_MAX && name.at[0] != '#' &&
	       bytes_find(name, ':') == name.len && !has_control(name);
}

static struct bytes line_cut(struct bytes *rest)
{
	struct bytes text = bytes_cut(rest, '\n');

	if (bytes_end_with(text, BYTES("\r")))
		text.len--;
	return text;
}

/* A name with a colon in it is nobody's: Basic credentials end theirs at the first. */
static bool line_read(struct bytes text, struct htpasswd_line *line)
{
	size_t colon = bytes_find(text, ':');

	line->name = bytes_first(text, colon);
	line->hash = bytes_skip(text, colon + 1);
	line->kind = kind_of(line->hash);
	return colon < text.len && htpasswd_name_is_good(line->name) && line->hash.len > 0 &&
	       line->hash.len <= HTPASSWD_HASH_MAX && !has_control(line->hash) &&
	       bytes_find(line->hash, ':') == line->hash.len;
}

enum htpasswd_found htpasswd_next(struct bytes *rest, struct htpasswd_line *line)
{
	while (rest->len) {
		struct bytes text = line_cut(rest);

		line->number++;
		if (text.len && text.at[0] != '#')
			return line_read(text, line) ? HTPASSWD_USER : HTPASSWD_FAULT;
	}
	return HTPASSWD_END;
}

bool htpasswd_without(struct bytes text, struct bytes name, struct writer *w)
{
	bool found = false;

	while (text.len) {
		struct bytes rest = text, whole = bytes_cut(&text, '\n');
		struct htpasswd_line line = {0};

		if (htpasswd_next(&whole, &line) == HTPASSWD_USER && bytes_equal(line.name, name)) {
			found = true;
			continue;
		}
		writer_put(w, bytes_first(rest, rest.len - text.len));
	}
	if (w->len && !w->failed && w->at[w->len - 1] != '\n')
		writer_u8(w, '\n');
	return found;
}
