/* radio_source: the IN of radio: one encoder's connection, from its request to its last byte.
 *
 *   SOURCE, PUT ─┐                             ┌─ chunked ─ ICY ─┐
 *                ├▶ password ─▶ claim ─▶ 200 ──┤                 ├▶ framer ─▶ feed
 *   SHOUTcast ───┘            (hub)            └─────────────────┘   units     records, headers,
 *                                                                              titles
 * Lives on the worker that its connection was placed on, and is the one writer of its feed. The hub
 * (radio_mount.h) says who may feed which mount and hears when a source goes live or is gone.
 *
 * A source ends when it closes, sends nothing for source_timeout, sends more rubbish in a row than
 * RUBBISH_MAX, or is told to. */
#pragma once

#include "core/estate.h"
#include "radio/radio_mount.h"

/* What the hub is asked before an encoder is let in, and what it answers. It lies in the source's
 * connection while that waits: worker → control → worker; freed by source_claimed(). */
struct claim {
	struct message message;
	struct worker *worker;
	struct conn *conn;                     /* of an encoder; NULL: a relay asks */
	struct message *asker;                 /* the relay's pull */
	void (*answered)(struct claim *claim); /* on the worker; frees the claim */
	char mount[FEED_NAME_MAX + 1];
	struct mount_source about;
	bool icy;        /* a SHOUTcast login: its station comes later */
	bool xaudiocast; /* a login in the x-audiocast dialect */
	bool expects;    /* wants 100 Continue */
	uint32_t icy_metaint;
	struct hub_message *farewell; /* made beforehand: to give a mount back must not fail */
	/* the answer */
	struct mount *granted; /* NULL: refused */
	struct feed *feed;     /* to go on with, if the kind is the same; else NULL */
	struct feed_shape shape;
	unsigned refuse_status;
	const char *refuse_why;
};

/* On the worker: takes the hub's answer. */
RUNS_ON(on_worker) void source_claimed(struct claim *claim);

/* Asks the source with this id, on its worker, to end; why is for the log. From control. False: no memory. */
RUNS_ON(on_control) bool source_stop(struct worker *worker, uint64_t id, const char *why);

/* Sets the title from now on. title and url are UTF-8 and clean. False: no memory. */
RUNS_ON(on_control)
bool source_title(struct worker *worker, uint64_t id, struct bytes title, struct bytes url);

/* A source that the last server left: a row of a worker's table. */
struct source_left {
	unsigned worker;
	uint64_t id, mount;
};

extern const struct estate_kind source_kind;

/* Calls each() for every source that was left, on the control thread while no worker does anything. */
RUNS_ON(on_control)
void sources_left(unsigned workers, void (*each)(const struct source_left *left, void *what),
		  void *what);

/* Goes on with those of this worker; find gives the mount of a number. What cannot be gone on with is
 * closed, and the hub hears of it. Feeds are found with radio_feed_left(). */
RUNS_ON(on_worker) void sources_adopt(struct mount *(*find)(uint64_t id));

/* Another process has them: lets go without a word to anybody. */
RUNS_ON(on_worker) void sources_part(void);

RUNS_ON(on_worker) int source_worker_start(struct worker *worker);
RUNS_ON(on_worker) void source_worker_stop(struct worker *worker);
