#include "edge/hook.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/worker.h"
#include "edge/document.h"
#include "edge/edge.h"
#include "edge/fetch.h"
#include "edge/hook_own.h"
#include "edge/proto/template.h"
#include "edge/sign.h"

#define BODY_MAX   32768u
#define POSTS_MAX  256u
#define VALUES_MAX 32u
#define NAME_MAX_  128u

enum hook_method { METHOD_HOOK_POST, METHOD_HOOK_PUT, METHOD_HOOK_GET };
enum hook_preset { PRESET_JSON, PRESET_DISCORD, PRESET_SLACK, PRESET_TEMPLATE };

/* One event on its way to one hook. */
struct delivery {
	struct delivery *next;
	uint64_t id;
	unsigned tries;
	char event[64];
	char url[FETCH_URL_MAX];
	size_t body_len;
	char body[];
};

struct hook {
	struct hook *next;
	char name[NAME_MAX_];
	const struct hook_conf *conf; /* the snapshot's in force, or own's */
	struct hook_own *own;         /* it was made over the API; or NULL */
	bool seen;
	bool paused;
	struct fetch fetch;
	uv_timer_t timer; /* the next attempt, or the end of a pause */
	struct delivery *first, **last;
	unsigned queued;
	unsigned failures; /* in a row */
	uint64_t sent, failed, lost;
	unsigned status;
	int64_t sent_wall_us;
	char error[160];
};

static struct hook *hooks OWNED_BY(on_control);
static const struct hooks_conf *all OWNED_BY(on_control);
static uv_loop_t *loop OWNED_BY(on_control);
static uint64_t deliveries OWNED_BY(on_control);

RUNS_ON(on_control) static void hook_next(struct hook *hook);

const struct hooks_conf *hooks_conf(void)
{
	return all;
}

/* --- bodies --------------------------------------------------------------------------------- */

struct event {
	const char *name, *mount, *text;
	json_t *facts;
	struct template_value values[VALUES_MAX];
	char texts[VALUES_MAX][32]; /* of numbers */
	size_t count;
	char time[32], unix_time[24];
	int64_t seconds;
};

static void event_add(struct event *event, const char *name, struct bytes value)
{
	if (event->count < VALUES_MAX)
		event->values[event->count++] = (struct template_value){name, value};
}

static void event_add_facts(struct event *event)
{
	const char *key;
	json_t *value;

	json_object_foreach(event->facts, key, value)
	{
		char *text = event->texts[event->count < VALUES_MAX ? event->count : 0];

		if (json_is_string(value)) {
			event_add(event, key,
				  bytes_of(json_string_value(value), json_string_length(value)));
		} else if (json_is_integer(value) && event->count < VALUES_MAX) {
			snprintf(text, sizeof event->texts[0], "%lld",
				 (long long)json_integer_value(value));
			event_add(event, key, bytes_str(text));
		}
	}
}

static void event_make(struct event *event, const char *name, const char *mount, const char *text,
		       json_t *facts)
{
	struct tm tm;
	time_t now;

	event->name = name;
	event->mount = mount;
	event->text = text;
	event->facts = facts;
	event->count = 0;
	event->seconds = wall_now_us() / 1000000;
	now = (time_t)event->seconds;
	gmtime_r(&now, &tm);
	strftime(event->time, sizeof event->time, "%Y-%m-%dT%H:%M:%SZ", &tm);
	snprintf(event->unix_time, sizeof event->unix_time, "%lld", (long long)event->seconds);
	event_add(event, "event", bytes_str(name));
	event_add(event, "mount", bytes_str(mount));
	event_add(event, "text", bytes_str(text));
	event_add(event, "time", bytes_str(event->time));
	event_add(event, "unix", bytes_str(event->unix_time));
	event_add(event, "server", bytes_str(edge_settings()->conf.http_hostname));
	event_add_facts(event);
}

static const char *template_of(const struct hook_conf *conf)
{
	switch ((enum hook_preset)conf->preset) {
	case PRESET_JSON: break;
	/* Whoever sets a title shall not call the whole room. */
	case PRESET_DISCORD:
		return "{\"content\":\"{{text}}\",\"allowed_mentions\":{\"parse\":[]}}";
	case PRESET_SLACK: return "{\"text\":\"{{text}}\"}";
	case PRESET_TEMPLATE: return conf->template;
	}
	return NULL;
}

static const char *type_of(const struct hook_conf *conf)
{
	return conf->preset == PRESET_TEMPLATE ? conf->type : "application/json";
}

