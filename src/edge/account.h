/* account: who is known, in memory: users, their tokens, and the browsers that are logged in.
 *
 *   store, API ──(control thread)──▶ a new book ──▶ published ──▶ workers look things up
 *                                     └─ the old one goes when a baton has been everywhere
 *
 * A book never changes, so a look-up takes no lock and waits for nobody; each change makes a new
 * one. What changes all the time, when somebody was last seen, lies in numbered places beside it.
 * Nothing here is kept on disk: the store does that. Secrets are not here either: passwords are
 * argon2id strings, tokens and sessions are known by a hash.
 *
 * Thread: reading any, for the event at hand; changing control. */
#pragma once

#include <stdatomic.h>

#include "core/worker.h"
#include "edge/auth.h"
#include "edge/rights.h"

#define ACCOUNT_NAME_SIZE 64u
#define ACCOUNT_ROWS_MAX  1024u  /* of tokens, of sessions */
#define ACCOUNT_USERS_MAX 50000u /* auth.users may say less */
#define ACCOUNT_ID_SIZE   32u

/* Rows begin with their key. */
struct account {
	char name[ACCOUNT_NAME_SIZE];
	uint32_t place; /* of account_seen() */
	bool disabled;
	int64_t created_us;
	struct rights rights;
	char stored[AUTH_STORED_MAX];
};

struct token {
	uint8_t id[ACCOUNT_ID_SIZE]; /* the hash of what its owner keeps */
	uint32_t place;
	int64_t number;                 /* in the store */
	int64_t created_us, expires_us; /* wall; 0: never */
	struct rights rights;
	char prefix[16];               /* of what its owner keeps, to tell it by */
	char name[ACCOUNT_NAME_SIZE];  /* what it is for */
	char owner[ACCOUNT_NAME_SIZE]; /* who made it */
	bool of_settings;              /* the owner is the administrator of the settings */
};

struct session {
	uint8_t id[ACCOUNT_ID_SIZE]; /* the hash of the cookie */
	uint32_t place;
	bool of_settings; /* the administrator of the settings, who is no row */
	int64_t created_us;
	uint8_t bound[32]; /* to the password it was begun with: another password ends it */
	uint8_t ip[16];
	char name[ACCOUNT_NAME_SIZE];
	char agent[96];
};

struct account_book {
	struct account *accounts;
	struct token *tokens;
	struct session *sessions;
	uint32_t account_count, token_count, session_count;
	struct baton farewell;
};

enum account_part { ACCOUNT_USERS, ACCOUNT_TOKENS, ACCOUNT_SESSIONS };

/* Never NULL; empty before the first change. */
const struct account_book *account_book(void);

/* NULL: there is none. */
const struct account *account_find(const struct account_book *book, struct bytes name);
const struct token *account_token(const struct account_book *book, const uint8_t *id);
const struct session *account_session(const struct account_book *book, const uint8_t *id);

/* When a row was last seen; wall time, relaxed. */
_Atomic int64_t *account_seen(enum account_part part, uint32_t place);

/* Puts a row in, in place of the one with its key; row->place is chosen here, seen_us is when it was
 * last seen. When the part is full the session seen least lately goes; users and tokens are refused.
 * -ENOSPC, -ENOMEM. */
RUNS_ON(on_control)
MUST_CHECK int account_put(enum account_part part, const void *row, int64_t seen_us);

/* Many users at once, of different names, when there are none yet: seen_us of each. -ENOSPC, -ENOMEM. */
RUNS_ON(on_control)
MUST_CHECK int account_put_users(const struct account *rows, const int64_t *seen_us,
				 uint32_t count);

/* False: there is none, or no memory (then it is still there). */
RUNS_ON(on_control) bool account_drop(enum account_part part, const void *key);

/* Whom it is told to when a user has gone; one, before the workers start. */
void account_watch(void (*gone)(const char *name));

/* Ends all sessions of a user; tokens too when he is gone. False: no memory. */
RUNS_ON(on_control) bool account_drop_sessions(const char *name, bool tokens_too);

/* Frees the book, when all workers have stopped. */
void account_fini(void);
