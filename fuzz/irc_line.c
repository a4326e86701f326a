/* A line of IRC: parts lie inside it, what is written of them reads the same, masks end. */
#include "irc/proto/irc_line.h"

#include "irc/proto/irc_cap.h"
#include "irc/proto/irc_isupport.h"
#include "irc/proto/irc_lines.h"
#include "property.h"

static void check_tags(struct bytes tags, struct bytes all)
{
	struct bytes key, value;

	while (irc_tag_next(&tags, &key, &value)) {
		static char one[IRC_TAGS_MAX + 65536], two[2 * (IRC_TAGS_MAX + 65536)];
		struct writer w = writer_of(one, sizeof one), e = writer_of(two, sizeof two);
		struct bytes again = {0}, plain;

		PROPERTY(part_inside(key, all) && part_inside(value, all) && key.len);
		irc_tag_unescape(&w, value);
		PROPERTY(writer_ok(&w) && w.len <= value.len);
		plain = writer_done(&w);
		irc_tag_escape(&e, plain);
		PROPERTY(writer_ok(&e));
		again = writer_done(&e);
		PROPERTY(bytes_find(again, ' ') == again.len &&
			 bytes_find(again, ';') == again.len);
	}
}

static void check_again(const struct irc_line *line)
{
	static char buf[65536 + 64];
	struct writer w = writer_of(buf, sizeof buf);
	struct irc_line again;

	irc_line_write(&w, line->source, line->verb, line->param, line->count, false);
	PROPERTY(writer_ok(&w));
	/* A verb that looks like a source or tags cannot be said without one. */
	if (line->verb.at[0] == ':' || line->verb.at[0] == '@')
		return;
	PROPERTY(irc_line_parse(writer_done(&w), &again));
	PROPERTY(bytes_equal(again.verb, line->verb) && again.count == line->count);
	for (unsigned i = 0; i < line->count; i++)
		PROPERTY(bytes_equal(again.param[i], line->param[i]));
}

/* Pieces lie behind one another, with one byte between them; nothing of the text is left out. */
static void check_lines(struct bytes all)
{
	struct irc_pieces pieces = {.rest = all};
	struct irc_lines_size size = irc_lines_measure(all);
	const uint8_t *expected = all.at;
	struct irc_line line, whole;
	struct bytes piece;
	size_t bytes = 0;
	unsigned count = 0;

	while (irc_pieces_next(&pieces, &piece)) {
		PROPERTY(piece.at == expected && !irc_is_lines(piece));
		bytes += piece.len + (count++ && !pieces.glued);
		expected = piece.at + piece.len + 1;
	}
	PROPERTY(expected == all.at + all.len + 1);
	PROPERTY(size.bytes == bytes && size.lines == count && size.bytes <= all.len);
	PROPERTY(irc_is_lines(all) == (count > 1));
	if (!irc_lines_parse(all, &whole))
		return;
	PROPERTY(whole.rest.at + whole.rest.len == all.at + all.len);
	PROPERTY(count == 1 || (whole.count && part_inside(whole.param[whole.count - 1], all)));
	if (count == 1)
		PROPERTY(irc_line_parse(all, &line) && line.count == whole.count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes all = bytes_of(data, size < 65536 ? size : 65536);
	struct irc_line line;
	struct irc_isupport is;
	struct irc_cap_word word;
	struct irc_change change;
	struct irc_modes modes;
	struct bytes list;

	check_lines(all);
	if (!irc_line_parse(all, &line))
		return 0;
	PROPERTY(line.verb.len && part_inside(line.verb, all) && part_inside(line.source, all));
	PROPERTY(line.count <= IRC_PARAMS_MAX);
	irc_isupport_init(&is);
	for (unsigned i = 0; i < line.count; i++) {
		PROPERTY(part_inside(line.param[i], all));
		irc_isupport_take(&is, line.param[i]);
	}
	PROPERTY(strlen(is.prefix_modes) == strlen(is.prefix_signs));
	check_tags(line.tags, all);
	check_again(&line);
	modes = (struct irc_modes){.is = &is, .param = line.param, .count = line.count};
	while (irc_modes_next(&modes, &change))
		PROPERTY(part_inside(change.word, all));
	list = irc_param(&line, line.count ? line.count - 1 : 0);
	while (irc_cap_next(&list, &word))
		PROPERTY(part_inside(word.name, all) && part_inside(word.value, all));
	if (line.count > 1 && line.param[0].len < 256)
		(void)irc_mask_match(is.casemap, line.param[0], line.param[1]);
	(void)irc_source_of(line.source);
	(void)irc_is_hostname(irc_param(&line, 0));
	return 0;
}
