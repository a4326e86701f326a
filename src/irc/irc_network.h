/* irc_network: HUB: one network of one user: what he set, how it is, what was said to all.
 *
 *   OFF ─▶ WAITS ─▶ CONNECTS ─▶ REGISTERS ─▶ UP
 *           ▲           └────────────┴─────────┘ lost, refused: again, later each time
 *
 * What a network is is in irc_part.h. Runs on the worker of its user. */
#pragma once

#include "irc/irc_part.h"

/* Makes one of that name for the user; NULL: no memory, a name that cannot be, or there is one. It is
 * not connected until irc_network_start(). */
struct irc_network *irc_network_make(struct irc_user *user, uint64_t id, struct bytes name);
void irc_network_drop(struct irc_network *network, bool keep);
struct irc_network *irc_network_find(const struct irc_user *user, struct bytes name);
struct irc_network *irc_network_of_id(const struct irc_user *user, uint64_t id);
bool irc_network_rename(struct irc_network *network, struct bytes name);
bool irc_network_name_valid(struct bytes name);

/* Sets one of irc_network.def; NULL, or what is wrong with it. Attributes by '-' or '_'. */
const char *irc_network_set(struct irc_network *network, struct bytes name, struct bytes value);
/* Its value as text in buf; false: there is none of that name. */
bool irc_network_get(const struct irc_network *network, const char *name, char *buf, size_t size);
/* Whether it must not be shown. */
bool irc_network_is_secret(const char *name);
/* The names, from 0 on; NULL at the end. */
const char *irc_network_field(unsigned i);
const char *irc_network_help(unsigned i);

/* Tells the store; and takes such a text (JSON). */
void irc_network_keep(const struct irc_network *network);
void irc_network_take(struct irc_network *network, struct bytes settings);

/* Connects, when it is enabled; or stops, saying why to the server (text; NULL: the settings' word). */
void irc_network_start(struct irc_network *network);
void irc_network_stop(struct irc_network *network, const char *text);

/* From the upstream: it is under way, it is up, or it is over and may be tried again (in after_ms at
 * least) or not. */
void irc_network_state(struct irc_network *network, enum irc_state state);
void irc_network_lost(struct irc_network *network, bool again, const char *why);

/* How long until the next attempt, in milliseconds; 0: there will be none, or it is under way. */
uint64_t irc_network_wait_ms(const struct irc_network *network);
/* What comes next of one that is not there, in words. */
const char *irc_network_next(const struct irc_network *network, char *out, size_t size);

const char *irc_state_name(enum irc_state state);

/* The nick that is wanted there. */
const char *irc_network_nick(const struct irc_network *network);

/* A line for all clients of the network that are here, and for nobody else. */
void irc_network_tell(struct irc_network *network, enum irc_kind kind, uint32_t origin,
		      int64_t at_ms, struct bytes tags, struct bytes line);

/* Lets clients read on: after whatever put lines into rings. */
void irc_network_turn(struct irc_network *network);
/* Names are the same by other rules than before. */
void irc_network_refold(struct irc_network *network, enum irc_casemap before);

/* "source" of ours: nick!user@host as far as it is known. */
void irc_network_self(const struct irc_network *network, struct writer *w);

/* Joins what is wanted; says whether the user is away; whom he waits for. When the server is there. */
void irc_network_join_all(struct irc_network *network);
/* True: the server was told. */
bool irc_network_away(struct irc_network *network);

/* --- who is where --------------------------------------------------------------------------- */

struct irc_channel *irc_channel_enter(struct irc_buffer *buffer);
void irc_channel_leave(struct irc_buffer *buffer);
/* Finds or makes a member; false: no memory or too many. */
bool irc_member_put(struct irc_buffer *buffer, struct bytes nick, unsigned prefix);
void irc_member_drop(struct irc_buffer *buffer, struct bytes nick);
struct irc_member *irc_member_find(const struct irc_buffer *buffer, struct bytes nick);
struct irc_nick *irc_nick_find(const struct irc_network *network, struct bytes nick);
/* In all channels at once. */
bool irc_nick_rename(struct irc_network *network, struct bytes from, struct bytes to);
/* Out of all channels; calls for each that it was in, after it left. */
void irc_nick_quit(struct irc_network *network, struct bytes nick,
		   void (*left)(struct irc_buffer *buffer, const struct irc_record *line),
		   const struct irc_record *line);
bool irc_nick_is_in(const struct irc_network *network, struct bytes nick,
		    const struct irc_buffer *buffer);
/* All that the server told is void: it is gone. */
void irc_network_forget(struct irc_network *network);
