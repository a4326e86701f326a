#include "irc/irc_account.h"

#include <sodium.h>
#include <stdlib.h>

#include "edge/proto/base64.h"
#include "irc/irc_network.h"

#define RESPONSE_MAX 1400u /* of AUTHENTICATE, in base64 */

/* --- what is remembered --------------------------------------------------------------------- */

static void secret_drop(char **at)
{
	if (*at)
		sodium_memzero(*at, strlen(*at));
	free(*at);
	*at = NULL;
}

void irc_account_forget(struct irc_network *network)
{
	secret_drop(&network->said_account);
	secret_drop(&network->said_password);
}

/* Another mechanism than by password is the user's own choice. */
static bool may_remember(const struct irc_network *network)
{
	const char *mechanism = network->conf.sasl_mechanism;

	return network->caps & IRC_CAP(SASL) && (!mechanism[0] || strcmp(mechanism, "PLAIN") == 0);
}

static void remember(struct irc_network *network, struct bytes account, struct bytes password)
{
	if (irc_network_set(network, BYTES("sasl_username"), account) ||
	    irc_network_set(network, BYTES("sasl_password"), password))
		return;
	if (!network->conf.sasl_mechanism[0])
		(void)irc_network_set(network, BYTES("sasl_mechanism"), BYTES("PLAIN"));
	irc_network_keep(network);
}

/* Until the server says that it is right. account empty: as it will say. */
static void wait_for_proof(struct irc_network *network, struct bytes account, struct bytes password)
{
	irc_account_forget(network);
	network->said_account = irc_copy(account);
	network->said_password = irc_copy(password);
}

void irc_account_proved(struct irc_network *network, struct bytes account)
{
	struct bytes said = irc_str(network->said_account);

	/* 903 says how that ends. */
	if (network->up && network->up->sasl_client)
		return;
	/* It may be of another login that was under way. */
	if (network->said_password && account.len &&
	    (!said.len || irc_same(network->is.casemap, said, account)) && may_remember(network))
		remember(network, account, bytes_str(network->said_password));
	irc_account_forget(network);
}

/* --- NickServ and REGISTER ------------------------------------------------------------------ */

static struct bytes next_word(struct bytes *rest)
{
	struct bytes word = {(const uint8_t *)"", 0};

	while (rest->len && !word.len)
		word = bytes_cut(rest, ' ');
	return word;
}

/* "IDENTIFY [account] password", "REGISTER password [email]", "SET PASSWORD new". */
static void said_to_nickserv(struct irc_network *network, struct bytes text)
{
	struct bytes order = next_word(&text), first = next_word(&text), second = next_word(&text);
	struct bytes none = {(const uint8_t *)"", 0};

	if (!first.len)
		return;
	if (bytes_equal_nocase(order, BYTES("IDENTIFY")))
		wait_for_proof(network, second.len ? first : none, second.len ? second : first);
	else if (bytes_equal_nocase(order, BYTES("REGISTER")))
		wait_for_proof(network, none, first);
	else if (bytes_equal_nocase(order, BYTES("SET")) && second.len &&
		 bytes_equal_nocase(first, BYTES("PASSWORD")) && network->conf.sasl_password[0])
		remember(network, bytes_str(network->conf.sasl_username), second);
}

void irc_account_said(struct irc_network *network, const struct irc_line *line, struct bytes target)
{
	char text[600];
	struct writer w = writer_of(text, sizeof text);

	/* What a login by AUTHENTICATE waits for is not another's to replace. */
	if (!may_remember(network) || (network->up && network->up->sasl_client))
		return;
	if (irc_verb_is(line, "PRIVMSG")) {
		if (bytes_equal_nocase(bytes_cut(&target, '@'), BYTES("NickServ")))
			said_to_nickserv(network, irc_param(line, 1));
	} else if (irc_verb_is(line, "NS") || irc_verb_is(line, "NICKSERV")) {
		for (unsigned i = 0; i < line->count; i++) {
			writer_str(&w, i ? " " : "");
			writer_put(&w, line->param[i]);
		}
		if (writer_ok(&w))
			said_to_nickserv(network, writer_done(&w));
	} else if (irc_verb_is(line, "REGISTER") && line->count > 2) {
		/* draft/account-registration: account or "*", mail, password */
		if (bytes_equal(target, BYTES("*")))
			target = (struct bytes){(const uint8_t *)"", 0};
		wait_for_proof(network, target, irc_param(line, 2));
	}
	sodium_memzero(text, sizeof text);
}

/* --- AUTHENTICATE --------------------------------------------------------------------------- */

