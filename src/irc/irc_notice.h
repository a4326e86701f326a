/* irc_notice: what the bouncer itself tells a user: that a network came or went and why, and what is said
 * in channels that are put aside. Runs on the worker of the user. */
#pragma once

#include "irc/irc_part.h"

/* From BouncerServ, to all clients of the user that see this network (NULL: all). */
__attribute__((format(printf, 3, 4))) void
irc_notice(struct irc_user *user, const struct irc_network *network, const char *format, ...);

/* To one of them. */
__attribute__((format(printf, 2, 3))) void irc_notice_to(struct irc_client *client,
							 const char *format, ...);
/* Who has just come is told which of his networks are not there, and why. */
void irc_notice_absent(struct irc_client *client);

void irc_notice_state(struct irc_network *network);
void irc_notice_lost(struct irc_network *network, bool again, uint64_t wait_ms);
void irc_notice_ready(struct irc_network *network);

/* Somebody invites the user: his browsers and phones are told. */
void irc_notice_invite(struct irc_network *network, const struct irc_line *line);
/* A message came into a buffer: relayed or attached again, where it is detached. */
void irc_notice_message(struct irc_buffer *buffer, const struct irc_line *line, bool self);
