/* irc_auth: asks others who somebody is: a program by HTTP, or an OAuth 2.0 server what a token is worth.
 *
 *   password ─▶ irc.auth_url: a request with Basic; 2xx is yes, 401 and 403 are no
 *   token ─▶ irc.oauth_url: introspection (RFC 7662): {"active": true, "username": "ann"}
 *
 * Asked after what is known here: accounts and app passwords go before. Nobody becomes an administrator
 * that way. Runs on the worker of the connection; the answer comes later, always. */
#pragma once

#include "edge/auth.h"
#include "edge/fetch.h"
#include "irc/irc_part.h"

struct irc_auth {
	struct fetch fetch;
	bool by_token;
	char user[IRC_USER_SIZE]; /* asked about; of a token, what the answer says */
	void (*done)(struct irc_auth *auth, enum auth_result result);
};

bool irc_auth_takes_tokens(void);
/* Whether to ask for this name: not where it is an administrator's, or of somebody who is shut out. */
bool irc_auth_wanted(const char *user);

/* False: it cannot be asked; done() is not called. */
bool irc_auth_password(struct irc_auth *auth, const char *user, const char *password);
bool irc_auth_token(struct irc_auth *auth, struct bytes token);