static bool write_json(struct writer *w, const struct event *event)
{
	json_t *tree = json_pack("{s:s s:s s:I s:s s:s s:o s:O}", "event", event->name, "time",
				 event->time, "unix", (json_int_t)event->seconds, "server",
				 edge_settings()->conf.http_hostname, "mount", event->mount, "text",
				 document_text(event->text), "data", event->facts);
	char *text = json_dumps(tree, JSON_COMPACT);

	json_decref(tree);
	if (!text)
		return false;
	writer_str(w, text);
	free(text);
	return true;
}

/* NULL: no memory, or too long. */
RUNS_ON(on_control)
static struct delivery *delivery_make(const struct hook_conf *conf, const struct event *event)
{
	struct delivery *delivery = calloc(1, sizeof *delivery + BODY_MAX), *fit;
	const char *template = template_of(conf);
	struct writer w, url;

	if (!delivery)
		return NULL;
	w = writer_of(delivery->body, BODY_MAX);
	url = writer_of(delivery->url, sizeof delivery->url - 1);
	template_write(&url, bytes_str(conf->url), TEMPLATE_FORM, event->values, event->count);
	if (conf->method != METHOD_HOOK_GET && template)
		template_write(&w, bytes_str(template),
			       template_escape_of(bytes_str(type_of(conf))), event->values,
			       event->count);
	else if (conf->method != METHOD_HOOK_GET && !write_json(&w, event))
		url.failed = true;
	if (!writer_ok(&w) || !writer_ok(&url)) {
		free(delivery);
		return NULL;
	}
	delivery->body_len = w.len;
	delivery->id = ++deliveries;
	bytes_to_str(bytes_str(event->name), delivery->event, sizeof delivery->event);
	fit = realloc(delivery, sizeof *delivery + w.len);
	return fit ? fit : delivery;
}

/* --- the queue ------------------------------------------------------------------------------ */

static void hook_drop_first(struct hook *hook)
{
	struct delivery *delivery = hook->first;

	hook->first = delivery->next;
	if (!hook->first)
		hook->last = &hook->first;
	hook->queued--;
	free(delivery);
}

static void hook_lose(struct hook *hook)
{
	hook->lost++;
	metric_add(METRIC_edge_hook_events_lost, 1);
}

static void hook_lose_all(struct hook *hook)
{
	while (hook->first) {
		hook_lose(hook);
		hook_drop_first(hook);
	}
}

static void on_time(uv_timer_t *timer)
{
	struct hook *hook = container_of(timer, struct hook, timer);

	enter_control();
	hook->paused = false;
	hook_next(hook);
}

/* Twice as long after each attempt; what the receiver asks for goes before. */
RUNS_ON(on_control) static uint64_t pause_ms(const struct hook *hook)
{
	struct bytes after = fetch_header(&hook->fetch, "Retry-After");
	uint64_t ms = all->retry_min, seconds;

	for (unsigned i = 1; i < hook->first->tries && ms < all->retry_max; i++)
		ms *= 2;
	if (after.len && bytes_to_u64(after, 86400, &seconds) && seconds * 1000 > ms)
		ms = seconds * 1000;
	return ms < all->retry_max ? ms : all->retry_max;
}

static bool is_final(const struct fetch *fetch)
{
	unsigned status = fetch->status;

	return fetch->result == FETCH_BLOCKED || (fetch->result == FETCH_OK && status >= 400 &&
						  status < 500 && status != 408 && status != 429);
}

/* It has not been well for too long: nothing is kept for it. */
RUNS_ON(on_control) static void hook_pause(struct hook *hook)
{
	log_warnx("edge", "webhook paused", kv_str("name", hook->name),
		  kv_u64("failures", hook->failures), kv_str("why", hook->error));
	hook->paused = true;
	hook_lose_all(hook);
	uv_timer_start(&hook->timer, on_time, all->pause, 0);
}

RUNS_ON(on_control) static void hook_failed(struct hook *hook)
{
	const struct fetch *fetch = &hook->fetch;

	if (fetch->status)
		snprintf(hook->error, sizeof hook->error, "it answered %u", fetch->status);
	else
		bytes_to_str(bytes_str(fetch->error), hook->error, sizeof hook->error);
	metric_add(METRIC_edge_hook_failures, 1);
	hook->failed++;
	if (++hook->failures >= all->pause_after) {
		hook_pause(hook);
		return;
	}
	if (hook->failures == 1)
		log_warnx("edge", "webhook failed", kv_str("name", hook->name),
			  kv_str("event", hook->first->event), kv_str("why", hook->error));
	if (!is_final(fetch) && hook->first->tries <= all->retries) {
		uv_timer_start(&hook->timer, on_time, pause_ms(hook), 0);
		return;
	}
	hook_lose(hook);
	hook_drop_first(hook);
	hook_next(hook);
}

