/* irc_notice: what the bouncer itself tells a user: that a network came or went and why, and what is said
 * in channels that are put aside. Runs on the worker of the user. */
#pragma once

#include "irc/irc_part.h"

/* From BouncerServ, to all clients of the user that see this network (NULL: all). */
__attribute__((format(printf, 3, 4))) void
irc_notice(struct irc_user *user, const struct irc_network *network, const char *format, ...);

void irc_notice_state(struct irc_network *network);
void irc_notice_lost(struct irc_network *network, bool again, uint64_t wait_ms);
void irc_notice_ready(struct irc_network *network);
void irc_notice_joined(struct irc_buffer *buffer);

/* A message came into a buffer: relayed or attached again, where it is detached. */
void irc_notice_message(struct irc_buffer *buffer, const struct irc_line *line, bool self);
