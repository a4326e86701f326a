/* BouncerServ: users and the server. Accounts are everybody's (edge/account.h), and are changed by the
 * operations of the admin API that do so. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/log.h"
#include "core/metric.h"
#include "edge/account.h"
#include "edge/api.h"
#include "edge/edge.h"
#include "irc/irc_errand.h"
#include "irc/irc_service.h"
#include "irc/irc_user.h"

#define TOKEN_LEN 6u
#define SHOWN_MAX 200u /* a page: what is more is counted, and where all are is said */

static bool for_admins(struct irc_words *words)
{
	return words->order->is_admin || irc_refuse(words, "this is for administrators");
}

/* --- changes of accounts -------------------------------------------------------------------- */

/* worker: order ─▶ control: an operation of the API ─▶ worker ─▶ the worker of whom it is about ─▶ end */
struct change {
	struct message message;
	struct api_order api;
	struct irc_order *order;
	struct worker *home;
	const char *method, *path; /* path ends with the name where it is not that of all */
	char user[IRC_USER_SIZE], who[IRC_USER_SIZE];
	json_t *body;
	char *then; /* what that user orders then; or, where he is gone, NULL */
	unsigned status;
	char fault[200];
};

static void change_end(struct change *change, bool good)
{
	struct irc_order *order = change->order;

	json_decref(change->body);
	if (change->then)
		sodium_memzero(change->then, strlen(change->then));
	free(change->then);
	free(change);
	irc_order_end(order, good);
}

/* All that he had. */
static void erase(struct irc_errand *errand, struct irc_user *user)
{
	(void)errand;
	irc_user_erase(user);
}

static void on_followed(struct irc_errand *errand)
{
	struct change *change = errand->context;
	bool is_nobody = change->status == 404 && !errand->found,
	     good = !is_nobody && (errand->good || !errand->text);

	enter_worker();
	(void)irc_order_back(change->order);
	if (is_nobody)
		irc_order_say(change->order, "there is no user %s", change->user);
	for (size_t i = 0; i < json_array_size(errand->lines) && !good; i++)
		irc_order_say(change->order, "%s",
			      json_string_value(json_array_get(errand->lines, i)));
	irc_errand_free(errand);
	if (good)
		irc_order_say(change->order, "%s was %s", change->user,
			      strcmp(change->method, "POST") == 0 ? "created"
			      : strcmp(change->method, "DELETE") == 0
				      ? "deleted, with all that was his"
				      : "changed");
	change_end(change, good);
}

static void change_follow(struct change *change)
{
	struct irc_errand *errand = irc_errand_new(bytes_str(change->user), change->then);

	if (!errand) {
		irc_order_say(change->order, "out of memory");
		change_end(change, false);
		return;
	}
	errand->look = erase;
	errand->back = on_followed;
	errand->context = change;
	errand->is_admin = true;
	irc_errand_send(errand);
}

static void deliver_changed(struct message *message)
{
	struct change *change = container_of(message, struct change, message);

	enter_worker();
	/* Who has no account may be known here all the same. */
	if (change->status < 300 || (change->status == 404 && !change->then)) {
		change_follow(change);
		return;
	}
	(void)irc_order_back(change->order);
	irc_order_say(change->order, "%s", change->fault[0] ? change->fault : "it was refused");
	change_end(change, false);
}

static void on_ordered(struct api_order *api, unsigned status, const json_t *answer)
{
	struct change *change = container_of(api, struct change, api);
	const char *why =
		json_string_value(json_object_get(json_object_get(answer, "error"), "message"));

	enter_control();
	change->status = status;
	snprintf(change->fault, sizeof change->fault, "%s", why ? why : "");
	change->message.deliver = deliver_changed;
	worker_post(change->home, &change->message);
}

static void deliver_change(struct message *message)
{
	struct change *change = container_of(message, struct change, message);
	char path[API_ARG_MAX];
	json_t *body = change->body;

	enter_control();
	snprintf(path, sizeof path, API_ROOT "/users%s%s",
		 strcmp(change->method, "POST") == 0 ? "" : "/",
		 strcmp(change->method, "POST") == 0 ? "" : change->user);
	change->body = NULL;
	api_order(&change->api, change->method, path, change->who, body);
}

