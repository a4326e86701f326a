/* irc_account: the user's account at a network, while he is connected to it: logging in, and what is remembered of it
 * for the next time.
 *
 *   client: AUTHENTICATE PLAIN …            ─▶ server ─▶ 903 ─▶ the network's SASL settings
 *   client: PRIVMSG NickServ :IDENTIFY pw   ─▶ server ─▶ 900 ─▶ the same, unless another mechanism is set
 *
 * A password is kept when the server has said that it is one, and where it does not say so (a new one, given to
 * NickServ) when it is said. Runs on the worker of the user. */
#pragma once

#include "irc/irc_client.h"
#include "irc/irc_upstream.h"

/* AUTHENTICATE of a client that is registered: to its network. */
void irc_account_authenticate(struct irc_client *client, const struct irc_line *line);
/* How that ended. */
void irc_account_answered(struct irc_upstream *up, bool good, struct bytes text);

/* What a client says to its network: there may be a password in it. */
void irc_account_said(struct irc_network *network, const struct irc_line *line,
		      struct bytes target);
/* The server says that we are logged in, or that an account was made: what was said is right. */
void irc_account_proved(struct irc_network *network, struct bytes account);
/* What was said and not answered is forgotten. */
void irc_account_forget(struct irc_network *network);
