#include "edge/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/lookout.h"
#include "core/metric.h"
#include "core/pool.h"
#include "edge/access.h"
#include "edge/ban.h"
#include "edge/call.h"
#include "edge/edge.h"
#include "edge/https.h"
#include "edge/linger.h"
#include "edge/proto/http_reply.h"
#include "edge/proto/proxy_protocol.h"
#include "edge/proto/tls_record.h"
#include "edge/request.h"
#include "edge/route.h"
#include "edge/tls_handshake.h"
#include "edge/tls_identity.h"
#include "edge/tls_room.h"

#define SWEEP_MS         250
#define WRITE_TIMEOUT_MS 30000

enum conn_state {
	CONN_HANDSHAKE, /* TLS is being agreed on */
	CONN_HEAD,      /* reads a head */
	CONN_BODY,      /* reads a body for a route that asked for it */
	CONN_WAIT,      /* somebody else has the next word */
	CONN_WRITE,     /* an answer is on its way out */
	CONN_GONE,      /* closed or taken; freed when libuv lets go */
};

struct conn {
	uv_poll_t poll;
	struct worker *worker;
	struct conn *prev, *next; /* conn_list */
	struct link link;
	struct handshake *handshake;
	uint8_t *certificate; /* what it showed; NULL */
	enum conn_state state;
	bool proxy_header; /* a PROXY header must come first */
	bool fresh;        /* nothing was read but that: TLS may begin */
	bool keep_alive;   /* after the answer under way */
	bool has_body;     /* request.body is whole */
	bool more;         /* the request goes on behind its head, and nobody has read that */
	bool idle;         /* between two requests, nothing of the next is here */
	bool advancing;    /* conn_advance is at work on this one */
	bool lent;         /* reply.fixed is somebody's, and its deadline stands */
	bool is_left;      /* another server is offered it, in the row left */
	uint32_t left;
	bool again;      /* and what was asked is answered: it goes on with the next */
	mono_t deadline; /* of HEAD, BODY, WRITE */
	struct address peer;
	struct arena memory; /* of in, and of one larger for a body */
	uint8_t *in;
	size_t in_len, in_size, seen;
	struct buffer head_out;
	struct reply reply;
	size_t sent;
	unsigned site;
	void (*sent_then)(struct conn *conn);
	void *holder;
	void (*gone)(void *holder); /* or NULL */
	void (*verified)(struct conn *conn, enum auth_result result);
	struct auth_check auth;
	struct access_work access;
	struct request request;
	char path[CONN_PATH_MAX];
};

#define CALLER_LAYOUT 1u
#define CALLER_PAD    16u
#define CALLER_BYTES  (16384u - 64u)
#define CALLERS_MAX   65536u
#define CALLER_PAGE   4096 /* of the table: its rows begin behind it */

struct caller_row {
	uint64_t in_use;
	int32_t fd;
	uint32_t tls;
	uint32_t len;
	struct address peer;
	bool proxy_header;
	bool idle;
	bool fresh; /* a TLS hello may still come first */
	uint8_t site;
	uint8_t pad[CALLER_PAD];
	uint8_t bytes[CALLER_BYTES];
};

static_assert(sizeof(struct caller_row) == 16384, "rows are whole cache lines");

const struct estate_kind conn_kind = {
	.name = "edge.callers",
	.layout = CALLER_LAYOUT,
	.row_size = sizeof(struct caller_row),
	.fds_at = offsetof(struct caller_row, fd),
	.fds = 1,
};

struct conn_list {
	struct conn *first;
	struct pool pool;
	uv_timer_t sweep;
	struct lookout look;
	bool stopping;
	struct table left; /* in the estate: for who takes over */
};

static _Thread_local struct conn_list list;

RUNS_ON(on_worker) static void conn_advance(struct conn *conn);
RUNS_ON(on_worker) static void conn_begin_tls(struct conn *conn, struct bytes early);
static void on_ready(uv_poll_t *poll, int status, int events);

