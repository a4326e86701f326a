/* program: starts programs that an administrator has named for an event, as Icecast's on-connect.
 *
 * No shell: the path is run with one argument and few variables. Standard input is empty, what it
 * prints goes to our standard error. So many run at a time (hooks.programs), each for so long
 * (hooks.program_timeout). When the server runs as root, they run as nobody; and none can gain
 * rights by what it executes. Control thread. */
#pragma once

#include <uv.h>

#include "core/role.h"

/* environment: "NAME=value", at most 15, NULL-terminated; copied by the start. */
RUNS_ON(on_control)
void program_run(uv_loop_t *loop, const char *path, const char *argument,
		 const char *const *environment);

/* Kills what still runs. */
RUNS_ON(on_control) void programs_stop(void);
