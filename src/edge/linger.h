/* linger: ends a connection whose peer may still be sending, so that it can read what we said last.
 *
 *   an answer, sent ─▶ linger(): our end is closed, theirs is read and thrown away ─▶ their end: closed
 *                                └─ after LINGER_MS, or LINGER_BYTES: closed too
 *
 * Closing with bytes unread makes the kernel send a reset, and a reset takes with it what the peer has
 * not read: who uploads too much would see a broken connection and no 413. At most LINGERS_MAX of a
 * worker at a time; more are closed gently (link.h), and so are all when the worker stops. Runs on the
 * connection's worker. */
#pragma once

#include "core/worker.h"
#include "edge/link.h"

#define LINGER_MS    5000u
#define LINGER_BYTES (256u << 20)
#define LINGERS_MAX  64u

/* The link is its own from now on, and so is the place on the worker: edge_left() is called at the end. */
RUNS_ON(on_worker) void linger(struct worker *worker, struct link link);

RUNS_ON(on_worker) void lingers_stop(void);
