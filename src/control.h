/* control: a socket in the data directory for ringmainctl: one line in, an answer out.
 *
 *   "upgrade\n" "reload\n"  ─▶  "ok …\n" | "error …\n"; what is wrong with settings in lines behind it
 *   "irc USER …\n"          ─▶  the same, of the family of that name; the answer may have many lines
 *
 * Only root and the user that the server runs as are heard (SO_PEERCRED), some dozens at a time. Who has not
 * given an order in time, or has not when another wants his place, is told so and closed. Thread: control. */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <uv.h>

#include "core/check.h"
#include "core/family.h"
#include "core/role.h"

struct control_hooks {
	bool (*reload)(FILE *said); /* what is wrong is written there, a line each */
	bool (*upgrade)(void);      /* false: it cannot begin; else control_outcome() follows */
	uint64_t (*idle)(void);     /* so many milliseconds may pass before an order is there */
	bool (*order)(const char *family, struct family_order *order); /* false: there is none */
};

/* 0 or -errno. */
RUNS_ON(on_control)
MUST_CHECK int control_start(uv_loop_t *loop, const char *directory,
			     const struct control_hooks *hooks);

/* How an upgrade went: for whoever asked for it. */
RUNS_ON(on_control) void control_outcome(bool done, const char *why);

/* Answers nobody new; the name in the directory is somebody else's (an upgrade) or goes away. */
RUNS_ON(on_control) void control_stop(bool remove_name);
