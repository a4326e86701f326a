#include "radio/radio_push.h"

#include <errno.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "edge/document.h"
#include "edge/fetch.h"
#include "edge/proto/url.h"
#include "radio/proto/hops.h"
#include "radio/radio.h"
#include "radio/radio_outlet.h"
#include "radio/radio_publish.h"

#define TICK_MS   100
#define BURST     65536u
#define STEADY_US 10000000
#define TITLE_MS  10000

enum push_state { PUSH_OFF, PUSH_SILENT, PUSH_CALLING, PUSH_SENDING, PUSH_WAITING };

static const char *const state_names[] = {
	[PUSH_OFF] = "off",         [PUSH_SILENT] = "silent",   [PUSH_CALLING] = "connecting",
	[PUSH_SENDING] = "running", [PUSH_WAITING] = "waiting",
};

struct push {
	struct message message; /* between the threads, one at a time */
	struct push *next;      /* of the control thread's list */
	struct push *here_next; /* of the worker's */
	struct worker *worker;
	char name[FEED_NAME_MAX + 1];
	/* the control thread's */
	bool seen, started;
	/* what the worker is told: written while it is not there */
	char mount[FEED_NAME_MAX + 1];
	char url[FETCH_URL_MAX], user[128], password[256];
	bool put, metadata;
	uint64_t retry_min, retry_max;
	/* read by the control thread, relaxed */
	_Atomic unsigned state;
	_Atomic uint64_t bytes, calls, lost;
	_Atomic int64_t since_wall_us;
	_Atomic bool stop; /* asked by the control thread */
	/* the worker's */
	struct fetch fetch, title_fetch;
	uint64_t feed_id; /* 0: none is being sent */
	uint32_t kind;
	struct ring_cursor cursor;
	uint64_t title_seq;
	unsigned failures;
	mono_t next_try, up_since;
	uint8_t *unit; /* the unit or the headers under way */
	size_t unit_len, unit_sent, unit_size;
	bool paused;
	char why[160];
};

static struct push *pushes OWNED_BY(on_control);
static _Thread_local struct push *here;
static _Thread_local uv_timer_t tick;
static _Thread_local bool stopped;

/* --- on the worker -------------------------------------------------------------------------- */

static void push_turn(struct push *push, enum push_state state)
{
	if (atomic_load_explicit(&push->state, memory_order_relaxed) == state)
		return;
	atomic_store_explicit(&push->state, state, memory_order_relaxed);
	atomic_store_explicit(&push->since_wall_us, wall_now_us(), memory_order_relaxed);
}

RUNS_ON(on_worker) static struct tap *push_tap(const struct push *push)
{
	const struct outlet *outlet = outlet_find(bytes_str(push->mount));

	return outlet ? outlet->tap : NULL;
}

static bool room_for(struct push *push, size_t len)
{
	uint8_t *more;

	if (len <= push->unit_size)
		return true;
	more = realloc(push->unit, len);
	if (!more)
		return false;
	push->unit = more;
	push->unit_size = len;
	return true;
}

/* Puts the headers of the chain, if there are any, first in the way. */
static bool push_headers(struct push *push, const struct feed *feed, uint64_t pos)
{
	const struct ring *ring = &feed->ring[FEED_HEADERS];
	struct record headers;

	push->unit_len = push->unit_sent = 0;
	if (!feed_headers_at(feed, pos, &headers) || pos < headers.word[1])
		return true;
	if (!room_for(push, headers.len))
		return false;
	ring_copy(ring, headers.pos, push->unit, headers.len);
	if (!ring_keeps(ring, headers.pos, 0))
		return false;
	push->unit_len = headers.len;
	return true;
}

/* Where to begin: a little in the past, at a whole unit. False: nothing is there yet. */
static bool push_place(struct push *push, const struct tap *tap)
{
	struct record start, headers;

	if (!ring_find_start(tap_ring(tap), BURST, 0, &start))
		return false;
	if (feed_headers_at(tap->feed, start.pos, &headers) && start.pos < headers.word[1] &&
	    !ring_find_pos(tap_ring(tap), headers.word[0], &start))
		return false;
	push->cursor = ring_cursor_of(&start);
	push->feed_id = tap->id;
	push->kind = tap->feed->kind;
	push->title_seq = 0;
	return push_headers(push, tap->feed, start.pos);
}

