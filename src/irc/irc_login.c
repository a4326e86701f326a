#include "irc/irc_login.h"

#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "edge/access.h"
#include "edge/account.h"
#include "edge/edge.h"
#include "edge/proto/base64.h"
#include "irc/irc_buffer.h"
#include "irc/irc_crypto.h"
#include "irc/irc_metadata.h"
#include "irc/irc_network.h"
#include "irc/irc_service.h"
#include "irc/irc_upstream.h"
#include "irc/irc_user.h"
#include "irc/irc_verifier.h"
#include "irc/proto/irc_bearer.h"

#define RESPONSE_MAX 10240u /* of AUTHENTICATE, in base64: tokens have some 2,000 bytes */

/* --- life ----------------------------------------------------------------------------------- */

void irc_login_free(struct irc_client *client)
{
	struct irc_login *login = client->login;

	if (!login || login->checks)
		return;
	client->login = NULL;
	tls_moved_free(login->moved);
	irc_pipe_fini(&login->response);
	irc_pipe_fini(&login->first);
	free(login->scram);
	if (login->pass)
		sodium_memzero(login->pass, strlen(login->pass));
	sodium_memzero(login->given, sizeof login->given);
	free(login->username);
	free(login->realname);
	free(login->pass);
	free(login->bind);
	free(login->away);
	free(login->as);
	free(login);
}

bool irc_login_have(struct irc_client *client)
{
	if (!client->login)
		client->login = calloc(1, sizeof *client->login);
	return client->login != NULL;
}

/* --- names ---------------------------------------------------------------------------------- */

/* "user/network@client", the latter two in either order and each once. */
static void name_split(struct irc_login *login, struct bytes name)
{
	size_t end = 0;

	while (end < name.len && name.at[end] != '/' && name.at[end] != '@')
		end++;
	bytes_to_str(bytes_first(name, end), login->user, sizeof login->user);
	name = bytes_skip(name, end);
	while (name.len) {
		bool is_network = name.at[0] == '/';

		name = bytes_skip(name, 1);
		for (end = 0; end < name.len && name.at[end] != '/' && name.at[end] != '@';)
			end++;
		bytes_to_str(bytes_first(name, end), is_network ? login->network : login->device,
			     sizeof login->network);
		name = bytes_skip(name, end);
	}
}

/* --- from worker to worker ------------------------------------------------------------------ */

static void deliver_move(struct message *message)
{
	struct irc_login *login = container_of(message, struct irc_login, message);
	struct irc_client *client = login->client;
	struct worker *worker = login->to;
	int error = 0;

	enter_worker();
	client->worker = worker;
	edge_joined(worker);
	if (login->moved) {
		error = tls_arrive(client->link.fd, login->moved, &client->link);
		login->moved = NULL;
	}
	if (!error && !irc_here.stopping)
		error = uv_poll_init(&worker->loop, &client->poll, client->link.fd);
	if (error || irc_here.stopping) {
		link_close(client->link);
		edge_left(worker);
		metric_add(METRIC_irc_clients, -1);
		irc_client_free(client);
		return;
	}
	client->poll_events = 0;
	client->state = IRC_CLIENT_STRANGER;
	client->next = irc_here.strangers;
	irc_here.strangers = client;
	irc_login_arrived(client);
}

static void on_unhooked(uv_handle_t *handle)
{
	struct irc_client *client = container_of((uv_poll_t *)handle, struct irc_client, poll);
	struct irc_login *login = client->login;

	login->message.deliver = deliver_move;
	worker_post(login->to, &login->message);
}

/* True: it is on its way, and the rest happens there. */
static bool login_moves(struct irc_client *client)
{
	struct irc_login *login = client->login;
	struct irc_client **link = &irc_here.strangers;

	enter_worker();
	login->to = irc_worker_of(bytes_str(login->user));
	if (login->to == irc_here.worker)
		return false;
	if (client->link.tls) {
		login->moved = tls_leave(&client->link);
		if (!login->moved) {
			irc_client_end(client, NULL);
			return true;
		}
	}
	while (*link != client)
		link = &(*link)->next;
	*link = client->next;
	login->client = client;
	client->state = IRC_CLIENT_MOVES;
	edge_left(client->worker);
	uv_close((uv_handle_t *)&client->poll, on_unhooked);
	return true;
}

