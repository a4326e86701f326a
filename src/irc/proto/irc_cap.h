/* irc_cap: the capabilities of IRCv3 as one table (irc_cap.def), sets of them as bits.
 *
 * Pure: what a set of them means is done by who has the connection. */
#pragma once

#include "core/bytes.h"

enum irc_cap {
#define CAP(id, name, use) IRC_CAP_##id,
#include "irc/proto/irc_cap.def"
	IRC_CAPS,
};

/* A set. */
typedef uint64_t irc_caps;

#define IRC_CAP(id)   ((irc_caps)1 << IRC_CAP_##id)
#define IRC_CAP_UP    1u
#define IRC_CAP_DOWN  2u
#define IRC_CAP_NEEDS 4u
#define IRC_CAP_INFO  8u

static inline irc_caps irc_cap_bit(enum irc_cap cap)
{
	return (irc_caps)1 << cap;
}

const char *irc_cap_name(enum irc_cap cap);
unsigned irc_cap_use(enum irc_cap cap);

/* The capability of that name; IRC_CAPS: none that we know. */
enum irc_cap irc_cap_of(struct bytes name);

/* All with this use. */
irc_caps irc_caps_with(unsigned use);

/* A word of CAP LS, NEW, DEL, REQ or ACK: "-name", "name=value". */
struct irc_cap_word {
	enum irc_cap cap;
	bool minus;
	struct bytes name, value;
};

bool irc_cap_next(struct bytes *list, struct irc_cap_word *word);