/* --- life ----------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
	struct conn *conn = container_of(handle, struct conn, poll);

	enter_worker();
	handshake_destroy(&conn->handshake);
	free(conn->certificate);
	conn->certificate = NULL;
	arena_fini(&conn->memory);
	buffer_fini(&conn->head_out);
	reply_fini(&conn->reply);
	pool_give(&list.pool, conn);
}

/* Off the list and out of the loop; the memory goes when libuv has let go of it. */
RUNS_ON(on_worker) static void conn_forget(struct conn *conn)
{
	conn->state = CONN_GONE;
	if (conn->gone)
		conn->gone(conn->holder);
	if (conn->prev)
		conn->prev->next = conn->next;
	else
		list.first = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	uv_close((uv_handle_t *)&conn->poll, on_closed);
}

void conn_drop(struct conn *conn)
{
	/* Out of the loop first: a number that is closed may be another thread's the next moment. */
	conn_forget(conn);
	link_close_gently(conn->link);
	edge_left(conn->worker);
}

struct link conn_take(struct conn *conn, struct bytes *rest)
{
	*rest = bytes_of(conn->in + conn->request.head.used,
			 conn->in_len - conn->request.head.used);
	conn_forget(conn);
	return conn->link;
}

RUNS_ON(on_worker) static void conn_expect(struct conn *conn, uint64_t ms)
{
	conn->deadline = mono_add_ms(mono_now(), (int64_t)ms);
}

RUNS_ON(on_worker) static void conn_watch(struct conn *conn, int events)
{
	if (events)
		uv_poll_start(&conn->poll, events, on_ready);
	else
		uv_poll_stop(&conn->poll);
}

void conn_start(struct worker *worker, int fd, const struct address *peer, unsigned site)
{
	const struct edge_settings *settings = edge_settings();
	struct conn *conn = list.stopping ? NULL : pool_take(&list.pool);

	if (conn) {
		conn->in_size = settings->conf.http_header_size;
		arena_init(&conn->memory, 2 * conn->in_size + CONN_BODY_MAX + 64);
		conn->in = arena_take(&conn->memory, conn->in_size);
	}
	if (!conn || !conn->in || uv_poll_init(&worker->loop, &conn->poll, fd) != 0) {
		metric_add(METRIC_edge_out_of_memory, 1);
		if (conn)
			arena_fini(&conn->memory);
		pool_give(&list.pool, conn);
		close(fd);
		edge_left(worker);
		return;
	}
	conn->worker = worker;
	conn->link = link_plain(fd);
	conn->peer = *peer;
	conn->site = site;
	conn->fresh = true;
	conn->state = CONN_HEAD;
	conn->proxy_header =
		settings->conf.http_proxy_protocol && cidr_list_holds(settings->trusted, peer);
	conn->next = list.first;
	if (conn->next)
		conn->next->prev = conn;
	list.first = conn;
	conn_expect(conn, settings->conf.http_header_timeout);
	conn_watch(conn, UV_READABLE);
}

/* --- reading -------------------------------------------------------------------------------- */

RUNS_ON(on_worker) static void conn_refuse(struct conn *conn, unsigned status, const char *why)
{
	struct reply reply = {.close = true};

	metric_add(METRIC_edge_requests_bad, 1);
	reply_text(&reply, status, why);
	conn_reply(conn, &reply);
}

/* Those who come through a proxy are known only now. */
static bool is_denied(const struct address *peer)
{
	bool denied = cidr_list_holds(edge_settings()->deny, peer) || ban_holds(peer);

	if (denied)
		metric_add(METRIC_edge_connections_denied, 1);
	return denied;
}

/* True when what came first is no PROXY header or was one. */
RUNS_ON(on_worker) static bool conn_proxy_header(struct conn *conn)
{
	char peer[ADDRESS_TEXT_MAX + 1];
	struct proxy_info info;

	switch (proxy_parse(bytes_of(conn->in, conn->in_len), &info)) {
	case PROXY_MORE: return false;
	case PROXY_BAD:
	case PROXY_NONE:
		log_warnx("edge", "proxy header missing",
			  kv_str("peer", address_text(&conn->peer, peer)));
		conn_drop(conn);
		return false;
	case PROXY_OK: break;
	}
	if (info.known)
		conn->peer = info.source;
	if (is_denied(&conn->peer)) {
		conn_drop(conn);
		return false;
	}
	conn->proxy_header = false;
	conn->in_len -= info.used;
	memmove(conn->in, conn->in + info.used, conn->in_len);
	return true;
}

