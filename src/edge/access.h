/* access: who may do what: for now the administrator everything, and nobody else anything. */
#pragma once

#include "edge/conn.h"

enum rank { RANK_NONE, RANK_DJ, RANK_OPERATOR, RANK_ADMIN };

/* Calls then() when the request may; else answers 401, 403 or 503. mount: "" for none. */
RUNS_ON(on_worker)
void access_require(struct conn *conn, enum rank rank, struct bytes mount,
		    void (*then)(struct conn *conn));
