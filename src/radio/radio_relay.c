#include "radio/radio_relay.h"

#include <errno.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "edge/document.h"
#include "edge/proto/url.h"
#include "radio/radio.h"
#include "radio/radio_event.h"
#include "radio/radio_login.h"
#include "radio/radio_master.h"
#include "radio/radio_pull.h"
#include "radio/radio_relay_own.h"

#define TICK_MS   250
#define HEAD_MS   15000    /* until an upstream must have answered */
#define STEADY_US 10000000 /* a relay that ran for so long was no failure */

enum relay_state {
	RELAY_OFF,
	RELAY_IDLE,
	RELAY_CONNECTING,
	RELAY_RUNNING,
	RELAY_WAITING,
	RELAY_YIELDING,
};

static const char *const state_names[] = {
	[RELAY_OFF] = "off",         [RELAY_IDLE] = "idle",       [RELAY_CONNECTING] = "connecting",
	[RELAY_RUNNING] = "running", [RELAY_WAITING] = "waiting", [RELAY_YIELDING] = "yielding",
};

enum relay_origin { RELAY_OF_FILE, RELAY_OF_API, RELAY_OF_MASTER };

struct relay {
	struct relay *next;
	uint64_t id;
	struct mount *mount;
	enum relay_origin origin;
	enum fetch_reach reach;
	struct relay_conf conf; /* texts are the snapshot's, or own_url */
	char *own_url;
	const char *own_urls[1];
	bool on_demand_said;
	bool started;
	bool seen;     /* by a reload or the master's list */
	bool leaving;  /* freed when its pull has come home */
	bool listened; /* somebody hears its mount, or a mount that falls back to it */
	bool running;
	enum relay_state state;
	int64_t since_wall_us;
	struct pull *pull;
	bool stopping; /* the pull was told */
	size_t upstream;
	unsigned failures; /* rounds in a row */
	uint64_t retries;
	uint64_t bytes; /* of pulls that have ended */
	mono_t up_since, next_try, wanted_until, last_wanted, next_probe;
	char error[160];
	char via[HOPS_SIZE]; /* of who waits for it */
	struct fetch probe;
};

static struct relay *relays OWNED_BY(on_control);
static uv_timer_t tick;
static bool stopping OWNED_BY(on_control);
static uint64_t ids OWNED_BY(on_control);
static unsigned placed OWNED_BY(on_control);

RUNS_ON(on_control) static void relay_step(struct relay *relay, mono_t now);

struct relay *relay_find(struct bytes mount)
{
	struct relay *relay = relays;

	while (relay && (relay->leaving || !bytes_equal(bytes_str(relay->mount->name), mount)))
		relay = relay->next;
	return relay;
}

/* --- state ---------------------------------------------------------------------------------- */

bool relay_promises(const struct relay *relay)
{
	if (!relay->started || stopping)
		return false;
	return (relay->pull && !relay->stopping) ||
	       (relay->conf.on_demand && relay->state == RELAY_IDLE);
}

uint64_t relay_wait_ms(const struct relay *relay)
{
	return relay->conf.wait;
}

static const char *relay_url(const struct relay *relay)
{
	return relay->conf.url.count ? relay->conf.url.at[relay->upstream % relay->conf.url.count]
				     : "";
}

RUNS_ON(on_control) static void relay_turn(struct relay *relay, enum relay_state state)
{
	if (relay->state == state)
		return;
	relay->state = state;
	relay->since_wall_us = wall_now_us();
	mount_relay_changed(relay->mount);
}

/* --- upstreams ------------------------------------------------------------------------------ */

static uint32_t chance(uint32_t below)
{
	uint32_t value = 0;

	(void)!uv_random(NULL, NULL, &value, sizeof value, 0, NULL);
	return below ? value % below : 0;
}

/* Doubles with each round that failed, and is up to a quarter longer by chance. */
static int64_t pause_ms(const struct relay *relay)
{
	uint64_t ms = relay->conf.retry_min;

	for (unsigned i = 1; i < relay->failures && ms < relay->conf.retry_max; i++)
		ms *= 2;
	if (ms > relay->conf.retry_max)
		ms = relay->conf.retry_max;
	return (int64_t)(ms + chance((uint32_t)(ms / 4) + 1));
}

