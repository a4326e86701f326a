/* irc_route: what clients asked a server, and which of its words are the answer.
 *
 *   client: WHO #c ─▶ route ─▶ server … 352 352 315 ─▶ that client alone, in a batch when it has labels
 *
 * A server with labels says so itself; else answers are known by their numbers, in the order of the
 * questions. What is not answered in irc.answer_timeout is given up, so that a silent server blocks
 * nobody. Runs on the worker of the user. */
#pragma once

#include "irc/irc_part.h"
#include "irc/irc_pipe.h"

struct irc_route {
	struct irc_route *next;
	uint32_t client;
	unsigned kind;          /* of the table of commands */
	uint64_t label;         /* ours to the server; 0: it has none */
	bool in_batch;          /* the server's batch for it is open */
	bool is_typed;          /* and is one that the client is to have as it is */
	char *client_label;     /* the client's; NULL */
	unsigned whox;          /* of WHO on a connection to all networks: irc_names.h */
	char *mask;             /* and whom; NULL */
	struct irc_pipe answer; /* with a client's label: lines, until all are there */
	unsigned lines;
	mono_t deadline;
};

/* Sends a client's line to the server and remembers who waits for what. False: too many wait. */
MUST_CHECK bool irc_route_send(struct irc_network *network, struct irc_client *client,
			       const struct irc_line *line, struct bytes text);

/* Whether it is irc.server_questions that no more may be asked for. */
bool irc_routes_full(const struct irc_network *network);

/* Whether the line was somebody's answer. */
bool irc_route_hear(struct irc_network *network, const struct irc_line *line);

/* The client that this label of ours belongs to, 0: none; and its own label, which is the caller's now, or
 * NULL. The question is answered by that. */
uint32_t irc_route_origin(struct irc_network *network, struct bytes label, char **client_label);

/* Gives up what is late. */
void irc_routes_tick(struct irc_network *network, mono_t now);
void irc_routes_drop(struct irc_network *network);
void irc_routes_forget(struct irc_network *network, uint32_t client);
