/* trend: how some numbers went over the last hour and the last day, for charts.
 *
 *   rooms ── trend_put("listeners", n) every 5 s ──▶ ring of an hour ──▶ ring of a day, by minutes
 *
 * In memory only and for the eye: what must be kept is the store's. A series that is not put for an
 * hour goes away. At most TREND_MAX series of 9 kB each. Control thread. */
#pragma once

#include "core/role.h"
#include "edge/api.h"

#define TREND_STEP_S 5u
#define TREND_MAX    512u

extern const struct api_operation trend_operations[];

RUNS_ON(on_control) void trend_start(uv_loop_t *loop);
RUNS_ON(on_control) void trend_stop(void);
RUNS_ON(on_control) void trend_fini(void);

/* sample() is called each step and puts what it has; before the workers start. */
void trend_add(void (*sample)(void));

RUNS_ON(on_control) void trend_put(const char *name, double value);

/* Counts that only go up are put as how much more there is a second. */
RUNS_ON(on_control) void trend_put_count(const char *name, uint64_t count);