/* --- passwords ------------------------------------------------------------------------------ */

enum stage { STAGE_SETTINGS, STAGE_USER, STAGE_END };

static const char *stored_at(const struct irc_login *login, unsigned stage)
{
	struct bytes user = bytes_str(login->user);
	const struct account *account = account_find(account_book(), user);

	if (stage == STAGE_SETTINGS)
		return bytes_equal(user, bytes_str(edge_settings()->conf.admin_user))
			       ? edge_settings()->conf.admin_password
			       : "";
	return account && !account->disabled ? account->stored : "";
}

static void login_in(struct irc_client *client);
static void sasl_reset(struct irc_login *login);

static void login_refused(struct irc_client *client, const char *why)
{
	struct irc_login *login = client->login;

	client->state = IRC_CLIENT_STRANGER;
	if (login->by_sasl) {
		login->by_sasl = false;
		sasl_reset(login);
		irc_client_number(client, 904, ":%s", why);
		irc_client_wake(client, (struct bytes){0});
		return;
	}
	irc_client_number(client, 464, ":%s", why);
	irc_client_end(client, why);
}

/* Whether it may try now; who has guessed wrong too often is refused. */
static enum lockout_word may_try(struct irc_client *client, enum lockout_kind kind,
				 struct bytes account, const struct bytes *parts, size_t count)
{
	struct lockout_rules rules = access_lockout_rules();
	struct lockout_try *attempt = &client->login->attempt;
	enum lockout_word word;
	unsigned wait_s;

	*attempt = lockout_try_of(kind, &client->peer, account, parts, count);
	word = lockout_ask(&rules, attempt, mono_now(), &wait_s);
	if (word == LOCKOUT_WAIT) {
		metric_add(METRIC_edge_lockout_refusals, 1);
		login_refused(client, kind == LOCKOUT_TOKEN
					      ? "Too many wrong tokens, try again later"
					      : "Too many wrong passwords, try again later");
	}
	return word;
}

static void count_wrong(const struct irc_client *client)
{
	struct lockout_rules rules = access_lockout_rules();
	char text[ADDRESS_TEXT_MAX + 1];
	uint64_t wait = lockout_wrong(&rules, &client->login->attempt, mono_now());

	if (wait) {
		metric_add(METRIC_edge_lockouts, 1);
		log_warnx("irc", "locked out", kv_str("address", address_text(&client->peer, text)),
			  kv_str("user", client->login->user), kv_ms("wait", wait));
	}
}

static void login_wrong(struct irc_client *client)
{
	metric_add(METRIC_edge_auth_failures, 1);
	count_wrong(client);
	login_refused(client, "Invalid username or password");
}

/* What was asked about it is answered. False: it went meanwhile, and nobody else has the login now. */
static bool is_still_there(struct irc_client *client)
{
	client->login->checks = false;
	if (client->state != IRC_CLIENT_GONE)
		return true;
	if (client->orphan)
		irc_client_free(client);
	return false;
}

static void next_stage(struct irc_client *client);
static void login_check(struct irc_client *client);

static void stored_digest(const struct irc_login *login, uint8_t out[AUTH_DIGEST_SIZE])
{
	auth_hash(out, "irc login", bytes_str(stored_at(login, login->stage)));
}

/* The password was right. If it is another one by now, its verifier must not be tied to that. */
static void learn(const struct irc_login *login)
{
	struct irc_user *user = irc_user_make(bytes_str(login->user));
	uint8_t now[AUTH_DIGEST_SIZE];

	stored_digest(login, now);
	if (user && auth_same(now, login->against))
		irc_verifier_learn(user, bytes_str(login->given), stored_at(login, login->stage));
}

static void on_checked(struct auth_check *check, enum auth_result result)
{
	struct irc_login *login = container_of(check, struct irc_login, check);
	struct irc_client *client = login->client;

	enter_worker();
	if (!is_still_there(client))
		return;
	if (result == AUTH_YES) {
		lockout_right(&login->attempt, mono_now());
		learn(login);
		login_in(client);
	} else if (result == AUTH_BUSY) {
		login_refused(client, "Too many logins at once, try again");
	} else {
		login->stage++;
		next_stage(client);
	}
}

