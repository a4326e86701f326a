#include "sfu/sfu_sse.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/buffer.h"
#include "core/clock.h"
#include "edge/auth.h"
#include "edge/document.h"
#include "edge/events.h"
#include "sfu/sfu.h"
#include "sfu/sfu_reply.h"
#include "sfu/sfu_room.h"
#include "sfu/sfu_stage.h"

#define TICK_MS     500u
#define QUIET_TICKS 20u /* after so many without an event comes an empty line */
#define COUNT_TICKS 4u  /* between two counts of viewers, at least: thousands come at once */

/* Who reads a stream: a connection, which is its worker's. Control and the worker have it in turn, and only the
 * worker frees it: when it was told that it is over, and its connection is gone. */
struct ear {
	struct message message;
	struct worker *worker;
	char session[SESSION_ID + 1], name[SSE_ID + 1]; /* that it came for */

	struct sse_stream *stream; /* control's; NULL: it has ended */

	/* Of who has it. */
	struct buffer text;
	bool over, refused, gone;

	/* The worker's. */
	struct conn *conn; /* NULL: gone */
	struct ear *prev, *next;
	bool here;
};

struct sse_stream {
	struct sse_stream *prev, *next;
	struct sfu_session *session;
	char name[SSE_ID + 1];
	unsigned events;
	struct ear *ear; /* NULL: nobody reads */
	bool ready;      /* the ear is here */
	/* What was told. */
	bool active;
	uint64_t viewers; /* UINT64_MAX: nothing */
	uint64_t layers;  /* layers_sign() */
	unsigned quiet, counted;
};

static struct sse_stream *streams OWNED_BY(on_control);
static uv_timer_t timer OWNED_BY(on_control);
static _Thread_local struct ear *ears;
static _Thread_local bool stopping;

static const char *const event_names[] = {"active", "inactive", "layers", "viewercount"};

unsigned sse_event(const char *name)
{
	for (unsigned i = 0; i < COUNT_OF(event_names); i++)
		if (strcmp(event_names[i], name) == 0)
			return 1u << i;
	return 0;
}

/* --- worker: connections ------------------------------------------------------------------------------------ */

static void deliver_back(struct message *message);

RUNS_ON(on_worker) static void ear_free(struct ear *ear)
{
	buffer_fini(&ear->text);
	free(ear);
	stage_owes(-1);
}

RUNS_ON(on_worker) static void ear_return(struct ear *ear)
{
	ear->here = false;
	ear->gone = !ear->conn;
	ear->message.deliver = deliver_back;
	control_post(&ear->message);
}

static void on_gone(void *holder)
{
	struct ear *ear = holder;

	enter_worker();
	*(ear->prev ? &ear->prev->next : &ears) = ear->next;
	if (ear->next)
		ear->next->prev = ear->prev;
	ear->conn = NULL;
	if (!ear->here)
		return;
	if (ear->over)
		ear_free(ear);
	else
		ear_return(ear);
}

static void on_sent(struct conn *conn)
{
	enter_worker();
	if (stopping)
		conn_drop(conn);
	else
		ear_return(conn_holder(conn));
}

/* With its connection, which nobody else is to hold after it: closed in any case. */
RUNS_ON(on_worker) static void ear_end(struct ear *ear)
{
	struct reply reply = {.close = true};

	if (!ear->conn) {
		ear_free(ear);
	} else if (ear->refused) {
		reply_put_problem(&reply, 404, "there is no such stream of events (any more)");
		conn_reply(ear->conn, &reply);
	} else {
		conn_drop(ear->conn);
	}
}

static void deliver_text(struct message *message)
{
	struct ear *ear = container_of(message, struct ear, message);

	enter_worker();
	ear->here = true;
	if (ear->over)
		ear_end(ear);
	else if (!ear->conn)
		ear_return(ear);
	else
		conn_send(ear->conn, buffer_bytes(&ear->text), on_sent);
}

void sse_worker_start(void)
{
	stopping = false;
}

/* Who is just being sent something, the connections' own stop ends. */
void sse_worker_stop(void)
{
	struct ear *next;

	stopping = true;
	for (struct ear *ear = ears; ear; ear = next) {
		next = ear->next;
		if (!ear->here)
			conn_drop(ear->conn);
	}
}

/* --- control: streams --------------------------------------------------------------------------------------- */

