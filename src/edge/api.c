#include "edge/api.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "edge/api_schema.h"
#include "edge/audit.h"
#include "edge/document.h"

#define TABLES_MAX 24

static const struct api_operation *tables[TABLES_MAX];
static unsigned table_count;

void api_add(const struct api_operation *table)
{
	CHECK(table_count < TABLES_MAX);
	tables[table_count++] = table;
}

/* --- which operation ------------------------------------------------------------------------ */

struct match {
	const struct api_operation *operation; /* NULL: none for this method */
	unsigned allowed;                      /* methods that the path takes */
	struct bytes mount;                    /* without its slash */
	struct bytes arg;
};

static bool is_wide(struct bytes word)
{
	return bytes_equal(word, BYTES("mount")) || bytes_equal(word, BYTES("network")) ||
	       bytes_equal(word, BYTES("file"));
}

/* How long the value of {word} is in a path of which tail must be the end. */
static size_t value_len(struct bytes path, struct bytes word, struct bytes tail)
{
	if (!is_wide(word))
		return bytes_find(path, '/');
	/* Nothing with a variable part follows a wide one but at the very end. */
	if (bytes_find(tail, '{') < tail.len) {
		size_t fixed = bytes_find(tail, '{');
		struct bytes middle = bytes_first(tail, fixed);

		for (size_t at = path.len; at-- > 0;)
			if (bytes_start_with(bytes_skip(path, at), middle))
				return at;
		return 0;
	}
	return path.len > tail.len ? path.len - tail.len : 0;
}

static bool path_fits(struct bytes pattern, struct bytes path, struct match *match)
{
	while (pattern.len) {
		size_t plain = bytes_find(pattern, '{');
		struct bytes word, value;

		if (!bytes_start_with(path, bytes_first(pattern, plain)))
			return false;
		path = bytes_skip(path, plain);
		if (plain == pattern.len)
			return path.len == 0;
		pattern = bytes_skip(pattern, plain + 1);
		word = bytes_cut(&pattern, '}');
		value = bytes_first(path, value_len(path, word, pattern));
		if (value.len == 0 || value.len >= API_ARG_MAX)
			return false;
		path = bytes_skip(path, value.len);
		if (bytes_equal(word, BYTES("mount")))
			match->mount = value;
		else
			match->arg = value;
	}
	return path.len == 0;
}

static unsigned methods_of(const struct api_operation *operation)
{
	unsigned method = method_of(bytes_str(operation->method));

	return method == METHOD_GET ? METHOD_GET | METHOD_HEAD : method;
}

static struct match match_find(struct bytes path, unsigned method)
{
	struct match found = {0};

	for (unsigned t = 0; t < table_count; t++)
		for (const struct api_operation *op = tables[t]; op->path; op++) {
			struct match match = {.operation = op};

			if (!path_fits(bytes_str(op->path), path, &match))
				continue;
			match.allowed = found.allowed |= methods_of(op);
			if (methods_of(op) & method)
				return match;
		}
	return found;
}

static struct match match_of(const struct request *request)
{
	return match_find(request->path, method_of(request->method));
}

/* "/live" of "live". */
static const char *mount_text(const struct match *match, char out[API_ARG_MAX + 1])
{
	out[0] = '\0';
	if (match->mount.len) {
		out[0] = '/';
		bytes_to_str(match->mount, out + 1, API_ARG_MAX);
	}
	return out;
}

/* --- answers -------------------------------------------------------------------------------- */

static void reply_common(struct reply *reply, unsigned status)
{
	reply->status = status;
	reply->type = "application/json; charset=utf-8";
	reply_header(reply, "X-Content-Type-Options", BYTES("nosniff"));
}

static int put_json(const char *text, size_t len, void *buffer)
{
	return buffer_put(buffer, bytes_of(text, len)) ? 0 : -1;
}

static void reply_tree(struct reply *reply, unsigned status, json_t *tree)
{
	reply_common(reply, status);
	if (json_dump_callback(tree, put_json, &reply->body,
			       JSON_COMPACT | JSON_REAL_PRECISION(6)) != 0)
		reply->body.failed = true;
	json_decref(tree);
}

void api_reply_fault(struct reply *reply, unsigned status, const char *code, const char *message)
{
	json_t *error = json_object(), *tree = json_object();

	json_object_set_new(error, "code", json_string(code));
	json_object_set_new(error, "message", document_text(message));
	json_object_set_new(tree, "error", error);
	reply_tree(reply, status, tree);
}

/* RFC 9110 section 8.8.3: quoted, and weak as it is a hash. FNV-1a of 64 bits: it tells whether
 * something changed, and nobody gains from two answers with the same one. */
static void etag_of(struct bytes body, char out[24])
{
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; i < body.len; i++)
		hash = (hash ^ body.at[i]) * 1099511628211u;
	snprintf(out, 24, "W/\"%016llx\"", (unsigned long long)hash);
}