/* What a token is worth. */
static void token_judged(struct irc_client *client, bool good)
{
	struct irc_login *login = client->login;

	if (!good) {
		metric_add(METRIC_edge_auth_failures, 1);
		/* A client that comes again and again with one that has ended locks nobody out. */
		if (!login->is_stale)
			count_wrong(client);
		login_refused(client, "Invalid token");
		return;
	}
	lockout_right(&login->attempt, mono_now());
	/* The name that it wanted may say a network and a client too. */
	if (login->user[0] && strcmp(login->user, login->outside.user) != 0) {
		login_refused(client, "That token is another's");
		return;
	}
	memcpy(login->user, login->outside.user, sizeof login->user);
	login->is_proven = true;
	if (!login_moves(client))
		login_check(client);
}

/* Others know him, or not. */
static void on_answered(struct irc_auth *outside, enum auth_result result)
{
	struct irc_login *login = container_of(outside, struct irc_login, outside);
	struct irc_client *client = login->client;

	enter_worker();
	if (!is_still_there(client))
		return;
	client->state = IRC_CLIENT_STRANGER;
	if (result == AUTH_BUSY) {
		login_refused(client, "Who you are cannot be asked now, try again");
	} else if (outside->by_token) {
		token_judged(client, result == AUTH_YES);
	} else if (result == AUTH_YES) {
		lockout_right(&login->attempt, mono_now());
		login_in(client);
	} else {
		login_wrong(client);
	}
}

static void ask_outside(struct irc_client *client)
{
	struct irc_login *login = client->login;

	login->outside.done = on_answered;
	if (!irc_auth_wanted(login->user)) {
		login_wrong(client);
		return;
	}
	login->checks =
		irc_auth_password(&login->outside, login->user, login->given, &client->peer);
	if (!login->checks)
		login_refused(client, "Who you are cannot be asked now, try again");
}

static void next_stage(struct irc_client *client)
{
	struct irc_login *login = client->login;

	while (login->stage < STAGE_END && !stored_at(login, login->stage)[0])
		login->stage++;
	login->client = client;
	if (login->stage == STAGE_END) {
		ask_outside(client);
		return;
	}
	login->checks = true;
	stored_digest(login, login->against);
	auth_start(&login->check, &irc_here.worker->loop, stored_at(login, login->stage),
		   bytes_str(login->given), on_checked);
}

/* On the worker of the user. */
static void login_check(struct irc_client *client)
{
	struct irc_login *login = client->login;
	struct irc_user *user = irc_user_find(bytes_str(login->user));
	const struct account *account = account_find(account_book(), bytes_str(login->user));
	struct irc_password *password =
		user && !(account && account->disabled)
			? irc_password_find(user, bytes_str(login->given), login->by_certificate)
			: NULL;
	struct bytes parts[] = {BYTES("irc"), bytes_str(login->given),
				bytes_str(stored_at(login, STAGE_SETTINGS)),
				bytes_str(stored_at(login, STAGE_USER))};

	client->state = IRC_CLIENT_CHECKS;
	if (login->is_proven) {
		login_in(client);
		return;
	}
	switch (may_try(client, LOCKOUT_PEOPLE, bytes_str(login->user), parts, COUNT_OF(parts))) {
	case LOCKOUT_GO: break;
	case LOCKOUT_WRONG:
		/* One that was revoked and given again under the same letters is right now. */
		if (password || irc_auth_wanted(login->user))
			break;
		login_refused(client, "Invalid username or password");
		return;
	case LOCKOUT_WAIT: return;
	}
	if (password) {
		lockout_right(&login->attempt, mono_now());
		if (login->by_certificate)
			irc_certificate_seen(user, password, bytes_str(login->given));
		irc_password_used(password, client->peer.ip);
		login_in(client);
		return;
	}
	if (login->by_certificate) {
		login_wrong(client);
		return;
	}
	login->stage = STAGE_SETTINGS;
	next_stage(client);
}