static void on_done(struct fetch *fetch)
{
	struct hook *hook = container_of(fetch, struct hook, fetch);

	enter_control();
	hook->status = fetch->status;
	hook->sent_wall_us = wall_now_us();
	if (fetch->result == FETCH_STOPPED)
		return;
	if (fetch->result == FETCH_OK && fetch->status >= 200 && fetch->status < 300) {
		hook->sent++;
		hook->failures = 0;
		hook->error[0] = '\0';
		metric_add(METRIC_edge_hook_events_sent, 1);
		hook_drop_first(hook);
		hook_next(hook);
	} else {
		hook_failed(hook);
	}
}

static void hook_next(struct hook *hook)
{
	static const char *const methods[] = {"POST", "PUT", "GET"};
	struct delivery *delivery = hook->first;
	const struct hook_conf *conf = hook->conf;
	char type[160], event[128], id[64];
	struct signature signature = {0};
	struct fetch_request request = {
		.method = methods[conf->method],
		.timeout_ms = all->timeout,
		.connect_ms = all->timeout,
		.body_max = 65536,
		.done = on_done,
	};
	size_t n = 0;

	if (!delivery || hook->paused || fetch_is_running(&hook->fetch) ||
	    uv_is_active((uv_handle_t *)&hook->timer))
		return;
	request.url = delivery->url;
	request.reach = hook->own ? FETCH_OUTSIDE : FETCH_ANYWHERE;
	snprintf(event, sizeof event, "X-Ringmain-Event: %s", delivery->event);
	snprintf(id, sizeof id, "X-Ringmain-Delivery: %llu", (unsigned long long)delivery->id);
	request.headers[n++] = event;
	request.headers[n++] = id;
	if (conf->method != METHOD_HOOK_GET) {
		request.body = bytes_of(delivery->body, delivery->body_len);
		snprintf(type, sizeof type, "Content-Type: %s", type_of(conf));
		request.headers[n++] = type;
	}
	if (conf->secret[0]) {
		sign_body(&signature, conf->secret, request.body, wall_now_us() / 1000000);
		request.headers[n++] = signature.timestamp;
		request.headers[n++] = signature.signature;
	}
	for (size_t i = 0; i < conf->headers.count && n < FETCH_HEADERS_MAX; i++)
		request.headers[n++] = conf->headers.at[i];
	delivery->tries++;
	hook->status = 0;
	if (fetch_start(&hook->fetch, &request) != 0) {
		hook_lose(hook);
		hook_drop_first(hook);
	}
}

RUNS_ON(on_control) static void hook_put(struct hook *hook, const struct event *event)
{
	struct delivery *delivery =
		hook->queued < all->queue ? delivery_make(hook->conf, event) : NULL;

	if (!delivery) {
		hook_lose(hook);
		return;
	}
	*hook->last = delivery;
	hook->last = &delivery->next;
	hook->queued++;
	hook_next(hook);
}

/* --- events --------------------------------------------------------------------------------- */

static bool holds(const struct conf_list *list, const char *word)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->at[i], word) == 0)
			return true;
	return false;
}

static bool wants(const struct hook_conf *conf, const char *event, const char *mount)
{
	if (!conf->enabled)
		return false;
	if (conf->events.count == 0 ? strcmp(event, "title") == 0 : !holds(&conf->events, event))
		return false;
	return conf->mounts.count == 0 || !mount[0] || holds(&conf->mounts, mount);
}

/* Of two that have one name, that of the settings. */
RUNS_ON(on_control) static struct hook *hook_find(const char *name)
{
	struct hook *found = NULL;

	for (struct hook *hook = hooks; hook; hook = hook->next)
		if (strcmp(hook->name, name) == 0 && (!found || found->own))
			found = hook;
	return found;
}

void hook_event(const char *event, const char *mount, const char *text, json_t *facts)
{
	struct event made;
	bool ready = false;

	if (!facts)
		facts = json_object();
	for (struct hook *hook = hooks; hook; hook = hook->next) {
		if (hook_find(hook->name) != hook || !wants(hook->conf, event, mount))
			continue;
		if (hook->paused) {
			hook_lose(hook);
			continue;
		}
		if (!ready)
			event_make(&made, event, mount, text, facts);
		ready = true;
		hook_put(hook, &made);
	}
	json_decref(facts);
}

