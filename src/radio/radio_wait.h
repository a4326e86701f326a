/* radio_wait: players who asked for what will be there at once, such as a relay on demand.
 *
 *   join ── nothing to hear, but soon ──▶ wait ── outlet is tuned ──▶ join again
 *                                           └── too late, or it will not come ──▶ 503
 *
 * Per worker; the connections are in WAIT meanwhile. */
#pragma once

#include "edge/conn.h"
#include "radio/radio_outlet.h"

/* The connection waits, and the control thread is told that this mount is wanted. */
RUNS_ON(on_worker) void wait_for(struct conn *conn, struct outlet *outlet);

/* Something is to be heard on this mount now, or nothing will be: serves or refuses who waits. */
RUNS_ON(on_worker) void wait_over(const struct mount *mount, bool heard);

RUNS_ON(on_worker) int wait_worker_start(struct worker *worker);
RUNS_ON(on_worker) void wait_worker_stop(struct worker *worker);
