#include "radio/radio_pull.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/lookout.h"
#include "core/metric.h"
#include "edge/proto/charset.h"
#include "edge/proto/url.h"
#include "radio/radio.h"
#include "radio/radio_relay.h"

#define SWEEP_MS      250
#define RATE_WINDOW_S 10
#define REDIRECTS     5

static _Thread_local struct pull *pulls;
static _Thread_local uv_timer_t sweep;
static _Thread_local struct lookout look;
static _Thread_local bool stopped;

static int pull_call(struct pull *pull, const char *url);

/* --- the end -------------------------------------------------------------------------------- */

static void deliver_home(struct message *message)
{
	struct pull *pull = container_of(message, struct pull, message);

	enter_control();
	relay_ended(pull);
}

/* All that it had is given back; nobody on this thread knows it any more. */
RUNS_ON(on_worker) static void pull_go_home(struct pull *pull)
{
	if (pull->prev)
		pull->prev->next = pull->next;
	else
		pulls = pull->next;
	if (pull->next)
		pull->next->prev = pull->prev;
	free(pull->icy);
	pull->icy = NULL;
	fetch_fini(&pull->fetch);
	pull->message.deliver = deliver_home;
	control_post(&pull->message);
}

RUNS_ON(on_worker) static void pull_news(struct pull *pull)
{
	struct publisher *publisher = &pull->publisher;
	unsigned news = publisher->news;

	publisher->news = 0;
	atomic_store_explicit(&pull->mount->count.last_unit_us, publisher->state.last_unit.us,
			      memory_order_relaxed);
	if (news & PUBLISH_LIVE) {
		pull->about.about = *framer_about(&publisher->state.framer);
		/* Without memory it is said with the next unit. */
		if (!hub_source_live(pull->mount, &pull->about, publisher->feed,
				     publisher->state.first_pos))
			publisher->news |= PUBLISH_LIVE;
	}
	if (news & PUBLISH_TITLE)
		hub_source_title(pull->mount, pull->source_id, bytes_str(publisher->title),
				 BYTES(""));
}

/* Not from within the fetch's calls: those end it by their result. */
RUNS_ON(on_worker) static void pull_end(struct pull *pull, enum pull_end end, const char *why)
{
	if (pull->over)
		return;
	pull->over = true;
	pull->end = end;
	bytes_to_str(bytes_str(why), pull->why, sizeof pull->why);
	fetch_cancel(&pull->fetch);
	if (pull->mount) {
		publisher_finish(&pull->publisher);
		pull_news(pull);
		publisher_fini(&pull->publisher);
		hub_source_gone(pull->farewell, pull->mount, pull->source_id, pull->why);
		pull->farewell = NULL;
		metric_add(METRIC_radio_relays_running, -1);
	}
	/* The hub's answer still comes here. */
	if (!pull->claim)
		pull_go_home(pull);
}

/* --- the stream ----------------------------------------------------------------------------- */

RUNS_ON(on_worker)
static void pull_stream_title(struct pull *pull, const struct icy_fields *fields)
{
	enum charset charset = radio_charset_of(mount_conf(pull->mount)->charset);
	char title[TITLE_SIZE], url[512];

	/* Of what was heard before the break: known, and out of date perhaps. */
	if (pull->publisher.joining && pull->publisher.join_seq)
		return;
	charset_to_field(fields->title, charset, title, sizeof title);
	charset_to_field(fields->url, charset, url, sizeof url);
	publisher_set_title(&pull->publisher, bytes_str(title), bytes_str(url));
	hub_source_title(pull->mount, pull->source_id, bytes_str(title), bytes_str(url));
}

RUNS_ON(on_worker) static const char *pull_publish(struct pull *pull, struct bytes in)
{
	enum publish_status status = publisher_put(&pull->publisher, in, pull->last_data);

	pull_news(pull);
	switch (status) {
	case PUBLISH_OK: break;
	case PUBLISH_RUBBISH: return "it is no stream that can be cut into frames";
	case PUBLISH_FAILED: return "out of memory";
	}
	return NULL;
}

RUNS_ON(on_worker) static const char *pull_audio(struct pull *pull, struct bytes in)
{
	const char *why = NULL;
	struct icy_fields fields;
	struct bytes audio;
	size_t used;

	if (!pull->icy)
		return pull_publish(pull, in);
	while (in.len && !why) {
		switch (icy_demux_next(pull->icy, in, &audio, &fields, &used)) {
		case ICY_DEMUX_MORE: break;
		case ICY_DEMUX_AUDIO: why = pull_publish(pull, audio); break;
		case ICY_DEMUX_TITLE: pull_stream_title(pull, &fields); break;
		}
		in = bytes_skip(in, used);
	}
	return why;
}

