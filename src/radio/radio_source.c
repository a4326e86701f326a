#include "radio/radio_source.h"

#include <errno.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "edge/edge.h"
#include "edge/proto/charset.h"
#include "edge/proto/chunked.h"
#include "radio/proto/icy.h"
#include "radio/proto/shoutcast.h"
#include "radio/radio.h"
#include "radio/radio_hub.h"
#include "radio/radio_outlet.h"
#include "radio/radio_publish.h"
#include "radio/radio_pull.h"

#define READ_SIZE 32768u /* of one read; what a listener's guard is a multiple of */
#define SWEEP_MS  250

struct source {
	uv_poll_t poll;
	struct worker *worker;
	struct source *prev, *next; /* sources */
	struct mount *mount;
	uint64_t id;
	struct link link;
	bool closing;
	bool logged_in; /* SHOUTcast: header lines are still to come, into login */
	uint8_t login[SHOUTCAST_LINE_MAX];
	size_t login_len;
	struct shoutcast shoutcast;
	struct http1_body body;
	struct chunked chunked;
	uint64_t body_left;    /* of a body with a length */
	struct icy_demux *icy; /* of an encoder that sends titles in its stream */
	struct mount_source about;
	struct publisher publisher;
	struct hub_message *farewell; /* the claim's */
	mono_t last_data;
};

static _Thread_local struct source *sources;
static _Thread_local uint8_t scratch[READ_SIZE];
static _Thread_local uv_timer_t sweep;

/* --- the end -------------------------------------------------------------------------------- */

static void source_free(struct source *source)
{
	publisher_fini(&source->publisher);
	free(source->farewell);
	free(source->icy);
	free(source);
}

static void on_closed(uv_handle_t *handle)
{
	source_free(container_of(handle, struct source, poll));
}

/* Tells the hub what the publisher found. */
RUNS_ON(on_worker) static void source_news(struct source *source)
{
	struct publisher *publisher = &source->publisher;
	unsigned news = publisher->news;

	publisher->news = 0;
	atomic_store_explicit(&source->mount->count.last_unit_us, publisher->last_unit.us,
			      memory_order_relaxed);
	if (news & PUBLISH_LIVE) {
		source->about.about = *framer_about(&publisher->framer);
		/* Without memory it is said with the next unit. */
		if (!hub_source_live(source->mount, &source->about, publisher->feed,
				     publisher->first_pos))
			publisher->news |= PUBLISH_LIVE;
	}
	if (news & PUBLISH_TITLE)
		hub_source_title(source->mount, source->id, bytes_str(publisher->title), BYTES(""));
}

RUNS_ON(on_worker) static void source_end(struct source *source, const char *why)
{
	struct hub_message *farewell = source->farewell;

	if (source->closing)
		return;
	source->closing = true;
	source->farewell = NULL;
	publisher_finish(&source->publisher);
	source_news(source);
	/* The hub may hand the feed to the next encoder at once. */
	publisher_fini(&source->publisher);
	hub_source_gone(farewell, source->mount, source->id, why);
	if (source->prev)
		source->prev->next = source->next;
	else
		sources = source->next;
	if (source->next)
		source->next->prev = source->prev;
	link_close_gently(source->link);
	edge_left(source->worker);
	metric_add(METRIC_radio_sources, -1);
	uv_close((uv_handle_t *)&source->poll, on_closed);
}

/* --- bytes ---------------------------------------------------------------------------------- */

RUNS_ON(on_worker) static const char *source_publish(struct source *source, struct bytes in)
{
	enum publish_status status = publisher_put(&source->publisher, in, source->last_data);

	source_news(source);
	switch (status) {
	case PUBLISH_OK: break;
	case PUBLISH_RUBBISH: return "rubbish";
	case PUBLISH_FAILED: return "out of memory";
	}
	return NULL;
}

RUNS_ON(on_worker)
static void source_stream_title(struct source *source, const struct icy_fields *fields)
{
	enum charset charset = radio_charset_of(mount_conf(source->mount)->charset);
	char title[TITLE_SIZE], url[512];

	charset_to_field(fields->title, charset, title, sizeof title);
	charset_to_field(fields->url, charset, url, sizeof url);
	publisher_set_title(&source->publisher, bytes_str(title), bytes_str(url));
	hub_source_title(source->mount, source->id, bytes_str(title), bytes_str(url));
}

