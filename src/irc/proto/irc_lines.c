#include "irc/proto/irc_lines.h"

static bool is_end(uint8_t c)
{
	return c == IRC_LINES_NEXT || c == IRC_LINES_GLUE;
}

static size_t first_end(struct bytes text)
{
	size_t next = bytes_find(text, IRC_LINES_NEXT), glue = bytes_find(text, IRC_LINES_GLUE);

	return next < glue ? next : glue;
}

bool irc_is_lines(struct bytes text)
{
	return first_end(text) < text.len;
}

bool irc_lines_parse(struct bytes in, struct irc_line *out)
{
	size_t end = first_end(in), more = in.len - end;

	if (!irc_line_parse(bytes_first(in, end), out))
		return false;
	/* A line that ends without a parameter has nothing to go on. */
	if (more && (!out->count ||
		     out->param[out->count - 1].at + out->param[out->count - 1].len != in.at + end))
		return false;
	if (more)
		out->param[out->count - 1].len += more;
	out->rest.len += more;
	return bytes_find(in, '\0') == in.len;
}

bool irc_pieces_next(struct irc_pieces *pieces, struct bytes *piece)
{
	if (pieces->began && !pieces->rest.len)
		return false;
	/* What is before the first piece is no end. */
	if (pieces->began) {
		pieces->glued = pieces->rest.at[0] == IRC_LINES_GLUE;
		pieces->rest = bytes_skip(pieces->rest, 1);
	}
	pieces->began = true;
	*piece = bytes_first(pieces->rest, first_end(pieces->rest));
	pieces->rest = bytes_skip(pieces->rest, piece->len);
	return true;
}

struct irc_lines_size irc_lines_measure(struct bytes text)
{
	struct irc_lines_size size = {.blank = true};
	struct irc_pieces pieces = {.rest = text};
	struct bytes piece;

	while (irc_pieces_next(&pieces, &piece)) {
		size.bytes += piece.len + (size.lines && !pieces.glued);
		size.lines++;
		size.blank &= !piece.len;
	}
	return size;
}

bool irc_is_reaction(const struct irc_line *line)
{
	struct bytes unused;

	return irc_tag_get(line->tags, "+draft/react", &unused) ||
	       irc_tag_get(line->tags, "+draft/unreact", &unused);
}

void irc_lines_flatten(char *text)
{
	for (; *text; text++)
		if (is_end((uint8_t)*text))
			*text = ' ';
}
