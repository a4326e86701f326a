/* irc_auth: asks others who somebody is: a program by HTTP, PAM, or an OAuth 2.0 server what a token is
 * worth.
 *
 *   password ─▶ irc.auth_url: a request with Basic; 2xx is yes, 401 and 403 are no
 *         or ─▶ irc.auth_pam: a service of PAM (edge/pam_login.h)
 *   token ─▶ irc.oauth_url: introspection (RFC 7662): {"active": true, "username": "ann"}
 *
 * Asked after what is known here: accounts and app passwords go before. Nobody becomes an administrator
 * that way. Runs on the worker of the connection; the answer comes later, always. */
#pragma once

#include "edge/auth.h"
#include "edge/fetch.h"
#include "edge/pam_login.h"
#include "irc/irc_part.h"

struct irc_auth {
	struct fetch fetch;
	struct pam_login pam;
	bool by_token;
	char user[IRC_USER_SIZE]; /* asked about; of a token, what the answer says */
	void (*done)(struct irc_auth *auth, enum auth_result result);
};

bool irc_auth_takes_tokens(void);
/* Whether somebody may come in who has no account here. */
bool irc_auth_is_elsewhere(void);
/* Whether such a one may have this name. */
bool irc_auth_name_valid(const char *name);
/* Whether to ask for this name: not where it is an administrator's, or of somebody who is shut out. */
bool irc_auth_wanted(const char *user);
/* The latter alone. */
bool irc_auth_may_be(const char *user);

/* False: it cannot be asked; done() is not called. */
bool irc_auth_password(struct irc_auth *auth, const char *user, const char *password,
		       const struct address *peer);
bool irc_auth_token(struct irc_auth *auth, struct bytes token);

/* Whose a token is, of an answer of RFC 7662 section 2.2. False: nobody's, or of a name that cannot be. */
MUST_CHECK bool irc_auth_owner(struct bytes body, char user[IRC_USER_SIZE]);