/* What the encoder's connection carries, once its framing is off. NULL: go on. Else why the source
 * is over. */
RUNS_ON(on_worker) static const char *source_audio(struct source *source, struct bytes in)
{
	const char *why = NULL;
	struct icy_fields fields;
	struct bytes audio;
	size_t used;

	if (!source->icy)
		return source_publish(source, in);
	while (in.len && !why) {
		switch (icy_demux_next(source->icy, in, &audio, &fields, &used)) {
		case ICY_DEMUX_MORE: break;
		case ICY_DEMUX_AUDIO: why = source_publish(source, audio); break;
		case ICY_DEMUX_TITLE: source_stream_title(source, &fields); break;
		}
		in = bytes_skip(in, used);
	}
	return why;
}

RUNS_ON(on_worker) static const char *source_chunks(struct source *source, struct bytes in)
{
	const char *why;
	struct bytes data;
	size_t used;

	for (;;) {
		switch (chunked_next(&source->chunked, in, &data, &used)) {
		case CHUNKED_MORE: return NULL;
		case CHUNKED_END: return "finished";
		case CHUNKED_BAD: return "broken chunks";
		case CHUNKED_DATA: break;
		}
		why = source_audio(source, data);
		if (why)
			return why;
		in = bytes_skip(in, used);
	}
}

RUNS_ON(on_worker) static const char *source_body(struct source *source, struct bytes in)
{
	const char *why;

	if (source->body.framing == HTTP1_CHUNKED)
		return source_chunks(source, in);
	if (source->body.framing == HTTP1_LENGTH) {
		in = bytes_first(in,
				 source->body_left < in.len ? (size_t)source->body_left : in.len);
		source->body_left -= in.len;
	}
	why = source_audio(source, in);
	if (why)
		return why;
	return source->body.framing == HTTP1_LENGTH && source->body_left == 0 ? "finished" : NULL;
}

static void take_header(struct source *source, struct bytes name, struct bytes value)
{
	if (bytes_equal_nocase(name, BYTES("content-type")))
		charset_to_field(value, CHARSET_UTF8, source->about.content_type,
				 sizeof source->about.content_type);
	else
		(void)station_take_header(&source->about.station, name, value);
}

/* The header lines of a SHOUTcast encoder are over. */
RUNS_ON(on_worker) static void source_logged_in(struct source *source)
{
	char *type = source->about.content_type;

	source->logged_in = false;
	if (type[0] == '\0')
		bytes_to_str(BYTES("audio/mpeg"), type, sizeof source->about.content_type);
	hub_source_station(source->mount, &source->about);
	publisher_set_type(&source->publisher, bytes_str(type));
}

/* Takes header lines off the beginning of in, and what is no whole line yet into login. */
RUNS_ON(on_worker) static const char *source_login(struct source *source, struct bytes *in)
{
	struct shoutcast_part part;
	size_t used = 0;

	while (source->logged_in) {
		size_t had = source->login_len;
		struct bytes more = bytes_first(*in, sizeof source->login - had);
		struct bytes line;

		if (more.len)
			memcpy(source->login + had, more.at, more.len);
		line = bytes_of(source->login, had + more.len);
		switch (shoutcast_next(&source->shoutcast, line, &part, &used)) {
		case SHOUTCAST_BAD: return "broken headers";
		case SHOUTCAST_MORE:
			source->login_len = line.len;
			*in = bytes_skip(*in, more.len);
			return line.len == sizeof source->login ? "broken headers" : NULL;
		case SHOUTCAST_HEADER: take_header(source, part.name, part.value); break;
		case SHOUTCAST_LOGIN: break;
		case SHOUTCAST_AUDIO: source->logged_in = false; break;
		}
		/* A line ends behind what was had already. */
		*in = bytes_skip(*in, used > had ? used - had : 0);
		source->login_len = 0;
	}
	source_logged_in(source);
	return NULL;
}

