#include "irc/irc_user.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "edge/account.h"
#include "edge/auth.h"
#include "edge/edge.h"
#include "irc/irc_buffer.h"
#include "irc/irc_client.h"
#include "irc/irc_cursors.h"
#include "irc/irc_network.h"
#include "irc/irc_notify.h"
#include "irc/irc_push.h"
#include "irc/irc_upload.h"
#include "store/store_irc.h"

#define LABEL_MOST 100u /* bytes: it stands in a line; irc_label_fault() says how many */

_Thread_local struct irc_worker irc_here;

static _Atomic uint64_t ids[IRC_IDS];

/* --- text ----------------------------------------------------------------------------------- */

char *irc_copy(struct bytes text)
{
	char *made = malloc(text.len + 1);

	if (!made)
		return NULL;
	if (text.len)
		memcpy(made, text.at, text.len);
	made[text.len] = '\0';
	return made;
}

void irc_forget(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void irc_set(char **at, struct bytes text)
{
	char *made = irc_copy(text);

	if (!made)
		return;
	irc_forget(*at);
	*at = made;
}

/* --- ids ------------------------------------------------------------------------------------ */

uint64_t irc_id_next(enum irc_id kind)
{
	return atomic_fetch_add_explicit(&ids[kind], 1, memory_order_relaxed) + 1;
}

void irc_id_used(enum irc_id kind, uint64_t id)
{
	if (id > atomic_load_explicit(&ids[kind], memory_order_relaxed))
		atomic_store_explicit(&ids[kind], id, memory_order_relaxed);
}

/* --- users ---------------------------------------------------------------------------------- */

struct worker *irc_worker_of(struct bytes user)
{
	return worker_of(irc_hash(IRC_EXACT, user) % workers_count());
}

/* As accounts are: somebody of the same letters in another case is somebody else, whoever lets him in. */
struct irc_user *irc_user_find(struct bytes name)
{
	struct irc_named *named = irc_index_find(&irc_here.users, IRC_EXACT, name);

	return named ? container_of(named, struct irc_user, named) : NULL;
}

struct irc_user *irc_user_make(struct bytes name)
{
	struct irc_user *user = irc_user_find(name);

	if (user || name.len == 0 || name.len >= IRC_USER_SIZE)
		return user;
	user = calloc(1, sizeof *user);
	if (!user)
		return NULL;
	bytes_to_str(name, user->name, sizeof user->name);
	user->named.name = user->name;
	user->since_ms = wall_now_us() / 1000;
	user->nick = irc_copy(BYTES(""));
	user->realname = irc_copy(BYTES(""));
	if (!user->nick || !user->realname ||
	    !irc_index_put(&irc_here.users, IRC_EXACT, &user->named)) {
		free(user->nick);
		free(user->realname);
		free(user);
		return NULL;
	}
	return user;
}

bool irc_user_keep(const struct irc_user *user)
{
	json_t *tree = json_object();
	bool fits;
	char *text;

	json_object_set_new(tree, "nick", json_string(user->nick));
	json_object_set_new(tree, "realname", json_string(user->realname));
	if (user->away)
		json_object_set_new(tree, "away", json_string(user->away));
	if (user->scram)
		json_object_set_new(tree, "scram", json_string(user->scram));
	if (user->rule_count)
		json_object_set_new(tree, "rules", irc_rules_tree(user));
	if (user->networks_most)
		json_object_set_new(tree, "networks_most", json_integer(user->networks_most));
	text = json_dumps(tree, JSON_COMPACT);
	fits = text && strlen(text) <= STORE_IRC_TEXT_MAX;
	if (fits)
		store_irc_user(user->name, text);
	irc_forget(text);
	json_decref(tree);
	return fits;
}

bool irc_user_set(struct irc_user *user, char **at, struct bytes text)
{
	char *before = *at, *copy = text.at ? irc_copy(text) : NULL;

	if (text.at && (!copy || text.len > 1000 || !irc_is_utf8(text))) {
		free(copy);
		return false;
	}
	*at = copy;
	if (!irc_user_keep(user)) {
		*at = before;
		free(copy);
		return false;
	}
	free(before);
	return true;
}

void irc_user_take(struct irc_user *user, const char *settings)
{
	json_t *tree = json_loads(settings, 0, NULL);
	const char *away = json_string_value(json_object_get(tree, "away"));

	irc_set(&user->nick, irc_str(json_string_value(json_object_get(tree, "nick"))));
	irc_set(&user->realname, irc_str(json_string_value(json_object_get(tree, "realname"))));
	if (away)
		user->away = irc_copy(bytes_str(away));
	if (json_is_string(json_object_get(tree, "scram")))
		user->scram =
			irc_copy(bytes_str(json_string_value(json_object_get(tree, "scram"))));
	irc_rules_take(user, json_object_get(tree, "rules"));
	user->networks_most = (uint32_t)json_integer_value(json_object_get(tree, "networks_most"));
	json_decref(tree);
}

uint32_t irc_user_networks_most(const struct irc_user *user)
{
	return user->networks_most ? user->networks_most - 1 : (uint32_t)irc_conf_now()->networks;
}

static void password_free(struct irc_password *password)
{
	free(password->label);
	free(password->fingerprint);
	free(password);
}

void irc_user_drop(struct irc_user *user, bool keep)
{
	CHECK(!user->clients);
	while (user->networks)
		irc_network_drop(user->networks, keep);
	if (!keep) {
		for (struct irc_password *p = user->passwords; p; p = p->next)
			store_irc_password_drop(p->id);
		store_irc_user_drop(user->name);
	}
	while (user->passwords) {
		struct irc_password *next = user->passwords->next;

		password_free(user->passwords);
		user->passwords = next;
	}
	for (uint32_t i = 0; i < user->device_count; i++)
		free(user->devices[i].name);
	while (user->pushes)
		irc_push_drop(user, user->pushes->id, keep);
	free(user->rules);
	free(user->devices);
	irc_index_drop(&irc_here.users, &user->named);
	free(user->nick);
	free(user->realname);
	free(user->away);
	irc_forget(user->scram);
	free(user);
}

void irc_user_erase(struct irc_user *user)
{
	enter_worker();
	while (user->clients)
		irc_client_end(user->clients, "This account is no more");
	for (unsigned i = 0; i < user->device_count; i++)
		if (user->devices[i].id)
			irc_device_drop(user, i);
	irc_upload_erase(user->name);
	irc_user_drop(user, false);
}

/* --- rest ----------------------------------------------------------------------------------- */

/* When a client of his was here; of who has none, since he is known. */
static int64_t last_seen(const struct irc_user *user)
{
	int64_t seen_ms = 0;

	for (uint32_t i = 0; i < user->device_count; i++)
		if (user->devices[i].id && user->devices[i].seen_ms > seen_ms)
			seen_ms = user->devices[i].seen_ms;
	return seen_ms ? seen_ms : user->since_ms;
}

/* He of the settings comes in by them, whatever the book says. */
static bool is_shut_out(const struct account *account)
{
	return account && account->disabled &&
	       strcmp(account->name, edge_settings()->conf.admin_user) != 0;
}

void irc_users_look(int64_t now_ms)
{
	const struct account_book *book = account_book();
	struct irc_named *named;
	uint32_t at = 0;

	for (uint32_t i = 0; i < book->account_count; i++) {
		const struct account *account = &book->accounts[i];
		struct irc_user *user =
			is_shut_out(account) ? irc_user_find(bytes_str(account->name)) : NULL;

		if (user)
			user->is_disabled = true;
	}
	while ((named = irc_index_next(&irc_here.users, &at)))
		irc_user_look(container_of(named, struct irc_user, named), now_ms);
}

void irc_user_look(struct irc_user *user, int64_t now_ms)
{
	int64_t most = (int64_t)irc_conf_now()->inactive;
	bool rests;

	user->is_disabled = user->is_disabled &&
			    is_shut_out(account_find(account_book(), bytes_str(user->name)));
	while (user->is_disabled && user->clients)
		irc_client_end(user->clients, "This account is disabled");
	rests = user->is_disabled || (most && !user->clients && now_ms - last_seen(user) > most);
	if (rests == user->rests)
		return;
	user->rests = rests;
	log_info("irc", "user rests", kv_str("user", user->name), kv_bool("rests", rests));
	for (struct irc_network *network = user->networks; network; network = network->next)
		if (rests) {
			irc_network_stop(network, NULL);
			irc_set(&network->why,
				user->is_disabled
					? BYTES("Your account is disabled")
					: BYTES("No client of yours came for a long time"));
		} else {
			irc_network_start(network);
		}
}

/* --- devices -------------------------------------------------------------------------------- */

int irc_device_find(const struct irc_user *user, struct bytes name)
{
	for (uint32_t i = 0; i < user->device_count; i++)
		if (user->devices[i].id && bytes_equal(bytes_str(user->devices[i].name), name))
			return (int)i;
	return -1;
}

void irc_device_drop(struct irc_user *user, unsigned place)
{
	struct irc_device *device = &user->devices[place];

	for (struct irc_network *network = user->networks; network; network = network->next)
		irc_buffers_forget_device(network, place);
	store_irc_device_drop(device->id);
	free(device->name);
	*device = (struct irc_device){0};
}

static bool device_is_here(const struct irc_user *user, uint32_t place)
{
	for (const struct irc_client *client = user->clients; client; client = client->next)
		if (client->device == (int)place)
			return true;
	return false;
}

/* A place that is free: a new one, or that of the one seen least lately of those not here. When all are
 * here there are more for a while. */
static int device_place(struct irc_user *user)
{
	uint32_t most = (uint32_t)irc_conf_now()->devices, oldest = UINT32_MAX;
	struct irc_device *larger;

	for (uint32_t i = 0; i < user->device_count; i++) {
		if (!user->devices[i].id)
			return (int)i;
		if ((oldest == UINT32_MAX ||
		     user->devices[i].seen_ms < user->devices[oldest].seen_ms) &&
		    !device_is_here(user, i))
			oldest = i;
	}
	if (user->device_count >= most && oldest != UINT32_MAX) {
		irc_device_drop(user, oldest);
		return (int)oldest;
	}
	larger = realloc(user->devices, (user->device_count + 1) * sizeof *larger);
	if (!larger)
		return -1;
	user->devices = larger;
	larger[user->device_count] = (struct irc_device){0};
	return (int)user->device_count++;
}

bool irc_device_add(struct irc_user *user, uint64_t id, struct bytes name, int64_t seen_ms)
{
	char *copy = irc_copy(name);
	int place = copy ? device_place(user) : -1;

	if (place < 0) {
		free(copy);
		return false;
	}
	user->devices[place] = (struct irc_device){id, copy, seen_ms};
	return true;
}

int irc_device_make(struct irc_user *user, struct bytes name, bool *is_new)
{
	int64_t now = wall_now_us() / 1000;
	int place = irc_device_find(user, name);

	*is_new = place < 0;
	if (*is_new && irc_device_add(user, irc_id_next(IRC_ID_DEVICE), name, now))
		place = irc_device_find(user, name);
	irc_device_seen(user, place);
	return place;
}

void irc_device_seen(struct irc_user *user, int place)
{
	struct irc_device *device = place < 0 ? NULL : &user->devices[place];

	if (!device)
		return;
	device->seen_ms = wall_now_us() / 1000;
	store_irc_device(device->id, user->name, device->name, device->seen_ms);
}

/* --- passwords ------------------------------------------------------------------------------ */

static void password_keep(const struct irc_user *user, const struct irc_password *password)
{
	store_irc_password(&(struct store_irc_password){
		.id = password->id,
		.user = user->name,
		.label = password->label,
		.kind = password->is_certificate ? "certificate" : "password",
		.hash = password->hash,
		.created_ms = password->created_ms,
		.fingerprint = password->fingerprint,
	});
}

const char *irc_label_fault(const struct irc_user *user, struct bytes label)
{
	unsigned count = 0;

	if (!label.len || label.len > LABEL_MOST)
		return "a label has 1 to 100 bytes";
	for (const struct irc_password *p = user->passwords; p; p = p->next, count++)
		if (bytes_equal(bytes_str(p->label), label))
			return p->is_certificate ? "there is a certificate of that label already"
						 : "there is a password of that label already";
	return count < irc_conf_now()->passwords
		       ? NULL
		       : "there are as many passwords and certificates as may be (irc.passwords)";
}

static struct irc_password *password_add(struct irc_user *user, struct bytes label,
					 bool is_certificate, struct bytes secret)
{
	struct irc_password *password;

	if (irc_label_fault(user, label))
		return NULL;
	password = calloc(1, sizeof *password);
	if (!password)
		return NULL;
	password->label = irc_copy(label);
	password->fingerprint = irc_copy(is_certificate ? secret : (struct bytes){0});
	if (!password->label || !password->fingerprint) {
		password_free(password);
		return NULL;
	}
	password->id = irc_id_next(IRC_ID_PASSWORD);
	password->is_certificate = is_certificate;
	password->created_ms = wall_now_us() / 1000;
	auth_hash(password->hash, is_certificate ? "irc certificate" : "irc password", secret);
	password->next = user->passwords;
	user->passwords = password;
	password_keep(user, password);
	return password;
}

struct irc_password *irc_password_make(struct irc_user *user, struct bytes label,
				       char out[IRC_PASSWORD_LEN + 1])
{
	auth_random_hex(out, IRC_PASSWORD_LEN / 2);
	return password_add(user, label, false, bytes_str(out));
}

struct irc_password *irc_certificate_add(struct irc_user *user, struct bytes label,
					 struct bytes fingerprint)
{
	return password_add(user, label, true, fingerprint);
}

bool irc_password_drop(struct irc_user *user, struct bytes label)
{
	for (struct irc_password **link = &user->passwords; *link; link = &(*link)->next) {
		struct irc_password *password = *link;

		if (!bytes_equal(bytes_str(password->label), label))
			continue;
		store_irc_password_drop(password->id);
		*link = password->next;
		password_free(password);
		return true;
	}
	return false;
}

struct irc_password *irc_password_find(const struct irc_user *user, struct bytes given,
				       bool is_certificate)
{
	struct irc_password *found = NULL;
	uint8_t hash[32];

	if (!given.len)
		return NULL;
	auth_hash(hash, is_certificate ? "irc certificate" : "irc password", given);
	/* All are looked at, so that the time does not say which one it nearly was. */
	for (struct irc_password *p = user->passwords; p; p = p->next)
		if (p->is_certificate == is_certificate && auth_same(hash, p->hash))
			found = p;
	return found;
}

void irc_certificate_seen(const struct irc_user *user, struct irc_password *password,
			  struct bytes fingerprint)
{
	if (password->fingerprint && password->fingerprint[0])
		return;
	irc_set(&password->fingerprint, fingerprint);
	if (password->fingerprint)
		password_keep(user, password);
}

void irc_password_used(struct irc_password *password, const uint8_t ip[16])
{
	password->used_ms = wall_now_us() / 1000;
	memcpy(password->ip, ip, 16);
	store_irc_password_used(password->id, password->used_ms, ip);
}
