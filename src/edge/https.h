/* https: which requests over plain HTTP are sent to the same address over TLS: those of browsers for
 * pages, when a certificate has the name that they call us by.
 *
 * Encoders, players, programs and whoever reads numbers are never sent anywhere: many do not follow,
 * and what they ask for is served as well. On the worker of the connection. */
#pragma once

#include "edge/conn.h"

/* RFC 2817 section 3.2: the client asks whether the connection can be over TLS from here on, as
 * libshout does, and it can. */
RUNS_ON(on_worker) bool https_wants_upgrade(const struct request *request);
#define HTTPS_UPGRADES                               \
	BYTES("HTTP/1.1 101 Switching Protocols\r\n" \
	      "Upgrade: TLS/1.0, HTTP/1.1\r\nConnection: Upgrade\r\n\r\n")

/* Section 3.3: the request that asked is answered over TLS, and the connection goes on. True: it was
 * that one. */
RUNS_ON(on_worker) bool https_upgraded(struct conn *conn);

/* True: it was answered. named: the path belongs to a page or a call, and not to any mount. */
RUNS_ON(on_worker) bool https_redirect(struct conn *conn, bool named);
