/* sfu_gate: who may publish to a room, and who may watch it.
 *
 *   token of the settings ─┐
 *   JSON web token ────────┼─▶ then(conn)          none of them: 401, or for a publisher an operator's
 *   sfu.auth_url ──────────┘                       password or token
 *
 * The hook is asked with a POST of JSON: {"action": "publish" or "watch", "room", "token", "address",
 * "agent", "query"}; 200 to 299 lets in, 401 and 403 refuse, all else is 503. It is asked when neither a
 * token of the settings nor a JSON web token fits. Thread: the connection's worker. */
#pragma once

#include "edge/conn.h"

/* Calls then() when who asks may; answers the request itself when not. refuse: how. */
RUNS_ON(on_worker)
void gate_let_in(struct conn *conn, bool publishes, struct bytes room,
		 void (*then)(struct conn *conn),
		 void (*refuse)(struct conn *conn, unsigned status, const char *why));
