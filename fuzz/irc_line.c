/* A line of IRC: parts lie inside it, what is written of them reads the same, masks end. */
#include "irc/proto/irc_line.h"

#include "irc/proto/irc_cap.h"
#include "irc/proto/irc_isupport.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes all = bytes_of(data, size < 65536 ? size : 65536);
	struct irc_line line;
	struct irc_isupport is;
	struct irc_cap_word word;
	struct irc_change change;
	struct irc_modes modes;
	struct bytes list;

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
