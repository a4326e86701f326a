/* radio_join: how a player gets in: its request for a mount, the rules, the answer, and then a
 * listener. Also the play lists of a mount. Runs on the connection's worker. */
#pragma once

#include "edge/conn.h"

/* GET, HEAD and OPTIONS on whatever no other route has. */
RUNS_ON(on_worker) void join_serve(struct conn *conn);
