/* data_lock: one server on a data directory.
 *
 * The lock is flock(2) on the directory itself, so that a disk which is full or read-only holds it too.
 * The descriptor is in the estate: what keeps it is the open file that all generations share, and there
 * is no moment in an upgrade or a crash at which nobody has it.
 *
 * Thread: data_lock_take before there are any; the rest on control. */
#pragma once

#include <uv.h>

#include "core/worker.h"

void data_lock_know(void);

/* Takes it, or goes on with the one in the estate. alone: nobody else may have it; else the server
 * before may, until it ends, and data_lock_watch waits for that. 0, -EBUSY (another server serves from
 * here) or -errno. What cannot be locked at all, for there is no such directory, is 0. */
MUST_CHECK int data_lock_take(const char *directory, bool alone);

/* Looks again, while it is the server's before. */
RUNS_ON(on_control) void data_lock_watch(uv_loop_t *loop);

RUNS_ON(on_control) void data_lock_stop(void);
