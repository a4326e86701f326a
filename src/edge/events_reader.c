/* The workers' half of events: readers, and the last frames. */
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "edge/access.h"
#include "edge/edge.h"
#include "edge/events_frame.h"
#include "edge/proto/http_date.h"

#define FRAMES_KEPT 32u
#define SEND_MAX    (1u << 20) /* who lacks more than this gets a snapshot */
#define LIFE_US     (5 * 60 * 1000000ll)
#define CHECK_MS    250u /* how often it is asked whether who follows the server still may */

struct reader {
	struct reader *prev, *next; /* place.readers */
	struct conn *conn;
	enum events_stream stream;
	uint64_t have; /* the last frame it got; 0: none */
	bool sending;
	mono_t ends;
	struct access_stay stay; /* of EVENTS_ADMIN */
};

/* What one worker has of one stream. */
struct place {
	struct reader *readers;
	struct frame *frames[FRAMES_KEPT]; /* frame seq lies at seq % FRAMES_KEPT */
	uint64_t oldest, newest;           /* all between are there; 0: none */
	bool asked;                        /* for a snapshot */
};

struct ask {
	struct message message;
	struct worker *worker;
	enum events_stream stream;
};

static _Thread_local struct place places[EVENTS_STREAMS];
static _Thread_local bool stopping;
static _Thread_local uv_timer_t check;
static _Atomic unsigned reader_counts[EVENTS_STREAMS][WORKERS_MAX];

RUNS_ON(on_worker) static void reader_serve(struct reader *reader);

unsigned events_readers_on(enum events_stream stream, unsigned worker)
{
	return atomic_load_explicit(&reader_counts[stream][worker], memory_order_relaxed);
}

unsigned events_readers(enum events_stream stream)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < workers_count(); i++)
		sum += events_readers_on(stream, i);
	return sum;
}

/* --- frames --------------------------------------------------------------------------------- */

struct post {
	struct message message;
	struct frame *frame;
};

struct frame *frame_make(enum events_stream stream, uint64_t seq, bool snapshot,
			 const struct buffer *text)
{
	struct frame *frame = text->failed ? NULL : malloc(sizeof *frame + text->len);

	if (!frame)
		return NULL;
	*frame = (struct frame){
		.stream = stream, .seq = seq, .snapshot = snapshot, .len = text->len};
	atomic_init(&frame->refs, 1);
	memcpy(frame->text, text->at, text->len);
	return frame;
}

/* Release and acquire: what others read of it happened before it is freed. */
void frame_unref(struct frame *frame)
{
	if (frame && atomic_fetch_sub_explicit(&frame->refs, 1, memory_order_acq_rel) == 1)
		free(frame);
}

RUNS_ON(on_worker) static void frames_forget(struct place *place)
{
	for (unsigned i = 0; i < FRAMES_KEPT; i++) {
		frame_unref(place->frames[i]);
		place->frames[i] = NULL;
	}
	place->oldest = place->newest = 0;
}

/* Takes the reference. */
RUNS_ON(on_worker) static void frame_keep(struct place *place, struct frame *frame)
{
	struct frame **slot = &place->frames[frame->seq % FRAMES_KEPT];

	if (place->newest && frame->seq != place->newest + 1)
		frames_forget(place);
	frame_unref(*slot);
	*slot = frame;
	place->newest = frame->seq;
	if (!place->oldest)
		place->oldest = frame->seq;
	if (place->newest - place->oldest >= FRAMES_KEPT)
		place->oldest = place->newest - FRAMES_KEPT + 1;
}

/* Serving may end a reader, but no other one than itself. */
RUNS_ON(on_worker) static void serve_all(struct place *place)
{
	struct reader *next;

	for (struct reader *reader = place->readers; reader; reader = next) {
		next = reader->next;
		if (!reader->sending)
			reader_serve(reader);
	}
}

static void on_sent(struct conn *conn);

RUNS_ON(on_worker) static void send_snapshot(struct place *place, struct frame *frame)
{
	struct reader *next;

	place->asked = false;
	for (struct reader *reader = place->readers; reader; reader = next) {
		next = reader->next;
		if (reader->sending || reader->have)
			continue;
		reader->have = frame->seq;
		reader->sending = true;
		conn_send(reader->conn, bytes_of(frame->text, frame->len), on_sent);
	}
}