RUNS_ON(on_control) static void order_fill(struct pull_order *order, const struct relay *relay)
{
	struct writer w = writer_of(order->via, sizeof order->via - 1);

	order->id = ++ids;
	order->relay = relay->id;
	bytes_to_str(bytes_str(relay->mount->name), order->mount, sizeof order->mount);
	bytes_to_str(bytes_str(relay_url(relay)), order->url, sizeof order->url);
	bytes_to_str(bytes_str(relay->conf.user), order->user, sizeof order->user);
	bytes_to_str(bytes_str(relay->conf.password), order->password, sizeof order->password);
	bytes_to_str(bytes_str(relay->conf.bind), order->bind, sizeof order->bind);
	writer_str(&w, "Via: ");
	hops_write_via(&w, bytes_str(relay->via), radio_id());
	order->via[w.len] = '\0';
	order->metadata = relay->conf.metadata;
	order->yields = relay->conf.encoder_wins;
	order->reach = relay->reach;
	order->max_bitrate = relay->conf.max_bitrate;
	order->head_ms = HEAD_MS;
	order->stall_ms = mount_conf(relay->mount)->source_timeout;
}

RUNS_ON(on_control) static void relay_connect(struct relay *relay)
{
	struct pull *pull = calloc(1, sizeof *pull);

	if (!pull) {
		metric_add(METRIC_radio_out_of_memory, 1);
		relay->next_try = mono_add_ms(mono_now(), (int64_t)relay->conf.retry_min);
		return;
	}
	order_fill(&pull->order, relay);
	pull->worker = worker_of(placed++ % workers_count());
	relay->pull = pull;
	relay->stopping = relay->running = false;
	relay->retries++;
	metric_add(METRIC_radio_relay_calls, 1);
	relay_turn(relay, RELAY_CONNECTING);
	pull_begin(pull);
}

RUNS_ON(on_control) static void relay_hang_up(struct relay *relay, const char *why)
{
	if (!relay->pull || relay->stopping)
		return;
	relay->stopping = pull_stop(relay->pull->worker, relay->pull->order.id, why);
	if (relay->stopping)
		log_info("radio", "relay let go", kv_str("mount", relay->mount->name),
			 kv_str("why", why));
}

RUNS_ON(on_control) static struct relay *relay_of(const struct pull *pull)
{
	struct relay *relay = relays;

	while (relay && relay->pull != pull)
		relay = relay->next;
	CHECK(relay);
	return relay;
}

void relay_is_up(struct pull *pull)
{
	struct relay *relay = relay_of(pull);
	char url[256];

	fetch_url_show(relay_url(relay), url, sizeof url);
	log_info("radio", "relay up", kv_str("mount", relay->mount->name), kv_str("url", url),
		 kv_u64("upstream", relay->upstream + 1));
	relay->running = true;
	relay->error[0] = '\0';
	relay->up_since = mono_now();
	relay->next_probe = mono_add_ms(relay->up_since, (int64_t)relay->conf.prefer);
	relay_turn(relay, RELAY_RUNNING);
	event_relay(relay->mount, true, url, "");
}

/* One after the other, then a pause. Also when it played for a moment: else one that always breaks off
 * would keep the next from playing. */
RUNS_ON(on_control) static void relay_failed(struct relay *relay, mono_t now)
{
	relay->next_try = now;
	if (++relay->upstream < relay->conf.url.count)
		return;
	relay->upstream = 0;
	relay->failures++;
	relay->next_try = mono_add_ms(now, pause_ms(relay));
	/* Who waits for it need not any more. */
	relay->wanted_until = now;
}

RUNS_ON(on_control) static void relay_lost(struct relay *relay, mono_t now)
{
	if (mono_since_us(now, relay->up_since) <= STEADY_US) {
		relay_failed(relay, now);
		return;
	}
	relay->upstream = 0;
	relay->failures = 0;
	relay->next_try = now;
}

