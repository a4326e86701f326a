/* irc_service: BouncerServ: what a user, or an administrator, orders in words.
 *
 *   /msg BouncerServ network create -addr irc.example.org
 *   ringmainctl irc USER network status
 *   POST /api/v1/irc/command {"command": "…"}
 *
 * One table (irc_service.def) for all three; any unambiguous beginning of a command will do. What an
 * order is: irc_order.h. The commands lie in irc_service_*.c. Runs on the worker of the user. */
#pragma once

#include "irc/irc_client.h"
#include "irc/irc_order.h"

#define IRC_SERVICE "BouncerServ"

/* Carries it out; order->done() is called once, perhaps before this returns. */
void irc_service(struct irc_order *order, struct bytes text);

/* The same from a client, answered there. */
void irc_service_message(struct irc_client *client, struct irc_network *network, struct bytes text);

/* Whether the account may do more than others. Any thread. */
bool irc_is_admin(const char *name);

/* A notice from an administrator to everybody who is connected. */
void irc_service_broadcast(struct bytes text);

/* Whether lines of networks go to the log. */
bool irc_service_debugs(void);

/* Whether the words at has the token that the deletion of what wants; else it is said. */
bool irc_service_token(struct irc_words *words, const char *what, unsigned at, const char *usage);

#define COMMAND(first, second, run, usage) bool run(struct irc_words *words, unsigned from);
#include "irc/irc_service.def"
