/* irc_monitor: whom clients wait for: one list at the server for all of them (IRCv3 monitor).
 *
 *   client: MONITOR + bob ─▶ watch of the network ─▶ server, for the first who waits
 *   server: 730 bob,dave  ─▶ watch ─▶ each client, those on its own list
 *
 * What is known of somebody is said at once to the next who asks. The nick that we want ourselves is waited for
 * as well. Watches belong to the network; runs on the worker of its user. */
#pragma once

#include "irc/irc_part.h"

/* A client's order. */
void irc_monitor_order(struct irc_client *client, struct irc_network *network,
		       const struct irc_line *line);
/* It goes: nobody else may wait for whom it waited. */
void irc_monitor_leave(struct irc_client *client, struct irc_network *network);

/* 730 and 731. */
void irc_monitor_hear(struct irc_network *network, const struct irc_line *line, bool online);

/* The server is there: it is told whom to watch. */
void irc_network_monitor(struct irc_network *network);
void irc_monitor_free(struct irc_network *network);