/* --- SCRAM ---------------------------------------------------------------------------------- */

static void sasl_say(struct irc_client *client, struct bytes text)
{
	char out[IRC_SASL_CHUNK];
	struct writer w = writer_of(out, sizeof out);

	base64_encode(text, &w);
	if (writer_ok(&w))
		irc_client_say(client, "AUTHENTICATE %.*s", (int)w.len, out);
}

/* On the worker of the user: the challenge. */
static void scram_begin(struct irc_client *client)
{
	struct irc_login *login = client->login;
	struct bytes parts[] = {BYTES("irc scram"), irc_pipe_bytes(&login->first)};
	const char *const stored[2] = {stored_at(login, STAGE_SETTINGS),
				       stored_at(login, STAGE_USER)};
	char nonce[33], out[250];
	struct writer w = writer_of(out, sizeof out);
	struct irc_scram_key key;

	login->by_sasl = true;
	if (may_try(client, LOCKOUT_PEOPLE, bytes_str(login->user), parts, COUNT_OF(parts)) ==
	    LOCKOUT_WAIT)
		return;
	auth_random_hex(nonce, 16);
	login->scram_is_real = irc_verifier_find(irc_user_find(bytes_str(login->user)),
						 bytes_str(login->user), stored, &key);
	login->scram = calloc(1, sizeof *login->scram);
	if (!login->scram || !irc_scram_challenge(login->scram, &irc_crypto, &key,
						  irc_pipe_bytes(&login->first), nonce, &w))
		login_refused(client, "SASL authentication failed");
	else
		sasl_say(client, writer_done(&w));
	irc_pipe_fini(&login->first);
}

/* What the client says: who it is, its proof, and that it has seen ours. */
static bool scram_step(struct irc_client *client, struct bytes said)
{
	struct irc_login *login = client->login;
	char out[250], name[200];
	struct writer w = writer_of(out, sizeof out), n = writer_of(name, sizeof name);

	if (login->scram_proved) {
		lockout_right(&login->attempt, mono_now());
		login_in(client);
		return true;
	}
	if (login->scram) {
		login->scram_proved =
			irc_scram_prove(login->scram, said, &w) && login->scram_is_real;
		if (login->scram_proved)
			sasl_say(client, writer_done(&w));
		else
			login_wrong(client);
		return true;
	}
	if (!irc_scram_user(said, &n) || !irc_pipe_put(&login->first, said))
		return false;
	login->user[0] = login->network[0] = login->device[0] = '\0';
	name_split(login, writer_done(&n));
	if (!login_moves(client))
		scram_begin(client);
	return true;
}

/* Whatever came of the last attempt, the next one begins anew. */
static void sasl_reset(struct irc_login *login)
{
	login->mechanism = IRC_SASL_NONE;
	login->by_certificate = false;
	irc_pipe_fini(&login->response);
	irc_pipe_fini(&login->first);
	free(login->scram);
	login->scram = NULL;
	login->scram_proved = login->scram_is_real = false;
	free(login->as);
	login->as = NULL;
}

/* --- in ------------------------------------------------------------------------------------- */

static void login_finish(struct irc_client *client);

/* He is who he says, and wants to be somebody else (RFC 4616 section 2: the authorization identity). */
static void login_as(struct irc_client *client)
{
	struct irc_login *login = client->login;
	const struct account *account;
	char by[IRC_USER_SIZE], text[ADDRESS_TEXT_MAX + 1];

	memcpy(by, login->user, sizeof by);
	name_split(login, bytes_str(login->as));
	free(login->as);
	login->as = NULL;
	account = account_find(account_book(), bytes_str(login->user));
	if (!irc_is_admin(by) || (!irc_is_admin(login->user) && (!account || account->disabled))) {
		login_refused(client, "You may not be somebody else");
		return;
	}
	log_info("irc", "logged in as another", kv_str("user", by), kv_str("as", login->user),
		 kv_str("address", address_text(&client->peer, text)));
	client->state = IRC_CLIENT_STRANGER;
	login->is_proven = true;
	if (!login_moves(client))
		login_check(client);
}

