/* irc_errand: something that is done on the worker of a user, for who is elsewhere.
 *
 *   control or a worker ─▶ worker of the user: an order to BouncerServ, or look() ─▶ back() where it began
 *
 * Whoever has an account begins here by an order; others where irc.auth_url and its like let them in, and are
 * forgotten when the order leaves nothing of theirs. It is its sender's again in back(), who frees it. */
#pragma once

#include <jansson.h>

#include "irc/irc_order.h"

struct irc_errand {
	struct message message;
	struct irc_order order;
	struct worker *home; /* NULL: control */
	char user[IRC_USER_SIZE];
	char *text;      /* what is ordered; NULL: look() is called */
	bool wants_data; /* its order does: the tree then */
	bool is_admin;   /* with an administrator's rights */
	bool is_own;     /* he himself was let in, and begins here */
	bool is_guest;   /* he had no account, and was not known: irc_errand.c's */
	void (*look)(struct irc_errand *errand, struct irc_user *user);
	void (*back)(struct irc_errand *errand);
	json_t *lines;           /* what was answered: irc.answer_lines at most */
	unsigned long long more; /* lines besides those */
	json_t *tree;            /* what look() found */
	bool found, good;
	void *context;
};

/* text: NULL or copied. NULL: no memory, or nobody can have this name. */
struct irc_errand *irc_errand_new(struct bytes user, const char *text);
void irc_errand_free(struct irc_errand *errand);

/* Control or a worker: back() runs on the same. */
void irc_errand_send(struct irc_errand *errand);