/* A 405 says which methods the path does take: RFC 9110 section 15.5.6. */
RUNS_ON(on_worker) static void conn_refuse_method(struct conn *conn, unsigned allowed)
{
	struct reply reply = {.close = true};
	uint8_t room[64];
	struct writer w = writer_of(room, sizeof room);

	metric_add(METRIC_edge_requests_bad, 1);
	methods_write(allowed, &w);
	reply_text(&reply, 405, "this path does not take that method");
	reply_header(&reply, "Allow", writer_done(&w));
	conn_reply(conn, &reply);
}

/* The client is told that TLS comes next. What it asked stays in the buffer, and is served over TLS. */
RUNS_ON(on_worker) static void conn_upgrade(struct conn *conn)
{
	conn->seen = 0;
	/* It had to wait for our word: RFC 2817 section 3.2. */
	if (conn->in_len > conn->request.head.used)
		conn_drop(conn);
	else
		conn_begin_tls(conn, (struct bytes){0});
}

RUNS_ON(on_worker) static void conn_route(struct conn *conn)
{
	struct request *request = &conn->request;
	const struct route *route;
	unsigned allowed;

	route = route_find(conn->site, request->path, method_of(request->method), &allowed);
	if (!route) {
		if (allowed)
			conn_refuse_method(conn, allowed);
		else
			conn_refuse(conn, 404, "no such path here");
		return;
	}
	conn->state = CONN_WAIT;
	if (https_wants_upgrade(request)) {
		conn_send(conn, HTTPS_UPGRADES, conn_upgrade);
		return;
	}
	if (!https_upgraded(conn) && !https_redirect(conn, route->path != NULL))
		route->serve(conn);
}

RUNS_ON(on_worker) static void conn_serve_head(struct conn *conn)
{
	struct request *request = &conn->request;
	struct http1_body body;
	const char *fault = NULL;
	unsigned status;

	metric_add(METRIC_edge_requests, 1);
	conn->has_body = conn->more = false;
	conn->access.access = (struct access){0};
	request->body = (struct bytes){0};
	request->text = bytes_of(conn->in, request->head.used);
	request->secure = conn->link.tls != 0;
	conn_watch(conn, 0);
	if (!http1_body_of(&request->head, &body)) {
		conn_refuse(conn, 400, body.fault);
		return;
	}
	conn->more = body.framing != HTTP1_NONE && (body.framing != HTTP1_LENGTH || body.length);
	status = request_prepare(request, &conn->peer, conn->path, &fault);
	if (status) {
		conn_refuse(conn, status, fault);
		return;
	}
	/* Also who was let in before it was said that he may not. */
	if (is_denied(&request->peer)) {
		conn_refuse(conn, 403, "your address may not connect");
		return;
	}
	/* A body that nobody has read stands between us and the next head. */
	conn->keep_alive = request_keeps_alive(request) && !conn->more;
	conn_route(conn);
}

RUNS_ON(on_worker) static void conn_head(struct conn *conn)
{
	struct bytes in = bytes_of(conn->in, conn->in_len);
	const struct protocol *ours = NULL;

	if (conn->idle) {
		conn->idle = false;
		conn_expect(conn, edge_settings()->conf.http_header_timeout);
	}
	switch (protocol_look(conn->site, in, &ours)) {
	case ROUTE_FIRST_OURS:
		conn_watch(conn, 0);
		conn->request = (struct request){.peer = conn->peer};
		conn->state = CONN_WAIT;
		ours->serve(conn);
		return;
	case ROUTE_FIRST_MORE: return;
	case ROUTE_FIRST_OTHER: break;
	}
	switch (http1_parse_request(in, conn->seen, &conn->request.head)) {
	case HTTP1_OK: conn_serve_head(conn); return;
	case HTTP1_BAD:
		conn_refuse(conn, conn->request.head.refusal, conn->request.head.fault);
		return;
	case HTTP1_MORE: break;
	}
	conn->seen = conn->in_len;
	if (conn->in_len == conn->in_size)
		conn_refuse(conn, 431, "the request head is larger than http.header_size");
}