RUNS_ON(on_control) static void relay_say_end(struct relay *relay, const struct pull *pull)
{
	char url[256];
	/* Each attempt is counted; only what is new is said. */
	bool known = pull->end == PULL_FAILED && strcmp(pull->why, relay->error) == 0;

	bytes_to_str(bytes_str(pull->why), relay->error, sizeof relay->error);
	fetch_url_show(pull->order.url, url, sizeof url);
	if (!known)
		log_warnx("radio", "relay down", kv_str("mount", relay->mount->name),
			  kv_str("url", url), kv_bool("was_up", pull->end == PULL_LOST),
			  kv_str("why", pull->why));
	if (!known)
		event_relay(relay->mount, false, url, pull->why);
	metric_add(METRIC_radio_relay_failures, 1);
}

RUNS_ON(on_control) static void relay_free(struct relay *relay)
{
	struct relay **link = &relays;

	while (*link != relay)
		link = &(*link)->next;
	*link = relay->next;
	if (relay->mount->relay == relay)
		mount_set_relay(relay->mount, NULL);
	fetch_fini(&relay->probe);
	free(relay->own_url);
	free(relay);
}

void relay_ended(struct pull *pull)
{
	struct relay *relay = relay_of(pull);
	mono_t now = mono_now();

	relay->pull = NULL;
	relay->bytes += atomic_load_explicit(&pull->bytes, memory_order_relaxed);
	fetch_cancel(&relay->probe);
	if ((pull->end == PULL_LOST || pull->end == PULL_FAILED) && !stopping)
		relay_say_end(relay, pull);
	switch (pull->end) {
	case PULL_TOLD: relay->next_try = now; break;
	case PULL_REFUSED:
		bytes_to_str(bytes_str(pull->why), relay->error, sizeof relay->error);
		relay->next_try = mono_add_ms(now, (int64_t)relay->conf.retry_min);
		break;
	case PULL_LOST: relay_lost(relay, now); break;
	case PULL_FAILED: relay_failed(relay, now); break;
	}
	relay->stopping = relay->running = false;
	free(pull);
	if (relay->leaving)
		relay_free(relay);
	else if (!stopping)
		relay_step(relay, now);
}

/* --- back to a better one ------------------------------------------------------------------- */

/* Whether it answers with a stream is all that is asked. */
static bool on_probe_head(struct fetch *fetch)
{
	(void)fetch;
	return false;
}

static bool on_probe_data(struct fetch *fetch, struct bytes in, bool *pause)
{
	(void)fetch;
	(void)in;
	(void)pause;
	return false;
}

static void on_probe_done(struct fetch *fetch)
{
	struct relay *relay = container_of(fetch, struct relay, probe);

	enter_control();
	if (fetch->status != 200 || !relay->pull || relay->upstream == 0)
		return;
	relay->upstream = 0;
	relay_hang_up(relay, "a better upstream is back");
}

RUNS_ON(on_control) static void relay_probe(struct relay *relay, mono_t now)
{
	struct fetch_request request = {
		.method = "GET",
		.url = relay->conf.url.at[0],
		.user = relay->conf.user[0] ? relay->conf.user : NULL,
		.password = relay->conf.password,
		.timeout_ms = HEAD_MS,
		.reach = relay->reach,
		.bind = relay->conf.bind,
		.shoutcast = true,
		.head = on_probe_head,
		.data = on_probe_data,
		.done = on_probe_done,
	};

	if (!relay->conf.prefer || relay->upstream == 0 || !relay->running ||
	    fetch_is_running(&relay->probe) || mono_before(now, relay->next_probe))
		return;
	relay->next_probe = mono_add_ms(now, (int64_t)relay->conf.prefer);
	(void)!fetch_start(&relay->probe, &request);
}

/* --- what to do now ------------------------------------------------------------------------- */

RUNS_ON(on_control) static bool is_wanted(struct relay *relay, mono_t now)
{
	bool waited_for = relay->listened || mono_before(now, relay->wanted_until);

	if (!relay->started || relay->leaving || stopping)
		return false;
	if (!relay->conf.on_demand)
		return true;
	if (waited_for)
		relay->last_wanted = now;
	return waited_for || (relay->pull && mono_since_us(now, relay->last_wanted) <=
						     (int64_t)relay->conf.run_on * 1000);
}

