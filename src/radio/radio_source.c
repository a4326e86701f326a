#include "radio/radio_source.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/lookout.h"
#include "core/metric.h"
#include "core/tcp.h"
#include "edge/edge.h"
#include "edge/proto/charset.h"
#include "edge/proto/chunked.h"
#include "radio/proto/icy.h"
#include "radio/proto/shoutcast.h"
#include "radio/radio.h"
#include "radio/radio_desk.h"
#include "radio/radio_feed.h"
#include "radio/radio_hub.h"
#include "radio/radio_journal.h"
#include "radio/radio_outlet.h"
#include "radio/radio_publish.h"
#include "radio/radio_pull.h"

#define READ_SIZE 32768u /* of one read; what a listener's guard is a multiple of */
#define SWEEP_MS  250

#define SOURCE_LAYOUT 1u
#define ROWS_MAX      4096u
#define FAULTS_MAX    2u /* crashes over one source: then it is not restored */

/* What the next server needs to find a source; what it needs to go on is on the desk. */
struct source_row {
	uint64_t in_use;
	int32_t fd;
	int32_t desk;
	uint32_t tls;
	uint32_t faults;
	uint64_t id;
	uint64_t mount;
	uint64_t read; /* bytes read from the socket when consumed was 0: link_given() */
	uint8_t pad[16];
};

static_assert(sizeof(struct source_row) == 64, "rows are whole cache lines");

const struct estate_kind source_kind = {
	.name = "radio.sources",
	.layout = SOURCE_LAYOUT,
	.row_size = sizeof(struct source_row),
	.fds_at = offsetof(struct source_row, fd),
	.fds = 2,
};

/* All that a source knows of its connection, without a pointer that counts: it is saved whole. */
struct source_state {
	struct mount_source about;
	bool logged_in; /* SHOUTcast: header lines are still to come, into login */
	bool has_icy;   /* the encoder sends titles in its stream */
	uint32_t framing;
	size_t login_len;
	uint8_t login[SHOUTCAST_LINE_MAX];
	struct shoutcast shoutcast;
	struct chunked chunked;
	uint64_t body_left; /* of a body with a length */
	mono_t last_data;
	struct icy_demux icy;
};

static_assert(sizeof(struct source_state) <= DESK_OWNER_MAX, "it is saved on a desk");

struct source {
	uv_poll_t poll;
	struct worker *worker;
	struct source *prev, *next; /* sources */
	struct mount *mount;
	uint64_t id;
	struct link link;
	bool closing;
	uint32_t row;
	uint64_t consumed; /* bytes of the stream, from the one behind the head on */
	struct desk desk;
	struct source_state state;
	struct publisher publisher;
	struct hub_message *farewell; /* the claim's */
};

static _Thread_local struct table rows;
static _Thread_local struct source *sources;
static _Thread_local uint8_t scratch[READ_SIZE];
static _Thread_local uv_timer_t sweep;
static _Thread_local struct lookout look;
static _Thread_local bool parted;

/* --- the end -------------------------------------------------------------------------------- */

