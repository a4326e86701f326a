/* irc_service: BouncerServ: what a user, or an administrator, orders in words.
 *
 *   /msg BouncerServ network create -addr irc.example.org
 *   ringmainctl irc USER network status
 *
 * Words as a shell has them ('…', "…", \); any unambiguous beginning of a command will do. Runs on the
 * worker of the user. */
#pragma once

#include "irc/irc_client.h"

#define IRC_SERVICE "BouncerServ"

/* Who orders, and where the answer goes: one line a call. */
struct irc_order {
	struct irc_user *user;
	struct irc_network *network; /* that he is on, or NULL */
	struct irc_client *client;   /* or NULL */
	bool is_admin;
	void (*say)(struct irc_order *order, const char *line);
	void *context;
};

/* False: it was refused. */
bool irc_service(struct irc_order *order, struct bytes text);

/* The same from a client, answered there. */
void irc_service_message(struct irc_client *client, struct irc_network *network, struct bytes text);

/* Whether the account may do more than others. */
bool irc_is_admin(const struct irc_user *user);
