/* irc_metadata: what is known of channels and people besides what is said (IRCv3 draft/metadata-2).
 *
 *   soju.im/pinned, soju.im/muted, soju.im/blocked   ─▶ the buffer: of this user, for all his clients
 *   all other keys                                   ─▶ the network's server, where it has metadata
 *
 * Which keys a client hears of it says itself (SUB), also before it is registered; a server is told of all that
 * some client wants. Runs on the worker of the user. */
#pragma once

#include "irc/irc_client.h"

/* METADATA of a client's. */
void irc_metadata_order(struct irc_client *client, const struct irc_line *line);
/* One comes: servers are told what it wants. */
void irc_metadata_welcome(struct irc_client *client);
/* What it wants to know of a buffer, in a batch; whether there is anything. */
void irc_metadata_begin(struct irc_client *client, struct irc_batched *batch, struct bytes target);
void irc_metadata_tell(struct irc_client *client, const struct irc_batched *batch,
		       struct irc_buffer *buffer);
bool irc_metadata_has(const struct irc_client *client, struct irc_buffer *buffer);
/* Whether it wants to hear of the key of this line (METADATA target key visibility value). */
bool irc_metadata_wanted(const struct irc_client *client, struct bytes line);
void irc_metadata_free(struct irc_client *client);

/* A server that has metadata is there: it is told what clients want. */
void irc_metadata_ready(struct irc_network *network);
/* The value of its capability; that of ours, for this client. */
void irc_metadata_take_limits(struct irc_network *network, struct bytes value);
const char *irc_metadata_offer(const struct irc_client *client, char text[80]);