/* body and then are taken. */
static bool change_send(struct irc_words *words, const char *method, const char *user, json_t *body,
			char *then)
{
	struct change *change = calloc(1, sizeof *change);

	if (!change || strlen(user) >= sizeof change->user) {
		free(change);
		json_decref(body);
		free(then);
		return irc_refuse(words, "%s cannot be a name", user);
	}
	snprintf(change->user, sizeof change->user, "%s", user);
	memcpy(change->who, words->order->user->name, sizeof change->who);
	change->method = method;
	change->body = body;
	change->then = then;
	change->order = words->order;
	change->home = irc_here.worker;
	change->api.done = on_ordered;
	change->message.deliver = deliver_change;
	irc_order_wait(words->order);
	control_post(&change->message);
	return true;
}

/* -password, -admin, -enabled as the API has them; NULL: one was wrong, and that was said. */
static json_t *account_take(struct irc_words *words, unsigned from)
{
	const char *password = irc_words_take(words, from, "password"),
		   *hash = irc_words_take(words, from, "password-hash");
	bool admin = false, has_admin, enabled = true, has_enabled;
	json_t *body = json_object();

	if (!irc_words_flag(words, from, "admin", &admin, &has_admin) ||
	    !irc_words_flag(words, from, "enabled", &enabled, &has_enabled)) {
		json_decref(body);
		return NULL;
	}
	if (password)
		json_object_set_new(body, "password", json_string(password));
	if (hash)
		json_object_set_new(body, "password_hash", json_string(hash));
	if (has_admin)
		json_object_set_new(body, "rank", json_string(admin ? "admin" : "dj"));
	if (has_enabled)
		json_object_set_new(body, "disabled", json_boolean(!enabled));
	return body;
}

/* What is left, as an order of that user's. */
static char *rest_take(struct irc_words *words, unsigned from, const char *first)
{
	char text[3600];
	struct writer w = writer_of(text, sizeof text - 1);

	writer_str(&w, first);
	for (unsigned i = from; i < words->count; i++)
		irc_words_quote(&w, words->at[i]);
	return writer_ok(&w) ? irc_copy(writer_done(&w)) : NULL;
}

/* --- users ---------------------------------------------------------------------------------- */

static bool user_show(struct irc_words *words, const char *name, const struct account *account)
{
	return irc_say(words, "%s%s%s", name, irc_is_admin(name) ? " (admin)" : "",
		       account && account->disabled ? " (disabled)" : "");
}

bool service_user_status(struct irc_words *words, unsigned from)
{
	const struct irc_user *user = words->order->user;
	const struct account_book *book = account_book();

	if (from < words->count) {
		const struct account *account = account_find(book, bytes_str(words->at[from]));

		if (!for_admins(words))
			return false;
		if (!account)
			return irc_refuse(words, "there is no user %s", words->at[from]);
		return user_show(words, account->name, account);
	}
	irc_say(words, "%s%s: nick %s, %u networks, %u clients", user->name,
		irc_is_admin(user->name) ? " (admin)" : "", user->nick[0] ? user->nick : "(unset)",
		user->network_count, user->client_count);
	if (!words->order->is_admin)
		return true;
	for (uint32_t i = 0; i < book->account_count && i < SHOWN_MAX; i++)
		if (strcmp(book->accounts[i].name, user->name) != 0)
			user_show(words, book->accounts[i].name, &book->accounts[i]);
	if (book->account_count > SHOWN_MAX)
		irc_say(words, "and %u more: GET /api/v1/users has all",
			book->account_count - SHOWN_MAX);
	return true;
}

bool service_user_create(struct irc_words *words, unsigned from)
{
	const char *name = irc_words_take(words, from, "username");
	bool without = false, given;
	char password[25], *then;
	json_t *body;

	if (!for_admins(words))
		return false;
	if (!name || !irc_words_flag(words, from, "disable-password", &without, &given))
		return irc_refuse(words, "-username is missing");
	body = account_take(words, from);
	if (!body)
		return false;
	if (!without && !json_object_get(body, "password") &&
	    !json_object_get(body, "password_hash")) {
		json_decref(body);
		return irc_refuse(words, "-password is missing; -disable-password true: app "
					 "passwords and certificates alone let in");
	}
	json_object_set_new(body, "name", json_string(name));
	if (!json_object_get(body, "rank"))
		json_object_set_new(body, "rank", json_string("dj"));
	if (without) {
		/* One that nobody is told: app passwords and certificates are left. */
		auth_random_hex(password, 12);
		json_object_set_new(body, "password", json_string(password));
	}
	then = rest_take(words, from, "user update");
	if (!then) {
		json_decref(body);
		return irc_refuse(words, "that is too long");
	}
	return change_send(words, "POST", name, body, then);
}