static void reply_etag(struct call *call)
{
	struct bytes asked = http1_header_get(&call->request.head, BYTES("If-None-Match"));
	char etag[24];

	etag_of(buffer_bytes(&call->reply.body), etag);
	reply_header(&call->reply, "ETag", bytes_str(etag));
	if (asked.len && bytes_find_nocase(asked, bytes_str(etag)) < asked.len) {
		call->reply.status = 304;
		call->reply.body.len = 0;
	}
}

void api_answer_as(struct call *call, unsigned status, json_t *tree)
{
	if (!tree) {
		api_fault(call, 503, "no_memory", "out of memory");
		return;
	}
	reply_tree(&call->reply, status, tree);
	if (bytes_equal(call->request.method, BYTES("GET")))
		reply_etag(call);
	call_reply(call);
}

void api_answer_text(struct call *call, const char *type)
{
	reply_common(&call->reply, 200);
	call->reply.type = type;
	if (bytes_equal(call->request.method, BYTES("GET")))
		reply_etag(call);
	call_reply(call);
}

void api_answer(struct call *call, json_t *tree)
{
	api_answer_as(call, 200, tree);
}

void api_done(struct call *call)
{
	reply_common(&call->reply, 204);
	call_reply(call);
}

void api_fault(struct call *call, unsigned status, const char *code, const char *format, ...)
{
	char message[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof message, format, args);
	va_end(args);
	api_reply_fault(&call->reply, status, code, message);
	call_reply(call);
}

void api_refuse(struct conn *conn, unsigned status, const char *code, const char *message)
{
	struct reply reply = {.close = status >= 500};

	api_reply_fault(&reply, status, code, message);
	conn_reply(conn, &reply);
}

/* Who says something to an operation that takes nothing means another one. */
RUNS_ON(on_control) static bool body_is_nothing(struct call *call)
{
	struct bytes text = call->request.body;
	json_t *body = text.len ? json_loadb((const char *)text.at, text.len, 0, NULL) : NULL;
	void *first = json_is_object(body) ? json_object_iter(body) : NULL;

	if (first)
		api_fault(call, 400, "bad_body", API_STRANGER, json_object_iter_key(first));
	json_decref(body);
	return !first;
}

/* --- serving -------------------------------------------------------------------------------- */

/* The body must be an object where one is wanted; a JSON type keeps forms of other sites out. */
RUNS_ON(on_control)
static bool body_read(struct call *call, const struct api_operation *operation, json_t **body)
{
	struct bytes type = http1_header_get(&call->request.head, BYTES("Content-Type"));
	const char *stranger;
	json_error_t error;

	*body = NULL;
	if (!operation->request)
		return body_is_nothing(call);
	if (!bytes_start_with_nocase(type, BYTES("application/json"))) {
		api_fault(call, 415, "not_json", "this takes a body of type application/json");
		return false;
	}
	*body = json_loadb((const char *)call->request.body.at, call->request.body.len,
			   JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(*body)) {
		api_fault(call, 400, "bad_json",
			  "the body is no JSON object: %s, line %d column %d",
			  *body ? "another type" : error.text, error.line, error.column);
		json_decref(*body);
		return false;
	}
	stranger = api_schema_stranger(operation->request, *body);
	if (stranger) {
		api_fault(call, 400, "bad_body", API_STRANGER, stranger);
		json_decref(*body);
		return false;
	}
	return true;
}

static void answer_call(struct call *call)
{
	char mount[API_ARG_MAX + 1], arg[API_ARG_MAX + 1];
	struct match match = match_of(&call->request);
	struct api_input input = {.mount = mount_text(&match, mount), .arg = arg};
	json_t *body;

	enter_control();
	CHECK(match.operation);
	if (!body_read(call, match.operation, &body))
		return;
	bytes_to_str(match.arg, arg, sizeof arg);
	input.body = body;
	match.operation->answer(call, &input);
	json_decref(body);
}

RUNS_ON(on_worker) static void on_let_in(struct conn *conn)
{
	struct match match = match_of(conn_request(conn));

	if (match.operation->serve)
		match.operation->serve(conn);
	else
		conn_call(conn, answer_call);
}

RUNS_ON(on_worker) static void refuse_method(struct conn *conn, unsigned allowed)
{
	struct reply reply = {0};
	uint8_t room[64];
	struct writer w = writer_of(room, sizeof room);

	methods_write(allowed, &w);
	api_reply_fault(&reply, 405, "bad_method", "this path does not take that method");
	reply_header(&reply, "Allow", writer_done(&w));
	conn_reply(conn, &reply);
}

