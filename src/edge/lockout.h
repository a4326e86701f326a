/* lockout: who has guessed wrong too often waits, and who was right lately never does.
 *
 *   try ─▶ lockout_ask ─┬─ GO ────▶ the password is checked ─▶ lockout_right or lockout_wrong
 *                       ├─ WRONG ─▶ it was wrong before and would be again: no check, no count
 *                       └─ WAIT ──▶ 429 with Retry-After
 *
 * Failures are counted per kind of credential, and there per address (IPv6: per /64, which is one
 * customer) and per account; from the allowed number on each further one doubles the wait. Kinds do
 * not know of each other: who guesses at the administrator's password makes no encoder wait that comes
 * from behind the same router. A pair of address and credentials that was
 * right is remembered and goes through whatever others do from the same address or against the same
 * account, so an attacker cannot keep an encoder off the air. The same wrong credentials again are
 * not another guess: an encoder with an old password locks nobody out, itself neither.
 *
 * Memory is fixed: in each table a new entry takes the place of the oldest of the eight it may lie
 * in. Where that is depends on a random key. Who was right outlives the process in the estate, and so
 * does the key; guesses are counted anew. Behind one mutex, taken once or twice a login; never on the
 * path of a stream. Thread: any. Time is an argument. */
#pragma once

#include "core/mono.h"
#include "edge/proto/address.h"

#define LOCKOUT_ADDRESSES 8192u
#define LOCKOUT_ACCOUNTS  1024u
#define LOCKOUT_GOOD      4096u

struct lockout_rules {
	uint64_t attempts;         /* of one address; 0: nobody is ever locked out */
	uint64_t account_attempts; /* against one account, from wherever; 0: not counted */
	uint64_t window_ms;        /* so long after the last failure they are forgotten */
	uint64_t lockout_ms;       /* the first wait */
};

/* What is guessed at. */
enum lockout_kind {
	LOCKOUT_PEOPLE,   /* a person's password */
	LOCKOUT_ENCODER,  /* a mount's */
	LOCKOUT_TOKEN,    /* of the API */
	LOCKOUT_LISTENER, /* a user's of a mount's file */
	LOCKOUT_SETUP,    /* the word that makes the first administrator */
	LOCKOUT_KINDS,
};

struct lockout_try {
	uint64_t address;
	uint64_t account;
	uint64_t
		pair; /* credentials, and what they are held against: new passwords make new pairs */
};

/* Announces the table that outlives the process; opens it, before there are workers. Without it, which
 * is said, who was right is known to this process alone. */
void lockout_know(void);
void lockout_start(void);

enum lockout_word { LOCKOUT_GO, LOCKOUT_WRONG, LOCKOUT_WAIT };

/* A try as numbers. credentials: what was given, and all that it is held against. */
struct lockout_try lockout_try_of(enum lockout_kind kind, const struct address *peer,
				  struct bytes account, const struct bytes *credentials,
				  size_t count);

/* *wait_s: with LOCKOUT_WAIT, whole seconds, at least 1. */
enum lockout_word lockout_ask(const struct lockout_rules *rules, const struct lockout_try *try,
			      mono_t now, unsigned *wait_s);

void lockout_right(const struct lockout_try *try, mono_t now);

/* How long the wait is that begins with this failure, in milliseconds; 0: none begins. */
uint64_t lockout_wrong(const struct lockout_rules *rules, const struct lockout_try *try,
		       mono_t now);

/* Forgets all failures of an address, of whatever kind (an administrator's order); not what was right. */
bool lockout_forget(const struct address *peer);

/* Addresses that wait now; one that waits for two kinds counts twice. */
unsigned lockout_waiting(mono_t now);

/* For tests: forgets everything. */
void lockout_reset(void);