RUNS_ON(on_worker) static void source_take(struct source *source, struct bytes in)
{
	const char *why = NULL;

	source->last_data = mono_now();
	atomic_fetch_add_explicit(&source->mount->count.bytes_in, in.len, memory_order_relaxed);
	metric_add(METRIC_radio_bytes_in, (int64_t)in.len);
	if (source->logged_in)
		why = source_login(source, &in);
	if (!why && !source->logged_in && in.len)
		why = source_body(source, in);
	if (why)
		source_end(source, why);
}

RUNS_ON(on_worker) static void source_read(struct source *source)
{
	ssize_t n = link_recv(source->link, scratch, sizeof scratch);

	if (n == -EAGAIN)
		return;
	if (n > 0)
		source_take(source, bytes_of(scratch, (size_t)n));
	else
		source_end(source, n == 0 ? "closed" : "connection lost");
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct source *source = container_of(poll, struct source, poll);

	(void)events;
	enter_worker();
	if (status < 0)
		source_end(source, "connection lost");
	else
		source_read(source);
}

static void on_sweep(uv_timer_t *timer)
{
	mono_t now = mono_now();
	struct source *next;

	(void)timer;
	enter_worker();
	for (struct source *source = sources; source; source = next) {
		int64_t timeout_ms = (int64_t)mount_conf(source->mount)->source_timeout;

		next = source->next;
		if (mono_since_us(now, source->last_data) > timeout_ms * 1000)
			source_end(source, "timeout");
	}
}

/* --- the beginning -------------------------------------------------------------------------- */

static struct publish_plan plan_of(const struct claim *claim)
{
	struct publish_plan plan = {
		.name = bytes_str(claim->granted->name),
		.old_feed = claim->feed,
		.shape = claim->shape,
		.writer = claim->about.id,
	};

	bytes_to_str(bytes_str(claim->about.content_type), plan.type, sizeof plan.type);
	return plan;
}

RUNS_ON(on_worker) static struct source *source_make(const struct claim *claim)
{
	struct source *source = calloc(1, sizeof *source);
	struct publish_plan plan = plan_of(claim);

	if (!source)
		return NULL;
	source->worker = claim->worker;
	source->mount = claim->granted;
	source->id = claim->about.id;
	source->about = claim->about;
	source->last_data = mono_now();
	source->logged_in = claim->icy;
	source->body.framing = HTTP1_UNTIL_CLOSE;
	shoutcast_init(&source->shoutcast);
	if (claim->icy_metaint) {
		source->icy = malloc(sizeof *source->icy);
		if (source->icy)
			icy_demux_init(source->icy, claim->icy_metaint);
	}
	if ((claim->icy_metaint && !source->icy) ||
	    publisher_init(&source->publisher, &plan) != 0) {
		source_free(source);
		return NULL;
	}
	return source;
}

/* The connection becomes the source's, with what came behind its head. */
RUNS_ON(on_worker) static void source_start(struct source *source, struct conn *conn)
{
	struct request request = *conn_request(conn);
	struct bytes rest;

	if (!source->logged_in)
		(void)http1_body_of(&request.head, &source->body);
	source->body_left = source->body.length;
	source->link = conn_take(conn, &rest);
	if (uv_poll_init(&source->worker->loop, &source->poll, source->link.fd) != 0) {
		link_close(source->link);
		edge_left(source->worker);
		hub_source_gone(source->farewell, source->mount, source->id, "not begun");
		source->farewell = NULL;
		source_free(source);
		return;
	}
	source->next = sources;
	if (source->next)
		source->next->prev = source;
	sources = source;
	metric_add(METRIC_radio_sources, 1);
	metric_add(METRIC_radio_sources_come, 1);
	uv_poll_start(&source->poll, UV_READABLE, on_readable);
	if (rest.len)
		source_take(source, rest);
	/* What the link has of a record already; scratch takes it all. */
	if (!source->closing && link_ready(source->link))
		source_read(source);
}