/* The next unit into the way. 1: there is one. 0: not yet. -1: out of memory. */
static int push_read(struct push *push, const struct tap *tap)
{
	struct ring_loss loss = {0};
	struct record record;

	push->unit_len = push->unit_sent = 0;
	for (;;) {
		switch (ring_read(tap_ring(tap), &push->cursor, &record, push->unit,
				  push->unit_size, &loss)) {
		case RING_RECORD: push->unit_len = record.len; return 1;
		case RING_EMPTY: return 0;
		case RING_LAPPED:
			atomic_fetch_add_explicit(&push->lost, loss.bytes, memory_order_relaxed);
			metric_add(METRIC_radio_push_laps, 1);
			break;
		case RING_SMALL:
			if (!room_for(push, record.len))
				return -1;
			break;
		}
	}
}

static ssize_t on_more(struct fetch *fetch, uint8_t *room, size_t size)
{
	struct push *push = container_of(fetch, struct push, fetch);
	struct writer w = writer_of(room, size);
	struct tap *tap;

	enter_worker();
	tap = push_tap(push);
	if (!tap || tap->id != push->feed_id)
		return -1;
	while (w.len < w.size) {
		struct bytes part;

		if (push->unit_sent == push->unit_len) {
			int got = push_read(push, tap);

			if (got < 0)
				return -1;
			if (got == 0)
				break;
		}
		part = bytes_first(bytes_of(push->unit + push->unit_sent,
					    push->unit_len - push->unit_sent),
				   w.size - w.len);
		writer_put(&w, part);
		push->unit_sent += part.len;
	}
	push->paused = w.len == 0;
	atomic_fetch_add_explicit(&push->bytes, w.len, memory_order_relaxed);
	metric_add(METRIC_radio_push_bytes, (int64_t)w.len);
	return (ssize_t)w.len;
}

static bool on_head(struct fetch *fetch)
{
	struct push *push = container_of(fetch, struct push, fetch);
	char url[256];

	if (fetch->status >= 300) {
		snprintf(fetch->error, sizeof fetch->error, "it answered %u", fetch->status);
		return false;
	}
	fetch_url_show(push->url, url, sizeof url);
	log_info("radio", "push up", kv_str("name", push->name), kv_str("url", url));
	push_turn(push, PUSH_SENDING);
	push->up_since = mono_now();
	push->why[0] = '\0';
	return true;
}

static bool on_data(struct fetch *fetch, struct bytes in, bool *pause)
{
	(void)fetch;
	(void)in;
	(void)pause;
	return true; /* nobody says more */
}

static void push_pause(struct push *push)
{
	uint64_t ms = push->retry_min;

	for (unsigned i = 1; i < push->failures && ms < push->retry_max; i++)
		ms *= 2;
	push->next_try =
		mono_add_ms(mono_now(), (int64_t)(ms < push->retry_max ? ms : push->retry_max));
	push_turn(push, PUSH_WAITING);
}

static void on_done(struct fetch *fetch)
{
	struct push *push = container_of(fetch, struct push, fetch);
	const struct tap *tap;
	char url[256];
	bool known;

	enter_worker();
	fetch_cancel(&push->title_fetch);
	push->feed_id = 0;
	if (fetch->result == FETCH_STOPPED)
		return;
	tap = push_tap(push);
	/* The mount has gone on to another feed, or is silent: nobody's fault. */
	if (fetch->result == FETCH_ENDED && fetch->status < 300) {
		push->next_try = mono_now();
		push_turn(push, tap ? PUSH_CALLING : PUSH_SILENT);
		return;
	}
	known = strcmp(push->why, fetch->error) == 0;
	bytes_to_str(bytes_str(fetch->error[0] ? fetch->error : "it ended the stream"), push->why,
		     sizeof push->why);
	fetch_url_show(push->url, url, sizeof url);
	if (!known)
		log_warnx("radio", "push down", kv_str("name", push->name), kv_str("url", url),
			  kv_str("why", push->why));
	if (push->up_since.us && mono_since_us(mono_now(), push->up_since) > STEADY_US)
		push->failures = 0;
	push->failures++;
	metric_add(METRIC_radio_push_failures, 1);
	push_pause(push);
}

