/* api: /api/v1, the JSON interface to everything a person may see or do.
 *
 *   worker: path ─▶ operation ─▶ body ─▶ who may? ─▶ control: answer(call, input) ─▶ JSON
 *
 * Each room hands in one table before the workers start; a row says all there is to say about an
 * operation, and GET /api/v1/operations and the tests of docs/openapi.json are made from the rows.
 * In a path, {mount}, {network} and {file} stand for one or more segments ("/api/v1/mounts/live", and
 * "a/b" for the mount /a/b), any other {word} for one. The first row that fits serves: rows with something
 * behind {mount} stand before those without.
 *
 * What is refused is {"error":{"code":"no_such_mount","message":"…"}}. Answers are never stored by a
 * cache; those to GET carry an ETag and are not sent again to who has them. */
#pragma once

#include <jansson.h>

#include "edge/access.h"
#include "edge/call.h"
#include "edge/route.h"

#define API_ROOT    "/api/v1"
#define API_ARG_MAX 255u

/* Of a member that an operation does not know. */
#define API_FAULT_MAX 256u
#define API_STRANGER  "the member \"%.200s\" is not known here"

/* What was asked, for the duration of answer(). */
struct api_input {
	const char *mount; /* "/live"; "" when the path has no {mount} */
	const char *arg;   /* of the other {word}; "" when there is none */
	json_t *body;      /* the request's, an object; NULL when the operation takes none */
};

struct api_operation {
	const char *method; /* "GET" serves HEAD too */
	const char *path;
	enum rank rank; /* NONE: open to all, or serve() lets in by itself */
	/* On the control thread; ends in api_answer, api_done or api_fault, now or later. */
	void (*answer)(struct call *call, const struct api_input *input);
	const char *summary;
	const char *request;  /* the schema of the body in docs/openapi.json; NULL: there is none */
	const char *response; /* and of a good answer; NULL: 204 */
	void (*serve)(struct conn *conn); /* instead of answer: on the worker, let in */
};

extern const struct route api_routes[];
extern const struct api_operation api_operations[];

/* Before the workers start. The table ends with a row without path and must last. */
void api_add(const struct api_operation *table);

/* 200 with this tree, which is taken; 503 when it is NULL. */
RUNS_ON(on_control) void api_answer(struct call *call, json_t *tree);

/* The same with another status, such as 201. */
RUNS_ON(on_control) void api_answer_as(struct call *call, unsigned status, json_t *tree);

/* 200 with what is in call->reply.body already. type: a constant. */
RUNS_ON(on_control) void api_answer_text(struct call *call, const char *type);

/* 204. */
RUNS_ON(on_control) void api_done(struct call *call);

/* code: a word for programs. The message is for people. */
RUNS_ON(on_control)
__attribute__((format(printf, 4, 5))) void api_fault(struct call *call, unsigned status,
						     const char *code, const char *format, ...);

/* The same where the request still is on its worker. */
RUNS_ON(on_worker)
void api_refuse(struct conn *conn, unsigned status, const char *code, const char *message);

/* The fault alone, for replies that get further headers. */
void api_reply_fault(struct reply *reply, unsigned status, const char *code, const char *message);

/* What the server itself orders for somebody who was let in otherwise, such as on IRC: as if an
 * administrator of this name had asked. body is taken; who and path are copied. done() is called once,
 * now or later; answer (NULL: there is none) is its for that long. */
struct api_order {
	void (*done)(struct api_order *order, unsigned status, const json_t *answer);
};

RUNS_ON(on_control)
void api_order(struct api_order *order, const char *method, const char *path, const char *who,
	       json_t *body);

/* A text member of the body; NULL when it is not there or no text. */
const char *api_text(const struct api_input *input, const char *name);

/* A number of the query, or otherwise; what is no number counts as not said. */
uint64_t api_number(const struct call *call, const char *name, uint64_t otherwise, uint64_t most);

/* For the log and the audit log: who did what, to what: a mount or something else. */
RUNS_ON(on_control) void api_log_order(const struct call *call, const char *target);
