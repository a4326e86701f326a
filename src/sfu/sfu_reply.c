#include "sfu/sfu_reply.h"

#include <jansson.h>
#include <stdlib.h>

#define PROBLEM_TYPE "application/problem+json" /* RFC 9457 */
#define RETRY_S      "3"

void reply_put_cors(struct reply *reply)
{
	reply_header(reply, "Access-Control-Allow-Origin", BYTES("*"));
	reply_header(reply, "Access-Control-Expose-Headers",
		     BYTES("Location, ETag, Link, Retry-After, Accept-Post, Accept-Patch"));
}

void reply_put_problem(struct reply *reply, unsigned status, const char *detail)
{
	json_t *tree = json_pack("{s:s, s:i, s:s}", "type", "about:blank", "status", (int)status,
				 "detail", detail);
	char *text = tree ? json_dumps(tree, 0) : NULL;

	reply->status = status;
	reply->type = PROBLEM_TYPE;
	buffer_put(&reply->body, bytes_str(text ? text : "{}"));
	free(text);
	json_decref(tree);
	reply_put_cors(reply);
	if (status == 409 || status == 503)
		reply_header(reply, "Retry-After", BYTES(RETRY_S));
}

void reply_refuse(struct conn *conn, unsigned status, const char *detail)
{
	struct reply reply = {0};

	reply_put_problem(&reply, status, detail);
	if (status == 401)
		reply_header(&reply, "WWW-Authenticate", BYTES("Bearer realm=\"ringmain\""));
	conn_reply(conn, &reply);
}

void reply_fail(struct call *call, unsigned status, const char *detail)
{
	reply_put_problem(&call->reply, status, detail);
	call_reply(call);
}

void reply_done(struct call *call, unsigned status)
{
	call->reply.status = status;
	reply_put_cors(&call->reply);
	call_reply(call);
}

bool request_type_is(const struct request *request, const char *type)
{
	struct bytes value = http1_header_get(&request->head, BYTES("Content-Type"));

	/* RFC 9110 8.3.1: parameters may follow, and case does not matter. */
	return bytes_equal_nocase(bytes_trim(bytes_cut(&value, ';')), bytes_str(type));
}
