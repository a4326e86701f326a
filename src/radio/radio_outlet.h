/* radio_outlet: what one worker has of one mount: the feed that its listeners here are to hear,
 * and the listeners, dealt out over the slots of a turn.
 *
 *   control ── tune(mount, feed) ──▶ outlet        turn: ┌slot 0┬slot 1┬ … ┬slot 9┐
 *                                                        a tick serves the next slots of all outlets
 *
 * A listener costs one send a turn however finely the source chops its bytes. The worker's wheel
 * ticks once to TURN_SLOTS times a turn: more often the more listeners there are, so that a crowd
 * does not leave in one burst, and a few do not wake the worker each for himself. When nothing moves
 * on any feed it stops, and the rings' doorbells start it again. Outlets with low latency are also
 * served at every doorbell.
 *
 * All of it lives on its worker; orders come from the control thread as messages. */
#pragma once

#include "core/table.h"
#include "radio/radio_feed.h"
#include "radio/radio_mount.h"
#include "radio/radio_tap.h"

#define TURN_SLOTS 10u

struct outlet_slot {
	uint32_t *rows; /* of the worker's listener table */
	uint32_t count, size;
};

struct outlet {
	struct outlet *next;
	struct mount *mount; /* name, conf, count: constant or atomic */
	struct tap *tap;     /* what is to be heard; NULL: nothing */
	uint64_t min_pos;    /* who moves here starts at or behind this position */
	uint64_t from_feed;  /* the feed before: who is on it still hears it until from_end */
	uint64_t from_end;
	bool expecting; /* of tuning, as the next two */
	bool relayed;
	uint64_t wait_ms;
	bool sticky; /* who is on another feed that still runs, stays */
	bool low_latency;
	struct station station;
	char fallback[FEED_NAME_MAX + 1]; /* the mount that it falls back to; "" */
	uint64_t bytes_out;               /* not yet added to the mount's */
	uint32_t listeners;
	uint32_t next_slot;
	struct outlet_slot slot[TURN_SLOTS];
};

/* What the control thread tells every worker about a mount. */
struct tuning {
	struct mount *mount;
	struct feed *feed; /* NULL: nothing is to be heard */
	bool expecting;    /* but soon something will be: the listeners stay */
	uint64_t min_pos;
	bool sticky;
	bool relayed;     /* a relay may feed it */
	uint64_t wait_ms; /* how long to wait for what is expected */
	struct station station;
	char fallback[FEED_NAME_MAX + 1];
};

RUNS_ON(on_control) void outlet_tune_all(const struct tuning *tuning);

/* No more will be published on this feed (who sticks to it moves on at its end). */
RUNS_ON(on_control) void outlet_feed_ended(const struct feed *feed);

/* Takes the feed away from all workers, then closes and frees it. */
RUNS_ON(on_control) void outlet_feed_drop(struct feed *feed);

/* Takes the mount away from all workers, lets its listeners go, then calls gone(mount). */
RUNS_ON(on_control) void outlet_mount_drop(struct mount *mount, void (*gone)(struct mount *mount));

/* The outlet of a mount on this worker; NULL when there is none. */
RUNS_ON(on_worker) struct outlet *outlet_find(struct bytes mount);

/* The first of this worker's outlets; the others follow by next. */
RUNS_ON(on_worker) struct outlet *outlet_first(void);

/* This worker's listeners. */
RUNS_ON(on_worker) struct table *outlet_table(void);

/* Puts a listener into a slot. False when there is no memory. */
RUNS_ON(on_worker) MUST_CHECK bool outlet_add(struct outlet *outlet, uint32_t row);

/* Takes a listener, wherever it is, out of its slot. */
RUNS_ON(on_worker) void outlet_remove(struct outlet *outlet, uint32_t row);

/* Takes the listener at this place of a slot out; the last one of the slot takes its place. */
RUNS_ON(on_worker) void outlet_remove_at(struct outlet *outlet, unsigned slot, uint32_t at);

/* The worker's wheel turns (again): somebody has something to send. */
RUNS_ON(on_worker) void outlet_wake(void);

/* Rings the doorbells of the workers in a mask that ring_publish gave. Any thread. */
void outlet_ring(uint64_t workers);

RUNS_ON(on_worker) int outlet_worker_start(struct worker *worker);
RUNS_ON(on_worker) void outlet_worker_stop(struct worker *worker);

/* What the worker before this one was doing when it died; outlet_adopt() has dealt with listeners. */
RUNS_ON(on_worker) const struct journal *outlet_left(void);

/* Goes on with the listeners in this worker's table, each at the outlet of its mount, which must have
 * been tuned. */
RUNS_ON(on_worker) void outlet_adopt(void);

/* Another process has all that this worker has: lets go of it without a word to anybody. */
RUNS_ON(on_worker) void outlet_part(void);