static void put_header(char *line, size_t size, const char *name, const char *value)
{
	line[0] = '\0';
	if (value[0])
		snprintf(line, size, "%s: %s", name, value);
}

RUNS_ON(on_worker) static void push_call(struct push *push, const struct tap *tap)
{
	const struct outlet *outlet = outlet_find(bytes_str(push->mount));
	const struct station *station = &outlet->station;
	char type[160], via[HOPS_SIZE + 64], line[6][600];
	char number[16];
	struct fetch_request request = {
		.method = push->put ? "PUT" : "SOURCE",
		.url = push->url,
		.user = push->user,
		.password = push->password,
		.connect_ms = 15000,
		.upload = true,
		.more = on_more,
		.head = on_head,
		.data = on_data,
		.done = on_done,
	};
	size_t n = 0;
	struct url url;

	/* Those in the URL go first. */
	if (url_parse_http(bytes_str(push->url), &url) && url.userinfo.len)
		request.user = NULL;
	snprintf(type, sizeof type, "Content-Type: %s", tap->feed->type);
	snprintf(via, sizeof via, "icy-via: %s%s%s", (const char *)radio_id().at,
		 station->via[0] ? ", " : "", station->via);
	snprintf(number, sizeof number, "%u", station->bitrate);
	put_header(line[0], sizeof line[0], "ice-name", station->name);
	put_header(line[1], sizeof line[1], "ice-description", station->description);
	put_header(line[2], sizeof line[2], "ice-genre", station->genre);
	put_header(line[3], sizeof line[3], "ice-url", station->url);
	put_header(line[4], sizeof line[4], "ice-audio-info", station->audio_info);
	put_header(line[5], sizeof line[5], "ice-bitrate", station->bitrate ? number : "");
	request.headers[n++] = type;
	request.headers[n++] = via;
	/* The body ends with the connection: Icecast 2.4 takes chunks for audio. */
	request.headers[n++] = "Transfer-Encoding:";
	request.headers[n++] =
		station->public_said && station->is_public ? "ice-public: 1" : "ice-public: 0";
	for (size_t i = 0; i < 6; i++)
		if (line[i][0])
			request.headers[n++] = line[i];
	if (!push_place(push, tap))
		return;
	atomic_fetch_add_explicit(&push->calls, 1, memory_order_relaxed);
	push->up_since = (mono_t){0};
	push_turn(push, PUSH_CALLING);
	if (fetch_start(&push->fetch, &request) != 0) {
		push->feed_id = 0;
		push->failures++;
		push_pause(push);
	}
}

static void on_title_done(struct fetch *fetch)
{
	if (fetch->result != FETCH_OK || fetch->status != 200)
		metric_add(METRIC_radio_push_titles_lost, 1);
}

/* http://host:8000/live?x ▶ http://host:8000/admin/metadata?mode=updinfo&mount=/live&song=… */
static bool title_url(const struct push *push, struct bytes title, char *out, size_t size)
{
	struct writer w = writer_of(out, size - 1);
	struct bytes all = bytes_str(push->url), path, query;
	struct url url;

	if (!url_parse_http(all, &url))
		return false;
	url_split_target(url.target, &path, &query);
	writer_put(&w, bytes_of(all.at, (size_t)(path.at - all.at)));
	writer_str(&w, "/admin/metadata?mode=updinfo&charset=UTF-8&mount=");
	writer_put(&w, path);
	writer_str(&w, "&song=");
	url_encode_component(&w, title);
	out[w.len] = '\0';
	return writer_ok(&w);
}

static bool takes_titles(uint32_t kind)
{
	return kind == FRAMER_MP3 || kind == FRAMER_ADTS || kind == FRAMER_RAW;
}

