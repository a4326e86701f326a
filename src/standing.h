/* standing: settings of rooms that are read once, at the start. Families that open at a reload too have their own
 * (core/conf_standing.h). Owner: the control thread. */
#pragma once

#include "core/conf.h"
#include "core/role.h"

RUNS_ON(on_control) void standing_take(const struct conf *conf);
/* Names those that a reload has changed, and that stay as they are. Any thread before the start. */
void standing_doubt(const struct conf *conf, struct conf_errors *errors);
RUNS_ON(on_control) void standing_drop(void);
