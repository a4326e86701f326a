#include "radio/radio_auth_url.h"

#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "edge/document.h"
#include "edge/edge.h"
#include "edge/fetch.h"
#include "edge/proto/basic_auth.h"
#include "edge/proto/url.h"
#include "edge/sign.h"
#include "radio/radio.h"
#include "radio/radio_listener.h"

#define BODY_MAX     16384u
#define ANSWER_MAX   16384u
#define KNOWN_COUNT  512u
#define GUEST_SLOTS  1024u
#define LEAVES_MAX   20000u /* told later, on one worker */
#define LEAVES_ASKED 8u     /* at a time */

/* Who asks, in the words of a request. */
struct asking {
	const char *action;
	char mount[FEED_NAME_MAX + 1];
	struct bytes target; /* the mount with its query, as it came */
	char user[128], password[256];
	struct address peer;
	struct bytes agent;
	uint64_t client;
	uint64_t duration;
	bool title;                    /* an encoder sets one */
	const struct request *request; /* for headers to be handed on; or NULL */
};

struct ask {
	struct fetch fetch;
	struct conn *conn; /* NULL: nobody waits for the answer */
	bool hook;
	bool leave; /* of a listener: the next may be told */
	struct admission admission;
	char mount[FEED_NAME_MAX + 1];
	uint8_t key[16]; /* of the cache */
	void (*then)(struct conn *conn, enum auth_answer answer, const struct admission *admission,
		     const char *message);
};

/* A yes of lately. */
struct known {
	uint8_t key[16];
	mono_t until;
	uint64_t limit_ms;
};

/* A listener whose leaving is to be told. */
struct guest {
	struct guest *next;
	uint32_t row;
	uint64_t id, duration;
	char mount[FEED_NAME_MAX + 1];
	struct address peer;
	char user[128], password[256], agent[128], target[512];
};

static _Thread_local struct known known[KNOWN_COUNT];
static _Thread_local unsigned known_next;
static _Thread_local unsigned asked;
static _Thread_local struct guest *guests[GUEST_SLOTS];
static _Thread_local struct guest *leaves, **leaves_last;
static _Thread_local unsigned leaves_count, leaves_asked;
static _Thread_local bool stopped;

static void leaves_tell(void);

/* --- what is asked -------------------------------------------------------------------------- */

static const char *url_of(const struct mount_conf *conf, enum auth_what what)
{
	return what == AUTH_LISTENER ? conf->auth_listener_add : conf->auth_stream;
}

bool auth_url_wanted(const struct mount_conf *conf, enum auth_what what)
{
	return url_of(conf, what)[0] || conf->auth_hook[0];
}

static void put_server(struct writer *w)
{
	url_form_put(w, "server", bytes_str(edge_settings()->conf.http_hostname));
	url_form_put_dec(w, "port", edge_port());
}

static void put_headers(struct writer *w, const struct mount_conf *conf,
			const struct request *request)
{
	for (size_t i = 0; request && i < conf->auth_headers.count; i++) {
		const char *name = conf->auth_headers.at[i];
		struct bytes value = http1_header_get(&request->head, bytes_str(name));
		char key[160];

		if (!value.at)
			continue;
		snprintf(key, sizeof key, "%.60s%.90s", conf->auth_header_prefix, name);
		url_form_put(w, key, value);
	}
}

/* The fields of Icecast 2.4, in its order. */
static void write_form(struct writer *w, const struct asking *asking, const struct mount_conf *conf)
{
	char ip[ADDRESS_TEXT_MAX + 1];
	bool stream = strcmp(asking->action, "stream_auth") == 0;

	url_form_put(w, "action", bytes_str(asking->action));
	if (!stream)
		put_server(w);
	if (!stream)
		url_form_put_dec(w, "client", asking->client);
	url_form_put(w, "mount", asking->target);
	if (stream) {
		url_form_put(w, "ip", bytes_str(address_text(&asking->peer, ip)));
		put_server(w);
	}
	url_form_put(w, "user", bytes_str(asking->user));
	url_form_put(w, "pass", bytes_str(asking->password));
	if (strcmp(asking->action, "listener_remove") == 0)
		url_form_put_dec(w, "duration", asking->duration);
	if (!stream) {
		url_form_put(w, "ip", bytes_str(address_text(&asking->peer, ip)));
		url_form_put(w, "agent", asking->agent);
	}
	if (asking->title)
		url_form_put(w, "admin", BYTES("1"));
	put_headers(w, conf, asking->request);
}

