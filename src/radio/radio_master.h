/* radio_master: asks a master server for its mounts, now and then, and has them relayed (Icecast's
 * master and slave). A list that cannot be had changes nothing. Control thread. */
#pragma once

#include <uv.h>

#include "core/role.h"

RUNS_ON(on_control) void master_start(uv_loop_t *loop);
/* The settings may have changed. */
RUNS_ON(on_control) void master_reload(void);
RUNS_ON(on_control) void master_stop(void);
