/* irc_isupport: what a server says of itself in 005, as far as a bouncer has to know, and channel modes
 * read by it.
 *
 * Starts as irc_isupport_init() says, which is what RFC 1459 has. Pure. */
#pragma once

#include "core/writer.h"
#include "irc/proto/irc_name.h"

#define IRC_PREFIXES_MAX 12u

#define IRC_CHANNEL_KINDS \
	"#&+!" /* while the server has not said which it has (RFC 2811 section 2.1) */

struct irc_isupport {
	enum irc_casemap casemap;
	char chantypes[8];
	char prefix_modes[IRC_PREFIXES_MAX + 1]; /* "ov": the highest first */
	char prefix_signs[IRC_PREFIXES_MAX + 1]; /* "@+" */
	char chanmodes[4][32];                   /* lists; always a word; a word to set; never */
	char statusmsg[IRC_PREFIXES_MAX + 1];
	char network[64];
	uint32_t nicklen, linelen, modes, monitor, chathistory;
	bool whox, has_monitor, utf8only;
	char bot; /* the mode of bots; 0: none */
};

void irc_isupport_init(struct irc_isupport *is);

/* One token: "PREFIX=(ov)@+", "-WHOX". What is not understood is left alone. */
void irc_isupport_take(struct irc_isupport *is, struct bytes token);

/* Whether a bouncer's clients are told a token of its server: not those that it answers for itself, and not
 * those that promise what only the server's own clients have. */
bool irc_isupport_passes(struct bytes token);

/* The tokens of list with this one: behind them, in place of an older one, or with "-KEY" gone. */
void irc_isupport_merge(struct writer *w, struct bytes list, struct bytes token);

bool irc_is_channel(const struct irc_isupport *is, struct bytes name);

/* The bit of a prefix' sign or mode, 1 for the highest; 0: it is none. */
unsigned irc_prefix_of_sign(const struct irc_isupport *is, uint8_t sign);
unsigned irc_prefix_of_mode(const struct irc_isupport *is, uint8_t mode);

/* One change of a MODE line after the other. */
struct irc_modes {
	const struct irc_isupport *is;
	const struct bytes *param; /* from the letters on */
	unsigned count, next;
	size_t at;
	bool minus;
};

struct irc_change {
	uint8_t mode;
	bool minus;
	unsigned prefix;   /* the bit, for o, v and their like */
	struct bytes word; /* empty when it has none */
};

bool irc_modes_next(struct irc_modes *modes, struct irc_change *change);
