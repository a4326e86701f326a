/* irc_bouncer: soju.im/bouncer-networks: networks as a client lists and changes them, and tells of changes.
 * Runs on the worker of the user. */
#pragma once

#include "irc/irc_client.h"

void irc_bouncer(struct irc_client *client, const struct irc_line *line);

/* BOUNCER NETWORK to those who asked to be told; gone: with "*". */
void irc_bouncer_tell(struct irc_network *network, bool gone);