static void deliver_frame(struct message *message)
{
	struct post *post = container_of(message, struct post, message);
	struct frame *frame = post->frame;
	struct place *place = &places[frame->stream];

	enter_worker();
	free(post);
	if (stopping) {
		frame_unref(frame);
	} else if (frame->snapshot) {
		send_snapshot(place, frame);
		frame_unref(frame);
	} else {
		frame_keep(place, frame);
		serve_all(place);
	}
}

void frame_post(struct frame *frame, struct worker *worker)
{
	struct post *post = malloc(sizeof *post);

	if (!post)
		return;
	atomic_fetch_add_explicit(&frame->refs, 1, memory_order_relaxed);
	post->message.deliver = deliver_frame;
	post->frame = frame;
	worker_post(worker, &post->message);
}

/* --- readers -------------------------------------------------------------------------------- */

static void deliver_ask(struct message *message)
{
	struct ask *ask = container_of(message, struct ask, message);

	events_answer_snapshot(ask->stream, ask->worker);
	free(ask);
}

/* Once for all who want one. When there is no memory, the next frame makes somebody ask again. */
RUNS_ON(on_worker) static void ask_snapshot(enum events_stream stream)
{
	struct place *place = &places[stream];
	struct ask *ask = place->asked ? NULL : malloc(sizeof *ask);

	if (!ask)
		return;
	place->asked = true;
	*ask = (struct ask){{.deliver = deliver_ask}, worker_here(), stream};
	control_post(&ask->message);
}

/* All frames behind the one it has, in one piece; false when they are not all kept. A worker that
 * has no frame knows of none that is newer. */
RUNS_ON(on_worker)
static bool collect(const struct place *place, const struct reader *reader, struct buffer *out)
{
	if (!reader->have || (place->newest && reader->have + 1 < place->oldest))
		return false;
	for (uint64_t seq = reader->have + 1; seq <= place->newest; seq++) {
		const struct frame *frame = place->frames[seq % FRAMES_KEPT];

		if (out->len + frame->len > SEND_MAX ||
		    !buffer_put(out, bytes_of(frame->text, frame->len)))
			return false;
	}
	return true;
}

RUNS_ON(on_worker) static void reader_serve(struct reader *reader)
{
	struct place *place = &places[reader->stream];
	struct buffer out = {0};

	if (stopping || mono_before(reader->ends, mono_now())) {
		conn_drop(reader->conn);
	} else if (!collect(place, reader, &out)) {
		reader->have = 0;
		ask_snapshot(reader->stream);
	} else if (out.len) {
		reader->have = place->newest;
		reader->sending = true;
		conn_send(reader->conn, buffer_bytes(&out), on_sent);
	}
	buffer_fini(&out);
}

static void on_sent(struct conn *conn)
{
	struct reader *reader;

	enter_worker();
	reader = conn_holder(conn);
	reader->sending = false;
	reader_serve(reader);
}

static void on_gone(void *holder)
{
	struct reader *reader = holder;
	struct place *place = &places[reader->stream];

	enter_worker();
	if (reader->prev)
		reader->prev->next = reader->next;
	else
		place->readers = reader->next;
	if (reader->next)
		reader->next->prev = reader->prev;
	atomic_fetch_sub_explicit(&reader_counts[reader->stream][worker_here()->id], 1,
				  memory_order_relaxed);
	free(reader);
	if (!place->readers)
		frames_forget(place);
}

/* Whatever was to be sent to them is not. */
static void on_check(uv_timer_t *timer)
{
	struct reader *next;

	enter_worker();
	if (!places[EVENTS_ADMIN].readers)
		uv_timer_stop(timer);
	for (struct reader *reader = places[EVENTS_ADMIN].readers; reader; reader = next) {
		next = reader->next;
		if (!access_stays(&reader->stay))
			conn_drop(reader->conn);
	}
}

