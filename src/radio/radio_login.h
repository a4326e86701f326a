/* radio_login: how an encoder gets in: its request or login line, its password, the hub's word.
 *
 *   SOURCE, PUT ─▶ path a mount's? ─▶ password ─▶ claim ─▶ hub ─▶ source_claimed
 *
 * Without credentials it gets 401 and may try again on the same connection. Runs on the
 * connection's worker. */
#pragma once

#include "edge/conn.h"
#include "edge/route.h"

/* A mount's name is a path that listeners can ask for as it stands, and that no page, no call and no
 * playlist has. Any thread. */
bool login_is_mount(struct bytes path);

/* SOURCE and PUT on a mount. */
RUNS_ON(on_worker) void login_serve_source(struct conn *conn);

/* 401, with what libshout wants to read in it. */
RUNS_ON(on_worker) void login_unauthorized(struct conn *conn);

/* SHOUTcast v1 and x-audiocast, on any port. */
extern const struct protocol login_protocol;