/* Bytes that are there now, into the buffer. False: the connection is over. */
RUNS_ON(on_worker) static bool conn_fill(struct conn *conn)
{
	ssize_t n = link_recv(conn->link, conn->in + conn->in_len, conn->in_size - conn->in_len);

	if (n > 0)
		conn->in_len += (size_t)n;
	if (n > 0 || n == -EAGAIN)
		return true;
	conn_drop(conn);
	return false;
}

/* What the link has already is no matter of the socket's: it would not be told of again. */
RUNS_ON(on_worker) static bool conn_fill_ready(struct conn *conn)
{
	while (conn->in_len < conn->in_size && link_ready(conn->link))
		if (!conn_fill(conn))
			return false;
	return true;
}

static size_t body_have(const struct conn *conn)
{
	return conn->in_len - conn->request.head.used;
}

RUNS_ON(on_worker) static void conn_serve_body(struct conn *conn);

bool conn_body(struct conn *conn)
{
	const struct http1_head *head = &conn->request.head;
	struct http1_body body;
	size_t whole;
	uint8_t *larger;

	if (conn->has_body || !http1_body_of(head, &body) || body.framing == HTTP1_NONE)
		return false;
	if (body.framing != HTTP1_LENGTH || body.length > CONN_BODY_MAX) {
		conn_refuse(conn, body.framing == HTTP1_LENGTH ? 413 : 411,
			    "a body here needs a Content-Length, of at most 65536");
		return true;
	}
	whole = head->used + (size_t)body.length;
	if (whole > conn->in_size) {
		/* The head is parsed again where it is then. Once, for the largest: a connection may
		 * bring many. */
		whole = conn->in_size + CONN_BODY_MAX;
		larger = arena_take(&conn->memory, whole);
		if (!larger) {
			conn_refuse(conn, 503, "out of memory");
			return true;
		}
		memcpy(larger, conn->in, conn->in_len);
		conn->in = larger;
		conn->in_size = whole;
	}
	conn->request.body.len = (size_t)body.length;
	conn->state = CONN_BODY;
	conn->keep_alive = request_keeps_alive(&conn->request);
	conn_expect(conn, edge_settings()->conf.http_header_timeout);
	conn_watch(conn, UV_READABLE);
	if (http1_header_has_token(head, BYTES("Expect"), BYTES("100-continue")))
		(void)!link_send(conn->link, BYTES("HTTP/1.1 100 Continue\r\n\r\n"));
	/* It may have come with the head. */
	if (conn_fill_ready(conn))
		conn_serve_body(conn);
	return true;
}

static void conn_serve_body(struct conn *conn)
{
	struct request *request = &conn->request;
	const char *fault = NULL;

	if (body_have(conn) < request->body.len)
		return;
	conn_watch(conn, 0);
	CHECK(http1_parse_request(bytes_of(conn->in, conn->in_len), 0, &request->head) == HTTP1_OK);
	CHECK(request_prepare(request, &conn->peer, conn->path, &fault) == 0);
	request->text = bytes_of(conn->in, request->head.used);
	request->body.at = conn->in + request->head.used;
	request->head.used += request->body.len;
	conn->has_body = true;
	conn->more = false;
	conn_route(conn);
}

/* RFC 8446 section 5.1: the first byte of a client's first record. No request begins with it. */
static bool conn_is_hello(const struct conn *conn)
{
	return conn->fresh && conn->in[0] == TLS_HANDSHAKE && tls_identity_in_force();
}

