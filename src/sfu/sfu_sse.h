/* sfu_sse: what a viewer's page is told of its room, as server-sent events (the draft "WHEP Core Extensions"):
 * whether somebody is on the air, in which layers the pictures come, how many watch.
 *
 *   control, each 500 ms: what a stream has not been told ─ text ─▶ worker: conn_send
 *                         nothing more until ◀────────── sent ─────┘
 *
 * A session has one stream at most, and that one reader: who opens another takes its place. What one is told is
 * made of what there is when the one before has been sent, so there is never a queue; who does not take it within
 * the time of any answer is dropped. After ten quiet seconds comes an empty line, which finds who has gone.
 *
 * Owner: the control thread; of a connection, its worker. */
#pragma once

#include <uv.h>

#include "core/role.h"
#include "edge/conn.h"

#define SSE_ID     32u /* hexadecimal digits, which nobody guesses */
#define SSE_EVENTS "active,inactive,layers,viewercount"

/* What a stream tells. */
#define SSE_ACTIVE   1u
#define SSE_INACTIVE 2u
#define SSE_LAYERS   4u
#define SSE_VIEWERS  8u
#define SSE_ALL      15u

struct sfu_session;
struct sse_stream;

/* The event of that name; 0: there is none. */
unsigned sse_event(const char *name);

RUNS_ON(on_control) void sse_start(uv_loop_t *loop);
RUNS_ON(on_control) void sse_stop(void);

/* Its stream, instead of the one there was: its name. NULL: no memory. */
RUNS_ON(on_control) const char *sse_open(struct sfu_session *session, unsigned events);
/* False: it has none of that name. */
RUNS_ON(on_control) bool sse_close(struct sfu_session *session, struct bytes name);
/* The session ends. */
RUNS_ON(on_control) void sse_forget(struct sfu_session *session);

/* Answers a request for the stream of a session with its events, or with 404. */
RUNS_ON(on_worker) void sse_serve(struct conn *conn, struct bytes session, struct bytes name);

RUNS_ON(on_worker) void sse_worker_start(void);
RUNS_ON(on_worker) void sse_worker_stop(void);
