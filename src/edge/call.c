#include "edge/call.h"

#include <stdlib.h>

#include "core/metric.h"
#include "edge/request.h"

static void deliver_reply(struct message *message)
{
	struct call *call = container_of(message, struct call, message);
	struct conn *conn = call->conn;
	struct reply reply = call->reply;

	enter_worker();
	free(call->text);
	free(call);
	conn_reply(conn, &reply);
}

void call_reply(struct call *call)
{
	if (!call->conn) {
		call->done(call);
		return;
	}
	call->message.deliver = deliver_reply;
	worker_post(call->worker, &call->message);
}

static void deliver_call(struct message *message)
{
	struct call *call = container_of(message, struct call, message);

	enter_control();
	call->answer(call);
}

/* Moves what points into from over to the copy at to. */
static struct bytes moved(struct bytes part, struct bytes from, const char *to)
{
	if (!part.at || part.at < from.at || part.at > from.at + from.len)
		return part;
	return bytes_of(to + (part.at - from.at), part.len);
}

/* The head, the decoded path and the body, in this order, with the request pointing into them. */
static bool call_copy(struct call *call, const struct request *request)
{
	struct bytes head = request->text;
	struct http1_head *copy = &call->request.head;
	char *text;

	call->text_len = head.len + request->path.len + request->body.len;
	text = call->text = malloc(call->text_len + 1);
	if (!text)
		return false;
	memcpy(text, head.at, head.len);
	memcpy(text + head.len, request->path.at, request->path.len);
	if (request->body.len)
		memcpy(text + head.len + request->path.len, request->body.at, request->body.len);
	call->request = *request;
	call->request.text = bytes_of(text, head.len);
	call->request.method = moved(request->method, head, text);
	call->request.query = moved(request->query, head, text);
	call->request.host = moved(request->host, head, text);
	copy->method = call->request.method;
	copy->target = moved(copy->target, head, text);
	copy->version = moved(copy->version, head, text);
	for (size_t i = 0; i < copy->count; i++) {
		copy->headers[i].name = moved(copy->headers[i].name, head, text);
		copy->headers[i].value = moved(copy->headers[i].value, head, text);
	}
	call->request.path = bytes_of(text + head.len, request->path.len);
	call->request.body = bytes_of(text + head.len + request->path.len, request->body.len);
	return true;
}

void conn_call(struct conn *conn, void (*answer)(struct call *call))
{
	struct call *call = calloc(1, sizeof *call);

	if (!call || !call_copy(call, conn_request(conn))) {
		struct reply reply = {.close = true};

		free(call);
		metric_add(METRIC_edge_out_of_memory, 1);
		reply_text(&reply, 503, "out of memory");
		conn_reply(conn, &reply);
		return;
	}
	call->conn = conn;
	call->worker = conn_worker(conn);
	call->answer = answer;
	call->access = *access_of(conn);
	if (call->access.name[0])
		bytes_to_str(bytes_str(call->access.name), call->user, sizeof call->user);
	else
		request_user(conn_request(conn), call->user, sizeof call->user);
	call->message.deliver = deliver_call;
	control_post(&call->message);
}

bool call_param(const struct call *call, const char *name, char *buf, size_t size)
{
	return request_param(&call->request, name, buf, size);
}