const uint8_t *conn_certificate(const struct conn *conn)
{
	return conn->certificate;
}

RUNS_ON(on_worker) static void conn_handshake(struct conn *conn)
{
	if (!handshake_has_time())
		return;
	switch (handshake_step(conn->handshake, &conn->link)) {
	case HANDSHAKE_READS: conn_watch(conn, UV_READABLE); return;
	case HANDSHAKE_WRITES: conn_watch(conn, UV_WRITABLE); return;
	case HANDSHAKE_FAILED: conn_drop(conn); return;
	case HANDSHAKE_DONE: break;
	}
	if (route_site_asks(conn->site))
		conn->certificate = handshake_certificate_hash(conn->handshake);
	handshake_destroy(&conn->handshake);
	conn->state = CONN_HEAD;
	conn_expect(conn, edge_settings()->conf.http_header_timeout);
	conn_watch(conn, UV_READABLE);
	conn_advance(conn);
}

/* early: what was read is the handshake's, and lies in the buffer until its first step has taken it. */
static void conn_begin_tls(struct conn *conn, struct bytes early)
{
	conn->fresh = false;
	conn->handshake = route_site_asks(conn->site) ? handshake_create_asking(early, NULL)
						      : handshake_create(early);
	if (!conn->handshake) {
		conn_drop(conn);
		return;
	}
	conn->state = CONN_HANDSHAKE;
	conn_expect(conn, tls_settings()->handshake_timeout);
	conn_watch(conn, UV_READABLE | UV_WRITABLE);
	conn_handshake(conn);
}

RUNS_ON(on_worker) static void conn_read(struct conn *conn)
{
	size_t had = conn->in_len;

	if (conn_fill(conn) && conn->in_len > had)
		conn_advance(conn);
}

RUNS_ON(on_worker) static void conn_step(struct conn *conn)
{
	if (!conn_fill_ready(conn))
		return;
	if (conn->state == CONN_BODY) {
		conn_serve_body(conn);
		return;
	}
	if (conn->in_len == 0)
		return;
	if (conn->proxy_header && !conn_proxy_header(conn))
		return;
	if (conn->in_len == 0)
		return;
	if (conn_is_hello(conn)) {
		struct bytes early = bytes_of(conn->in, conn->in_len);

		conn->in_len = 0;
		conn_begin_tls(conn, early);
		return;
	}
	conn->fresh = false;
	conn_head(conn);
}

/* Requests that came in one piece are served one behind the other, and not one within the other:
 * as many fit into the buffer as would fill a stack. A connection that was closed or taken meanwhile
 * is still memory until the loop's next turn. */
static void conn_advance(struct conn *conn)
{
	conn->again = true;
	if (conn->advancing)
		return;
	conn->advancing = true;
	while (conn->again) {
		conn->again = false;
		conn_step(conn);
	}
	conn->advancing = false;
}

/* --- answering ------------------------------------------------------------------------------ */

/* The answer is out: on with what the client has sent meanwhile, or the end. */
RUNS_ON(on_worker) static void conn_next(struct conn *conn)
{
	size_t used = conn->request.head.used;

	reply_fini(&conn->reply);
	if (conn->more && !list.stopping) {
		conn_forget(conn);
		linger(conn->worker, conn->link);
		return;
	}
	if (!conn->keep_alive || list.stopping) {
		conn_drop(conn);
		return;
	}
	conn->in_len -= used;
	memmove(conn->in, conn->in + used, conn->in_len);
	conn->seen = 0;
	conn->state = CONN_HEAD;
	conn->idle = conn->in_len == 0;
	conn_expect(conn, conn->idle ? edge_settings()->conf.http_idle_timeout
				     : edge_settings()->conf.http_header_timeout);
	conn_watch(conn, UV_READABLE);
	conn_advance(conn);
}

/* Nothing more can be sent now; or the peer is gone. */
RUNS_ON(on_worker) static void conn_stuck(struct conn *conn, ssize_t error)
{
	/* Nobody looks at deadlines any more when the worker stops. */
	if (error < 0 || list.stopping)
		conn_drop(conn);
	else
		conn_watch(conn, UV_WRITABLE);
}