static json_t *hook_tree(const struct asking *asking, const struct mount_conf *conf)
{
	char ip[ADDRESS_TEXT_MAX + 1], text[1024];
	json_t *tree = json_object(), *headers = json_object();
	struct bytes path, query;

	url_split_target(asking->target, &path, &query);
	json_object_set_new(tree, "action", json_string(asking->action));
	json_object_set_new(tree, "mount", document_text(asking->mount));
	bytes_to_str(query, text, sizeof text);
	json_object_set_new(tree, "query", document_text(text));
	json_object_set_new(tree, "user", document_text(asking->user));
	json_object_set_new(tree, "password", document_text(asking->password));
	json_object_set_new(tree, "ip", json_string(address_text(&asking->peer, ip)));
	bytes_to_str(asking->agent, text, sizeof text);
	json_object_set_new(tree, "agent", document_text(text));
	json_object_set_new(tree, "client", json_integer((json_int_t)asking->client));
	if (strcmp(asking->action, "listener_remove") == 0)
		json_object_set_new(tree, "duration", json_integer((json_int_t)asking->duration));
	for (size_t i = 0; asking->request && i < conf->auth_headers.count; i++) {
		bytes_to_str(http1_header_get(&asking->request->head,
					      bytes_str(conf->auth_headers.at[i])),
			     text, sizeof text);
		json_object_set_new(headers, conf->auth_headers.at[i], document_text(text));
	}
	json_object_set_new(tree, "headers", headers);
	if (asking->title)
		json_object_set_new(tree, "title", json_true());
	return tree;
}

/* Sends it. url: of Icecast's kind; "": the hook is asked. False: it could not be. */
static bool ask_start(struct ask *ask, const struct asking *asking, const struct mount_conf *conf,
		      const char *url, void (*done)(struct fetch *fetch))
{
	struct fetch_request request = {
		.method = "POST",
		.url = url[0] ? url : conf->auth_hook,
		.timeout_ms = conf->auth_timeout,
		.connect_ms = conf->auth_timeout,
		.body_max = ANSWER_MAX,
		.done = done,
	};
	struct signature signature = {0};
	char body[BODY_MAX], *json = NULL;
	struct writer w = writer_of(body, sizeof body);
	bool started;

	ask->hook = !url[0];
	bytes_to_str(bytes_str(asking->mount), ask->mount, sizeof ask->mount);
	if (ask->hook) {
		json_t *tree = hook_tree(asking, conf);

		json = json_dumps(tree, JSON_COMPACT);
		json_decref(tree);
		if (!json)
			return false;
		request.body = bytes_str(json);
		request.headers[0] = "Content-Type: application/json";
		if (conf->auth_hook_secret[0]) {
			sign_body(&signature, conf->auth_hook_secret, request.body,
				  wall_now_us() / 1000000);
			request.headers[1] = signature.timestamp;
			request.headers[2] = signature.signature;
		}
	} else {
		write_form(&w, asking, conf);
		if (!writer_ok(&w))
			return false;
		request.body = writer_done(&w);
		if (conf->auth_user[0]) {
			request.user = conf->auth_user;
			request.password = conf->auth_password;
		} else if (asking->user[0]) {
			/* As Icecast does: the program may be one that knows Basic itself. */
			request.user = asking->user;
			request.password = asking->password;
		}
	}
	metric_add(METRIC_radio_auth_asked, 1);
	started = fetch_start(&ask->fetch, &request) == 0;
	free(json);
	return started;
}

/* --- the cache ------------------------------------------------------------------------------ */

static void key_of(uint8_t key[16], const struct asking *asking)
{
	char ip[ADDRESS_TEXT_MAX + 1];
	const char *parts[] = {asking->action, asking->mount, asking->user, asking->password,
			       address_text(&asking->peer, ip)};
	struct bytes id = radio_id(); /* as secret as it is random */
	crypto_generichash_state state;

	crypto_generichash_init(&state, id.at, id.len, 16);
	for (size_t i = 0; i < COUNT_OF(parts); i++)
		crypto_generichash_update(&state, (const uint8_t *)parts[i], strlen(parts[i]) + 1);
	/* A token in the query is a credential like any other. */
	crypto_generichash_update(&state, asking->target.at, asking->target.len);
	crypto_generichash_update(&state, (const uint8_t *)"", 1);
	crypto_generichash_update(&state, asking->agent.at ? asking->agent.at : (const uint8_t *)"",
				  asking->agent.len);
	crypto_generichash_final(&state, key, 16);
}