static void login_in(struct irc_client *client)
{
	struct irc_login *login = client->login;

	if (login->as) {
		login_as(client);
		return;
	}
	login->is_in = true;
	client->state = IRC_CLIENT_STRANGER;
	sodium_memzero(login->given, sizeof login->given);
	if (login->by_sasl) {
		irc_client_number(client, 900, "%s!%s@%s %s :You are now logged in as %s",
				  client->nick ? client->nick : "*",
				  login->username ? login->username : "*", irc_conf_now()->hostname,
				  login->user, login->user);
		irc_client_number(client, 903, ":SASL authentication successful");
	}
	irc_client_wake(client, (struct bytes){0});
	if (client->state == IRC_CLIENT_STRANGER)
		irc_login_go_on(client);
}

static bool refuse_plain(const struct irc_client *client)
{
	struct cidr local[2];

	if (client->secure || irc_conf_now()->plain == IRC_PLAIN_YES)
		return false;
	CHECK(cidr_parse(BYTES("127.0.0.0/8"), &local[0]) && cidr_parse(BYTES("::1"), &local[1]));
	return irc_conf_now()->plain == IRC_PLAIN_NO ||
	       !cidr_list_holds((struct cidr_list){local, 2}, &client->peer);
}

/* As far as what was said goes. */
void irc_login_go_on(struct irc_client *client)
{
	struct irc_login *login = client->login;

	if (!login || client->state != IRC_CLIENT_STRANGER || login->negotiates || !client->nick ||
	    !login->username || irc_here.hushed)
		return;
	if (login->is_in) {
		login_finish(client);
		return;
	}
	if (!login->pass) {
		irc_client_number(client, 464,
				  ":A password is needed: PASS user/network:password, "
				  "or SASL");
		irc_client_end(client, "A password is needed");
		return;
	}
	if (!login->user[0]) {
		struct bytes pass = bytes_str(login->pass), name = pass;
		size_t colon = bytes_find(pass, ':');

		/* "user/network:password" as one, or the name is USER's. */
		name_split(login, bytes_str(login->username));
		if (colon < pass.len) {
			struct irc_login trial = {0};

			name_split(&trial, bytes_first(name, colon));
			if (bytes_find(bytes_first(name, colon), '/') < colon ||
			    strcmp(trial.user, login->user) == 0 ||
			    !account_find(account_book(), bytes_str(login->user))) {
				name_split(login, bytes_first(name, colon));
				pass = bytes_skip(pass, colon + 1);
			}
		}
		bytes_to_str(pass, login->given, sizeof login->given);
	}
	if (!login_moves(client))
		login_check(client);
}

void irc_login_arrived(struct irc_client *client)
{
	if (irc_pipe_len(&client->login->first))
		scram_begin(client);
	else
		login_check(client);
	if (client->state == IRC_CLIENT_CHECKS || client->state == IRC_CLIENT_STRANGER)
		irc_client_wake(client, (struct bytes){0});
}

/* "irc.example.org", or with a port: a network that is tried by TLS, and is his when it lets him in. */
static struct irc_network *network_of_host(struct irc_user *user, struct bytes name)
{
	struct irc_network *network;
	struct irc_place place;
	char addr[120];
	struct writer w = writer_of(addr, sizeof addr - 1);

	writer_str(&w, "ircs://");
	writer_put(&w, name);
	addr[w.len] = '\0';
	if (bytes_find(name, '.') == name.len || !writer_ok(&w) ||
	    !irc_upstream_place(addr, 0, &place) || !irc_is_hostname(bytes_str(place.host)) ||
	    user->network_count >= irc_user_networks_most(user))
		return NULL;
	network = irc_network_make(user, irc_id_next(IRC_ID_NETWORK), name);
	if (!network)
		return NULL;
	network->is_trial = true;
	if (irc_network_set(network, BYTES("addr"), bytes_str(addr))) {
		irc_network_drop(network, false);
		return NULL;
	}
	irc_clients_new_network(network);
	irc_network_start(network);
	return network;
}