static void relay_step(struct relay *relay, mono_t now)
{
	bool wanted = is_wanted(relay, now);

	if (relay->pull) {
		if (!wanted)
			relay_hang_up(relay, relay->started ? "nobody listens" : "stopped");
		else
			relay_probe(relay, now);
		return;
	}
	if (!relay->started)
		relay_turn(relay, RELAY_OFF);
	else if (relay->mount->has_source)
		relay_turn(relay, RELAY_YIELDING);
	else if (mono_before(now, relay->next_try))
		relay_turn(relay, RELAY_WAITING);
	else if (!wanted)
		relay_turn(relay, RELAY_IDLE);
	else
		relay_connect(relay);
}

/* Whose listeners would hear a relay if it were there: its mount's own and those who fall back to it. */
RUNS_ON(on_control) static void mark_listened(void)
{
	for (struct relay *relay = relays; relay; relay = relay->next)
		relay->listened = false;
	for (struct mount *mount = mount_first(); mount; mount = mount->next) {
		struct mount *at = mount;

		if (atomic_load_explicit(&mount->count.listeners, memory_order_relaxed) == 0)
			continue;
		for (unsigned depth = 0; at && depth < 16; depth++) {
			const char *fallback = mount_fallback(at);

			if (at->relay)
				at->relay->listened = true;
			if (at->state != MOUNT_OFF && at->feed)
				break;
			at = fallback[0] ? mount_find(bytes_str(fallback)) : NULL;
		}
	}
}

static void on_tick(uv_timer_t *timer)
{
	mono_t now = mono_now();
	struct relay *next;

	(void)timer;
	enter_control();
	mark_listened();
	for (struct relay *relay = relays; relay; relay = next) {
		next = relay->next;
		relay_step(relay, now);
	}
}

void relay_demand(struct mount *mount, struct bytes via)
{
	mono_t now = mono_now();

	for (unsigned depth = 0; mount && depth < 16; depth++) {
		const char *fallback = mount_fallback(mount);
		struct relay *relay = mount->relay;

		if (relay && relay->conf.on_demand) {
			relay->wanted_until = mono_add_ms(now, (int64_t)relay->conf.wait);
			bytes_to_str(via, relay->via, sizeof relay->via);
			relay_step(relay, now);
		}
		mount = fallback[0] ? mount_find(bytes_str(fallback)) : NULL;
	}
}

/* --- making and unmaking -------------------------------------------------------------------- */

RUNS_ON(on_control)
static struct relay *relay_make(const char *name, enum relay_origin origin,
				const struct relay_conf *conf)
{
	struct relay *relay = calloc(1, sizeof *relay);
	struct relay **last = &relays;

	if (!relay)
		return NULL;
	relay->mount = mount_hold(bytes_str(name));
	if (!relay->mount) {
		free(relay);
		return NULL;
	}
	relay->id = ++ids;
	relay->origin = origin;
	relay->conf = *conf;
	relay->seen = true;
	relay->started = conf->enabled;
	relay->since_wall_us = wall_now_us();
	mount_set_relay(relay->mount, relay);
	while (*last)
		last = &(*last)->next;
	*last = relay;
	return relay;
}

RUNS_ON(on_control) static void relay_drop(struct relay *relay)
{
	relay->leaving = true;
	relay->started = false;
	mount_set_relay(relay->mount, NULL);
	if (relay->pull)
		relay_hang_up(relay, "taken away");
	else
		relay_free(relay);
}

void relay_do(struct relay *relay, enum relay_order order)
{
	mono_t now = mono_now();

	relay->started = order != RELAY_STOP;
	relay->failures = 0;
	relay->upstream = 0;
	relay->next_try = now;
	relay->error[0] = '\0';
	if (order == RELAY_RESTART)
		relay_hang_up(relay, "restarted");
	relay_step(relay, now);
}

/* A relay of one address that stands in no file. */
RUNS_ON(on_control)
static int relay_make_own(const char *name, const char *url, bool on_demand,
			  enum relay_origin origin, enum fetch_reach reach)
{
	struct relay_conf conf = *radio_relay_conf(name);
	struct relay *relay;
	char *own = strdup(url);

