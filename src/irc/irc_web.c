#include "irc/irc_web.h"

#include "edge/proto/charset.h"
#include "edge/route.h"
#include "edge/websocket.h"

/* Two lines of the longest that may be: who puts CR LF behind each, and more than one in a message, is
 * understood. */
#define MESSAGE_MAX (2u * IRC_LINE_ROOM)

static bool on_message(void *user, struct bytes message, bool text)
{
	struct irc_client *client = user;

	(void)text;
	return client->state != IRC_CLIENT_GONE && irc_pipe_put(&client->in, message) &&
	       irc_pipe_put(&client->in, BYTES("\n"));
}

static bool put(void *user, struct bytes wire)
{
	struct irc_client *client = user;
	uint8_t *room = irc_client_room(client, (uint32_t)wire.len);

	if (!room)
		return false;
	memcpy(room, wire.at, wire.len);
	irc_client_add(client, (uint32_t)wire.len);
	return true;
}

static const struct websocket_use use = {MESSAGE_MAX, on_message, put};

bool irc_web_begin(struct irc_client *client, bool text)
{
	client->web = websocket_create(&use, client);
	client->web_text = text;
	return client->web != NULL;
}

bool irc_web_take(struct irc_client *client, struct bytes in)
{
	return websocket_take(client->web, in);
}

void irc_web_line(struct irc_client *client, struct bytes line)
{
	/* Each byte may become a character of three. */
	uint8_t clean[3 * (IRC_LINE_ROOM + 2048)];
	struct writer w = writer_of(clean, sizeof clean);

	if (client->web_text && !charset_is_utf8(line)) {
		charset_to_utf8(line, CHARSET_UTF8, &w);
		if (!writer_ok(&w))
			return;
		line = writer_done(&w);
	}
	(void)websocket_send(client->web, line, client->web_text);
}

void irc_web_close(struct irc_client *client)
{
	websocket_close(client->web, WEBSOCKET_NORMAL, "");
}

/* --- the door ------------------------------------------------------------------------------- */

static const char *const protocols[] = {"text.ircv3.net", "binary.ircv3.net", NULL};

static bool knows(const struct request *request, const char *protocol)
{
	return http1_header_has_token(&request->head, BYTES("Sec-WebSocket-Protocol"),
				      bytes_str(protocol));
}

RUNS_ON(on_worker) static void take(struct conn *conn)
{
	const struct request *request = conn_request(conn);
	struct irc_arrival arrival = {
		.peer = request->peer,
		.secure = request->secure,
		.web = true,
		/* The first of ours that it knows was chosen; nothing was where it named none. */
		.web_text = knows(request, protocols[0]),
	};
	struct worker *worker = conn_worker(conn);
	struct bytes early;
	struct link link = conn_take(conn, &early);

	irc_client_arrive(worker, link, &arrival, early);
}

void irc_web_serve(struct conn *conn)
{
	enter_worker();
	if (irc_conf_now()->listen.count == 0) {
		struct reply reply = {0};

		reply_text(&reply, 404, "there is no IRC here");
		conn_reply(conn, &reply);
		return;
	}
	websocket_accept(conn, protocols, take);
}

static const struct route routes[] = {
	{"/irc/ws", METHOD_GET, irc_web_serve, NULL},
	{0},
};

void irc_web_prepare(void)
{
	route_add(routes);
}