static bool update_self(struct irc_words *words, unsigned from)
{
	const char *nick = irc_words_take(words, from, "nick"),
		   *realname = irc_words_take(words, from, "realname"),
		   *most = irc_words_take(words, from, "max-networks");
	struct irc_user *user = words->order->user;
	uint64_t number = 0;

	if (!irc_words_end(words, from) || (most && !for_admins(words)))
		return false;
	if (nick && !irc_is_nick(bytes_str(nick)))
		return irc_refuse(words, "%s is no nick", nick);
	if (most && strcmp(most, "-1") != 0 && !bytes_to_u64(bytes_str(most), 10000, &number))
		return irc_refuse(words, "-max-networks is a number; -1: as the settings say");
	if ((nick && !irc_user_set(user, &user->nick, bytes_str(nick))) ||
	    (realname && !irc_user_set(user, &user->realname, bytes_str(realname))))
		return irc_refuse(words, "that is too long, or no UTF-8");
	if (most)
		user->networks_most = strcmp(most, "-1") == 0 ? 0 : (uint32_t)number + 1;
	(void)irc_user_keep(user);
	return irc_say(words, "%s was changed", user->name);
}

bool service_user_update(struct irc_words *words, unsigned from)
{
	bool other = from < words->count && words->at[from][0] != '-';
	const char *name = other ? words->at[from] : words->order->user->name;
	char *then;
	json_t *body;

	from += other;
	if (other && !for_admins(words))
		return false;
	if (!other && !irc_words_peek(words, from, "password") &&
	    !irc_words_peek(words, from, "password-hash") &&
	    !irc_words_peek(words, from, "admin") && !irc_words_peek(words, from, "enabled"))
		return update_self(words, from);
	if (!for_admins(words))
		return false;
	body = account_take(words, from);
	if (!body)
		return false;
	then = rest_take(words, from, "user update");
	if (!then) {
		json_decref(body);
		return irc_refuse(words, "that is too long");
	}
	return change_send(words, "PUT", name, body, then);
}

/* So that nobody is deleted by a slip: a word that belongs to him and to this process. */
static void token_make(const char *what, char token[TOKEN_LEN + 1])
{
	struct bytes parts[] = {BYTES("irc deletion"), bytes_str(what)};
	uint8_t digest[AUTH_DIGEST_SIZE];

	auth_digest(digest, parts, COUNT_OF(parts));
	snprintf(token, TOKEN_LEN + 1, "%02x%02x%02x", digest[0], digest[1], digest[2]);
}

static bool is_token(const struct irc_words *words, const char *what, unsigned at)
{
	char token[TOKEN_LEN + 1];

	token_make(what, token);
	return at < words->count && strcmp(words->at[at], token) == 0;
}

static void token_ask(struct irc_order *order, const char *what, const char *usage)
{
	char token[TOKEN_LEN + 1];

	token_make(what, token);
	irc_order_say(order, "This cannot be undone. To go on: %s %s", usage, token);
}

bool irc_service_token(struct irc_words *words, const char *what, unsigned at, const char *usage)
{
	bool good = is_token(words, what, at);

	if (!good)
		token_ask(words->order, what, usage);
	return good;
}

static void deletion_ask(struct irc_order *order, const char *name)
{
	char usage[100];

	snprintf(usage, sizeof usage, "user delete %.60s", name);
	token_ask(order, name, usage);
}

static void only_look(struct irc_errand *errand, struct irc_user *user)
{
	(void)errand;
	(void)user;
}

static void on_sought(struct irc_errand *errand)
{
	struct irc_order *order = errand->context;

	enter_worker();
	(void)irc_order_back(order);
	if (errand->found)
		deletion_ask(order, errand->user);
	else
		irc_order_say(order, "there is no user %s", errand->user);
	irc_errand_free(errand);
	irc_order_end(order, false);
}

/* Who has no account may be known here all the same. */
static bool deletion_seek(struct irc_words *words, const char *name)
{
	struct irc_errand *errand = irc_errand_new(bytes_str(name), NULL);

	if (!errand)
		return irc_refuse(words, "there is no user %s", name);
	errand->look = only_look;
	errand->back = on_sought;
	errand->context = words->order;
	irc_order_wait(words->order);
	irc_errand_send(errand);
	return true;
}

bool service_user_delete(struct irc_words *words, unsigned from)
{
	const char *name = from < words->count ? words->at[from] : NULL;

	if (!for_admins(words))
		return false;
	if (!name || strcmp(name, edge_settings()->conf.admin_user) == 0)
		return irc_refuse(words, "whom? He of the settings cannot be deleted");
	if (is_token(words, name, from + 1))
		return change_send(words, "DELETE", name, NULL, NULL);
	if (!account_find(account_book(), bytes_str(name)))
		return deletion_seek(words, name);
	deletion_ask(words->order, name);
	return false;
}

