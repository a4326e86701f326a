/* Names that are given to a client of all networks come back as the server has them, and no room is overrun. */
#include "irc/proto/irc_names.h"

#include "property.h"

static const struct irc_names names = {
	.own = {(const uint8_t *)"ann_", 4},
	.nick = {(const uint8_t *)"ann", 3},
	.network = {(const uint8_t *)"net", 3},
};

/* Those whose parameters are all names, or text. */
static bool is_of_names(const struct irc_line *line)
{
	static const char *const verbs[] = {"KICK", "INVITE",   "WHOIS", "WHOWAS", "NAMES", "PART",
					    "ISON", "USERHOST", "KILL",  "RENAME", "TOPIC"};

	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (irc_verb_is(line, verbs[i]))
			return true;
	return false;
}

/* Only names that say so themselves are not what they were: "x/net" where no name is looked for. */
static void check_back(const struct irc_line *line, const struct irc_line *back)
{
	for (unsigned i = 0; i < line->count; i++)
		PROPERTY(irc_same(IRC_ASCII, line->param[i], back->param[i]) ||
			 bytes_find(line->param[i], '/') < line->param[i].len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const chantypes[] = {"CHANTYPES=#&", "CHANTYPES=#&+!", "CHANTYPES="};
	struct irc_names with = names;
	struct irc_isupport is;
	struct irc_line line, there, back;
	uint8_t room[4096], more[4096], text[16384];
	struct writer in = writer_of(room, size ? 16u * data[0] : 0),
		      out = writer_of(more, sizeof more), w = writer_of(text, sizeof text);
	bool fits;

	if (!size || !irc_line_parse(bytes_of(data + 1, size - 1), &line))
		return 0;
	irc_isupport_init(&is);
	irc_isupport_take(&is, bytes_str(chantypes[data[0] % 3]));
	irc_isupport_take(&is, BYTES("PREFIX=(qov)&@+"));
	irc_isupport_take(&is, BYTES("CASEMAPPING=ascii"));
	with.is = &is;
	there = line;
	fits = irc_names_in(&with, &there, &in);
	PROPERTY(there.count == line.count && in.len <= in.size && fits == writer_ok(&in));
	for (unsigned i = 0; i < line.count; i++)
		PROPERTY(part_inside(there.param[i], writer_done(&in)) ||
			 part_inside(there.param[i], line.rest) ||
			 there.param[i].at == names.nick.at);
	irc_line_write(&w, line.source, line.verb, there.param, there.count,
		       irc_line_trails(&line));
	if (fits && writer_ok(&w) && irc_line_parse(writer_done(&w), &back) &&
	    back.count == line.count && irc_names_out(&with, &back, &out) && is_of_names(&line))
		check_back(&line, &back);
	back = line;
	in = writer_of(room, 16u * data[0]);
	(void)irc_names_out(&with, &back, &in);
	PROPERTY(in.len <= in.size);
	return 0;
}
