/* radio_tail: the rest of a frame that a listener is in the middle of, put aside before the ring's
 * writer can overwrite it.
 *
 * A tail is a row in one of two tables of the worker, short and long, and the listener's row says
 * which: tail_row, tail_len, tail_sent, and the position it has in the ring. All on one worker. */
#pragma once

#include "core/estate.h"
#include "core/ring.h"
#include "core/worker.h"
#include "radio/radio_listener.h"

#define TAIL_SHORT_MAX 4096u
#define TAIL_LONG_MAX  65536u /* no unit is larger */

extern const struct estate_kind tail_short_kind, tail_long_kind;

/* For as many listeners. 0 or -errno. */
RUNS_ON(on_worker) MUST_CHECK int tail_worker_start(const struct worker *worker, uint32_t capacity);
RUNS_ON(on_worker) void tail_worker_stop(void);

/* Puts the rest of the frame that the listener is in aside, if it is at most so long; its pos is then
 * behind the frame. True: it is at the end of a frame now. False when that cannot be. */
RUNS_ON(on_worker)
bool tail_keep(struct listener *listener, uint32_t row, const struct ring *ring, uint64_t most);

/* What is still to be sent of it; the listener has one. */
RUNS_ON(on_worker) struct bytes tail_rest(const struct listener *listener);

/* The listener has none any more. */
RUNS_ON(on_worker) void tail_free(struct listener *listener);

/* Frees the tails of the worker before that no listener has any more. */
RUNS_ON(on_worker) void tails_adopt(const struct table *listeners);
