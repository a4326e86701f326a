/* families: the table of them, and what main.c does with all of them at once.
 *
 * To add a family: its header and one row in families.c. */
#pragma once

#include "core/family.h"

#define FAMILIES_ROOMS_MAX 32

/* Adds the rooms of all families behind the count at rooms (of FAMILIES_ROOMS_MAX); the new count. */
size_t families_rooms(const struct conf_room **rooms, size_t count);

/* Adds their hooks likewise. */
size_t families_hooks(const struct worker_hooks **hooks, size_t count);

/* What of their settings is good and will not work today. */
void families_doubt(const struct conf *conf, struct conf_errors *errors);

void families_know(void);
void families_configure(const struct conf *conf);
RUNS_ON(on_control) MUST_CHECK int families_start(uv_loop_t *loop, const struct conf *conf);

/* before: the settings in force, to which the doors go back where one cannot be opened; NULL at the
 * start. */
RUNS_ON(on_control)
MUST_CHECK int families_listen(uv_loop_t *loop, const struct conf *conf, const struct conf *before,
			       char *at, size_t size);

RUNS_ON(on_control) bool families_reload(const struct conf *conf);
/* Hands an order to the family of that name; false: there is none, or it takes none. */
RUNS_ON(on_control) bool families_order(const char *name, struct family_order *order);
RUNS_ON(on_control) void families_hush(void);
RUNS_ON(on_control) bool families_are_hushed(void);
RUNS_ON(on_control) void families_leave(void);
RUNS_ON(on_control) void families_stay(void);
RUNS_ON(on_control) void families_part(void);
RUNS_ON(on_worker) void families_leave_worker(void);
RUNS_ON(on_worker) void families_stay_worker(void);
RUNS_ON(on_worker) void families_part_worker(void);
RUNS_ON(on_control) bool families_are_idle(void);
RUNS_ON(on_control) void families_stop(void);
RUNS_ON(on_control) void families_fini(void);