static void source_free(struct source *source)
{
	publisher_fini(&source->publisher);
	free(source->farewell);
	desk_close(&source->desk);
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
	atomic_store_explicit(&source->mount->count.last_unit_us, publisher->state.last_unit.us,
			      memory_order_relaxed);
	if (news & PUBLISH_LIVE) {
		source->state.about.about = *framer_about(&publisher->state.framer);
		/* Without memory it is said with the next unit. */
		if (!hub_source_live(source->mount, &source->state.about, publisher->feed,
				     publisher->state.first_pos))
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
	table_doubt(&rows, source->row);
	/* Out of the loop first: a number that is closed may be another thread's the next moment. */
	uv_close((uv_handle_t *)&source->poll, on_closed);
	link_close_gently(source->link);
	desk_close(&source->desk);
	table_give(&rows, source->row);
	edge_left(source->worker);
	metric_add(METRIC_radio_sources, -1);
}

/* --- bytes ---------------------------------------------------------------------------------- */

RUNS_ON(on_worker) static const char *source_publish(struct source *source, struct bytes in)
{
	enum publish_status status = publisher_put(&source->publisher, in, source->state.last_data);

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

	if (!source->state.has_icy)
		return source_publish(source, in);
	while (in.len && !why) {
		switch (icy_demux_next(&source->state.icy, in, &audio, &fields, &used)) {
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
		switch (chunked_next(&source->state.chunked, in, &data, &used)) {
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

	if (source->state.framing == HTTP1_CHUNKED)
		return source_chunks(source, in);
	if (source->state.framing == HTTP1_LENGTH) {
		in = bytes_first(in, source->state.body_left < in.len
					     ? (size_t)source->state.body_left
					     : in.len);
		source->state.body_left -= in.len;
	}
	why = source_audio(source, in);
	if (why)
		return why;
	return source->state.framing == HTTP1_LENGTH && source->state.body_left == 0 ? "finished"
										     : NULL;
}

static void take_header(struct source *source, struct bytes name, struct bytes value)
{
	if (bytes_equal_nocase(name, BYTES("content-type")))
		charset_to_field(value, CHARSET_UTF8, source->state.about.content_type,
				 sizeof source->state.about.content_type);
	else
		(void)station_take_header(&source->state.about.station, name, value);
}

/* The header lines of a SHOUTcast encoder are over. */
RUNS_ON(on_worker) static void source_logged_in(struct source *source)
{
	char *type = source->state.about.content_type;

	source->state.logged_in = false;
	if (type[0] == '\0')
		bytes_to_str(BYTES("audio/mpeg"), type, sizeof source->state.about.content_type);
	hub_source_station(source->mount, &source->state.about);
	publisher_set_type(&source->publisher, bytes_str(type));
}

/* Takes header lines off the beginning of in, and what is no whole line yet into login. */
RUNS_ON(on_worker) static const char *source_login(struct source *source, struct bytes *in)
{
	struct shoutcast_part part;
	size_t used = 0;

	while (source->state.logged_in) {
		size_t had = source->state.login_len;
		struct bytes more = bytes_first(*in, sizeof source->state.login - had);
		struct bytes line;

		if (more.len)
			memcpy(source->state.login + had, more.at, more.len);
		line = bytes_of(source->state.login, had + more.len);
		switch (shoutcast_next(&source->state.shoutcast, line, &part, &used)) {
		case SHOUTCAST_BAD: return "broken headers";
		case SHOUTCAST_MORE:
			source->state.login_len = line.len;
			*in = bytes_skip(*in, more.len);
			return line.len == sizeof source->state.login ? "broken headers" : NULL;
		case SHOUTCAST_HEADER: take_header(source, part.name, part.value); break;
		case SHOUTCAST_LOGIN: break;
		case SHOUTCAST_AUDIO: source->state.logged_in = false; break;
		}
		/* A line ends behind what was had already. */
		*in = bytes_skip(*in, used > had ? used - had : 0);
		source->state.login_len = 0;
	}
	source_logged_in(source);
	return NULL;
}

RUNS_ON(on_worker) static void source_take(struct source *source, struct bytes in)
{
	const char *why = NULL;

	source->state.last_data = mono_now();
	atomic_fetch_add_explicit(&source->mount->count.bytes_in, in.len, memory_order_relaxed);
	metric_add(METRIC_radio_bytes_in, (int64_t)in.len);
	if (source->state.logged_in)
		why = source_login(source, &in);
	if (!why && !source->state.logged_in && in.len)
		why = source_body(source, in);
	if (why)
		source_end(source, why);
}

/* len more bytes of the stream are in the feed, or kept until the rest of their unit comes. */
RUNS_ON(on_worker) static void source_save(struct source *source, size_t len)
{
	struct desk_words words = {.owner = &source->state, .owner_len = sizeof source->state};

	source->consumed += len;
	words.consumed = source->consumed;
	desk_save(&source->desk, &source->publisher, &words);
}

/* Only looked at, and taken off the socket when all of it is safe: a crash in between finds the bytes
 * where they were. */
RUNS_ON(on_worker) static ssize_t source_read_plain(struct source *source)
{
	ssize_t n = tcp_peek(source->link.fd, scratch, sizeof scratch);

	if (n <= 0)
		return n;
	journal_source(source->row);
	source_take(source, bytes_of(scratch, (size_t)n));
	if (!source->closing) {
		source_save(source, (size_t)n);
		if (tcp_skip(source->link.fd, (size_t)n) != 0)
			source_end(source, "connection lost");
	}
	journal_end();
	return n;
}

/* What is behind a record layer is here once and not again: it comes to lie on the desk, and the
 * layer's row counts it. */
RUNS_ON(on_worker) static ssize_t source_read_tls(struct source *source)
{
	ssize_t n = link_recv(source->link, desk_intake(&source->desk), DESK_INTAKE);

	if (n <= 0)
		return n;
	journal_source(source->row);
	source_take(source, bytes_of(desk_intake(&source->desk), (size_t)n));
	if (!source->closing)
		source_save(source, (size_t)n);
	journal_end();
	return n;
}

RUNS_ON(on_worker) static void source_read(struct source *source)
{
	ssize_t n = source->link.tls ? source_read_tls(source) : source_read_plain(source);

	if (n <= 0 && n != -EAGAIN)
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
	if (!lookout_counts(&look, now, SWEEP_MS))
		return;
	for (struct source *source = sources; source; source = next) {
		int64_t timeout_ms = (int64_t)mount_conf(source->mount)->source_timeout;

		next = source->next;
		if (mono_since_us(now, source->state.last_data) > timeout_ms * 1000)
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
		/* Another server's push begins with its past, at each new connection. */
		.rejoins = claim->about.station.via[0] != '\0',
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
	source->state.about = claim->about;
	source->state.last_data = mono_now();
	source->state.logged_in = claim->icy;
	source->state.framing = HTTP1_UNTIL_CLOSE;
	shoutcast_init(&source->state.shoutcast);
	source->state.has_icy = claim->icy_metaint;
	if (claim->icy_metaint)
		icy_demux_init(&source->state.icy, claim->icy_metaint);
	if (desk_create(&source->desk) != 0 || publisher_init(&source->publisher, &plan) != 0) {
		source_free(source);
		return NULL;
	}
	source->publisher.place = desk_place(&source->desk);
	return source;
}

/* Where the next server finds it. */
RUNS_ON(on_worker) static bool source_list(struct source *source)
{
	struct source_row *row = table_take(&rows, &source->row);

	if (!row)
		return false;
	row->fd = source->link.fd;
	row->tls = source->link.tls;
	row->desk = source->desk.fd;
	row->id = source->id;
	row->mount = source->mount->id;
	if (link_given(source->link, &row->read) == 0 &&
	    uv_poll_init(&source->worker->loop, &source->poll, source->link.fd) == 0)
		return true;
	table_give(&rows, source->row);
	return false;
}

RUNS_ON(on_worker) static void source_watch(struct source *source)
{
	source->next = sources;
	if (source->next)
		source->next->prev = source;
	sources = source;
	metric_add(METRIC_radio_sources, 1);
	uv_poll_start(&source->poll, UV_READABLE, on_readable);
}

/* The connection becomes the source's, with what came behind its head. */
RUNS_ON(on_worker) static void source_start(struct source *source, struct conn *conn)
{
	struct request request = *conn_request(conn);
	struct http1_body body = {.framing = HTTP1_UNTIL_CLOSE};
	struct bytes rest;

	if (!source->state.logged_in)
		(void)http1_body_of(&request.head, &body);
	source->state.framing = body.framing;
	source->state.body_left = body.length;
	source->link = conn_take(conn, &rest);
	if (!source_list(source)) {
		link_close(source->link);
		edge_left(source->worker);
		hub_source_gone(source->farewell, source->mount, source->id, "not begun");
		source->farewell = NULL;
		source_free(source);
		return;
	}
	source_watch(source);
	metric_add(METRIC_radio_sources_come, 1);
	if (rest.len)
		source_take(source, rest);
	if (source->closing)
		return;
	source_save(source, 0);
	table_settle(&rows, source->row);
	/* What the link has of a record already; scratch takes it all. */
	if (link_ready(source->link))
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
	struct source *source = claim->granted && !parted ? source_make(claim) : NULL;

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

/* --- what the last server left -------------------------------------------------------------- */

void sources_left(unsigned workers, void (*each)(const struct source_left *left, void *what),
		  void *what)
{
	for (unsigned id = 0; id < workers; id++) {
		struct table view;

		if (estate_table(&view, &source_kind, id, ROWS_MAX) != 0)
			continue;
		for (uint32_t at = 0; at < view.high; at++) {
			const struct source_row *row = table_settled(&view, at);

			if (row)
				each(&(struct source_left){id, row->id, row->mount}, what);
		}
		estate_close(&view);
	}
}

/* Bytes that were saved and not yet taken off the socket are dropped. */
RUNS_ON(on_worker) static bool input_is_exact(const struct source *source, uint64_t begun)
{
	uint64_t read;

	if (link_given(source->link, &read) != 0 || read < begun)
		return false;
	read -= begun;
	/* What a record layer gave and was not saved lies on the desk. */
	if (source->link.tls)
		return read >= source->consumed && read - source->consumed <= DESK_INTAKE;
	return read <= source->consumed &&
	       tcp_skip(source->link.fd, (size_t)(source->consumed - read)) == 0;
}

/* Once more: it may have been published, or not. */
RUNS_ON(on_worker) static void source_repeat(struct source *source, uint64_t begun)
{
	uint64_t read;

	if (!source->link.tls || link_given(source->link, &read) != 0)
		return;
	read -= begun + source->consumed;
	if (read)
		source_take(source, bytes_of(desk_intake(&source->desk), (size_t)read));
	if (read && !source->closing)
		source_save(source, (size_t)read);
}

RUNS_ON(on_worker)
static struct source *source_restore(const struct source_row *row, struct mount *mount,
				     const char **why)
{
	struct source *source = calloc(1, sizeof *source);
	struct publish_plan plan = {
		.name = bytes_str(mount->name),
		.old_feed = mount->feed,
		.shape = feed_shape_for(mount_conf(mount)->ring, MEAN_RECORD, HEADERS_MAX),
		.writer = row->id,
	};

	*why = "out of memory";
	if (!source)
		return NULL;
	source->worker = worker_here();
	source->mount = mount;
	source->id = row->id;
	source->link = (struct link){row->fd, row->tls};
	source->farewell = hub_message_make();
	if (!source->farewell || publisher_init(&source->publisher, &plan) != 0 ||
	    desk_open(&source->desk, row->desk) != 0)
		goto failed;
	source->publisher.place = desk_place(&source->desk);
	*why = "its state is not known";
	if (!desk_load(&source->desk, &source->publisher, &source->consumed, &source->state,
		       sizeof source->state) ||
	    !publisher_resume(&source->publisher, radio_feed_left))
		goto failed;
	if (source->publisher.feed)
		radio_feed_claim(source->publisher.feed);
	*why = "its place is not known";
	if (!link_adopt(source->link, estate_of_crashed()) || !input_is_exact(source, row->read) ||
	    uv_poll_init(&source->worker->loop, &source->poll, row->fd) != 0)
		goto failed;
	source->state.about.worker = source->worker;
	return source;
failed:
	/* The desk's descriptor is closed with its row. */
	publisher_forget(&source->publisher);
	source->publisher.place = NULL;
	desk_leave(&source->desk);
	source_free(source);
	return NULL;
}

/* A row that nobody can go on with. */
RUNS_ON(on_worker)
static void source_abandon(struct source_row *row, uint32_t at, struct mount *mount,
			   const char *why)
{
	struct hub_message *farewell = mount ? hub_message_make() : NULL;

	log_warnx("radio", "source not restored", kv_str("mount", mount ? mount->name : ""),
		  kv_u64("id", row->id), kv_str("why", why));
	if (farewell)
		hub_source_gone(farewell, mount, row->id, why);
	table_doubt(&rows, at);
	link_close_gently((struct link){row->fd, row->tls});
	close(row->desk);
	table_give(&rows, at);
}

RUNS_ON(on_worker)
static void source_adopt(struct source_row *row, uint32_t at, struct mount *mount)
{
	const struct journal *left = outlet_left();
	const char *why = "its mount is gone";
	struct source *source = NULL;

	if (left->kind == JOURNAL_SOURCE && left->row == at && left->faulted)
		row->faults++;
	if (row->faults >= FAULTS_MAX)
		why = "the server crashed over it twice";
	else if (mount)
		source = source_restore(row, mount, &why);
	if (!source) {
		source_abandon(row, at, mount, why);
		return;
	}
	source->row = at;
	edge_joined(source->worker);
	source_watch(source);
	source_repeat(source, row->read);
	if (!source->closing && link_ready(source->link))
		source_read(source);
}

void sources_adopt(struct mount *(*find)(uint64_t id))
{
	for (uint32_t at = 0; at < rows.high; at++) {
		struct source_row *row = table_settled(&rows, at);

		if (row)
			source_adopt(row, at, find(row->mount));
	}
}

void sources_part(void)
{
	uv_timer_stop(&sweep);
	for (struct source *source = sources; source; source = source->next) {
		source->closing = true;
		uv_poll_stop(&source->poll);
	}
	sources = NULL;
	parted = true;
}

/* --- life ----------------------------------------------------------------------------------- */

int source_worker_start(struct worker *worker)
{
	int error = estate_table(&rows, &source_kind, worker->id, ROWS_MAX);

	sources = NULL;
	parted = false;
	look = (struct lookout){0};
	if (error)
		return error;
	error = uv_timer_init(&worker->loop, &sweep);
	return error ? error : uv_timer_start(&sweep, on_sweep, SWEEP_MS, SWEEP_MS);
}

void source_worker_stop(struct worker *worker)
{
	(void)worker;
	while (sources)
		source_end(sources, "server stops");
	estate_close(&rows);
	uv_close((uv_handle_t *)&sweep, NULL);
}