struct posted {
	struct message message;
	char event[64], mount[256], text[512];
	json_t *facts;
};

static _Atomic unsigned posts;

static void deliver_post(struct message *message)
{
	struct posted *posted = container_of(message, struct posted, message);

	enter_control();
	atomic_fetch_sub_explicit(&posts, 1, memory_order_relaxed);
	hook_event(posted->event, posted->mount, posted->text, posted->facts);
	free(posted);
}

void hook_event_post(const char *event, const char *mount, const char *text, json_t *facts)
{
	unsigned before = atomic_fetch_add_explicit(&posts, 1, memory_order_relaxed);
	struct posted *posted = before < POSTS_MAX ? calloc(1, sizeof *posted) : NULL;

	if (!posted) {
		atomic_fetch_sub_explicit(&posts, 1, memory_order_relaxed);
		metric_add(METRIC_edge_hook_events_lost, 1);
		json_decref(facts);
		return;
	}
	bytes_to_str(bytes_str(event), posted->event, sizeof posted->event);
	bytes_to_str(bytes_str(mount), posted->mount, sizeof posted->mount);
	bytes_to_str(bytes_str(text), posted->text, sizeof posted->text);
	posted->facts = facts;
	posted->message.deliver = deliver_post;
	control_post(&posted->message);
}

bool hook_test(struct bytes name)
{
	struct event event;
	struct hook *hook;
	json_t *facts;
	char text[NAME_MAX_];

	bytes_to_str(name, text, sizeof text);
	hook = hook_find(text);
	if (!hook)
		return false;
	hook->paused = false;
	hook->failures = 0;
	if (!fetch_is_running(&hook->fetch))
		uv_timer_stop(&hook->timer);
	facts = json_object();
	event_make(&event, "test", "", "This is a test.", facts);
	hook_put(hook, &event);
	json_decref(facts);
	return true;
}

/* --- what is said of them ------------------------------------------------------------------- */

RUNS_ON(on_control) static const char *state_of(const struct hook *hook)
{
	if (!hook->conf->enabled)
		return "off";
	if (hook->paused)
		return "paused";
	if (fetch_is_running(&hook->fetch))
		return "sending";
	return hook->first ? "waiting" : "idle";
}

/* "https://example.org/services/T0/B0/word?..." → "https://example.org/..." */
static void url_end_at_host(char *url)
{
	char *host = strstr(url, "://"), *path = host ? strchr(host + 3, '/') : NULL;

	if (path && path[1])
		strcpy(path, "/...");
}

static json_t *words_tree(const struct conf_list *list)
{
	json_t *words = json_array();

	for (size_t i = 0; i < list->count; i++)
		json_array_append_new(words, document_text(list->at[i]));
	return words;
}

RUNS_ON(on_control) static json_t *one_tree(const struct hook *hook, bool whole)
{
	static const char *const methods[] = {"post", "put", "get"};
	static const char *const presets[] = {"json", "discord", "slack", "template"};
	const struct hook_conf *conf = hook->conf;
	char url[256];

	fetch_url_show(conf->url, url, sizeof url - 4);
	if (!whole)
		url_end_at_host(url);
	return json_pack("{s:s s:s s:s s:i s:I s:I s:I s:i s:I s:o s:b s:b s:o s:o s:s s:s s:b}",
			 "name", hook->name, "url", url, "state", state_of(hook), "queued",
			 (int)hook->queued, "sent", (json_int_t)hook->sent, "failed",
			 (json_int_t)hook->failed, "lost", (json_int_t)hook->lost, "status",
			 (int)hook->status, "last", (json_int_t)(hook->sent_wall_us / 1000000),
			 "error", hook->error[0] ? document_text(hook->error) : json_null(),
			 "editable", hook->own != NULL, "enabled", conf->enabled, "events",
			 words_tree(&conf->events), "mounts", words_tree(&conf->mounts), "method",
			 methods[conf->method], "preset", presets[conf->preset], "signed",
			 conf->secret[0] != '\0');
}

json_t *hooks_tree(bool whole)
{
	json_t *list = json_array();

	for (const struct hook *hook = hooks; hook; hook = hook->next)
		json_array_append_new(list, one_tree(hook, whole));
	return list;
}

json_t *hook_tree(const char *name, bool whole)
{
	const struct hook *hook = hook_find(name);

	return hook ? one_tree(hook, whole) : NULL;
}