RUNS_ON(on_control) static void ear_post(struct ear *ear)
{
	ear->message.deliver = deliver_text;
	worker_post(ear->worker, &ear->message);
}

RUNS_ON(on_control) static void ear_over(struct ear *ear)
{
	ear->over = true;
	ear_post(ear);
}

/* One that is away hears of it when it comes back. */
RUNS_ON(on_control) static void stream_deafen(struct sse_stream *stream)
{
	struct ear *ear = stream->ear;

	stream->ear = NULL;
	if (!ear)
		return;
	ear->stream = NULL;
	if (stream->ready)
		ear_over(ear);
}

RUNS_ON(on_control) static bool is_active(const struct sfu_room *room)
{
	int64_t quiet_us = (int64_t)sfu_conf()->idle_after * 1000, now_us = mono_now().us;

	for (unsigned i = 0; i < room->track_count; i++) {
		int64_t last =
			atomic_load_explicit(&room->tracks[i]->last_us, memory_order_relaxed);

		if (last && now_us - last <= quiet_us)
			return true;
	}
	return false;
}

/* --- what they are told ------------------------------------------------------------------------------------- */

static uint64_t bits_of(const struct sfu_track *track)
{
	return atomic_load_explicit(&track->bitrate, memory_order_relaxed);
}

/* Changes when a layer comes, goes, begins or stops to move. 0: there are none. */
RUNS_ON(on_control) static uint64_t layers_sign(const struct sfu_room *room)
{
	uint64_t sign = 0;

	for (unsigned i = 0; i < room->track_count; i++) {
		const struct sfu_track *track = room->tracks[i];

		if (track->rid[0])
			sign = sign * 1099511628211u + (track->id << 1 | (bits_of(track) != 0));
	}
	return sign;
}

static json_t *layer_tree(const struct sfu_track *track)
{
	json_t *tree = json_object();

	json_object_set_new(tree, "rid", document_text(track->rid));
	json_object_set_new(tree, "bitrate", json_integer((json_int_t)bits_of(track)));
	return tree;
}

/* By the place of the medium in the viewer's offer. */
RUNS_ON(on_control) static json_t *layers_tree(const struct sfu_session *session)
{
	const struct sfu_room *room = session->room;
	json_t *tree = json_object();

	for (unsigned m = 0; m < session->peer->sender_count; m++) {
		const struct sfu_sender *sender = &session->peer->senders[m];
		json_t *list = sender->video ? json_array() : NULL;
		char line[16];

		if (!list)
			continue;
		for (unsigned i = 0; i < room->track_count; i++)
			if (room->tracks[i]->video && room->tracks[i]->rid[0] &&
			    room->tracks[i]->place == sender->place)
				json_array_append_new(list, layer_tree(room->tracks[i]));
		snprintf(line, sizeof line, "%u", m);
		json_object_set_new(tree, line, list);
	}
	return tree;
}

static int put_json(const char *text, size_t len, void *buffer)
{
	return buffer_put(buffer, bytes_of(text, len)) ? 0 : -1;
}

/* The tree is used up. */
static void put_event(struct buffer *out, const char *name, json_t *data)
{
	if (!buffer_put(out, BYTES("event: ")) || !buffer_put(out, bytes_str(name)) ||
	    !buffer_put(out, BYTES("\ndata: ")) ||
	    json_dump_callback(data, put_json, out, JSON_COMPACT) != 0 ||
	    !buffer_put(out, BYTES("\n\n")))
		out->failed = true;
	json_decref(data);
}

RUNS_ON(on_control) static void put_news(struct sse_stream *stream, struct buffer *out)
{
	const struct sfu_room *room = stream->session->room;
	bool active = is_active(room);
	uint64_t layers = layers_sign(room);

	if (active != stream->active && stream->events & (active ? SSE_ACTIVE : SSE_INACTIVE))
		put_event(out, active ? "active" : "inactive", json_object());
	stream->active = active;
	/* How fast each is changes all the time: with the empty line that would come instead. */
	if (stream->events & SSE_LAYERS &&
	    (layers != stream->layers || (layers && stream->quiet >= QUIET_TICKS)))
		put_event(out, "layers", layers_tree(stream->session));
	stream->layers = layers;
	if (stream->counted)
		stream->counted--;
	if (stream->events & SSE_VIEWERS && room->viewers != stream->viewers && !stream->counted) {
		put_event(out, "viewercount",
			  json_pack("{s:I}", "viewercount", (json_int_t)room->viewers));
		stream->viewers = room->viewers;
		stream->counted = COUNT_TICKS;
	}
}