static const struct known *known_find(const uint8_t key[16], mono_t now)
{
	for (unsigned i = 0; i < KNOWN_COUNT; i++)
		if (mono_before(now, known[i].until) &&
		    sodium_memcmp(known[i].key, key, sizeof known[i].key) == 0)
			return &known[i];
	return NULL;
}

static void known_add(const struct ask *ask, uint64_t ms)
{
	struct known *slot = &known[known_next++ % KNOWN_COUNT];

	memcpy(slot->key, ask->key, sizeof slot->key);
	slot->until = mono_add_ms(mono_now(), (int64_t)ms);
	slot->limit_ms = ask->admission.limit_ms;
}

/* --- the answer ----------------------------------------------------------------------------- */

/* "Name: value" of the settings: the header of that name begins with that value. */
static bool has_header(const struct fetch *fetch, const char *wanted)
{
	struct bytes value = bytes_str(wanted), name = bytes_trim(bytes_cut(&value, ':')), found;
	char text[128];

	bytes_to_str(name, text, sizeof text);
	found = fetch_header(fetch, text);
	return found.at && bytes_start_with_nocase(found, bytes_trim(value));
}

static uint64_t header_seconds(const struct fetch *fetch, const char *wanted)
{
	struct bytes all = bytes_str(wanted), name = bytes_trim(bytes_cut(&all, ':'));
	uint64_t seconds = 0;
	char text[128];

	bytes_to_str(name, text, sizeof text);
	return bytes_to_u64(fetch_header(fetch, text), 100000000, &seconds) ? seconds : 0;
}

static bool read_hook(struct ask *ask, char *message, size_t size)
{
	struct bytes body = fetch_body(&ask->fetch);
	json_t *tree = json_loadb((const char *)body.at, body.len, 0, NULL);
	json_int_t limit = json_integer_value(json_object_get(tree, "limit"));
	const char *words = json_string_value(json_object_get(tree, "message"));
	bool allow = json_is_true(json_object_get(tree, "allow"));

	if (limit > 0 && limit < 100000000)
		ask->admission.limit_ms = (uint64_t)limit * 1000;
	bytes_to_str(bytes_str(words ? words : ""), message, size);
	json_decref(tree);
	return allow;
}

static bool read_headers(struct ask *ask, const struct mount_conf *conf, char *message, size_t size)
{
	ask->admission.limit_ms = header_seconds(&ask->fetch, conf->auth_timelimit_header) * 1000;
	bytes_to_str(fetch_header(&ask->fetch, "icecast-auth-message"), message, size);
	return has_header(&ask->fetch, conf->auth_header);
}

static bool is_down(const struct fetch *fetch)
{
	return fetch->result != FETCH_OK || fetch->status >= 500;
}

static enum auth_answer judge(struct ask *ask, const struct mount_conf *conf, char *message,
			      size_t size)
{
	const struct fetch *fetch = &ask->fetch;
	bool allowed;

	message[0] = '\0';
	if (fetch->result == FETCH_STOPPED)
		return AUTH_URL_BUSY;
	if (is_down(fetch)) {
		metric_add(METRIC_radio_auth_down, 1);
		log_warnx("radio", "auth server down", kv_str("mount", ask->mount),
			  kv_u64("status", fetch->status), kv_str("why", fetch->error),
			  kv_bool("let_in", conf->auth_when_down == AUTH_DOWN_ALLOW));
		return conf->auth_when_down == AUTH_DOWN_ALLOW ? AUTH_URL_YES : AUTH_URL_NO;
	}
	allowed =
		ask->hook ? read_hook(ask, message, size) : read_headers(ask, conf, message, size);
	if (allowed && conf->auth_cache)
		known_add(ask, conf->auth_cache);
	if (!allowed)
		metric_add(METRIC_radio_auth_denied, 1);
	return allowed ? AUTH_URL_YES : AUTH_URL_NO;
}

