#include "irc/proto/irc_cap.h"

#define UP    IRC_CAP_UP
#define DOWN  IRC_CAP_DOWN
#define NEEDS IRC_CAP_NEEDS
#define INFO  IRC_CAP_INFO

static const struct {
	const char *name;
	unsigned use;
} caps[] = {
#define CAP(id, name, use) [IRC_CAP_##id] = {name, use},
#include "irc/proto/irc_cap.def"
};

_Static_assert(IRC_CAPS <= 64, "a set is 64 bits");

const char *irc_cap_name(enum irc_cap cap)
{
	return caps[cap].name;
}

unsigned irc_cap_use(enum irc_cap cap)
{
	return caps[cap].use;
}

enum irc_cap irc_cap_of(struct bytes name)
{
	for (unsigned i = 0; i < IRC_CAPS; i++)
		if (bytes_equal(name, bytes_str(caps[i].name)))
			return (enum irc_cap)i;
	/* One that was ratified under another name than it began with. */
	if (bytes_equal(name, BYTES("draft/extended-monitor")))
		return IRC_CAP_EXTENDED_MONITOR;
	return IRC_CAPS;
}

irc_caps irc_caps_with(unsigned use)
{
	irc_caps set = 0;

	for (unsigned i = 0; i < IRC_CAPS; i++)
		if ((caps[i].use & use) == use)
			set |= irc_cap_bit((enum irc_cap)i);
	return set;
}

bool irc_cap_next(struct bytes *list, struct irc_cap_word *word)
{
	while (list->len) {
		struct bytes value = bytes_cut(list, ' ');

		*word = (struct irc_cap_word){.cap = IRC_CAPS};
		if (value.len && value.at[0] == '-') {
			word->minus = true;
			value = bytes_skip(value, 1);
		}
		word->name = bytes_cut(&value, '=');
		word->value = value;
		if (!word->name.len)
			continue;
		word->cap = irc_cap_of(word->name);
		return true;
	}
	return false;
}