RUNS_ON(on_worker) static void conn_write(struct conn *conn)
{
	struct bytes head = buffer_bytes(&conn->head_out);
	struct bytes body =
		conn->reply.fixed.at ? conn->reply.fixed : buffer_bytes(&conn->reply.body);
	bool to_head = bytes_equal(conn->request.method, BYTES("HEAD"));
	size_t all = head.len + (to_head ? 0 : body.len);
	int flushed;

	while (conn->sent < all) {
		struct bytes out[2] = {
			bytes_skip(head, conn->sent),
			bytes_skip(body, conn->sent > head.len ? conn->sent - head.len : 0)};
		ssize_t n = link_sendv(conn->link, out, to_head ? 1 : 2);

		if (n <= 0) {
			conn_stuck(conn, n);
			return;
		}
		conn->sent += (size_t)n;
		if (!conn->lent)
			conn_expect(conn, WRITE_TIMEOUT_MS);
	}
	flushed = link_flush(conn->link);
	if (flushed <= 0) {
		conn_stuck(conn, flushed);
		return;
	}
	conn_watch(conn, 0);
	if (conn->sent_then) {
		conn->state = CONN_WAIT;
		conn->sent_then(conn);
		return;
	}
	conn_next(conn);
}

RUNS_ON(on_worker) static void conn_begin_write(struct conn *conn, uint64_t ms)
{
	conn->state = CONN_WRITE;
	conn->sent = 0;
	conn_expect(conn, ms);
	conn_write(conn);
}

/* RFC 6797 section 7.2: only over TLS. */
static void write_hsts(struct writer *w, const struct conn *conn)
{
	if (!conn->link.tls || !tls_settings()->hsts)
		return;
	writer_str(w, "Strict-Transport-Security: max-age=");
	writer_dec(w, tls_settings()->hsts / 1000);
	writer_str(w, "\r\n");
}

static void write_head(struct writer *w, const struct conn *conn)
{
	const struct reply *reply = &conn->reply;
	size_t len = reply->fixed.at ? reply->fixed.len : reply->body.len;
	struct http_reply head = {
		.version = conn->request.head.minor == 1 ? BYTES("HTTP/1.1") : BYTES("HTTP/1.0"),
		.status = reply->status,
		.server = BYTES("ringmain/" RINGMAIN_VERSION),
		.date = wall_now_us() / 1000000,
		.connection = conn->keep_alive ? HTTP_CONNECTION_KEEP_ALIVE : HTTP_CONNECTION_CLOSE,
		.content_type = bytes_str(reply->type),
		.has_length = reply->status != 204 && reply->status != 304,
		.length = len + reply->later,
		.cache_control = reply->cache ? BYTES("no-cache") : BYTES("no-store"),
	};

	http_reply_begin(w, &head);
	write_hsts(w, conn);
	writer_put(w, bytes_of(reply->headers, reply->headers_len));
	http_reply_end(w);
}

RUNS_ON(on_worker)
static void conn_answer(struct conn *conn, struct reply *reply, void (*then)(struct conn *conn))
{
	struct writer w;

	CHECK(conn->state != CONN_GONE && conn->state != CONN_WRITE);
	reply_count(reply->status);
	conn->reply = *reply;
	*reply = (struct reply){0};
	conn->keep_alive = conn->keep_alive && !conn->reply.close;
	conn->sent_then = then;
	conn->lent = false;
	do {
		w = buffer_writer(&conn->head_out);
		write_head(&w, conn);
	} while (buffer_again(&conn->head_out, &w));
	if (conn->head_out.failed || conn->reply.body.failed) {
		metric_add(METRIC_edge_out_of_memory, 1);
		conn_drop(conn);
		return;
	}
	conn_begin_write(conn, WRITE_TIMEOUT_MS);
}

void conn_reply(struct conn *conn, struct reply *reply)
{
	conn_answer(conn, reply, NULL);
}