	conf.on_demand = on_demand;
	conf.enabled = true;
	relay = own ? relay_make(name, origin, &conf) : NULL;
	if (!relay) {
		free(own);
		return -ENOMEM;
	}
	relay->own_url = own;
	relay->own_urls[0] = own;
	relay->conf.url = (struct conf_list){relay->own_urls, 1};
	relay->on_demand_said = on_demand;
	relay->reach = reach;
	relay_step(relay, mono_now());
	return 0;
}

int relay_add(const char *mount, const char *url, bool on_demand, enum fetch_reach reach)
{
	if (mount[0] != '/' || !mount[1] || strlen(mount) > FEED_NAME_MAX ||
	    !fetch_url_is_good(url))
		return -EINVAL;
	if (relay_find(bytes_str(mount)))
		return -EEXIST;
	return relay_make_own(mount, url, on_demand, RELAY_OF_API, reach);
}

int relay_remove(struct relay *relay)
{
	if (relay->origin == RELAY_OF_FILE)
		return -EPERM;
	relay_drop(relay);
	return 0;
}

bool relay_is_of_file(const struct relay *relay)
{
	return relay->origin == RELAY_OF_FILE;
}

RUNS_ON(on_control) static bool is_own(const struct relay *relay)
{
	return relay->origin == RELAY_OF_API && !relay->leaving;
}

size_t relays_own_count(void)
{
	size_t count = 0;

	for (const struct relay *relay = relays; relay; relay = relay->next)
		count += is_own(relay);
	return count;
}

json_t *relay_own_tree(const char *mount, const char *url, bool on_demand)
{
	return json_pack("{s:s s:s s:b}", "mount", mount, "url", url, "on_demand", on_demand);
}

json_t *relays_own_tree(const char *but)
{
	json_t *list = json_array();

	for (const struct relay *relay = relays; list && relay; relay = relay->next)
		if (is_own(relay) && strcmp(relay->mount->name, but) != 0 &&
		    json_array_append_new(list, relay_own_tree(relay->mount->name, relay->own_url,
							       relay->on_demand_said)) != 0) {
			json_decref(list);
			list = NULL;
		}
	return list;
}

/* --- the master's --------------------------------------------------------------------------- */

RUNS_ON(on_control)
static void master_mount(struct bytes base, struct bytes mount, bool on_demand)
{
	char name[FEED_NAME_MAX + 1], url[FETCH_URL_MAX];
	struct writer w = writer_of(url, sizeof url - 1);
	struct relay *relay = relay_find(mount);

	if (relay) {
		relay->seen = true;
		return;
	}
	bytes_to_str(mount, name, sizeof name);
	writer_put(&w, base);
	url_encode_path(&w, mount);
	url[w.len] = '\0';
	if (writer_ok(&w) && fetch_url_is_good(url) &&
	    relay_make_own(name, url, on_demand, RELAY_OF_MASTER, FETCH_ANYWHERE) != 0)
		metric_add(METRIC_radio_out_of_memory, 1);
}

void relays_of_master(const char *base, struct bytes list, bool on_demand)
{
	struct bytes root = bytes_str(base);
	struct relay *next;

	while (bytes_end_with(root, BYTES("/")))
		root.len--;
	for (struct relay *relay = relays; relay; relay = relay->next)
		relay->seen = relay->origin != RELAY_OF_MASTER;
	while (list.len) {
		struct bytes mount = bytes_trim(bytes_cut(&list, '\n'));

		if (login_is_mount(mount))
			master_mount(root, mount, on_demand);
	}
	for (struct relay *relay = relays; relay; relay = next) {
		next = relay->next;
		if (!relay->seen && !relay->leaving)
			relay_drop(relay);
	}
}

/* --- what is said of them ------------------------------------------------------------------- */