/* The title where the push is, when it is another than the one sent last. */
RUNS_ON(on_worker) static void push_title(struct push *push, const struct tap *tap)
{
	char text[FEED_NOTE_MAX], url[FETCH_URL_MAX];
	struct fetch_request request = {
		.method = "GET",
		.url = url,
		.user = push->user,
		.password = push->password,
		.timeout_ms = TITLE_MS,
		.body_max = 8192,
		.done = on_title_done,
	};
	struct bytes title, link;
	struct record note;
	struct url parts;

	if (!push->metadata || !takes_titles(push->kind) || fetch_is_running(&push->title_fetch) ||
	    !feed_note_at(tap->feed, push->cursor.pos, &note) || note.seq == push->title_seq ||
	    !tap_note_text(tap->feed, &note, text, sizeof text, &title, &link))
		return;
	push->title_seq = note.seq;
	if (url_parse_http(bytes_str(push->url), &parts) && parts.userinfo.len)
		request.user = NULL;
	if (!title_url(push, title, url, sizeof url) ||
	    fetch_start(&push->title_fetch, &request) != 0)
		metric_add(METRIC_radio_push_titles_lost, 1);
}

static void deliver_home(struct message *message);

RUNS_ON(on_worker) static void push_leave(struct push *push)
{
	struct push **link = &here;

	while (*link != push)
		link = &(*link)->here_next;
	*link = push->here_next;
	fetch_fini(&push->fetch);
	fetch_fini(&push->title_fetch);
	free(push->unit);
	push->unit = NULL;
	push->unit_size = push->unit_len = push->unit_sent = 0;
	push->feed_id = 0;
	push_turn(push, PUSH_OFF);
	push->message.deliver = deliver_home;
	control_post(&push->message);
}

RUNS_ON(on_worker) static void push_step(struct push *push, mono_t now)
{
	const struct tap *tap = push_tap(push);

	if (fetch_is_running(&push->fetch)) {
		bool over = !tap || tap->id != push->feed_id;

		if (!over &&
		    atomic_load_explicit(&push->state, memory_order_relaxed) == PUSH_SENDING)
			push_title(push, tap);
		if (over || push->paused)
			fetch_resume(&push->fetch); /* on_more() ends it when it is over */
		return;
	}
	if (!tap) {
		push_turn(push, PUSH_SILENT);
		return;
	}
	if (!mono_before(now, push->next_try))
		push_call(push, tap);
}

static void on_tick(uv_timer_t *timer)
{
	mono_t now = mono_now();
	struct push *next;

	(void)timer;
	enter_worker();
	for (struct push *push = here; push; push = next) {
		next = push->here_next;
		if (atomic_load_explicit(&push->stop, memory_order_relaxed))
			push_leave(push);
		else
			push_step(push, now);
	}
}

static void deliver_begin(struct message *message)
{
	struct push *push = container_of(message, struct push, message);

	enter_worker();
	push->here_next = here;
	here = push;
	push->failures = 0;
	push->next_try = mono_now();
	if (stopped)
		push_leave(push);
}

int push_worker_start(struct worker *worker)
{
	int error = uv_timer_init(&worker->loop, &tick);

	here = NULL;
	stopped = false;
	return error ? error : uv_timer_start(&tick, on_tick, TICK_MS, TICK_MS);
}

void push_worker_stop(struct worker *worker)
{
	(void)worker;
	stopped = true;
	while (here)
		push_leave(here);
	uv_close((uv_handle_t *)&tick, NULL);
}

/* --- on the control thread ------------------------------------------------------------------ */

RUNS_ON(on_control) static const struct push_conf *conf_of(const struct push *push)
{
	return conf_entry_for(radio_settings(), &push_conf_section, push->name);
}

RUNS_ON(on_control) static void push_begin(struct push *push)
{
	const struct push_conf *conf = conf_of(push);
	const struct pushes_conf *all = pushes_conf_of(radio_settings());
	static unsigned placed;

	bytes_to_str(bytes_str(conf->mount), push->mount, sizeof push->mount);
	bytes_to_str(bytes_str(conf->url), push->url, sizeof push->url);
	bytes_to_str(bytes_str(conf->user), push->user, sizeof push->user);
	bytes_to_str(bytes_str(conf->password), push->password, sizeof push->password);
	push->put = conf->method == PUSH_PUT;
	push->metadata = conf->metadata;
	push->retry_min = all->retry_min;
	push->retry_max = all->retry_max;
	atomic_store_explicit(&push->stop, false, memory_order_relaxed);
	push->worker = worker_of(placed++ % workers_count());
	push->message.deliver = deliver_begin;
	worker_post(push->worker, &push->message);
}

