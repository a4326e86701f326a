/* setup: the first administrator makes himself.
 *
 *   start: none in the settings, none in the store ─▶ a code: into DIR/setup-code, the log, the welcome
 *   POST /api/v1/setup {token, user, password} ─▶ right? ─▶ a user on disk ─▶ the code is gone
 *
 * It is open as long as admin.password is nobody's word (a server that has none invents one, which is
 * not somebody's) and no user is an administrator: from then on both calls are there and say so. The
 * invented password stays good beside the administrator, for whoever can read the data directory: it is
 * the way back in. Of two that come at once one is made. Guesses at the code are counted.
 *
 * Control thread, all of it. */
#pragma once

#include "edge/api.h"

extern const struct api_operation setup_operations[];

/* Before the doors open, after people_start(). in_settings: admin.password was set by somebody. */
RUNS_ON(on_control) void setup_start(const char *data, bool in_settings);

/* At a reload. */
RUNS_ON(on_control) void setup_reload(bool in_settings);

/* The code, for the welcome; "" when there is an administrator. */
RUNS_ON(on_control) const char *setup_code(void);
