/* store_irc: what the IRC family keeps: its users' networks, their buffers, lines, devices and passwords.
 *
 *   worker ── store_irc_line(), … ──▶ its port ──▶ store's thread
 *   control ── store_ask(&ask.ask) ──▶ rows ──▶ done(), on control
 *
 * Reporting copies and returns. A line that finds no room is not lost: whoever has it in a ring comes
 * again. Ids are the caller's. */
#pragma once

#include "store/store_query.h"

struct store_irc_line {
	uint64_t buffer, seq;
	int64_t at_ms;
	unsigned kind;
	const char *tags, *line;
	size_t len; /* of both */
};

/* The longest text that is kept: a longer one of the callers below is cut. */
#define STORE_IRC_TEXT_MAX 9999u

/* False: no room now, try again in a while. True too when nothing is kept at all. */
MUST_CHECK bool store_irc_line(const struct store_irc_line *line);

void store_irc_user(const char *name, const char *settings);
void store_irc_user_drop(const char *name); /* and his devices */

struct store_irc_network {
	uint64_t id;
	const char *user, *name, *settings, *certificate, *key;
};

void store_irc_network(const struct store_irc_network *network);
void store_irc_network_drop(uint64_t id); /* with all that was said there */

void store_irc_buffer(uint64_t id, uint64_t network, const char *name, const char *settings,
		      int64_t marker_ms);
void store_irc_buffer_drop(uint64_t id);
void store_irc_marker(uint64_t id, int64_t ms);
void store_irc_prune(uint64_t id, int64_t before_ms);

void store_irc_device(uint64_t id, const char *user, const char *name, int64_t seen_ms);
void store_irc_device_drop(uint64_t id);

struct store_irc_password {
	uint64_t id;
	const char *user, *label, *kind;
	const uint8_t *hash; /* 32 bytes */
	int64_t created_ms;
	const char *fingerprint; /* of a certificate; "" */
};

void store_irc_password(const struct store_irc_password *password);
void store_irc_password_used(uint64_t id, int64_t at_ms, const uint8_t *ip);
void store_irc_password_drop(uint64_t id);

struct store_irc_push {
	uint64_t id, network;
	const char *user, *endpoint, *p256dh, *auth;
	int64_t created_ms;
};

void store_irc_push(const struct store_irc_push *push);
void store_irc_push_drop(uint64_t id);

/* --- asking --------------------------------------------------------------------------------- */

enum store_irc_query {
	/* All there are: at the start. */
	STORE_IRC_USERS,     /* name, settings */
	STORE_IRC_NETWORKS,  /* id, user, name, settings, certificate, key */
	STORE_IRC_BUFFERS,   /* id, network, name, settings, marker, last seq, its time */
	STORE_IRC_DEVICES,   /* id, user, name, seen */
	STORE_IRC_PASSWORDS, /* id, user, label, kind, hash, created, used, address */
	STORE_IRC_PUSHES,    /* id, user, network, endpoint, p256dh, auth, created */
	/* number[0] is the buffer; lines: seq, at, kind, tags, line. kinds: those with a bit of [3] are
	 * left out; at most [4] of them. */
	STORE_IRC_LINES_UP,   /* from seq [1] up, below seq [2]: the oldest first */
	STORE_IRC_LINES_DOWN, /* below seq [2], from [1] up: the newest first */
	/* one row of one number: a seq, or nothing */
	STORE_IRC_SEQ_FROM, /* the first with a time of at least [1] */
	STORE_IRC_SEQ_OF,   /* the newest whose tags hold text[0] */
	/* text[0]: the user; text[1]: words, of each any part, or "": all; text[2]: a buffer's name, or "";
	 * text[3]: who said it, as LIKE has it (":nick!%"), or ""; [0] a network, or 0; [1], [2]: times;
	 * [4]: how many. buffer's name, network's name, seq, at, kind, tags, line: the newest first */
	STORE_IRC_SEARCH,
	/* text[0]: the user; [0], [1]: buffer and seq of the line before; [2]: a network, or 0; at most
	 * [4]. buffer, seq, network's name, buffer's name, at, kind, tags, line: all that was said,
	 * buffer by buffer */
	STORE_IRC_EXPORT,
};

struct store_irc_ask {
	struct store_ask ask;
	enum store_irc_query query;
	int64_t number[5];
	char text[4][512];
	struct store_rows rows;
	bool out_of_memory;
	/* Of a search: lines that it has not looked at, as there are too many. */
	int64_t behind;
	struct store_search *search; /* the store's own */
};

void store_irc_fini(struct store_irc_ask *ask);

/* For ask.run. */
enum store_fault store_irc_run(struct store_db *db, struct store_ask *ask);