static bool say(struct fetch *fetch, const char *why)
{
	bytes_to_str(bytes_str(why), fetch->error, sizeof fetch->error);
	return false;
}

static bool take_list(struct pull *pull, struct bytes in)
{
	struct bytes part = bytes_first(in, sizeof pull->list - pull->list_len);

	if (part.len)
		memcpy(pull->list + pull->list_len, part.at, part.len);
	pull->list_len += part.len;
	return pull->list_len < sizeof pull->list;
}

static bool on_data(struct fetch *fetch, struct bytes in, bool *pause)
{
	struct pull *pull = container_of(fetch, struct pull, fetch);
	const char *why;

	enter_worker();
	if (pull->listed)
		return take_list(pull, in);
	if (pull->claim) {
		*pause = true;
		return true;
	}
	pull->last_data = mono_now();
	pull->window_bytes += in.len;
	atomic_fetch_add_explicit(&pull->bytes, in.len, memory_order_relaxed);
	atomic_fetch_add_explicit(&pull->mount->count.bytes_in, in.len, memory_order_relaxed);
	metric_add(METRIC_radio_bytes_in, (int64_t)in.len);
	metric_add(METRIC_radio_relay_bytes, (int64_t)in.len);
	why = pull_audio(pull, in);
	return why ? say(fetch, why) : true;
}

/* --- the claim ------------------------------------------------------------------------------ */

static void deliver_hello(struct message *message)
{
	struct pull *pull = container_of(message, struct pull, hello);

	enter_control();
	relay_is_up(pull);
}

RUNS_ON(on_worker) static bool pull_begin_publishing(struct pull *pull, const struct claim *claim)
{
	struct publish_plan plan = {
		.name = bytes_str(claim->granted->name),
		.old_feed = claim->feed,
		.shape = claim->shape,
		.writer = claim->about.id,
		.rejoins = true,
	};

	bytes_to_str(bytes_str(claim->about.content_type), plan.type, sizeof plan.type);
	if (publisher_init(&pull->publisher, &plan) == 0)
		return true;
	publisher_fini(&pull->publisher);
	return false;
}

/* The hub's word. */
static void on_claimed(struct claim *claim)
{
	struct pull *pull = container_of(claim->asker, struct pull, message);
	char why[160];

	enter_worker();
	pull->claim = NULL;
	bytes_to_str(bytes_str(claim->granted ? "" : claim->refuse_why), why, sizeof why);
	if (claim->granted && !pull->over && pull_begin_publishing(pull, claim)) {
		pull->mount = claim->granted;
		pull->source_id = claim->about.id;
		pull->about = claim->about;
		pull->farewell = claim->farewell;
		claim->farewell = NULL;
		metric_add(METRIC_radio_relays_running, 1);
		pull->last_data = pull->window_began = mono_now();
		pull->hello.deliver = deliver_hello;
		control_post(&pull->hello);
	} else if (claim->granted) {
		hub_source_gone(claim->farewell, claim->granted, claim->about.id, "not begun");
		claim->farewell = NULL;
		bytes_to_str(BYTES("out of memory"), why, sizeof why);
	}
	free(claim->farewell);
	free(claim);
	if (pull->over)
		pull_go_home(pull);
	else if (!pull->mount)
		pull_end(pull, PULL_REFUSED, why);
	else
		fetch_resume(&pull->fetch);
}

RUNS_ON(on_worker) static bool pull_take_head(struct pull *pull, struct claim *claim)
{
	struct bytes rest = bytes_of(pull->fetch.head, pull->fetch.head_len);
	struct mount_source *about = &claim->about;
	struct bytes type = fetch_header(&pull->fetch, "Content-Type");
	struct bytes metaint = fetch_header(&pull->fetch, "icy-metaint");
	uint64_t interval = 0;

	(void)bytes_cut(&rest, '\n');
	while (rest.len) {
		struct bytes line = bytes_cut(&rest, '\n');
		struct bytes name = bytes_cut(&line, ':');

		(void)station_take_header(&about->station, name, bytes_trim(line));
	}
	charset_to_field(type.len ? type : BYTES("audio/mpeg"), CHARSET_UTF8, about->content_type,
			 sizeof about->content_type);
	charset_to_field(fetch_header(&pull->fetch, "Server"), CHARSET_UTF8, about->agent,
			 sizeof about->agent);
	(void)fetch_peer(&pull->fetch, &about->address);
	if (metaint.len && (!bytes_to_u64(metaint, 1u << 24, &interval) || interval == 0))
		return say(&pull->fetch, "its icy-metaint is no number");
	if (!interval)
		return true;
	pull->icy = malloc(sizeof *pull->icy);
	if (!pull->icy)
		return say(&pull->fetch, "out of memory");
	icy_demux_init(pull->icy, (uint32_t)interval);
	return true;
}

