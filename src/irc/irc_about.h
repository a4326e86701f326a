/* irc_about: what clients ask a server when there is none: of the bouncer itself, of themselves, and of
 * BouncerServ.
 *
 *   WHO ann · WHOIS BouncerServ · VERSION · LIST … ─▶ irc_about ─▶ the numbers that a server answers with
 *
 * Nobody is told of other users. Runs on the worker of the user. */
#pragma once

#include "irc/irc_client.h"

/* True: it is answered. What goes to a network (NULL: to none) is not, unless it is about BouncerServ. */
bool irc_about(struct irc_client *client, const struct irc_line *line,
	       const struct irc_network *network);
