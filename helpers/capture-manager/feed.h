/* feed: one reader of the slot and the process that it feeds, for as long as the manager runs.
 *
 *   wait for the slot ─▶ start the process ─▶ frames into its pipes ─▶ the slot has ended: let it finish
 *          ▲                   ▲                       │                          │
 *          │                   └── later, and later ◀──┴ the process has gone     │
 *          └──────────────────────────────────────────────────────────────────────┘
 *
 * Each has a thread and a place in the slot of its own: one that stands still costs the others nothing. What
 * others see of it are the atomics. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define FEED_NAME_MAX 32

enum feed_state { FEED_WAITS, FEED_RUNS, FEED_PAUSES, FEED_ENDS, FEED_DONE };

/* What all feeds share. */
struct feeds {
	const char *slot, *out;
	unsigned patience_ms; /* how long a writer that died is waited for */
	bool once;
	atomic_bool stop;
	/* All begin with the same frame of a slot, whichever is there first. */
	pthread_mutex_t lock;
	uint64_t generation, start;
};

struct feed {
	struct feeds *all;
	char name[FEED_NAME_MAX];
	const char *template;
	bool raw;
	pthread_t thread;
	uint64_t generation, lost_before; /* of the slot it read last; in those before it */
	atomic_int state;                 /* enum feed_state */
	atomic_int pid, status;
	atomic_uint run, restarts;
	atomic_uint_fast64_t frames, repeated, lost, position;
};

/* False: no thread. */
bool feed_start(struct feed *feed);
void feed_join(struct feed *feed);

const char *feed_state_name(int state);