static void on_answer(struct fetch *fetch)
{
	struct ask *ask = container_of(fetch, struct ask, fetch);
	char message[256];
	enum auth_answer answer;

	enter_worker();
	asked--;
	answer = judge(ask, radio_mount_conf(ask->mount), message, sizeof message);
	fetch_fini(fetch);
	ask->then(ask->conn, answer, &ask->admission, message);
	free(ask);
}

static void take_credentials(struct asking *asking, struct bytes user, struct bytes password)
{
	uint8_t room[512];
	struct writer w = writer_of(room, sizeof room);
	struct basic_auth basic;
	struct bytes value;

	if (!password.at && asking->request) {
		value = http1_header_get(&asking->request->head, BYTES("Authorization"));
		if (basic_auth_parse(value, &w, &basic) == BASIC_AUTH_OK) {
			user = basic.user;
			password = basic.password;
		}
	}
	bytes_to_str(user, asking->user, sizeof asking->user);
	bytes_to_str(password, asking->password, sizeof asking->password);
}

static struct asking asking_of(const struct request *request, const char *mount, const char *action)
{
	struct asking asking = {
		.action = action,
		.target = http1_target_path(request->head.target),
		.peer = request->peer,
		.agent = http1_header_get(&request->head, BYTES("User-Agent")),
		.request = request,
	};

	bytes_to_str(bytes_str(mount), asking.mount, sizeof asking.mount);
	if (!asking.target.len)
		asking.target = bytes_str(asking.mount);
	return asking;
}

void auth_url_ask(struct conn *conn, const char *mount, enum auth_what what, struct bytes user,
		  struct bytes password,
		  void (*then)(struct conn *conn, enum auth_answer answer,
			       const struct admission *admission, const char *message))
{
	const struct mount_conf *conf = radio_mount_conf(mount);
	struct asking asking = asking_of(conn_request(conn), mount,
					 what == AUTH_LISTENER ? "listener_add" : "stream_auth");
	struct admission admission = {0};
	const struct known *yes;
	struct ask *ask;

	asking.title = what == AUTH_TITLE;
	take_credentials(&asking, user, password);
	if (what != AUTH_LISTENER)
		asking.target = bytes_str(asking.mount);
	if (what == AUTH_LISTENER) {
		asking.client = admission.id = listener_next_id();
		admission.tell = conf->auth_listener_remove[0] || conf->auth_hook[0];
		bytes_to_str(bytes_str(asking.user), admission.user, sizeof admission.user);
	}
	ask = asked < radio_conf()->auth_requests && !stopped ? calloc(1, sizeof *ask) : NULL;
	if (!ask) {
		metric_add(METRIC_radio_auth_busy, 1);
		then(conn, AUTH_URL_BUSY, &admission, "");
		return;
	}
	ask->conn = conn;
	ask->then = then;
	ask->admission = admission;
	if (conf->auth_cache) {
		key_of(ask->key, &asking);
		yes = known_find(ask->key, mono_now());
		if (yes) {
			metric_add(METRIC_radio_auth_cached, 1);
			admission.limit_ms = yes->limit_ms;
			free(ask);
			then(conn, AUTH_URL_YES, &admission, "");
			return;
		}
	}
	if (!ask_start(ask, &asking, conf, url_of(conf, what), on_answer)) {
		metric_add(METRIC_radio_auth_busy, 1);
		fetch_fini(&ask->fetch);
		free(ask);
		then(conn, AUTH_URL_BUSY, &admission, "");
		return;
	}
	asked++;
	conn_wait(conn);
}

/* --- leaving -------------------------------------------------------------------------------- */

void auth_url_joined(uint32_t row, uint64_t id, const char *mount, const struct request *request)
{
	struct asking asking = asking_of(request, mount, "listener_remove");
	struct guest *guest = calloc(1, sizeof *guest);

	if (!guest) {
		metric_add(METRIC_radio_auth_leaves_lost, 1);
		return;
	}
	take_credentials(&asking, BYTES(""), (struct bytes){0});
	guest->row = row;
	guest->id = id;
	guest->peer = asking.peer;
	memcpy(guest->mount, asking.mount, sizeof guest->mount);
	memcpy(guest->user, asking.user, sizeof guest->user);
	memcpy(guest->password, asking.password, sizeof guest->password);
	bytes_to_str(asking.agent, guest->agent, sizeof guest->agent);
	bytes_to_str(asking.target, guest->target, sizeof guest->target);
	guest->next = guests[row % GUEST_SLOTS];
	guests[row % GUEST_SLOTS] = guest;
}

