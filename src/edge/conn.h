/* conn: one connection at the front door, from accept until it is closed or taken.
 *
 *   accept ─▶ HEAD ─▶ route ─▶ conn_reply ─▶ WRITE ─▶ HEAD (keep-alive) or close
 *              ▲         ├───▶ conn_body ─▶ BODY ─▶ serve again
 *              │         ├───▶ conn_call ─▶ WAIT (the control thread answers) ─▶ WRITE
 *              │         ├───▶ access_… ─▶ WAIT (a password is checked) ─▶ …
 *              │         ├───▶ conn_stream ─▶ WRITE ─▶ WAIT ─▶ conn_lend ─▶ WRITE ─▶ … conn_done
 *              │         └───▶ conn_take: a family has the link, the conn is gone
 *
 * Lives and dies on one worker. While it WAITs nothing is read and it is not freed, so whoever
 * answers finds it. A route's serve() must do exactly one of the six. Each state but WAIT has a
 * deadline; a client that is slower than it is dropped.
 *
 * It does not know what any path means: routes do (route.h). */
#pragma once

#include "core/estate.h"
#include "core/worker.h"
#include "edge/auth.h"
#include "edge/link.h"
#include "edge/proto/address.h"
#include "edge/proto/http1.h"
#include "edge/reply.h"

#define CONN_PATH_MAX 1024u
#define CONN_BODY_MAX 65536u

struct conn;
struct call;
struct access_work;

/* What was asked. Everything points into the connection's buffers and holds while it WAITs. */
struct request {
	struct http1_head head;
	struct bytes text; /* the head as it came */
	struct bytes method;
	struct bytes path;   /* normalized and decoded */
	struct bytes query;  /* raw; url_query_next takes it apart */
	struct bytes body;   /* after conn_body() */
	struct address peer; /* who asks: behind trusted proxies the one they name */
	bool proxied;        /* it came through one of those */
	struct bytes host;   /* how the client calls us: "radio.example:8000"; may be empty */
	bool secure;         /* it came over TLS, to us or to a trusted proxy that says so */
};

/* How a client reaches us, for the addresses that it is given. */
struct site {
	struct bytes host;
	bool secure;
};

static inline struct site request_site(const struct request *request)
{
	return (struct site){request->host, request->secure};
}

/* A new connection at the doors of a site (route.h), on its worker. */
RUNS_ON(on_worker)
void conn_start(struct worker *worker, int fd, const struct address *peer, unsigned site);

RUNS_ON(on_worker) const struct request *conn_request(const struct conn *conn);
struct worker *conn_worker(const struct conn *conn);
struct link conn_link(const struct conn *conn);

/* Answers, frees what the reply holds, and goes on with the next request or closes. */
RUNS_ON(on_worker) void conn_reply(struct conn *conn, struct reply *reply);

/* Reads the body first (at most CONN_BODY_MAX bytes, else 413), then serves the request again,
 * with request.body set. False when it is there already (or there is none): go on. */
RUNS_ON(on_worker) bool conn_body(struct conn *conn);

/* Lets the control thread answer: call->answer(call) runs there. */
RUNS_ON(on_worker) void conn_call(struct conn *conn, void (*answer)(struct call *call));

/* Checks a password against stored, which is plain text or an argon2 string; empty: nobody fits.
 * Both are copied. then() runs on this worker, perhaps before this returns. Who asks for a request
 * goes through access.h, which uses this. */
RUNS_ON(on_worker)
void conn_verify(struct conn *conn, const char *stored, struct bytes given,
		 void (*then)(struct conn *conn, enum auth_result result));

/* What access.h keeps of the request at hand; all zero before it was asked. */
RUNS_ON(on_worker) struct access_work *conn_access(struct conn *conn);

/* Sends bytes (copied) as they are, then calls then(). */
RUNS_ON(on_worker)
void conn_send(struct conn *conn, struct bytes out, void (*then)(struct conn *conn));

/* Answers with a head that promises reply->later bytes, then calls then(), which brings them by
 * conn_lend and ends with conn_done; or with conn_drop when they cannot be had. */
RUNS_ON(on_worker)
void conn_stream(struct conn *conn, struct reply *reply, void (*then)(struct conn *conn));

/* Sends bytes, which hold until then() or until the connection is gone (conn_hold). A peer that has
 * not taken all of them after ms is dropped, however it dawdles. */
RUNS_ON(on_worker)
void conn_lend(struct conn *conn, struct bytes out, uint64_t ms, void (*then)(struct conn *conn));

/* The answer is whole: on with the next request, or the end. */
RUNS_ON(on_worker) void conn_done(struct conn *conn);

/* Stays in WAIT until whoever waits goes on with one of the above. */
RUNS_ON(on_worker) void conn_wait(struct conn *conn);

/* For who keeps a connection in WAIT and sends on it for long: gone(holder) is called when it is
 * closed, by whomever. At most one. */
RUNS_ON(on_worker)
void conn_hold(struct conn *conn, void *holder, void (*gone)(void *holder));
RUNS_ON(on_worker) void *conn_holder(const struct conn *conn);

/* Gives the link away, with the bytes that came behind the head (which hold until the end
 * of this turn of the loop). The conn is gone. */
RUNS_ON(on_worker) struct link conn_take(struct conn *conn, struct bytes *rest);

/* SHA-512 of the certificate that the client showed, at a site that asks; NULL: none. Holds as long as
 * the conn. */
#define CONN_CERTIFICATE_LEN HANDSHAKE_FINGERPRINT
RUNS_ON(on_worker) const uint8_t *conn_certificate(const struct conn *conn);

/* All bytes received and not yet used: what a protocol that is not HTTP looks at. */
RUNS_ON(on_worker) struct bytes conn_bytes(const struct conn *conn);

/* Closes at once. */
RUNS_ON(on_worker) void conn_drop(struct conn *conn);

/* --- for edge itself ------------------------------------------------------------------------ */

RUNS_ON(on_worker) int conn_worker_start(struct worker *worker);
RUNS_ON(on_worker) void conn_worker_stop(struct worker *worker);
RUNS_ON(on_worker) bool conn_worker_busy(struct worker *worker);

/* Connections in the middle of a request that was read, or of its answer. */
RUNS_ON(on_worker) unsigned conn_worker_active(void);

/* For another server to take over: lists in the estate those that wait for a request or are in the
 * middle of its head. conn_worker_stay: it did not, and they go on here. */
extern const struct estate_kind conn_kind;

RUNS_ON(on_worker) void conn_worker_leave(void);
RUNS_ON(on_worker) void conn_worker_stay(void);

/* It did: those are forgotten. All others are answered and then closed. */
RUNS_ON(on_worker) void conn_worker_part(void);

/* Goes on with those that the last server listed. */
RUNS_ON(on_worker) void conn_worker_adopt(struct worker *worker);
