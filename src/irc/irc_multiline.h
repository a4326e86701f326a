/* irc_multiline: messages of several lines (IRCv3 draft/multiline), both ways, whole.
 *
 *   server: BATCH + … BATCH -  ─▶ collected ─▶ one line as irc_lines.h has it ─▶ irc_hear ─▶ one seq
 *   client: BATCH + … BATCH -  ─▶ collected ─▶ a batch, where its server takes one of this size
 *                                           └▶ else message for message, as if it were said so
 *
 * What a ring has is told again by irc_feed.c: as a batch to who knows them, else line by line. A batch of
 * a server that is larger than what is kept comes in parts, each whole; one that is open when the connection
 * ends or is left is told as far as it came. Runs on the worker of the user. */
#pragma once

#include "irc/irc_client.h"
#include "irc/irc_upstream.h"
#include "irc/proto/irc_lines.h"

/* What a client may say at once, as the value of our capability. */
const char *irc_multiline_offer(char text[80]);

/* The value of a server's capability. */
void irc_multiline_take_limits(struct irc_network *network, struct bytes value);

/* True: the line was of a batch, which is heard when it ends. */
bool irc_multiline_hear(struct irc_upstream *up, const struct irc_line *line);
/* Batches that are open are heard as far as they came. */
void irc_multiline_finish(struct irc_upstream *up);
void irc_multiline_drop(struct irc_upstream *up);

/* BATCH of a client's. */
void irc_multiline_order(struct irc_client *client, const struct irc_line *line);
/* True: the line was of its batch. */
bool irc_multiline_take(struct irc_client *client, const struct irc_line *line);
void irc_multiline_free(struct irc_client *client);