RUNS_ON(on_control) static void push_free(struct push *push)
{
	struct push **link = &pushes;

	while (*link != push)
		link = &(*link)->next;
	*link = push->next;
	free(push);
}

/* It is at rest: away with it, or out again with other settings. */
static void deliver_home(struct message *message)
{
	struct push *push = container_of(message, struct push, message);

	enter_control();
	push->worker = NULL;
	if (!push->seen)
		push_free(push);
	else if (push->started && !mount_hub_stopping())
		push_begin(push);
}

RUNS_ON(on_control) static struct push *push_find(struct bytes name)
{
	struct push *push = pushes;

	while (push && !bytes_equal(bytes_str(push->name), name))
		push = push->next;
	return push;
}

static bool differs(const struct push *push, const struct push_conf *conf)
{
	return strcmp(push->mount, conf->mount) != 0 || strcmp(push->url, conf->url) != 0 ||
	       strcmp(push->user, conf->user) != 0 || strcmp(push->password, conf->password) != 0 ||
	       push->put != (conf->method == PUSH_PUT) || push->metadata != conf->metadata;
}

RUNS_ON(on_control) static void push_set(struct push *push, bool started, bool again)
{
	push->started = started;
	if (push->worker && (!started || again))
		atomic_store_explicit(&push->stop, true, memory_order_relaxed);
	else if (!push->worker && started)
		push_begin(push);
}

bool push_do(struct bytes name, bool start)
{
	struct push *push = push_find(name);

	if (push)
		push_set(push, start, true);
	return push;
}

RUNS_ON(on_control) static bool push_of_file(const char *name, const struct push_conf *conf)
{
	struct push *push = push_find(bytes_str(name));

	if (!push) {
		push = calloc(1, sizeof *push);
		if (!push)
			return false;
		bytes_to_str(bytes_str(name), push->name, sizeof push->name);
		push->next = pushes;
		pushes = push;
	}
	push->seen = true;
	push_set(push, conf->enabled, push->worker && differs(push, conf));
	return true;
}

bool pushes_reload(const struct conf *conf)
{
	struct push *next;
	bool done = true;

	for (struct push *push = pushes; push; push = push->next)
		push->seen = false;
	for (size_t i = 0; i < conf_entry_count(conf, &push_conf_section); i++) {
		const char *name = conf_entry_name(conf, &push_conf_section, i);

		if (!conf_entry_is_pattern(name))
			done &= push_of_file(name, conf_entry_values(conf, &push_conf_section, i));
	}
	for (struct push *push = pushes; push; push = next) {
		next = push->next;
		if (push->seen)
			continue;
		if (push->worker)
			push_set(push, false, true);
		else
			push_free(push);
	}
	return done;
}

void pushes_fini(void)
{
	while (pushes)
		push_free(pushes);
}

RUNS_ON(on_control) static json_t *push_tree(struct push *push)
{
	unsigned state = atomic_load_explicit(&push->state, memory_order_relaxed);
	uint64_t calls = atomic_load_explicit(&push->calls, memory_order_relaxed);
	char url[256];

	fetch_url_show(push->url, url, sizeof url);
	return json_pack(
		"{s:s s:s s:s s:s s:I s:I s:I s:I s:b}", "name", push->name, "mount", push->mount,
		"url", url, "state", state_names[state], "since",
		(json_int_t)(atomic_load_explicit(&push->since_wall_us, memory_order_relaxed) /
			     1000000),
		"bytes", (json_int_t)atomic_load_explicit(&push->bytes, memory_order_relaxed),
		"retries", (json_int_t)(calls ? calls - 1 : 0), "lost",
		(json_int_t)atomic_load_explicit(&push->lost, memory_order_relaxed), "started",
		push->started);
}

json_t *pushes_tree(void)
{
	json_t *list = json_array();

	for (struct push *push = pushes; push; push = push->next)
		json_array_append_new(list, push_tree(push));
	return list;
}
