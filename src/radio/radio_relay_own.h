/* radio_relay_own: relays that were made over the API, and the file that keeps them: DIR/relays.json.
 *
 *   POST, DELETE /api/v1/relays ─▶ judged ─▶ queue ─▶ written (on the pool) ─▶ in force ─▶ answered
 *
 * The file is an array of objects with mount, url and on_demand. It is written beside the old one and
 * renamed, so there always is a whole list, also for a server that takes over or begins after a crash.
 * Their addresses are called as ones that a stranger gave: outside, judged when the socket is opened
 * (fetch.h). Those of the settings go before: what has a relay there gets none from here.
 *
 * Control thread, all of it but the writing. */
#pragma once

#include "edge/call.h"

#define RELAY_OWN_MAX 256u

/* Where the file lies. Before the families start; data must last. */
RUNS_ON(on_control) void relay_own_place(const char *data);

/* Puts those of the file in force, behind those of the settings. */
RUNS_ON(on_control) void relay_own_start(uv_loop_t *loop);

/* What is being written is not put in force any more, and nobody is answered. */
RUNS_ON(on_control) void relay_own_stop(void);

/* Makes one, or removes whichever is there, and calls done() at once or later: with 0, -EEXIST, -ENOENT,
 * -EINVAL (the url), -EPERM (it stands in the settings), -EDQUOT (there are too many), -EIO (the file
 * could not be written: nothing has changed) or -ENOMEM. */
RUNS_ON(on_control)
void relay_own_add(struct call *call, const char *mount, const char *url, bool on_demand,
		   void (*done)(struct call *call, const char *mount, int error));
RUNS_ON(on_control)
void relay_own_remove(struct call *call, const char *mount,
		      void (*done)(struct call *call, const char *mount, int error));
