/* irc_search: what was said, looked for by any part of a word: one question for SEARCH, BouncerServ and the API.
 *
 *   irc_query: words, where, who, when ─▶ irc_query_ask ─▶ store: an index by pieces ─▶ irc_found …
 *
 * A word finds any part of a word or an address; all of them must be there. Accents do not count, and no capitals.
 * Runs on the worker of the user. */
#pragma once

#include "irc/irc_client.h"
#include "irc/irc_store.h"

#define IRC_FOUND_MOST 1000u

struct irc_query {
	uint64_t network; /* 0: all */
	int64_t after_ms, before_ms;
	unsigned limit;
	char words[512]; /* "": all that was said */
	char in[512], from[512];
};

void irc_query_init(struct irc_query *query);
void irc_query_words(struct irc_query *query, struct bytes text);
void irc_query_from(struct irc_query *query, struct bytes nick);

/* Ready to be sent with irc_ask_send(); NULL: no memory. */
struct irc_ask *irc_query_ask(const struct irc_user *user, const struct irc_query *query);

/* A row of its answer: the newest first. */
struct irc_found {
	const char *buffer, *network;
	struct irc_record record;
};

struct irc_found irc_found_at(const struct store_rows *rows, size_t row);

/* SEARCH (soju.im/search). network NULL: in all of them. */
void irc_search(struct irc_client *client, struct irc_network *network,
		const struct irc_line *line);