static void network_missing(struct irc_client *client, const struct irc_user *user,
			    const char *name)
{
	char known[300];
	struct writer w = writer_of(known, sizeof known - 1);

	for (const struct irc_network *n = user->networks; n && writer_ok(&w); n = n->next) {
		writer_str(&w, n == user->networks ? "; there are: " : ", ");
		writer_str(&w, n->name);
	}
	known[writer_ok(&w) ? w.len : 0] = '\0';
	irc_client_number(client, 464, ":There is no network of this name: %s%s", name, known);
}

/* Which network it meant. False: it is gone. */
static bool choose_network(struct irc_client *client, struct irc_user *user)
{
	struct irc_login *login = client->login;
	struct irc_network *network = NULL;
	uint64_t id;

	if (login->bind && bytes_to_u64(bytes_str(login->bind), UINT64_MAX, &id))
		network = irc_network_of_id(user, id);
	else if (login->network[0] && strcmp(login->network, "*") != 0)
		network = irc_network_find(user, bytes_str(login->network));
	if (!network && !login->bind)
		network = network_of_host(user, bytes_str(login->network));
	if ((login->bind || (login->network[0] && strcmp(login->network, "*") != 0)) && !network) {
		network_missing(client, user, login->bind ? login->bind : login->network);
		irc_client_end(client, "No such network");
		return false;
	}
	if (network)
		return irc_client_sit(client, network);
	/* A client that knows bouncer-networks asks for the others itself. */
	client->multi = !(client->caps & IRC_CAP(BOUNCER_NETWORKS)) || login->network[0];
	for (network = user->networks; client->multi && network; network = network->next)
		if (!irc_client_sit(client, network))
			return false;
	return true;
}

static void login_finish(struct irc_client *client)
{
	struct irc_login *login = client->login;
	struct irc_user *user = irc_user_make(bytes_str(login->user));
	struct irc_network *network;
	struct irc_client **link = &irc_here.strangers;
	char text[ADDRESS_TEXT_MAX + 1];
	bool is_new = false;

	if (!user || user->client_count >= irc_conf_now()->clients) {
		irc_client_end(client, user ? "Too many clients of this user" : "Out of memory");
		return;
	}
	while (*link != client)
		link = &(*link)->next;
	*link = client->next;
	client->user = user;
	client->next = user->clients;
	user->clients = client;
	user->client_count++;
	client->state = IRC_CLIENT_HERE;
	client->device = irc_device_make(user, bytes_str(login->device), &is_new);
	client->login_new_device = is_new;
	if (client->device < 0) {
		irc_client_end(client, "Out of memory");
		return;
	}
	irc_user_look(user, client->since_ms);
	if (client->state == IRC_CLIENT_GONE)
		return;
	if (login->away && login->away[0]) {
		client->away = true;
		if (strcmp(login->away, "*") != 0) {
			(void)irc_user_set(user, &user->away, bytes_str(login->away));
		}
	}
	/* A first login without anything set: the nick that he came with is as good as any. */
	if (!user->nick[0] && irc_is_nick(bytes_str(client->nick))) {
		(void)irc_user_set(user, &user->nick, bytes_str(client->nick));
		(void)irc_user_set(user, &user->realname, irc_str(login->realname));
	}
	if (!choose_network(client, user) || client->state == IRC_CLIENT_GONE)
		return;
	network = irc_client_network(client);
	client->bound = login->bind != NULL;
	client->registered = true;
	metric_add(METRIC_irc_logins, 1);
	log_info("irc", "client in", kv_str("user", user->name),
		 kv_str("network", network ? network->name : "*"), kv_str("client", login->device),
		 kv_str("address", address_text(&client->peer, text)),
		 kv_bool("tls", client->secure));
	irc_client_welcome(client);
	irc_login_free(client);
	if (client->state == IRC_CLIENT_HERE)
		irc_metadata_welcome(client);
	if (client->state == IRC_CLIENT_HERE)
		irc_client_attach(client);
	client->login_new_device = false;
	/* Lines behind the registration are heard by whoever called; if that was nobody, now. */
	if (client->state == IRC_CLIENT_HERE && !client->in_turn)
		irc_client_wake(client, (struct bytes){0});
}

/* --- what is said --------------------------------------------------------------------------- */

