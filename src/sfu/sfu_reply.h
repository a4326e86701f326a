/* sfu_reply: how WHIP and WHEP answer: pages of other sites may read it, and what is wrong is said as
 * RFC 9457 has it. */
#pragma once

#include "edge/call.h"

/* Pages of other sites may publish and watch: who may is said by tokens, not by cookies. */
void reply_put_cors(struct reply *reply);

void reply_put_problem(struct reply *reply, unsigned status, const char *detail);

RUNS_ON(on_worker) void reply_refuse(struct conn *conn, unsigned status, const char *detail);

RUNS_ON(on_control) void reply_fail(struct call *call, unsigned status, const char *detail);

/* A status and nothing else. */
RUNS_ON(on_control) void reply_done(struct call *call, unsigned status);

/* Whether a request's body is said to be of that type. */
bool request_type_is(const struct request *request, const char *type);