json_t *relay_tree(const struct relay *relay)
{
	static const char *const origins[] = {"file", "api", "master"};
	const struct pull *pull = relay->pull;
	uint64_t bytes = relay->bytes;
	char url[256];

	if (pull)
		bytes += atomic_load_explicit(&pull->bytes, memory_order_relaxed);
	fetch_url_show(relay_url(relay), url, sizeof url);
	return json_pack("{s:s s:s s:s s:s s:I s:o s:I s:I s:I s:I s:b s:b}", "mount",
			 relay->mount->name, "url", url, "state", state_names[relay->state],
			 "origin", origins[relay->origin], "since",
			 (json_int_t)(relay->since_wall_us / 1000000), "error",
			 relay->error[0] ? document_text(relay->error) : json_null(), "bytes",
			 (json_int_t)bytes, "retries",
			 (json_int_t)(relay->retries ? relay->retries - 1 : 0), "upstream",
			 (json_int_t)relay->upstream + 1, "upstreams",
			 (json_int_t)relay->conf.url.count, "on_demand", relay->conf.on_demand,
			 "started", relay->started);
}

json_t *relays_tree(void)
{
	json_t *list = json_array();

	for (const struct relay *relay = relays; relay; relay = relay->next)
		if (!relay->leaving)
			json_array_append_new(list, relay_tree(relay));
	return list;
}

/* --- life ----------------------------------------------------------------------------------- */

static bool same_conf(const struct relay_conf *a, const struct relay_conf *b)
{
	return !conf_entry_changed(&relay_conf_section, a, b);
}

/* One of the file, new or known. */
RUNS_ON(on_control) static bool relay_of_file(const char *name, const struct relay_conf *conf)
{
	struct relay *relay = relay_find(bytes_str(name));
	bool same;

	if (!relay) {
		relay = relay_make(name, RELAY_OF_FILE, conf);
		return relay;
	}
	/* The file's word is stronger than the master's and the API's. */
	same = relay->origin == RELAY_OF_FILE && same_conf(&relay->conf, conf);
	if (!same) {
		relay->started = conf->enabled;
		relay->upstream = relay->failures = 0;
		relay->next_try = mono_now();
		relay_hang_up(relay, "its settings have changed");
	}
	relay->origin = RELAY_OF_FILE;
	relay->reach = FETCH_ANYWHERE;
	relay->conf = *conf;
	relay->seen = true;
	return true;
}

/* Those of others have the default's settings but for what they were made with. */
RUNS_ON(on_control) static void relay_renew(struct relay *relay)
{
	relay->conf = *radio_relay_conf(relay->mount->name);
	relay->conf.on_demand = relay->on_demand_said;
	relay->conf.url = (struct conf_list){relay->own_urls, 1};
}

RUNS_ON(on_control) static bool relays_of_file(const struct conf *conf)
{
	bool done = true;
	struct relay *next;

	for (struct relay *relay = relays; relay; relay = relay->next)
		relay->seen = relay->origin != RELAY_OF_FILE;
	for (size_t i = 0; i < conf_entry_count(conf, &relay_conf_section); i++) {
		const char *name = conf_entry_name(conf, &relay_conf_section, i);

		if (!conf_entry_is_pattern(name))
			done &= relay_of_file(name,
					      conf_entry_values(conf, &relay_conf_section, i));
	}
	for (struct relay *relay = relays; relay; relay = next) {
		next = relay->next;
		/* One that is leaving still looks at its settings, and the old ones go away. */
		if (relay->leaving || !relay->seen)
			relay->conf = *radio_relay_conf("");
		if (!relay->seen && !relay->leaving)
			relay_drop(relay);
		else if (!relay->leaving && relay->origin != RELAY_OF_FILE)
			relay_renew(relay);
	}
	return done;
}

int relays_start(uv_loop_t *loop, const struct conf *conf)
{
	int error = uv_timer_init(loop, &tick);

	if (error)
		return error;
	if (!relays_of_file(conf))
		return -ENOMEM;
	relay_own_start(loop);
	uv_timer_start(&tick, on_tick, 0, TICK_MS);
	master_start(loop);
	return 0;
}

bool relays_reload(const struct conf *conf)
{
	bool done = relays_of_file(conf);

	master_reload();
	return done;
}

void relays_stop(void)
{
	if (!tick.loop)
		return;
	stopping = true;
	relay_own_stop();
	master_stop();
	uv_close((uv_handle_t *)&tick, NULL);
	for (struct relay *relay = relays; relay; relay = relay->next)
		fetch_fini(&relay->probe);
}

void relays_fini(void)
{
	while (relays)
		relay_free(relays);
}
