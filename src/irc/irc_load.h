/* irc_load: at the start, what the store has of all users: read on control, handed to each user's worker.
 *
 * Users are there before the doors open, or, where the disk is slow, a little later; without a store
 * nobody is known but by his account. */
#pragma once

#include "core/worker.h"

/* Turns the loop until all is loaded, for at most a few seconds. */
RUNS_ON(on_control) void irc_load(uv_loop_t *loop);
RUNS_ON(on_control) bool irc_loaded(void);
