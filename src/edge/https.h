/* https: which requests over plain HTTP are sent to the same address over TLS: those of browsers for
 * pages, when a certificate has the name that they call us by.
 *
 * Encoders, players, programs and whoever reads numbers are never sent anywhere: many do not follow,
 * and what they ask for is served as well. On the worker of the connection. */
#pragma once

#include "edge/conn.h"

/* True: it was answered. named: the path belongs to a page or a call, and not to any mount. */
RUNS_ON(on_worker) bool https_redirect(struct conn *conn, bool named);
