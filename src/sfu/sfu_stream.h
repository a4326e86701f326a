/* sfu_stream: ICE over TCP (RFC 6544), for peers whose firewalls let no UDP through: a connection is a
 * path like any other, with a length before each packet (RFC 4571).
 *
 *   listener (worker 0) ─▶ stream ─ packet ─▶ door_arrived_in ─┬─ a check of a peer of ours: its path
 *                            │                              └─ of another worker's: stream_pass
 *                            └ socket ◀─ flush ◀─ 256 KiB ◀─ stream_put
 *
 * Until a check on it was authentic a stream is nobody's, takes nothing else and lives for ten
 * seconds; of too many the oldest goes. What does not fit into what waits to be sent is dropped,
 * as by any network: it is asked for again. Owner: the worker. */
#pragma once

#include <uv.h>

#include "core/mono.h"
#include "core/udp.h"
#include "core/worker.h"

#define STREAM_IN  4096u
#define STREAM_MAX 2048u /* bytes of a packet that a peer may send */

struct sfu_peer;

struct sfu_stream {
	uv_poll_t poll;
	int fd;
	struct udp_path path;
	struct sfu_peer *peer;          /* NULL: nobody's yet */
	struct sfu_stream *prev, *next; /* of those that are nobody's */
	struct sfu_stream *next_full;   /* of those that have something to send */
	mono_t since;
	bool passed, closed, listed, full, waits;
	size_t in_len, out_len;
	uint8_t *out; /* NULL: nothing was sent yet */
	uint8_t in[STREAM_IN];
};

/* Opens the listener, before the workers start. 0 or -errno. */
MUST_CHECK int stream_listen(const struct tcp_end *end);
/* Its port; 0: there is none. */
uint16_t stream_port(void);

RUNS_ON(on_worker) MUST_CHECK int stream_worker_start(struct worker *worker);
RUNS_ON(on_worker) void stream_worker_stop(void);

/* Whose it is, from its first authentic check on. */
RUNS_ON(on_worker) void stream_own(struct sfu_stream *stream, struct sfu_peer *peer);

/* Gives it to that worker, once, with what was read and is not understood yet. */
RUNS_ON(on_worker) void stream_pass(struct sfu_stream *stream, unsigned worker);

/* A packet, to be sent with the next flush. */
RUNS_ON(on_worker) void stream_put(struct sfu_stream *stream, struct bytes packet);
RUNS_ON(on_worker) void stream_flush(void);

/* The peer is not told of it: it ends it. */
RUNS_ON(on_worker) void stream_close(struct sfu_stream *stream);

/* Looks after deadlines: once a second. */
RUNS_ON(on_worker) void stream_tick(mono_t now);