/* PLAIN, or EXTERNAL: the name that it says, or that it said before; the rest says the certificate. */
static bool sasl_take(struct irc_client *client, struct bytes said)
{
	struct irc_login *login = client->login;
	struct irc_plain plain;

	login->user[0] = login->network[0] = login->device[0] = '\0';
	login->by_certificate = login->mechanism == IRC_SASL_EXTERNAL;
	if (login->by_certificate) {
		if (!said.len)
			said = irc_str(login->username ? login->username : client->nick);
		name_split(login, said);
		bytes_to_str(bytes_str(client->fingerprint), login->given, sizeof login->given);
		return said.len > 0;
	}
	if (!irc_plain_parse(said, &plain) || plain.password.len >= sizeof login->given)
		return false;
	bytes_to_str(plain.password, login->given, sizeof login->given);
	name_split(login, plain.user);
	/* What names himself says nothing. */
	if (plain.authorize.len && plain.authorize.len < 200) {
		char name[IRC_USER_SIZE];
		struct bytes whole = plain.authorize;
		size_t end = bytes_find(whole, '/'), at = bytes_find(whole, '@');

		bytes_to_str(bytes_first(whole, end < at ? end : at), name, sizeof name);
		if (strcmp(name, login->user) != 0)
			irc_set(&login->as, whole);
	}
	return plain.authorize.len < 200;
}

/* OAUTHBEARER: asked where the connection is, as the answer says whose it is. */
static void bearer_ask(struct irc_client *client, const struct irc_bearer *said)
{
	struct irc_login *login = client->login;
	struct bytes parts[] = {BYTES("irc token"), bytes_str(irc_conf_now()->oauth_url),
				said->token};
	enum lockout_word word;

	name_split(login, said->user);
	login->client = client;
	login->by_sasl = true;
	word = may_try(client, LOCKOUT_TOKEN, said->token, parts, COUNT_OF(parts));
	if (word == LOCKOUT_WAIT)
		return;
	login->is_stale = word == LOCKOUT_WRONG;
	login->outside.done = on_answered;
	login->checks = irc_auth_token(&login->outside, said->token);
	if (login->checks)
		client->state = IRC_CLIENT_CHECKS;
	else
		login_refused(client, "Who you are cannot be asked now, try again");
}

static void bearer_done(struct irc_client *client, struct bytes response)
{
	struct irc_login *login = client->login;
	uint8_t *room = malloc(RESPONSE_MAX);
	struct writer w = writer_of(room, room ? RESPONSE_MAX : 0);
	struct irc_bearer said;

	sasl_reset(login);
	login->user[0] = login->network[0] = login->device[0] = '\0';
	if (room && base64_decode(response, &w) && irc_bearer_parse(writer_done(&w), &said))
		bearer_ask(client, &said);
	else
		irc_client_number(client, 904, ":SASL authentication failed");
	if (room)
		sodium_memzero(room, RESPONSE_MAX);
	free(room);
}

static void sasl_done(struct irc_client *client, struct bytes response)
{
	struct irc_login *login = client->login;
	uint8_t room[1024];
	struct writer w = writer_of(room, sizeof room);
	bool scram = login->mechanism == IRC_SASL_SCRAM_SHA_256, good;

	if (login->mechanism == IRC_SASL_OAUTHBEARER) {
		bearer_done(client, response);
		return;
	}
	good = base64_decode(response, &w) &&
	       (scram ? scram_step(client, writer_done(&w)) : sasl_take(client, writer_done(&w)));
	sodium_memzero(room, sizeof room);
	if (!good) {
		sasl_reset(login);
		irc_client_number(client, 904, ":SASL authentication failed");
		return;
	}
	if (scram)
		return;
	login->mechanism = IRC_SASL_NONE;
	login->by_sasl = true;
	if (!login_moves(client))
		login_check(client);
}

