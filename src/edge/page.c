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

static bool is_file(struct bytes path)
{
	return web_file_find(path) != NULL;
}

RUNS_ON(on_worker) static void serve_file(struct conn *conn)
{
	const struct request *request = conn_request(conn);
	const struct web_file *file = web_file_find(request->path);
	struct bytes match = http1_header_get(&request->head, BYTES("If-None-Match"));
	struct reply reply = {.cache = true};

	CHECK(file);
	metric_add(METRIC_edge_files, 1);
	reply.status = 200;
	reply.type = file->type;
	reply.fixed = bytes_of(file->at, file->len);
	reply_header(&reply, "ETag", bytes_str(file->etag));
	reply_header(&reply, "Vary", BYTES("Accept-Encoding"));
	reply_header(&reply, "Content-Security-Policy",
		     BYTES("default-src 'self'; frame-ancestors 'self'; base-uri 'none'"));
	reply_header(&reply, "X-Content-Type-Options", BYTES("nosniff"));
	reply_header(&reply, "Referrer-Policy", BYTES("no-referrer"));
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

RUNS_ON(on_worker) static void on_metrics_verdict(struct conn *conn, enum verdict verdict)
{
	struct reply reply = {0};

	if (verdict == VERDICT_YES) {
		conn_call(conn, answer_metrics);
		return;
	}
	reply_text(&reply, verdict == VERDICT_BUSY ? 503 : 401, "You need to authenticate");
	reply_header(&reply, "WWW-Authenticate", BYTES("Basic realm=\"ringmain\""));
	conn_reply(conn, &reply);
}

/* Numbers tell a lot about a station: for the administrator, and for this machine. */
RUNS_ON(on_worker) static void serve_metrics(struct conn *conn)
{
	const struct edge_conf *conf = &edge_settings()->conf;
	struct cidr loopback[2];

	CHECK(cidr_parse(BYTES("127.0.0.0/8"), &loopback[0]));
	CHECK(cidr_parse(BYTES("::1"), &loopback[1]));
	if (cidr_list_holds((struct cidr_list){loopback, 2}, &conn_request(conn)->peer))
		conn_call(conn, answer_metrics);
	else
		conn_verify(conn, bytes_str(conf->admin_user), conf->admin_password,
			    (struct bytes){0}, on_metrics_verdict);
}

#define READ (METHOD_GET | METHOD_HEAD)

const struct route page_routes[] = {
	{"/metrics", READ, serve_metrics, NULL},
	{"the embedded files", READ, serve_file, is_file},
	{0},
};