void conn_stream(struct conn *conn, struct reply *reply, void (*then)(struct conn *conn))
{
	conn_answer(conn, reply, then);
}

void conn_lend(struct conn *conn, struct bytes out, uint64_t ms, void (*then)(struct conn *conn))
{
	CHECK(conn->state == CONN_WAIT);
	/* There may be much more behind this. */
	if (list.stopping) {
		conn_drop(conn);
		return;
	}
	conn->head_out.len = 0;
	conn->reply.fixed = out;
	conn->lent = true;
	conn->sent_then = then;
	conn_begin_write(conn, ms);
}

void conn_done(struct conn *conn)
{
	CHECK(conn->state == CONN_WAIT);
	conn->lent = false;
	conn_next(conn);
}

void conn_send(struct conn *conn, struct bytes out, void (*then)(struct conn *conn))
{
	conn->head_out.len = 0;
	if (!buffer_put(&conn->head_out, out)) {
		conn_drop(conn);
		return;
	}
	conn->sent_then = then;
	conn->lent = false;
	conn_begin_write(conn, WRITE_TIMEOUT_MS);
}

/* --- credentials ---------------------------------------------------------------------------- */

static void on_verified(struct auth_check *check, enum auth_result result)
{
	struct conn *conn = container_of(check, struct conn, auth);

	enter_worker();
	conn->verified(conn, result);
}

void conn_verify(struct conn *conn, const char *stored, struct bytes given,
		 void (*then)(struct conn *conn, enum auth_result result))
{
	conn->verified = then;
	auth_start(&conn->auth, &conn->worker->loop, stored, given, on_verified);
}

struct access_work *conn_access(struct conn *conn)
{
	return &conn->access;
}

/* --- for others ----------------------------------------------------------------------------- */

void conn_hold(struct conn *conn, void *holder, void (*gone)(void *holder))
{
	conn->holder = holder;
	conn->gone = gone;
}

void *conn_holder(const struct conn *conn)
{
	return conn->holder;
}

void conn_wait(struct conn *conn)
{
	CHECK(conn->state == CONN_WAIT);
}

const struct request *conn_request(const struct conn *conn)
{
	return &conn->request;
}

struct bytes conn_bytes(const struct conn *conn)
{
	return bytes_of(conn->in, conn->in_len);
}

struct worker *conn_worker(const struct conn *conn)
{
	return conn->worker;
}

struct link conn_link(const struct conn *conn)
{
	return conn->link;
}

/* --- the worker's loop ---------------------------------------------------------------------- */

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct conn *conn = container_of(poll, struct conn, poll);

	enter_worker();
	if (status < 0)
		conn_drop(conn);
	else if (conn->state == CONN_HANDSHAKE)
		conn_handshake(conn);
	else if (conn->state == CONN_WRITE)
		conn_write(conn);
	else if (events & UV_READABLE)
		conn_read(conn);
}

static void on_sweep(uv_timer_t *timer)
{
	mono_t now = mono_now();
	struct conn *next;

	(void)timer;
	enter_worker();
	if (!lookout_counts(&list.look, now, SWEEP_MS))
		return;
	for (struct conn *conn = list.first; conn; conn = next) {
		next = conn->next;
		if (conn->state == CONN_WAIT || mono_before(now, conn->deadline))
			continue;
		if (!conn->idle)
			metric_add(METRIC_edge_timeouts, 1);
		conn_drop(conn);
	}
}

int conn_worker_start(struct worker *worker)
{
	int error;

	list = (struct conn_list){0};
	error = estate_table(&list.left, &conn_kind, worker->id, CALLERS_MAX);
	if (error)
		return error;
	pool_init(&list.pool, sizeof(struct conn), 32);
	error = uv_timer_init(&worker->loop, &list.sweep);
	if (!error)
		error = uv_timer_start(&list.sweep, on_sweep, SWEEP_MS, SWEEP_MS);
	return error;
}

