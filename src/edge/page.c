#include "edge/page.h"

#include <stdlib.h>

#include "core/metric.h"
#include "edge/call.h"
#include "edge/edge.h"
#include "edge/web_files.h"

#define WRITERS_MAX 8

static void (*writers[WRITERS_MAX])(FILE *out);
static unsigned writer_count;

void page_add_metrics(void (*write)(FILE *out))
{
	CHECK(writer_count < WRITERS_MAX);
	writers[writer_count++] = write;
}

/* --- pages ---------------------------------------------------------------------------------- */

/* One page serves all mounts, one all rooms: which one is meant it reads in its own address. */
static const struct web_file *file_of(struct bytes path)
{
	if (bytes_start_with(path, BYTES("/player/")))
		path = BYTES("/player");
	else if (bytes_start_with(path, BYTES("/embed/")))
		path = BYTES("/embed");
	else if (bytes_start_with(path, BYTES("/watch/")))
		path = BYTES("/watch");
	else if (bytes_start_with(path, BYTES("/send/")))
		path = BYTES("/send");
	else if (bytes_equal(path, BYTES("/player")) || bytes_equal(path, BYTES("/embed")) ||
		 bytes_equal(path, BYTES("/watch")) || bytes_equal(path, BYTES("/send")))
		return NULL; /* a mount may be called so */
	return web_file_find(path);
}

static bool is_file(struct bytes path)
{
	return file_of(path) != NULL;
}

/* Nothing but our own files is loaded or run, no markup that a stranger may have got in; a file that
 * who sits there opens himself may be played (blob:). Only the page that is made for it may stand in a
 * frame of another site. */
static void reply_rules(struct reply *reply, const struct web_file *file)
{
#define RULES                                                                                   \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "       \
	"media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; form-action 'self'; " \
	"base-uri 'none'; "                                                                     \
	"frame-ancestors "
	bool open = bytes_equal(bytes_str(file->path), BYTES("/embed"));

	reply_header(reply, "Content-Security-Policy",
		     open ? BYTES(RULES "*") : BYTES(RULES "'none'"));
	if (!open)
		reply_header(reply, "X-Frame-Options", BYTES("DENY"));
	if (bytes_equal(bytes_str(file->path), BYTES("/widget.js")))
		reply_header(reply, "Access-Control-Allow-Origin", BYTES("*"));
	reply_header(reply, "X-Content-Type-Options", BYTES("nosniff"));
	reply_header(reply, "Referrer-Policy", BYTES("no-referrer"));
	reply_header(reply, "Cross-Origin-Resource-Policy",
		     open || bytes_equal(bytes_str(file->path), BYTES("/widget.js"))
			     ? BYTES("cross-origin")
			     : BYTES("same-origin"));
}

RUNS_ON(on_worker) static void serve_file(struct conn *conn)
{
	const struct request *request = conn_request(conn);
	const struct web_file *file = file_of(request->path);
	struct bytes match = http1_header_get(&request->head, BYTES("If-None-Match"));
	struct reply reply = {.cache = true};

	CHECK(file);
	metric_add(METRIC_edge_files, 1);
	reply.status = 200;
	reply.type = file->type;
	reply.fixed = bytes_of(file->at, file->len);
	reply_header(&reply, "ETag", bytes_str(file->etag));
	reply_header(&reply, "Vary", BYTES("Accept-Encoding"));
	reply_rules(&reply, file);
	if (match.len && bytes_find_nocase(match, bytes_str(file->etag)) < match.len) {
		reply.status = 304;
		reply.fixed = BYTES("");
	} else if (file->gzip && http1_header_has_token(&request->head, BYTES("Accept-Encoding"),
							BYTES("gzip"))) {
		reply.fixed = bytes_of(file->gzip, file->gzip_len);
		reply_header(&reply, "Content-Encoding", BYTES("gzip"));
	}
	conn_reply(conn, &reply);
}

/* --- metrics -------------------------------------------------------------------------------- */

static void answer_metrics(struct call *call)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	enter_control();
	if (!out) {
		reply_text(&call->reply, 503, "out of memory");
		call_reply(call);
		return;
	}
	metric_write(out);
	for (unsigned i = 0; i < writer_count; i++)
		writers[i](out);
	fclose(out);
	call->reply.status = 200;
	call->reply.type = "text/plain; version=0.0.4; charset=utf-8";
	buffer_put(&call->reply.body, bytes_of(text, len));
	free(text);
	call_reply(call);
}

RUNS_ON(on_worker) static void metrics_let_in(struct conn *conn)
{
	conn_call(conn, answer_metrics);
}

/* Numbers tell a lot about a station: for who runs it, and for this machine. */
RUNS_ON(on_worker) static void serve_metrics(struct conn *conn)
{
	const struct request *request = conn_request(conn);
	struct cidr_list allowed = edge_settings()->metrics;

	if (allowed.count ? cidr_list_holds(allowed, &request->peer) : access_is_local(request))
		conn_call(conn, answer_metrics);
	else
		access_require(conn, RANK_OPERATOR, BYTES(""), metrics_let_in);
}

#define READ (METHOD_GET | METHOD_HEAD)

const struct route page_routes[] = {
	{"/metrics", READ, serve_metrics, NULL},
	{"the embedded files", READ, serve_file, is_file},
	{0},
};