RUNS_ON(on_worker) static bool pull_claim(struct pull *pull)
{
	struct claim *claim = calloc(1, sizeof *claim);

	if (!claim || !(claim->farewell = hub_message_make()) || !pull_take_head(pull, claim)) {
		if (claim)
			free(claim->farewell);
		free(claim);
		if (!pull->fetch.error[0])
			say(&pull->fetch, "out of memory");
		return false;
	}
	claim->worker = claim->about.worker = pull->worker;
	claim->asker = &pull->message;
	claim->answered = on_claimed;
	bytes_to_str(BYTES("relay"), claim->about.protocol, sizeof claim->about.protocol);
	claim->about.relay = true;
	claim->about.yields = pull->order.yields;
	bytes_to_str(bytes_str(pull->order.mount), claim->mount, sizeof claim->mount);
	pull->claim = claim;
	hub_claim(claim);
	return true;
}

static bool is_circle(struct bytes via)
{
	return hops_hold(via, radio_id()) || hops_count(via) >= HOPS_MAX;
}

/* The upstream has answered. */
static bool on_head(struct fetch *fetch)
{
	struct pull *pull = container_of(fetch, struct pull, fetch);
	struct bytes type = fetch_header(fetch, "Content-Type");

	enter_worker();
	pull->last_data = mono_now();
	if (fetch->status == 508)
		return say(fetch, "it leads back to this server");
	if (fetch->status != 200) {
		snprintf(fetch->error, sizeof fetch->error, "it answered %u", fetch->status);
		return false;
	}
	if (is_circle(fetch_header(fetch, "icy-via")))
		return say(fetch, "its stream comes from this server");
	if (playlist_is_type(type) && !pull->followed) {
		pull->listed = true;
		return true;
	}
	if (playlist_is_type(type) || bytes_start_with_nocase(type, BYTES("text/")))
		return say(fetch, "it is a page or a list and no stream");
	return pull_claim(pull);
}

/* The list is there: its first address is the stream. */
RUNS_ON(on_worker) static void pull_follow_list(struct pull *pull)
{
	struct bytes url = playlist_first_url(bytes_of(pull->list, pull->list_len));
	char text[FETCH_URL_MAX];

	if (url.len == 0 || url.len >= sizeof text) {
		pull_end(pull, PULL_FAILED, "its play list names no stream");
		return;
	}
	bytes_to_str(url, text, sizeof text);
	pull->listed = false;
	pull->followed = true;
	pull->began = mono_now();
	if (!pull->fetch.internal)
		pull->order.reach = FETCH_OUTSIDE;
	if (pull_call(pull, text) != 0)
		pull_end(pull, PULL_FAILED, "its play list names an address that is none");
}

static void on_done(struct fetch *fetch)
{
	struct pull *pull = container_of(fetch, struct pull, fetch);

	enter_worker();
	if (pull->listed && (fetch->result == FETCH_OK || fetch->result == FETCH_ENDED))
		pull_follow_list(pull);
	else if (pull->mount)
		pull_end(pull, PULL_LOST,
			 fetch->result == FETCH_OK ? "it ended the stream" : fetch->error);
	else
		pull_end(pull, PULL_FAILED,
			 fetch->result == FETCH_OK ? "it ended at once" : fetch->error);
}

static int pull_call(struct pull *pull, const char *url)
{
	const struct pull_order *order = &pull->order;
	struct fetch_request request = {
		.method = "GET",
		.url = url,
		.user = order->user[0] && !pull->followed ? order->user : NULL,
		.password = order->password,
		.headers = {order->via, order->metadata ? "Icy-MetaData: 1" : NULL},
		.connect_ms = order->head_ms,
		.redirects = REDIRECTS,
		.reach = order->reach,
		.bind = order->bind,
		.shoutcast = true,
		.head = on_head,
		.data = on_data,
		.done = on_done,
	};

	return fetch_start(&pull->fetch, &request);
}

