/* call: a request that the control thread answers, on its way there and back.
 *
 *   worker: conn WAITs ── call (with a copy of the request) ──▶ control: answer(call)
 *   worker: conn_reply ◀── call_reply ──────────────────────────  now or after a baton's round
 *
 * Ownership: the call belongs to the control thread from answer() to call_reply(). */
#pragma once

#include "core/worker.h"
#include "edge/access.h"
#include "edge/conn.h"

struct call {
	struct message message;
	struct conn
		*conn; /* NULL: the server asks itself (api_order), and done() takes the reply */
	void (*done)(struct call *call);
	struct worker *worker;
	void (*answer)(struct call *call);
	struct request request; /* points into text */
	struct reply reply;
	struct access access; /* who was let in */
	char user[64];        /* as the log and the history name him; "" when nobody had to be */
	uint64_t local;       /* scratch for a handler that sends a baton around */
	char *text;
	size_t text_len;
};

/* Sends call->reply back; the call is gone. */
RUNS_ON(on_control) void call_reply(struct call *call);

/* As request_param(). */
bool call_param(const struct call *call, const char *name, char *buf, size_t size);