void conn_worker_stop(struct worker *worker)
{
	struct conn *next;

	(void)worker;
	list.stopping = true;
	lingers_stop();
	estate_close(&list.left);
	pool_fini(&list.pool);
	uv_close((uv_handle_t *)&list.sweep, NULL);
	for (struct conn *conn = list.first; conn; conn = next) {
		next = conn->next;
		if (conn->state != CONN_WAIT)
			conn_drop(conn);
	}
}

/* After the stop only those are left for whom somebody else has the next word. */
bool conn_worker_busy(struct worker *worker)
{
	(void)worker;
	return list.first != NULL;
}

/* --- another server takes over -------------------------------------------------------------- */

static bool is_waiting(const struct conn *conn)
{
	return conn->state == CONN_HEAD;
}

unsigned conn_worker_active(void)
{
	unsigned active = 0;

	for (const struct conn *conn = list.first; conn; conn = conn->next)
		active += !is_waiting(conn);
	return active;
}

RUNS_ON(on_worker) static void conn_leave(struct conn *conn)
{
	struct caller_row *row =
		conn->in_len <= CALLER_BYTES ? table_take(&list.left, &conn->left) : NULL;

	if (!row)
		return;
	conn->is_left = true;
	row->fd = conn->link.fd;
	row->tls = conn->link.tls;
	row->len = (uint32_t)conn->in_len;
	row->fresh = conn->fresh;
	row->peer = conn->peer;
	row->proxy_header = conn->proxy_header;
	row->idle = conn->idle;
	row->site = (uint8_t)conn->site;
	memcpy(row->bytes, conn->in, conn->in_len);
	table_settle(&list.left, conn->left);
}

void conn_worker_leave(void)
{
	for (struct conn *conn = list.first; conn; conn = conn->next)
		if (is_waiting(conn))
			conn_leave(conn);
}

void conn_worker_stay(void)
{
	for (struct conn *conn = list.first; conn; conn = conn->next)
		if (conn->is_left) {
			conn->is_left = false;
			table_doubt(&list.left, conn->left);
			table_give(&list.left, conn->left);
		}
}

void conn_worker_part(void)
{
	struct conn *next;

	list.stopping = true;
	for (struct conn *conn = list.first; conn; conn = next) {
		next = conn->next;
		/* Their record layers are the other server's too: not a word more from this one. */
		if (conn->is_left || conn->link.tls) {
			close(conn->link.fd);
			edge_left(conn->worker);
			conn_forget(conn);
		} else if (conn->state == CONN_HEAD || conn->state == CONN_HANDSHAKE) {
			conn_drop(conn);
		}
	}
}

RUNS_ON(on_worker)
static void conn_adopt(struct worker *worker, const struct caller_row *row)
{
	struct conn *conn;

	if (!link_adopt((struct link){row->fd, row->tls}, estate_of_crashed())) {
		close(row->fd);
		return;
	}
	edge_joined(worker);
	conn_start(worker, row->fd, &row->peer, row->site);
	conn = list.first;
	/* There was no memory for it, and it is closed. */
	if (!conn || conn->link.fd != row->fd)
		return;
	conn->link.tls = row->tls;
	conn->fresh = row->fresh;
	conn->proxy_header = row->proxy_header;
	conn->idle = row->idle;
	if (conn->idle)
		conn_expect(conn, edge_settings()->conf.http_idle_timeout);
	if (row->len > conn->in_size) {
		conn_drop(conn);
		return;
	}
	memcpy(conn->in, row->bytes, row->len);
	conn->in_len = row->len;
	if (row->len)
		conn_advance(conn);
}

void conn_worker_adopt(struct worker *worker)
{
	for (uint32_t at = 0; at < list.left.high; at++) {
		struct caller_row *row = table_settled(&list.left, at);

		if (!row)
			continue;
		/* Ours from here on, and no row's. */
		table_doubt(&list.left, at);
		conn_adopt(worker, row);
		table_give(&list.left, at);
	}
	/* None is in use: their pages go back. */
	(void)fallocate(list.left.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, CALLER_PAGE,
			(off_t)CALLERS_MAX * (off_t)sizeof(struct caller_row));
}
