#include "edge/websocket.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <wslay/wslay.h>

#include "core/metric.h"
#include "edge/access.h"
#include "edge/proto/base64.h"

struct websocket {
	wslay_event_context_ptr context;
	const struct websocket_use *use;
	void *user;
	struct bytes in; /* what is being taken */
	bool failed;     /* no room, no memory, or the family wants no more */
};

/* --- frames --------------------------------------------------------------------------------- */

static ssize_t on_recv(wslay_event_context_ptr context, uint8_t *at, size_t size, int flags,
		       void *user)
{
	struct websocket *websocket = user;
	struct bytes part = bytes_first(websocket->in, size);

	(void)flags;
	if (part.len == 0 || websocket->failed) {
		wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	memcpy(at, part.at, part.len);
	websocket->in = bytes_skip(websocket->in, part.len);
	return (ssize_t)part.len;
}

static ssize_t on_send(wslay_event_context_ptr context, const uint8_t *at, size_t len, int flags,
		       void *user)
{
	struct websocket *websocket = user;

	(void)flags;
	if (!websocket->failed && websocket->use->put(websocket->user, bytes_of(at, len)))
		return (ssize_t)len;
	websocket->failed = true;
	wslay_event_set_error(context, WSLAY_ERR_CALLBACK_FAILURE);
	return -1;
}

/* All that libwslay has to say goes to the family's buffer at once. */
static bool push(struct websocket *websocket)
{
	if (!websocket->failed && wslay_event_send(websocket->context) != 0)
		websocket->failed = true;
	return !websocket->failed;
}

static void on_message(wslay_event_context_ptr context,
		       const struct wslay_event_on_msg_recv_arg *arg, void *user)
{
	struct websocket *websocket = user;

	(void)context;
	/* A ping's answer goes out now: a fault later in the same bytes would swallow it. */
	if (wslay_is_ctrl_frame(arg->opcode) || websocket->failed)
		(void)push(websocket);
	else if (!websocket->use->message(websocket->user, bytes_of(arg->msg, arg->msg_length),
					  arg->opcode == WSLAY_TEXT_FRAME))
		websocket->failed = true;
}

static const struct wslay_event_callbacks callbacks = {
	.recv_callback = on_recv,
	.send_callback = on_send,
	.on_msg_recv_callback = on_message,
};

struct websocket *websocket_create(const struct websocket_use *use, void *user)
{
	struct websocket *websocket = calloc(1, sizeof *websocket);

	if (!websocket)
		return NULL;
	websocket->use = use;
	websocket->user = user;
	if (wslay_event_context_server_init(&websocket->context, &callbacks, websocket) != 0) {
		free(websocket);
		return NULL;
	}
	wslay_event_config_set_max_recv_msg_length(websocket->context, use->message_max);
	return websocket;
}

void websocket_destroy(struct websocket **websocket)
{
	if (!*websocket)
		return;
	wslay_event_context_free((*websocket)->context);
	free(*websocket);
	*websocket = NULL;
}

/* A head that libwslay cannot read: it would say goodbye without a code. */
static void refuse(struct websocket *websocket)
{
	static const uint8_t close[] = {0x88, 2, WEBSOCKET_PROTOCOL >> 8, WEBSOCKET_PROTOCOL & 255};

	if (!websocket->failed && !wslay_event_get_close_sent(websocket->context))
		(void)websocket->use->put(websocket->user, bytes_of(close, sizeof close));
	websocket->failed = true;
}

bool websocket_take(struct websocket *websocket, struct bytes in)
{
	websocket->in = in;
	if (websocket->failed)
		return false;
	if (wslay_event_recv(websocket->context) != 0)
		refuse(websocket);
	websocket->in = (struct bytes){0};
	if (!push(websocket))
		return false;
	/* RFC 6455 7.1.1: when both have said goodbye the server closes; so it does after a fault. */
	return wslay_event_want_read(websocket->context) != 0;
}

static bool queue(struct websocket *websocket, uint8_t opcode, struct bytes message)
{
	struct wslay_event_msg msg = {opcode, message.at, message.len};

	return !websocket->failed && wslay_event_queue_msg(websocket->context, &msg) == 0 &&
	       push(websocket);
}

bool websocket_send(struct websocket *websocket, struct bytes message, bool text)
{
	return queue(websocket, text ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME, message);
}

bool websocket_ping(struct websocket *websocket)
{
	return queue(websocket, WSLAY_PING, (struct bytes){0});
}

void websocket_close(struct websocket *websocket, enum websocket_code code, const char *reason)
{
	struct bytes why = bytes_str(reason);

	if (!websocket->failed &&
	    wslay_event_queue_close(websocket->context, (uint16_t)code, why.at, why.len) == 0)
		(void)push(websocket);
}

/* --- the beginning -------------------------------------------------------------------------- */

void websocket_accept_key(struct bytes key, char out[WEBSOCKET_ACCEPT_SIZE + 1])
{
	/* RFC 6455 1.3 */
	static const char suffix[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	struct writer w = writer_of((uint8_t *)out, WEBSOCKET_ACCEPT_SIZE);

	CHECK(context && EVP_DigestInit_ex(context, EVP_sha1(), NULL) == 1 &&
	      EVP_DigestUpdate(context, key.at, key.len) == 1 &&
	      EVP_DigestUpdate(context, suffix, sizeof suffix - 1) == 1 &&
	      EVP_DigestFinal_ex(context, digest, &len) == 1);
	EVP_MD_CTX_free(context);
	base64_encode(bytes_of(digest, len), &w);
	CHECK(writer_ok(&w));
	out[WEBSOCKET_ACCEPT_SIZE] = '\0';
}

/* RFC 6455 4.2.1: sixteen bytes. */
static bool is_key(struct bytes key)
{
	uint8_t room[16];
	struct writer w = writer_of(room, sizeof room);

	return base64_decode(key, &w) && w.len == sizeof room;
}

/* 0, or the status to answer, with a word why. */
static unsigned refusal(const struct request *request, const char **why)
{
	const struct http1_head *head = &request->head;

	*why = "this address is for WebSocket (RFC 6455), version 13";
	if (!http1_header_has_token(head, BYTES("Upgrade"), BYTES("websocket")) ||
	    !http1_header_has_token(head, BYTES("Connection"), BYTES("upgrade")) ||
	    !bytes_equal(http1_header_get(head, BYTES("Sec-WebSocket-Version")), BYTES("13")))
		return 426;
	*why = "no WebSocket handshake";
	if (!bytes_equal(request->method, BYTES("GET")) || head->minor < 1 ||
	    !is_key(http1_header_get(head, BYTES("Sec-WebSocket-Key"))))
		return 400;
	/* RFC 6455 10.2: no cookie and no password guards what a page of another site could do. */
	*why = "pages of other sites may not";
	return access_is_foreign(request) ? 403 : 0;
}

static const char *choose(const struct http1_head *head, const char *const *protocols)
{
	for (; protocols && *protocols; protocols++)
		if (http1_header_has_token(head, BYTES("Sec-WebSocket-Protocol"),
					   bytes_str(*protocols)))
			return *protocols;
	return NULL;
}

void websocket_accept(struct conn *conn, const char *const *protocols,
		      void (*then)(struct conn *conn))
{
	const struct http1_head *head = &conn_request(conn)->head;
	const char *why, *protocol = choose(head, protocols);
	char key[WEBSOCKET_ACCEPT_SIZE + 1], answer[512];
	unsigned status = refusal(conn_request(conn), &why);
	int len;

	if (status) {
		struct reply reply = {.close = true};

		reply_text(&reply, status, why);
		if (status == 426) {
			reply_header(&reply, "Upgrade", BYTES("websocket"));
			reply_header(&reply, "Sec-WebSocket-Version", BYTES("13"));
		}
		conn_reply(conn, &reply);
		return;
	}
	websocket_accept_key(http1_header_get(head, BYTES("Sec-WebSocket-Key")), key);
	len = snprintf(answer, sizeof answer,
		       "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		       "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s%s%s\r\n",
		       key, protocol ? "Sec-WebSocket-Protocol: " : "", protocol ? protocol : "",
		       protocol ? "\r\n" : "");
	CHECK(len > 0 && (size_t)len < sizeof answer);
	conn_send(conn, bytes_of(answer, (size_t)len), then);
}
