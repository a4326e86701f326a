/* irc_order: one order to BouncerServ: who gives it, its words, and its answer, now or later.
 *
 *   irc_service(order, text) ─▶ words ─▶ a command ─▶ say, say …  ─▶ done(good)
 *                                            └─ irc_order_wait ─ … elsewhere … ─▶ irc_order_back ─┘
 *
 * Words as a shell has them ('…', "…", \). Who waits for the store, the pool or another thread says so and
 * ends the order later; the user may be gone by then. An order is its giver's, who frees it in done().
 * Runs on the worker of the user. */
#pragma once

#include <jansson.h>

#include "irc/irc_part.h"

#define IRC_WORDS_MAX 64u /* of an order: the longest has some 40, all that a network can be told */

struct irc_order {
	struct irc_user *user;
	struct irc_network *network; /* that he is on, or NULL */
	bool is_admin;
	const char *
		certificate; /* of the connection that asks, its fingerprint; NULL. Until the command returns */
	void (*say)(struct irc_order *order, const char *line);
	void (*done)(struct irc_order *order, bool good); /* false: it was refused */
	bool wants_data;                                  /* for programs: */
	json_t *data; /* what was found, beside what is said of it; the giver's */

	/* irc_order.c's */
	bool waits;
	char name[IRC_USER_SIZE];
	uint64_t network_id;
};

/* NUL-terminated, in room; from the second or third on those behind the command. */
struct irc_words {
	struct irc_order *order;
	char *at[IRC_WORDS_MAX];
	unsigned count;
	char room[4096];
};

/* False: a quotation has no end, or there are too many. */
bool irc_words_split(struct irc_words *words, struct bytes text);

/* A blank and the word, quoted so that it is one word again. */
void irc_words_quote(struct writer *w, const char *word);

/* The value behind "-name"; NULL: it is not said. irc_words_take: both are taken out of the words. */
const char *irc_words_take(struct irc_words *words, unsigned from, const char *name);
const char *irc_words_peek(const struct irc_words *words, unsigned from, const char *name);
/* Of what is true or false. False: it was neither, and that was said. */
bool irc_words_flag(struct irc_words *words, unsigned from, const char *name, bool *flag,
		    bool *given);
/* Of a time such as 90s, 10m, 2h, 1d, in seconds; likewise. */
bool irc_words_time(struct irc_words *words, unsigned from, const char *name, uint64_t *seconds,
		    bool *given);
/* Whether none is left; else that is said. */
bool irc_words_end(struct irc_words *words, unsigned from);

/* A line of the answer; true. Of what was refused: false. */
__attribute__((format(printf, 2, 3))) bool irc_order_say(struct irc_order *order,
							 const char *format, ...);
#define irc_say(words, ...)    irc_order_say((words)->order, __VA_ARGS__)
#define irc_refuse(words, ...) (irc_say(words, __VA_ARGS__), false)

/* The command will end the order itself. */
void irc_order_wait(struct irc_order *order);
/* Before it goes on: finds user and network anew. False: the user is gone, and only the end is left. */
bool irc_order_back(struct irc_order *order);
void irc_order_end(struct irc_order *order, bool good);

/* The network of "-network NAME", or that the order came from, or the only one. NULL, and said. */
struct irc_network *irc_order_network(struct irc_words *words, unsigned from);