/* What the encoder is waiting for; small enough for any socket buffer that is empty. */
RUNS_ON(on_worker) static bool source_welcome(const struct claim *claim, struct link link)
{
	struct bytes answer = claim->expects ? BYTES("HTTP/1.1 100 Continue\r\n\r\n"
						     "HTTP/1.0 200 OK\r\n\r\n")
					     : BYTES("HTTP/1.0 200 OK\r\n\r\n");
	if (claim->icy)
		answer = claim->xaudiocast ? BYTES("OK\r\n") : BYTES("OK2\r\nicy-caps:11\r\n\r\n");
	return link_send(link, answer) == (ssize_t)answer.len;
}

RUNS_ON(on_worker) static void source_refuse(struct claim *claim)
{
	struct reply reply = {.close = true};

	if (claim->icy) {
		/* SHOUTcast has one word for all that is wrong. */
		(void)!link_send(conn_link(claim->conn), BYTES("invalid password\r\n"));
		conn_drop(claim->conn);
		return;
	}
	reply_text(&reply, claim->refuse_status, claim->refuse_why);
	if (claim->refuse_status == 503)
		reply_header(&reply, "Retry-After", BYTES("10"));
	conn_reply(claim->conn, &reply);
}

void source_claimed(struct claim *claim)
{
	struct source *source = claim->granted ? source_make(claim) : NULL;

	if (source && source_welcome(claim, conn_link(claim->conn))) {
		source->farewell = claim->farewell;
		claim->farewell = NULL;
		source_start(source, claim->conn);
	} else if (claim->granted) {
		hub_source_gone(claim->farewell, claim->granted, claim->about.id, "not begun");
		claim->farewell = NULL;
		if (source)
			source_free(source);
		claim->refuse_status = 503;
		claim->refuse_why = "out of memory";
		source_refuse(claim);
	} else {
		source_refuse(claim);
	}
	free(claim->farewell);
	free(claim);
}

/* --- orders --------------------------------------------------------------------------------- */

struct order {
	struct message message;
	uint64_t id;
	const char *why;
	size_t title_len, url_len;
	char text[];
};

RUNS_ON(on_worker) static struct source *source_find(uint64_t id)
{
	struct source *source = sources;

	while (source && source->id != id)
		source = source->next;
	return source;
}

static void deliver_stop(struct message *message)
{
	struct order *order = container_of(message, struct order, message);
	struct source *source;

	enter_worker();
	source = source_find(order->id);
	if (source)
		source_end(source, order->why);
	else
		pull_end_source(order->id, order->why);
	free(order);
}

bool source_stop(struct worker *worker, uint64_t id, const char *why)
{
	struct order *order = calloc(1, sizeof *order);

	if (!order) {
		metric_add(METRIC_radio_out_of_memory, 1);
		return false;
	}
	order->id = id;
	order->why = why;
	order->message.deliver = deliver_stop;
	worker_post(worker, &order->message);
	return true;
}

static void deliver_title(struct message *message)
{
	struct order *order = container_of(message, struct order, message);
	struct source *source;

	enter_worker();
	source = source_find(order->id);
	if (source)
		publisher_set_title(&source->publisher, bytes_of(order->text, order->title_len),
				    bytes_of(order->text + order->title_len + 1, order->url_len));
	else
		pull_title_source(order->id, bytes_of(order->text, order->title_len),
				  bytes_of(order->text + order->title_len + 1, order->url_len));
	free(order);
}

bool source_title(struct worker *worker, uint64_t id, struct bytes title, struct bytes url)
{
	struct order *order = calloc(1, sizeof *order + title.len + 1 + url.len);

	if (!order)
		return false;
	order->id = id;
	order->title_len = title.len;
	order->url_len = url.len;
	if (title.len)
		memcpy(order->text, title.at, title.len);
	if (url.len)
		memcpy(order->text + title.len + 1, url.at, url.len);
	order->message.deliver = deliver_title;
	worker_post(worker, &order->message);
	return true;
}

/* --- life ----------------------------------------------------------------------------------- */

int source_worker_start(struct worker *worker)
{
	int error = uv_timer_init(&worker->loop, &sweep);

	sources = NULL;
	return error ? error : uv_timer_start(&sweep, on_sweep, SWEEP_MS, SWEEP_MS);
}

void source_worker_stop(struct worker *worker)
{
	(void)worker;
	while (sources)
		source_end(sources, "server stops");
	uv_close((uv_handle_t *)&sweep, NULL);
}