/* --- life ----------------------------------------------------------------------------------- */

static void deliver_begin(struct message *message)
{
	struct pull *pull = container_of(message, struct pull, message);
	int error;

	enter_worker();
	pull->next = pulls;
	if (pull->next)
		pull->next->prev = pull;
	pulls = pull;
	pull->began = pull->last_data = mono_now();
	error = stopped ? UV_ECANCELED : pull_call(pull, pull->order.url);
	if (error)
		pull_end(pull, PULL_FAILED, uv_strerror(error));
}

void pull_begin(struct pull *pull)
{
	pull->message.deliver = deliver_begin;
	worker_post(pull->worker, &pull->message);
}

struct stop_order {
	struct message message;
	uint64_t id;
	const char *why;
};

static void deliver_stop(struct message *message)
{
	struct stop_order *order = container_of(message, struct stop_order, message);
	struct pull *pull = pulls;

	enter_worker();
	while (pull && pull->order.id != order->id)
		pull = pull->next;
	if (pull)
		pull_end(pull, PULL_TOLD, order->why);
	free(order);
}

bool pull_stop(struct worker *worker, uint64_t id, const char *why)
{
	struct stop_order *order = calloc(1, sizeof *order);

	if (!order)
		return false;
	order->id = id;
	order->why = why;
	order->message.deliver = deliver_stop;
	worker_post(worker, &order->message);
	return true;
}

RUNS_ON(on_worker) static struct pull *pull_of_source(uint64_t source_id)
{
	struct pull *pull = pulls;

	while (pull && !(pull->mount && !pull->over && pull->source_id == source_id))
		pull = pull->next;
	return pull;
}

bool pull_end_source(uint64_t source_id, const char *why)
{
	struct pull *pull = pull_of_source(source_id);

	if (pull)
		pull_end(pull, PULL_LOST, why);
	return pull;
}

bool pull_title_source(uint64_t source_id, struct bytes title, struct bytes url)
{
	struct pull *pull = pull_of_source(source_id);

	if (pull)
		publisher_set_title(&pull->publisher, title, url);
	return pull;
}

/* The stream is faster than it may be: asked at the end of each window. The first one has what the
 * upstream had in store for a new listener. */
static bool is_too_fast(struct pull *pull, mono_t now)
{
	uint64_t most = pull->order.max_bitrate * 125 * RATE_WINDOW_S;
	int64_t first = mono_since_us(pull->window_began, pull->began);
	bool too_fast;

	if (!most || !pull->mount ||
	    mono_since_us(now, pull->window_began) < RATE_WINDOW_S * 1000000)
		return false;
	too_fast = first > RATE_WINDOW_S * 1000000 && pull->window_bytes > most + most / 10;
	pull->window_began = now;
	pull->window_bytes = 0;
	return too_fast;
}

static void on_sweep(uv_timer_t *timer)
{
	mono_t now = mono_now();
	struct pull *next;

	(void)timer;
	enter_worker();
	if (!lookout_counts(&look, now, SWEEP_MS))
		return;
	for (struct pull *pull = pulls; pull; pull = next) {
		int64_t silent = mono_since_us(now, pull->last_data) / 1000;

		next = pull->next;
		if (pull->over || pull->claim)
			continue;
		if (!pull->mount &&
		    mono_since_us(now, pull->began) > (int64_t)pull->order.head_ms * 1000)
			pull_end(pull, PULL_FAILED, "no answer in time");
		else if (pull->mount && silent > (int64_t)pull->order.stall_ms)
			pull_end(pull, PULL_LOST, "it sends nothing");
		else if (is_too_fast(pull, now))
			pull_end(pull, PULL_FAILED, "it sends more than max_bitrate");
	}
}

int pull_worker_start(struct worker *worker)
{
	int error = uv_timer_init(&worker->loop, &sweep);

	pulls = NULL;
	stopped = false;
	look = (struct lookout){0};
	return error ? error : uv_timer_start(&sweep, on_sweep, SWEEP_MS, SWEEP_MS);
}

bool pull_worker_busy(void)
{
	return pulls;
}

void pull_worker_stop(struct worker *worker)
{
	struct pull *next;

	(void)worker;
	stopped = true;
	for (struct pull *pull = pulls; pull; pull = next) {
		next = pull->next;
		pull_end(pull, PULL_TOLD, "server stops");
	}
	uv_close((uv_handle_t *)&sweep, NULL);
}
