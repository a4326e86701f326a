/* irc_login: who somebody is, before he is anybody: what he said until now. */
#pragma once

#include "edge/auth.h"
#include "edge/tls.h"
#include "irc/irc_auth.h"
#include "irc/irc_client.h"
#include "irc/proto/irc_scram.h"

struct irc_login {
	struct message message; /* from worker to worker */
	struct irc_client *client;
	struct worker *to;
	struct tls_moved *moved;
	char user[IRC_USER_SIZE], network[80], device[80];
	char *username, *realname, *pass;
	char *bind; /* BOUNCER BIND */
	char *away; /* draft/pre-away */
	bool negotiates, by_sasl, is_in, checks;
	struct irc_pipe response; /* of AUTHENTICATE */
	enum irc_mechanism mechanism;
	struct irc_pipe first;   /* of SCRAM: client-first, until the challenge is said */
	struct irc_scram *scram; /* and what was */
	bool scram_is_real, scram_proved;
	bool by_certificate;
	struct auth_check check;
	struct irc_auth outside; /* is asked when nobody here knows */
	bool is_proven;
	bool is_stale; /* its token was wrong before: that is not another guess */
	char *as;      /* whom he wants to be: administrators only */
	struct lockout_try attempt;
	unsigned stage;
	uint8_t against[AUTH_DIGEST_SIZE]; /* of the stored password that is looked at */
	char given[AUTH_PASSWORD_MAX];
};

/* SASL's, as they are offered to this client: "PLAIN,EXTERNAL" (irc_offer.c). */
const char *irc_login_mechanisms(const struct irc_client *client);

/* Makes client->login, if there is none yet. False: no memory. */
bool irc_login_have(struct irc_client *client);

/* Goes on, as far as what was said goes. */
void irc_login_go_on(struct irc_client *client);
