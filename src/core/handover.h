/* handover: how an old server gives its estate to a new one, without ceasing before that is certain.
 *
 *   new                                         old
 *    │── HELLO version ─────────────────────────▶│  (serves on until its turn is over, then halts)
 *    │◀──────── FDS numbers + descriptors … ─────│  in rising order, 253 a message
 *    │◀──────── END how many, which is the estate│
 *    │   puts each under its number, looks at all│
 *    │── ABLE, or DOORS ────────────────────────▶│  DOORS: the tables are of another layout
 *    │◀────────────────────────────────────── GO │
 *    │   owner: a store that the holder sees     │
 *    │── TAKEN ─────────────────────────────────▶│  and if the socket ends instead: the old one goes on
 *
 * The one decision is the new server's, in one store (keeper_owns): before it, its holder does not
 * start it again when it dies, all its descriptors are closed, and the old server reads the end of
 * the socket. After it, its holder does, and the next one says TAKEN.
 *
 * Descriptors keep their numbers: the receiver has none open between 2 and keeper_zone(), is sent
 * them in rising order, and so never needs a number that is taken.
 *
 * Everything that is received is checked: a message of any bytes is refused, never believed. */
#pragma once

#include "core/bytes.h"
#include "core/check.h"
#include "core/scm.h"

#define HANDOVER_VERSION     1u
#define HANDOVER_MESSAGE_MAX (16u + SCM_MOST * 4u)

enum handover_kind {
	HANDOVER_HELLO = 'H',
	HANDOVER_FDS = 'F',
	HANDOVER_END = 'E',
	HANDOVER_ABLE = 'A',
	HANDOVER_DOORS = 'D',
	HANDOVER_GO = 'G',
	HANDOVER_TAKEN = 'T',
};

struct handover_message {
	enum handover_kind kind;
	uint32_t version;           /* of HELLO */
	uint32_t count;             /* of FDS: numbers; of END: all that were sent */
	uint32_t estate;            /* of END */
	uint32_t numbers[SCM_MOST]; /* of FDS: rising, 3 or more */
};

/* Reads a message; false: it is none. Pure. */
bool handover_parse(struct bytes in, struct handover_message *message);

/* Writes one into room for HANDOVER_MESSAGE_MAX bytes. Pure. */
struct bytes handover_write(const struct handover_message *message, void *room);

/* --- the new server --------------------------------------------------------------------------- */

enum handover_taken {
	HANDOVER_NOTHING, /* the old server serves on; *why says what was wrong */
	HANDOVER_ALL,     /* its descriptors are open here, and the estate among them is adopted */
	HANDOVER_PLACES,  /* its listening sockets are open here, and nothing else */
};

/* Takes over through peer, which is closed. Before any descriptor above 2 is open but those of the
 * keeper. */
enum handover_taken handover_take(int peer, const char **why);

/* Says TAKEN again, for a server that may have died before it did; closes peer. */
void handover_say_taken(int peer);

/* --- the old server --------------------------------------------------------------------------- */

enum handover_given {
	HANDOVER_KEPT,  /* nothing has changed; *why says what was wrong */
	HANDOVER_GIVEN, /* another server owns all */
	HANDOVER_SPLIT, /* another server owns the listening sockets */
};

/* Whether the new server's HELLO, which must have come, fits. */
bool handover_greeted(int peer);

/* Gives all away. No thread may open, close or use what the estate holds meanwhile. Waits at most a
 * second for each answer; for the one after GO as long as it takes. */
enum handover_given handover_give(int peer, const char **why);

/* Whether this server has given its doors away: what is one server's in each machine (a file that is
 * replaced, a socket's name) is not its any more. */
bool handover_is_given(void);
/* It has, in another way than this. */
void handover_say_given(void);