RUNS_ON(on_control) static void stream_tell(struct sse_stream *stream, struct buffer *text)
{
	stream->quiet++;
	put_news(stream, text);
	if (!text->len && stream->quiet >= QUIET_TICKS)
		buffer_put(text, BYTES(":\n\n"));
	if (text->failed) {
		stream_deafen(stream); /* it comes again and is told all */
	} else if (text->len) {
		stream->quiet = 0;
		stream->ready = false;
		ear_post(stream->ear);
	}
}

static void on_tick(uv_timer_t *handle)
{
	(void)handle;
	enter_control();
	for (struct sse_stream *stream = streams; stream; stream = stream->next)
		if (stream->ear && stream->ready) {
			stream->ear->text.len = 0;
			stream_tell(stream, &stream->ear->text);
		}
}

/* --- readers come and go ------------------------------------------------------------------------------------ */

static void deliver_back(struct message *message)
{
	struct ear *ear = container_of(message, struct ear, message);
	struct sse_stream *stream = ear->stream;

	enter_control();
	if (stream)
		stream->ready = true;
	if (stream && ear->gone)
		stream_deafen(stream);
	else if (!stream)
		ear_over(ear);
}

/* It is told all that is so, and of what is not what it was told before. */
RUNS_ON(on_control) static void stream_hear(struct sse_stream *stream, struct ear *ear)
{
	struct writer w;

	stream_deafen(stream);
	stream->ear = ear;
	stream->ready = true;
	ear->stream = stream;
	stream->active = stream->active && !is_active(stream->session->room);
	stream->viewers = UINT64_MAX;
	stream->layers = 0;
	stream->counted = 0;
	do {
		w = buffer_writer(&ear->text);
		events_write_head(&w, true);
	} while (buffer_again(&ear->text, &w));
	stream_tell(stream, &ear->text);
}

static void deliver_come(struct message *message)
{
	struct ear *ear = container_of(message, struct ear, message);
	struct sfu_session *session;

	enter_control();
	session = session_find(bytes_str(ear->session));
	if (session && session->stream && strcmp(session->stream->name, ear->name) == 0) {
		stream_hear(session->stream, ear);
		return;
	}
	ear->refused = true;
	ear_over(ear);
}

void sse_serve(struct conn *conn, struct bytes session, struct bytes name)
{
	struct ear *ear = stopping ? NULL : calloc(1, sizeof *ear);

	if (!ear) {
		reply_refuse(conn, 503, "the server cannot take more at the moment");
		return;
	}
	bytes_to_str(session, ear->session, sizeof ear->session);
	bytes_to_str(name, ear->name, sizeof ear->name);
	ear->worker = worker_here();
	ear->conn = conn;
	ear->next = ears;
	if (ears)
		ears->prev = ear;
	ears = ear;
	stage_owes(1);
	conn_hold(conn, ear, on_gone);
	conn_wait(conn);
	ear->message.deliver = deliver_come;
	control_post(&ear->message);
}

const char *sse_open(struct sfu_session *session, unsigned events)
{
	struct sse_stream *stream = calloc(1, sizeof *stream);

	if (!stream)
		return NULL;
	sse_forget(session);
	auth_random_hex(stream->name, SSE_ID / 2);
	stream->session = session;
	stream->events = events;
	stream->next = streams;
	if (streams)
		streams->prev = stream;
	streams = stream;
	session->stream = stream;
	return stream->name;
}

void sse_forget(struct sfu_session *session)
{
	struct sse_stream *stream = session->stream;

	if (!stream)
		return;
	session->stream = NULL;
	stream_deafen(stream);
	*(stream->prev ? &stream->prev->next : &streams) = stream->next;
	if (stream->next)
		stream->next->prev = stream->prev;
	free(stream);
}

bool sse_close(struct sfu_session *session, struct bytes name)
{
	if (!session->stream || !bytes_equal(bytes_str(session->stream->name), name))
		return false;
	sse_forget(session);
	return true;
}

void sse_start(uv_loop_t *loop)
{
	uv_timer_init(loop, &timer);
	uv_timer_start(&timer, on_tick, TICK_MS, TICK_MS);
	uv_unref((uv_handle_t *)&timer);
}

void sse_stop(void)
{
	uv_close((uv_handle_t *)&timer, NULL);
}