/* --- life ----------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
	free(container_of(handle, struct hook, timer));
}

RUNS_ON(on_control) static void hook_free(struct hook *hook)
{
	struct hook **link = &hooks;

	while (*link != hook)
		link = &(*link)->next;
	*link = hook->next;
	while (hook->first)
		hook_drop_first(hook);
	fetch_fini(&hook->fetch);
	hook_own_free(&hook->own);
	uv_close((uv_handle_t *)&hook->timer, on_closed);
}

/* NULL: no memory. */
RUNS_ON(on_control) static struct hook *hook_make(const char *name)
{
	struct hook *hook = calloc(1, sizeof *hook);

	if (!hook)
		return NULL;
	bytes_to_str(bytes_str(name), hook->name, sizeof hook->name);
	hook->last = &hook->first;
	uv_timer_init(loop, &hook->timer);
	hook->next = hooks;
	hooks = hook;
	return hook;
}

/* What waits was made for the address before: another one does not get it, nor that one the headers
 * and the secret that are said now. The settings before must be there still. */
RUNS_ON(on_control) static void hook_set(struct hook *hook, const struct hook_conf *conf)
{
	if (hook->conf && (!conf->enabled || strcmp(hook->conf->url, conf->url) != 0)) {
		fetch_cancel(&hook->fetch);
		uv_timer_stop(&hook->timer);
		hook->paused = false;
		hook->failures = 0;
		hook_lose_all(hook);
	}
	hook->conf = conf;
}

RUNS_ON(on_control) static bool hook_of_file(const char *name, const struct hook_conf *conf)
{
	struct hook *hook = hook_find(name);

	if (!hook || hook->own)
		hook = hook_make(name);
	if (!hook)
		return false;
	hook_set(hook, conf);
	hook->seen = true;
	return true;
}

RUNS_ON(on_control) static struct hook *own_find(const char *name)
{
	struct hook *hook = hooks;

	while (hook && (!hook->own || strcmp(hook->name, name) != 0))
		hook = hook->next;
	return hook;
}

RUNS_ON(on_control) static void warn_of_two(const char *name)
{
	if (own_find(name) && !hook_find(name)->own)
		log_warnx("edge", "made over the API and silent: the settings have one of its name",
			  kv_str("hook", name));
}

bool hook_own_put(struct hook_own *own)
{
	const char *name = json_string_value(json_object_get(own->tree, "name"));
	struct hook *hook = own_find(name);

	if (!hook)
		hook = hook_make(name);
	if (!hook)
		return false;
	hook_set(hook, &own->conf);
	hook_own_free(&hook->own);
	hook->own = own;
	warn_of_two(name);
	return true;
}

void hook_own_drop(const char *name)
{
	struct hook *hook = own_find(name);

	if (hook)
		hook_free(hook);
}

size_t hooks_own_count(void)
{
	size_t count = 0;

	for (const struct hook *hook = hooks; hook; hook = hook->next)
		count += hook->own != NULL;
	return count;
}

json_t *hooks_own_trees(void)
{
	json_t *list = json_array();

	for (const struct hook *hook = hooks; hook; hook = hook->next)
		if (hook->own)
			json_array_append(list, hook->own->tree);
	return list;
}

const json_t *hook_own_said(const char *name)
{
	const struct hook *hook = own_find(name);

	return hook ? hook->own->tree : NULL;
}

enum hook_kind hook_kind_of(const char *name)
{
	const struct hook *hook = hook_find(name);

	if (!hook)
		return HOOK_NONE;
	return hook->own ? HOOK_OWN : HOOK_OF_SETTINGS;
}

bool hooks_configure(uv_loop_t *control_loop, const struct conf *conf)
{
	bool done = true;
	struct hook *next;

	loop = control_loop;
	all = hooks_conf_of(conf);
	for (struct hook *hook = hooks; hook; hook = hook->next)
		hook->seen = hook->own;
	for (size_t i = 0; i < conf_entry_count(conf, &hook_conf_section); i++) {
		const char *name = conf_entry_name(conf, &hook_conf_section, i);

		if (conf_entry_is_pattern(name))
			continue;
		done &= hook_of_file(name, conf_entry_values(conf, &hook_conf_section, i));
		warn_of_two(name);
	}
	for (struct hook *hook = hooks; hook; hook = next) {
		next = hook->next;
		if (!hook->seen)
			hook_free(hook);
	}
	return done;
}

void hooks_stop(void)
{
	while (hooks)
		hook_free(hooks);
}
