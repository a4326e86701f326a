/* irc_web: clients that come over WebSocket (https://ircv3.net/specs/extensions/websocket).
 *
 *   GET /irc/ws ─▶ 101 ─▶ a client like any other, but each line is one message without CR LF
 *
 * With text.ircv3.net messages are text, and a line that is not UTF-8 is read as windows-1252; with
 * binary.ircv3.net, or none of the two, they are bytes as they are. Pages of other sites may not come
 * in. What waits to be sent lies in the client's own buffer, frames and all, so its limit and the
 * client's places are exact here too. Runs on the worker of the client. */
#pragma once

#include "irc/irc_client.h"

struct conn;

/* Serves a request that wants to become a client. */
RUNS_ON(on_worker) void irc_web_serve(struct conn *conn);

/* Adds /irc/ws to the HTTP doors. Before they open. */
void irc_web_prepare(void);

/* The client's lines come and go as messages from now on. False: no memory. */
MUST_CHECK bool irc_web_begin(struct irc_client *client, bool text);

/* Bytes of the connection: lines go to client->in. False: it is over when what waits is out. */
MUST_CHECK bool irc_web_take(struct irc_client *client, struct bytes in);

/* A line without CR LF to the client's buffer. */
void irc_web_line(struct irc_client *client, struct bytes line);

/* Says goodbye. */
void irc_web_close(struct irc_client *client);