/* The frame that a browser that comes again names as its last; 0 for none of ours. */
RUNS_ON(on_worker) static uint64_t last_of(const struct request *request)
{
	struct bytes id = http1_header_get(&request->head, BYTES("Last-Event-ID"));
	struct bytes of = bytes_cut(&id, '-');
	uint64_t seq;

	if (!bytes_equal(of, bytes_str(events_epoch())) || !bytes_to_u64(id, UINT64_MAX, &seq))
		return 0;
	return seq;
}

/* retry: how long a browser waits before it comes again. */
void events_write_head(struct writer *w, bool shared)
{
	writer_str(w, "HTTP/1.1 200 OK\r\nServer: ringmain/" RINGMAIN_VERSION "\r\nDate: ");
	http_date_write(w, wall_now_us() / 1000000);
	writer_str(w, "\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
		      "Cache-Control: no-store\r\nX-Accel-Buffering: no\r\n"
		      "X-Content-Type-Options: nosniff\r\nConnection: close\r\n");
	if (shared)
		writer_str(w, "Access-Control-Allow-Origin: *\r\n");
	writer_str(w, "\r\nretry: 1000\n\n");
}

RUNS_ON(on_worker) static void reader_start(struct conn *conn, enum events_stream stream)
{
	struct place *place = &places[stream];
	struct reader *reader;
	uint8_t room[512];
	struct writer w = writer_of(room, sizeof room);

	if (bytes_equal(conn_request(conn)->method, BYTES("HEAD"))) {
		api_refuse(conn, 405, "bad_method", "this stream has no end: only GET gets it");
		return;
	}
	if (stopping || events_readers(EVENTS_ADMIN) + events_readers(EVENTS_PUBLIC) >=
				edge_settings()->conf.events_readers) {
		api_refuse(conn, 503, "too_many_readers", "too many follow the events already");
		return;
	}
	reader = calloc(1, sizeof *reader);
	if (!reader) {
		api_refuse(conn, 503, "no_memory", "out of memory");
		return;
	}
	reader->conn = conn;
	reader->stream = stream;
	reader->have = last_of(conn_request(conn));
	reader->sending = true;
	reader->ends = stream == EVENTS_ADMIN ? mono_add_us(mono_now(), LIFE_US) : MONO_NEVER;
	if (stream == EVENTS_ADMIN) {
		reader->stay = access_stay_of(conn, RANK_OPERATOR);
		if (!uv_is_active((const uv_handle_t *)&check))
			uv_timer_start(&check, on_check, CHECK_MS, CHECK_MS);
	}
	reader->next = place->readers;
	if (reader->next)
		reader->next->prev = reader;
	place->readers = reader;
	atomic_fetch_add_explicit(&reader_counts[stream][worker_here()->id], 1,
				  memory_order_relaxed);
	conn_hold(conn, reader, on_gone);
	events_write_head(&w, stream == EVENTS_PUBLIC);
	conn_send(conn, writer_done(&w), on_sent);
}

RUNS_ON(on_worker) static void serve_admin(struct conn *conn)
{
	reader_start(conn, EVENTS_ADMIN);
}

RUNS_ON(on_worker) static void serve_public(struct conn *conn)
{
	reader_start(conn, EVENTS_PUBLIC);
}

static int worker_start(struct worker *worker)
{
	uv_timer_init(&worker->loop, &check);
	for (unsigned i = 0; i < EVENTS_STREAMS; i++)
		places[i] = (struct place){0};
	stopping = false;
	return 0;
}

/* Who is just being sent something, the connections' own stop ends. */
static void worker_stop(struct worker *worker)
{
	(void)worker;
	enter_worker();
	stopping = true;
	uv_close((uv_handle_t *)&check, NULL);
	for (unsigned i = 0; i < EVENTS_STREAMS; i++) {
		serve_all(&places[i]);
		frames_forget(&places[i]);
	}
}

const struct worker_hooks events_hooks = {.start = worker_start, .stop = worker_stop};

const struct route events_routes[] = {
	{"/events", METHOD_GET | METHOD_HEAD, serve_public, NULL},
	{0},
};

const struct api_operation events_operations[] = {
	{"GET", API_ROOT "/events", RANK_OPERATOR, NULL,
	 "What changes, as server-sent events: a snapshot, then merge patches, and log lines.",
	 NULL, "EventStream", serve_admin},
	{0},
};