static void on_run(struct irc_errand *errand)
{
	struct irc_order *order = errand->context;
	bool good = errand->good;

	enter_worker();
	(void)irc_order_back(order);
	for (size_t i = 0; i < json_array_size(errand->lines); i++)
		order->say(order, json_string_value(json_array_get(errand->lines, i)));
	if (!errand->found)
		irc_order_say(order, "there is no user %s", errand->user);
	irc_errand_free(errand);
	irc_order_end(order, good);
}

bool service_user_run(struct irc_words *words, unsigned from)
{
	struct irc_errand *errand;
	char *text;

	if (!for_admins(words))
		return false;
	if (from + 1 >= words->count)
		return irc_refuse(words, "user run NAME COMMAND …");
	text = rest_take(words, from + 1, "");
	errand = text ? irc_errand_new(bytes_str(words->at[from]), text) : NULL;
	free(text);
	if (!errand)
		return irc_refuse(words, "%s cannot be a name, or that is too long",
				  words->at[from]);
	/* With the rights of who orders; nobody comes to be by it. */
	errand->is_admin =
		account_find(account_book(), bytes_str(errand->user)) || irc_is_admin(errand->user);
	errand->back = on_run;
	errand->context = words->order;
	irc_order_wait(words->order);
	irc_errand_send(errand);
	return true;
}

/* --- the server ----------------------------------------------------------------------------- */

bool service_server_status(struct irc_words *words, unsigned from)
{
	return for_admins(words) && irc_words_end(words, from) &&
	       irc_say(words,
		       "%u accounts, %lld networks (%lld connected), %lld clients, %lld lines",
		       account_book()->account_count, (long long)metric_sum(METRIC_irc_networks),
		       (long long)metric_sum(METRIC_irc_networks_up),
		       (long long)metric_sum(METRIC_irc_clients),
		       (long long)metric_sum(METRIC_irc_lines));
}

struct broadcast {
	struct baton baton;
	char text[400];
};

static void broadcast_visit(struct baton *baton, struct worker *worker)
{
	const struct broadcast *broadcast = container_of(baton, struct broadcast, baton);
	struct irc_named *named;
	uint32_t at = 0;

	(void)worker;
	enter_worker();
	while (irc_here.runs && (named = irc_index_next(&irc_here.users, &at))) {
		struct irc_client *next,
			*client = container_of(named, struct irc_user, named)->clients;

		for (; client; client = next) {
			next = client->next;
			if (client->registered)
				irc_client_say(client, ":%s NOTICE %s :%s",
					       irc_conf_now()->hostname, client->nick,
					       broadcast->text);
		}
	}
}

static void broadcast_home(struct baton *baton)
{
	free(container_of(baton, struct broadcast, baton));
}

void irc_service_broadcast(struct bytes text)
{
	struct broadcast *broadcast = calloc(1, sizeof *broadcast);

	if (!broadcast)
		return;
	bytes_to_str(text, broadcast->text, sizeof broadcast->text);
	broadcast->baton.visit = broadcast_visit;
	broadcast->baton.home = broadcast_home;
	baton_send(&broadcast->baton);
}

bool service_server_notice(struct irc_words *words, unsigned from)
{
	char text[400];
	struct writer w = writer_of(text, sizeof text);

	if (!for_admins(words))
		return false;
	for (unsigned i = from; i < words->count; i++) {
		writer_str(&w, i > from ? " " : "");
		writer_str(&w, words->at[i]);
	}
	if (!writer_ok(&w) || !w.len)
		return irc_refuse(words, "server notice TEXT, of at most %zu bytes", sizeof text);
	irc_service_broadcast(writer_done(&w));
	return irc_say(words, "said");
}

static _Atomic bool debugs;

bool irc_service_debugs(void)
{
	return atomic_load_explicit(&debugs, memory_order_relaxed);
}

bool service_server_debug(struct irc_words *words, unsigned from)
{
	bool on = from < words->count && strcmp(words->at[from], "true") == 0;

	if (!for_admins(words))
		return false;
	if (from + 1 != words->count || (!on && strcmp(words->at[from], "false") != 0))
		return irc_refuse(words, "server debug true, or false");
	atomic_store_explicit(&debugs, on, memory_order_relaxed);
	return irc_say(words, on ? "lines of networks go to the log, until debug false"
				 : "lines of networks do not go to the log");
}
