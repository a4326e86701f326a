/* irc_names: which words of a line are names, and how one connection to all networks has them.
 *
 *   server  :eve!e@h KICK #ring ann_ :out  ◀──▶  :eve/net!e@h KICK #ring/net ann :out  client
 *
 * One table says of each verb and number which parameters are names, or lists of them, for both ways;
 * of what is not in it channels alone are told by their sign. The words that change are written into
 * the caller's room, and the line points there. Sources are the caller's. Pure. */
#pragma once

#include "irc/proto/irc_isupport.h"
#include "irc/proto/irc_line.h"

struct irc_names {
	const struct irc_isupport *is;
	struct bytes own;     /* what the network calls the user; empty: it is not known */
	struct bytes nick;    /* and what the client does */
	struct bytes network; /* behind a name, after a slash */
	/* Of an answer to WHO: what was asked for, and how the client called those it asked about. */
	unsigned whox; /* irc_whox_fields(); 0: not known */
	struct bytes mask;
};

/* "%tcuhnfdar,152" of WHO: a bit for each field that the numbers 354 have, in their order. */
unsigned irc_whox_fields(struct bytes options);

/* As the client has them. False: the room is too small, and the line is of no use any more. */
bool irc_names_in(const struct irc_names *names, struct irc_line *line, struct writer *room);

/* And as the server has them: "/net" off, his own nick as the network's. */
bool irc_names_out(const struct irc_names *names, struct irc_line *line, struct writer *room);

/* Whether this parameter of a client's line may be a name. */
bool irc_names_has(const struct irc_line *line, unsigned i);

/* Whether the last parameter of a line that was parsed stood behind a colon. */
bool irc_line_trails(const struct irc_line *line);