void auth_url_left(uint32_t row, uint64_t id, uint64_t seconds)
{
	struct guest **link = &guests[row % GUEST_SLOTS];
	struct guest *guest;

	while (*link && ((*link)->row != row || (*link)->id != id))
		link = &(*link)->next;
	guest = *link;
	if (!guest)
		return;
	*link = guest->next;
	guest->next = NULL;
	guest->duration = seconds;
	if (stopped || leaves_count >= LEAVES_MAX) {
		metric_add(METRIC_radio_auth_leaves_lost, 1);
		free(guest);
		return;
	}
	*leaves_last = guest;
	leaves_last = &guest->next;
	leaves_count++;
	leaves_tell();
}

static void on_leave_told(struct fetch *fetch)
{
	struct ask *ask = container_of(fetch, struct ask, fetch);

	if (is_down(fetch))
		metric_add(METRIC_radio_auth_leaves_lost, 1);
	if (ask->leave)
		leaves_asked--;
	fetch_fini(fetch);
	if (ask->leave)
		leaves_tell();
	free(ask);
}

/* One of the queue. False: it could not be told. */
static bool leave_tell(const struct guest *guest)
{
	const struct mount_conf *conf = radio_mount_conf(guest->mount);
	struct ask *ask = calloc(1, sizeof *ask);
	struct asking asking = {
		.action = "listener_remove",
		.target = bytes_str(guest->target),
		.peer = guest->peer,
		.agent = bytes_str(guest->agent),
		.client = guest->id,
		.duration = guest->duration,
	};

	memcpy(asking.mount, guest->mount, sizeof asking.mount);
	memcpy(asking.user, guest->user, sizeof asking.user);
	memcpy(asking.password, guest->password, sizeof asking.password);
	if (ask && (conf->auth_listener_remove[0] || conf->auth_hook[0]) &&
	    ask_start(ask, &asking, conf, conf->auth_listener_remove, on_leave_told)) {
		ask->leave = true;
		leaves_asked++;
		return true;
	}
	if (ask)
		fetch_fini(&ask->fetch);
	free(ask);
	return false;
}

static void leaves_tell(void)
{
	while (leaves && leaves_asked < LEAVES_ASKED && !stopped) {
		struct guest *guest = leaves;

		leaves = guest->next;
		if (!leaves)
			leaves_last = &leaves;
		leaves_count--;
		if (!leave_tell(guest))
			metric_add(METRIC_radio_auth_leaves_lost, 1);
		free(guest);
	}
}

/* --- mounts --------------------------------------------------------------------------------- */

void auth_url_mount(const struct mount *mount, bool added)
{
	const struct mount_conf *conf = mount_conf(mount);
	const char *url = added ? conf->auth_mount_add : conf->auth_mount_remove;
	struct ask *ask = url[0] ? calloc(1, sizeof *ask) : NULL;
	char body[2048];
	struct writer w = writer_of(body, sizeof body);
	struct fetch_request request = {
		.method = "POST",
		.url = url,
		.user = conf->auth_user[0] ? conf->auth_user : NULL,
		.password = conf->auth_password,
		.timeout_ms = conf->auth_timeout,
		.body_max = ANSWER_MAX,
		.done = on_leave_told,
	};

	if (!ask)
		return;
	url_form_put(&w, "action", added ? BYTES("mount_add") : BYTES("mount_remove"));
	url_form_put(&w, "mount", bytes_str(mount->name));
	put_server(&w);
	request.body = writer_done(&w);
	if (!writer_ok(&w) || fetch_start(&ask->fetch, &request) != 0) {
		fetch_fini(&ask->fetch);
		free(ask);
	}
}

/* --- life ----------------------------------------------------------------------------------- */

int auth_url_worker_start(struct worker *worker)
{
	(void)worker;
	leaves_last = &leaves;
	stopped = false;
	return 0;
}

void auth_url_worker_stop(struct worker *worker)
{
	(void)worker;
	stopped = true;
	for (unsigned i = 0; i < GUEST_SLOTS; i++)
		while (guests[i]) {
			struct guest *next = guests[i]->next;

			free(guests[i]);
			guests[i] = next;
		}
	while (leaves) {
		struct guest *next = leaves->next;

		metric_add(METRIC_radio_auth_leaves_lost, 1);
		free(leaves);
		leaves = next;
	}
}