RUNS_ON(on_worker) static void api_serve(struct conn *conn)
{
	char mount[API_ARG_MAX + 1];
	struct match match;

	match = match_of(conn_request(conn));
	/* Where none is wanted it is read too, to say so. */
	if (match.operation && strcmp(match.operation->method, "GET") != 0 && conn_body(conn))
		return;
	if (!match.operation) {
		if (match.allowed)
			refuse_method(conn, match.allowed);
		else
			api_refuse(conn, 404, "no_such_operation", "there is no such operation");
		return;
	}
	if (match.operation->rank == RANK_NONE)
		on_let_in(conn);
	else
		access_require(conn, match.operation->rank, bytes_str(mount_text(&match, mount)),
			       on_let_in);
}

/* --- orders of the server's own ------------------------------------------------------------- */

struct ordered {
	struct call call;
	struct api_order *order;
	char path[API_ARG_MAX + 64];
};

static void on_ordered(struct call *call)
{
	struct ordered *ordered = container_of(call, struct ordered, call);
	struct bytes text = buffer_bytes(&call->reply.body);
	json_t *answer = json_loadb((const char *)text.at, text.len, 0, NULL);

	enter_control();
	ordered->order->done(ordered->order, call->reply.body.failed ? 503 : call->reply.status,
			     answer);
	json_decref(answer);
	reply_fini(&call->reply);
	free(ordered);
}

void api_order(struct api_order *order, const char *method, const char *path, const char *who,
	       json_t *body)
{
	char mount[API_ARG_MAX + 1], arg[API_ARG_MAX + 1];
	struct match match = match_find(bytes_str(path), method_of(bytes_str(method)));
	struct api_input input = {.mount = mount_text(&match, mount), .arg = arg, .body = body};
	struct ordered *ordered = calloc(1, sizeof *ordered);
	struct call *call = ordered ? &ordered->call : NULL;

	if (!call || !match.operation || !match.operation->answer ||
	    strlen(path) >= sizeof ordered->path) {
		free(ordered);
		json_decref(body);
		order->done(order, call ? 404 : 503, NULL);
		return;
	}
	ordered->order = order;
	bytes_to_str(bytes_str(path), ordered->path, sizeof ordered->path);
	bytes_to_str(match.arg, arg, sizeof arg);
	call->done = on_ordered;
	call->request.method = bytes_str(match.operation->method);
	call->request.path = bytes_str(ordered->path);
	call->access.rights.rank = RANK_ADMIN;
	call->access.how = ACCESS_BASIC;
	bytes_to_str(bytes_str(who), call->access.name, sizeof call->access.name);
	bytes_to_str(bytes_str(who), call->user, sizeof call->user);
	match.operation->answer(call, &input);
	json_decref(body);
}

/* --- for handlers --------------------------------------------------------------------------- */

const char *api_text(const struct api_input *input, const char *name)
{
	return json_string_value(json_object_get(input->body, name));
}

uint64_t api_number(const struct call *call, const char *name, uint64_t otherwise, uint64_t most)
{
	char text[24];
	uint64_t value;

	if (!call_param(call, name, text, sizeof text) ||
	    !bytes_to_u64(bytes_str(text), UINT64_MAX, &value))
		return otherwise;
	return value < most ? value : most;
}

void api_log_order(const struct call *call, const char *target)
{
	char address[ADDRESS_TEXT_MAX + 1];

	log_info("edge", "order",
		 kv_bytes("method", call->request.method.at, call->request.method.len),
		 kv_bytes("path", call->request.path.at, call->request.path.len),
		 kv_str(target[0] == '/' ? "mount" : "target", target), kv_str("user", call->user),
		 kv_str("address", address_text(&call->request.peer, address)));
	audit_call(call, target, "done");
}

/* --- what there is -------------------------------------------------------------------------- */

static json_t *operation_tree(const struct api_operation *op)
{
	json_t *tree = json_object();

	json_object_set_new(tree, "method", json_string(op->method));
	json_object_set_new(tree, "path", json_string(op->path));
	json_object_set_new(tree, "rank", json_string(rank_name(op->rank)));
	json_object_set_new(tree, "summary", json_string(op->summary));
	json_object_set_new(tree, "request", op->request ? json_string(op->request) : json_null());
	json_object_set_new(tree, "response",
			    op->response ? json_string(op->response) : json_null());
	return tree;
}

RUNS_ON(on_control)
static void answer_operations(struct call *call, const struct api_input *input)
{
	json_t *tree = json_object(), *list = json_array();

	(void)input;
	for (unsigned t = 0; t < table_count; t++)
		for (const struct api_operation *op = tables[t]; op->path; op++)
			json_array_append_new(list, operation_tree(op));
	json_object_set_new(tree, "operations", list);
	json_object_set_new(tree, "version", json_string(RINGMAIN_VERSION));
	api_answer(call, tree);
}

const struct api_operation api_operations[] = {
	{"GET", API_ROOT "/operations", RANK_NONE, answer_operations,
	 "All operations that this server has.", NULL, "Operations", NULL},
	{0},
};

const struct route api_routes[] = {
	{API_ROOT "/", METHOD_ALL & ~METHOD_SOURCE, api_serve, NULL},
	{0},
};