enum { SAYS_NOTHING, SAYS_PLAIN, SAYS_ANONYMOUS };

static void stop(struct irc_client *client, unsigned number, const char *why)
{
	client->sasl_says = SAYS_NOTHING;
	if (client->sasl.at)
		sodium_memzero(client->sasl.at, client->sasl.to);
	irc_pipe_fini(&client->sasl);
	irc_client_number(client, number, ":%s", why);
}

static void begin(struct irc_client *client, const struct irc_network *network, struct bytes name)
{
	if (!network || network->state != IRC_STATE_UP || !network->up ||
	    !(network->caps & IRC_CAP(SASL))) {
		stop(client, 904, "There is no network here to log in to");
	} else if (network->up->sasl) {
		stop(client, 904, "Another login is under way");
	} else if (bytes_equal_nocase(name, BYTES("PLAIN")) ||
		   bytes_equal_nocase(name, BYTES("ANONYMOUS"))) {
		client->sasl_says =
			bytes_equal_nocase(name, BYTES("PLAIN")) ? SAYS_PLAIN : SAYS_ANONYMOUS;
		irc_client_say(client, "AUTHENTICATE +");
	} else {
		irc_client_number(client, 908, "PLAIN,ANONYMOUS :are available SASL mechanisms");
		stop(client, 904, "SASL authentication failed");
	}
}

/* All of the response is there. */
static void finish(struct irc_client *client, struct irc_network *network)
{
	uint8_t room[RESPONSE_MAX];
	struct writer w = writer_of(room, sizeof room);
	struct irc_plain plain;
	bool anonymous = client->sasl_says == SAYS_ANONYMOUS;

	if (!network || !network->up || network->state != IRC_STATE_UP || network->up->sasl) {
		stop(client, 904, "The network is not connected now");
	} else if (anonymous) {
		/* No account any more, from the next connection on. */
		(void)irc_network_set(network, BYTES("sasl_mechanism"), BYTES(""));
		(void)irc_network_set(network, BYTES("sasl_username"), BYTES(""));
		(void)irc_network_set(network, BYTES("sasl_password"), BYTES(""));
		irc_network_keep(network);
		stop(client, 903, "What was kept of your account is forgotten");
	} else if (!base64_decode(irc_pipe_bytes(&client->sasl), &w) ||
		   !irc_plain_parse(writer_done(&w), &plain)) {
		stop(client, 904, "SASL authentication failed");
	} else {
		wait_for_proof(network, plain.user, plain.password);
		network->up->sasl_client = client->number;
		client->sasl_says = SAYS_NOTHING;
		sodium_memzero(client->sasl.at, client->sasl.to);
		irc_pipe_fini(&client->sasl);
		if (!irc_register_login(network->up, irc_str(network->said_account),
					irc_str(network->said_password)))
			stop(client, 904, "Out of memory");
	}
	sodium_memzero(room, sizeof room);
}

void irc_account_authenticate(struct irc_client *client, const struct irc_line *line)
{
	struct irc_network *network = irc_client_network(client);
	struct bytes piece = irc_param(line, 0);

	if (bytes_equal(piece, BYTES("*"))) {
		stop(client, 906, "SASL authentication aborted");
		return;
	}
	if (client->sasl_says == SAYS_NOTHING) {
		begin(client, network, piece);
		return;
	}
	if (!bytes_equal(piece, BYTES("+")) &&
	    (piece.len > IRC_SASL_CHUNK || irc_pipe_len(&client->sasl) + piece.len > RESPONSE_MAX ||
	     !irc_pipe_put(&client->sasl, piece))) {
		stop(client, 905, "SASL message too long");
		return;
	}
	if (piece.len < IRC_SASL_CHUNK)
		finish(client, network);
}

void irc_account_answered(struct irc_upstream *up, bool good, struct bytes text)
{
	struct irc_network *network = up->network;
	struct bytes account = irc_str(network->said_account);
	uint32_t number = up->sasl_client;
	struct irc_client *client;

	up->sasl_client = 0;
	if (good && network->said_password) {
		remember(network, account, irc_str(network->said_password));
		if (strcmp(network->conf.sasl_mechanism, "PLAIN") != 0) {
			(void)irc_network_set(network, BYTES("sasl_mechanism"), BYTES("PLAIN"));
			irc_network_keep(network);
		}
	}
	irc_account_forget(network);
	/* Behind 900, which all are told. */
	irc_network_turn(network);
	client = irc_client_of(network->user, number);
	if (client)
		irc_client_number(client, good ? 903 : 904, ":%.*s", (int)text.len,
				  (const char *)text.at);
}
