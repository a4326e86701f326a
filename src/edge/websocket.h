/* websocket: messages both ways over a connection that began as HTTP (RFC 6455); framing is libwslay's.
 *
 *   GET, Upgrade ─▶ websocket_accept ─▶ 101 ─▶ then(conn): conn_take, and the link is the family's
 *
 *   link_recv ─▶ websocket_take ─▶ message()           put() ─▶ the family's buffer ─▶ link_send
 *                     └─ pong, close ──────────────────▲ ▲
 *                       websocket_send, _ping, _close ───┘
 *
 * The second half is sans-I/O: bytes go in, messages and bytes come out, by two calls of the family's.
 * What waits to be sent lies in the family's buffer alone, so it alone says who is too slow: put()
 * answers false and nothing more comes. Fragments are put together, up to message_max bytes; pings are
 * answered; texts are UTF-8; who breaks the rules gets a close with the code that the RFC names. None
 * of the calls may free the websocket.
 *
 * Runs on the worker that the connection lives on. Compression is not offered. */
#pragma once

#include "edge/conn.h"

enum websocket_code { /* RFC 6455 7.4.1 */
		      WEBSOCKET_NORMAL = 1000,
		      WEBSOCKET_GOING_AWAY = 1001,
		      WEBSOCKET_PROTOCOL = 1002,
		      WEBSOCKET_UNSUPPORTED = 1003,
		      WEBSOCKET_NO_UTF8 = 1007,
		      WEBSOCKET_POLICY = 1008,
		      WEBSOCKET_TOO_BIG = 1009,
};

/* Where a family's messages go. */
struct websocket_use {
	size_t message_max;
	/* A whole message; the bytes hold during the call. False: no more of them, please. */
	bool (*message)(void *user, struct bytes message, bool text);
	/* Bytes for the link, to be kept. False: there is no room, the connection is lost. */
	bool (*put)(void *user, struct bytes wire);
};

struct websocket;

/* NULL: no memory. use must last. */
struct websocket *websocket_create(const struct websocket_use *use, void *user);
/* Accepts NULL; *websocket is NULL afterwards. */
void websocket_destroy(struct websocket **websocket);

/* What came over the link. False: the conversation is over, or cannot be gone on with: close the link
 * when all that was put is out. */
MUST_CHECK bool websocket_take(struct websocket *websocket, struct bytes in);

/* One message. False: no memory or no room, or a close was sent before. */
bool websocket_send(struct websocket *websocket, struct bytes message, bool text);
bool websocket_ping(struct websocket *websocket);

/* Says goodbye; the peer's answer ends websocket_take. reason: up to 123 bytes. */
void websocket_close(struct websocket *websocket, enum websocket_code code, const char *reason);

/* Answers a request that wants to become a websocket: 101, then then(conn), which takes the link; or what
 * is wrong with it. Pages of other sites may not (403), nor plain requests (426). protocols: what we
 * speak, best first, ended by NULL, of which the first that the client knows is chosen; or NULL. */
RUNS_ON(on_worker)
void websocket_accept(struct conn *conn, const char *const *protocols,
		      void (*then)(struct conn *conn));

/* What Sec-WebSocket-Accept must say to this key. */
#define WEBSOCKET_ACCEPT_SIZE 28u
void websocket_accept_key(struct bytes key, char out[WEBSOCKET_ACCEPT_SIZE + 1]);
