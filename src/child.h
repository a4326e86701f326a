/* child: a helper program beside the server, started again when it ends.
 *
 * Helpers do what the server itself must not: encode, decode, read untrusted media. They speak
 * public protocols, so one that dies is a client that left. Control thread. */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "core/role.h"

struct child;

/* Starts NAME, found beside this program or in its build tree, with argv and further environment
 * (both NULL-terminated, copied by the caller for as long as the child lives). NULL when there is
 * no memory. What the program prints goes to our standard error. */
RUNS_ON(on_control)
struct child *child_start(uv_loop_t *loop, const char *name, char **argv, char **environment);

/* Ends it and does not start it again; it is freed in a later turn of the loop. */
RUNS_ON(on_control) void child_stop(struct child *child);