void irc_client_authenticate(struct irc_client *client, const struct irc_line *line)
{
	struct irc_login *login = client->login;
	struct bytes piece = irc_param(line, 0);

	if (bytes_equal(piece, BYTES("*"))) {
		sasl_reset(login);
		irc_client_number(client, 906, ":SASL authentication aborted");
		return;
	}
	if (login->mechanism == IRC_SASL_NONE) {
		sasl_reset(login);
		login->mechanism = irc_mechanism_of(piece);
		if (bytes_equal_nocase(piece, BYTES("OAUTHBEARER")) && irc_auth_takes_tokens())
			login->mechanism = IRC_SASL_OAUTHBEARER;
		if (login->mechanism == IRC_SASL_NONE ||
		    (login->mechanism == IRC_SASL_EXTERNAL && !client->fingerprint) ||
		    (login->mechanism == IRC_SASL_SCRAM_SHA_256 && !irc_conf_now()->scram)) {
			login->mechanism = IRC_SASL_NONE;
			irc_client_number(client, 908, "%s :are available SASL mechanisms",
					  irc_login_mechanisms(client));
			irc_client_number(client, 904, ":SASL authentication failed");
			return;
		}
		irc_pipe_fini(&login->response);
		irc_client_say(client, "AUTHENTICATE +");
		return;
	}
	if (!bytes_equal(piece, BYTES("+")) &&
	    (irc_pipe_len(&login->response) + piece.len > RESPONSE_MAX ||
	     piece.len > IRC_SASL_CHUNK || !irc_pipe_put(&login->response, piece))) {
		login->mechanism = IRC_SASL_NONE;
		irc_pipe_fini(&login->response);
		irc_client_number(client, 905, ":SASL message too long");
		return;
	}
	if (piece.len == IRC_SASL_CHUNK)
		return;
	struct irc_pipe response = login->response;

	login->response = (struct irc_pipe){0};
	sasl_done(client, irc_pipe_bytes(&response));
	if (response.at)
		sodium_memzero(response.at, response.to);
	irc_pipe_fini(&response);
}

void irc_login_line(struct irc_client *client, const struct irc_line *line)
{
	struct irc_login *login;

	if (refuse_plain(client)) {
		irc_client_end(client, "This bouncer wants TLS");
		return;
	}
	if (!irc_login_have(client)) {
		irc_client_end(client, "Out of memory");
		return;
	}
	login = client->login;
	if (irc_verb_is(line, "PASS")) {
		irc_set(&login->pass, irc_param(line, 0));
	} else if (irc_verb_is(line, "NICK")) {
		if (line->count && irc_param(line, 0).len < 64)
			irc_set(&client->nick, irc_param(line, 0));
		else
			irc_client_number(client, 431, ":No nickname given");
		irc_login_go_on(client);
	} else if (irc_verb_is(line, "USER")) {
		if (line->count < 4) {
			irc_client_number(client, 461, "USER :Not enough parameters");
			return;
		}
		irc_set(&login->username, irc_param(line, 0));
		irc_set(&login->realname, irc_param(line, 3));
		irc_login_go_on(client);
	} else if (irc_verb_is(line, "AUTHENTICATE")) {
		if (login->is_in)
			irc_client_number(client, 907, ":You have already authenticated");
		else
			irc_client_authenticate(client, line);
	} else if (irc_verb_is(line, "AWAY") && client->caps & IRC_CAP(PRE_AWAY)) {
		irc_set(&login->away, irc_param(line, 0));
	} else if (irc_verb_is(line, "ISUPPORT") && client->caps & IRC_CAP(EXTENDED_ISUPPORT)) {
		irc_client_isupport(client);
	} else if (irc_verb_is(line, "METADATA") && client->caps & IRC_CAP(METADATA)) {
		irc_metadata_order(client, line);
	} else if (irc_verb_is(line, "CLIENTCERT")) {
		irc_clientcert(client, line);
	} else if (irc_verb_is(line, "BOUNCER") &&
		   bytes_equal_nocase(irc_param(line, 0), BYTES("BIND"))) {
		if (login->is_in)
			irc_set(&login->bind, irc_param(line, 1));
		else
			irc_client_fail(client, "BOUNCER", "ACCOUNT_REQUIRED", "BIND",
					"Authentication needed");
	} else {
		/* irssi says "JOIN :" here, to see whether we are there. */
		irc_client_number(client, 451, ":You have not registered");
	}
}
