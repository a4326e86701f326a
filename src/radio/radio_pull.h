/* radio_pull: the IN of a relay: one transfer from an upstream server into a mount's feed.
 *
 *   upstream ── fetch ──▶ head: claim the mount ──▶ titles off ──▶ publisher ──▶ feed
 *                            (hub, as an encoder)   (icy_demux)
 *
 * The control thread makes it and gives it to a worker, where it lives until it ends; then it comes
 * home as a message with how it went, and is freed by relay_ended(). Between the two only the atomic
 * counters are looked at from outside. It is the one writer of its feed, as a source is. */
#pragma once

#include "edge/fetch.h"
#include "radio/proto/hops.h"
#include "radio/proto/icy.h"
#include "radio/proto/playlist_read.h"
#include "radio/radio_hub.h"
#include "radio/radio_publish.h"

enum pull_end {
	PULL_LOST,    /* the upstream was there and ended or broke */
	PULL_FAILED,  /* it could not be had */
	PULL_REFUSED, /* the hub has given the mount to somebody else */
	PULL_TOLD,    /* by pull_stop() */
};

/* What the control thread fills in. Texts end with NUL. */
struct pull_order {
	uint64_t id;    /* of this transfer; also what pull_stop() names */
	uint64_t relay; /* whose it is */
	char mount[FEED_NAME_MAX + 1];
	char url[FETCH_URL_MAX];
	char user[128], password[256], bind[64];
	char via[HOPS_MAX * HOPS_SIZE]; /* the whole Via header line */
	bool metadata;
	bool yields; /* to an encoder */
	enum fetch_reach reach;
	uint64_t max_bitrate; /* kbit/s; 0: any */
	uint64_t head_ms;     /* until there must be an answer */
	uint64_t stall_ms;    /* without a byte */
};

struct pull {
	struct message message; /* to the worker, and home again */
	struct message hello;   /* to control: the stream is there */
	struct pull *prev, *next;
	struct worker *worker;
	struct pull_order order;
	struct fetch fetch;
	struct claim *claim; /* while the hub thinks about it */
	struct mount *mount; /* granted */
	uint64_t source_id;
	struct hub_message *farewell;
	struct mount_source about;
	struct publisher publisher;
	struct icy_demux *icy;
	bool listed; /* the answer is a play list, into list */
	bool followed;
	bool over;
	uint8_t list[PLAYLIST_READ_MAX];
	size_t list_len;
	mono_t began, last_data, window_began;
	uint64_t window_bytes;
	_Atomic uint64_t bytes; /* relaxed: read by status pages */
	enum pull_end end;
	char why[160];
};

/* Zeroed but for order and worker; taken. */
RUNS_ON(on_control) void pull_begin(struct pull *pull);

/* Ends the transfer with this id, if it still runs on that worker. False: no memory. */
RUNS_ON(on_control) bool pull_stop(struct worker *worker, uint64_t id, const char *why);

/* The source with this id is a pull of this worker: ends it, or gives it a title. False: it is none. */
RUNS_ON(on_worker) bool pull_end_source(uint64_t source_id, const char *why);
RUNS_ON(on_worker)
bool pull_title_source(uint64_t source_id, struct bytes title, struct bytes url);

RUNS_ON(on_worker) int pull_worker_start(struct worker *worker);
RUNS_ON(on_worker) void pull_worker_stop(struct worker *worker);
/* The hub still owes one of them an answer. */
RUNS_ON(on_worker) bool pull_worker_busy(void);
