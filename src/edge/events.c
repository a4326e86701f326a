/* The control thread's half: state, what differs, frames. The workers' is events_reader.c. */
#include "edge/events.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "edge/events_frame.h"

#define TICK_MS      500u
#define SECTIONS_MAX 16u
#define QUIET_TICKS  20u /* after so many without a frame comes an empty one */

struct section {
	const char *name;
	json_t *(*state)(void);
};

struct stream {
	struct section sections[SECTIONS_MAX];
	unsigned section_count;
	json_t *state; /* as of frame seq; NULL while nobody looks */
	uint64_t seq;
	unsigned quiet;
	uint64_t log_next;
};

static struct stream streams[EVENTS_STREAMS] OWNED_BY(on_control);
static uv_timer_t timer;
static bool stopping OWNED_BY(on_control);
static char epoch[24];

void events_add(enum events_stream stream, const char *name, json_t *(*state)(void))
{
	struct stream *to = &streams[stream];

	CHECK(to->section_count < SECTIONS_MAX);
	to->sections[to->section_count++] = (struct section){name, state};
}

const char *events_epoch(void)
{
	return epoch;
}

/* --- what differs --------------------------------------------------------------------------- */

/* Trees are as deep as a room's state: three or four levels. */
json_t *events_patch(const json_t *a, const json_t *b)
{
	json_t *patch = json_object(), *value, *old = (json_t *)(uintptr_t)a,
	       *now = (json_t *)(uintptr_t)b;
	const char *key;

	json_object_foreach(now, key, value)
	{
		json_t *before = json_object_get(old, key), *part;

		if (before && json_equal(before, value))
			continue;
		part = json_is_object(before) && json_is_object(value) ? events_patch(before, value)
								       : json_incref(value);
		json_object_set_new(patch, key, part);
	}
	json_object_foreach(old, key, value) if (!json_object_get(now, key))
		json_object_set_new(patch, key, json_null());
	if (json_object_size(patch))
		return patch;
	json_decref(patch);
	return NULL;
}

/* --- frames --------------------------------------------------------------------------------- */

static int put_json(const char *text, size_t len, void *buffer)
{
	return buffer_put(buffer, bytes_of(text, len)) ? 0 : -1;
}

static void put_event(struct buffer *out, const char *name, uint64_t seq, const json_t *data)
{
	char head[96];

	snprintf(head, sizeof head, "id: %s-%llu\nevent: %s\ndata: ", epoch,
		 (unsigned long long)seq, name);
	if (!buffer_put(out, bytes_str(head)) ||
	    json_dump_callback(data, put_json, out, JSON_COMPACT | JSON_REAL_PRECISION(6)) != 0 ||
	    !buffer_put(out, BYTES("\n\n")))
		out->failed = true;
}

RUNS_ON(on_control) static json_t *state_now(const struct stream *stream)
{
	json_t *state = json_object();

	for (unsigned i = 0; i < stream->section_count; i++)
		json_object_set_new(state, stream->sections[i].name, stream->sections[i].state());
	return state;
}

static void see_line(void *user, uint64_t number, const char *line, size_t len)
{
	json_t *one = json_object(), *text = json_stringn(line, len);

	json_object_set_new(one, "number", json_integer((json_int_t)number));
	json_object_set_new(one, "text", text ? text : json_string("\xef\xbf\xbd"));
	json_array_append_new(user, one);
}

RUNS_ON(on_control) static void put_log(struct stream *stream, struct buffer *out)
{
	json_t *tree, *lines = json_array();

	stream->log_next = log_recent(stream->log_next, see_line, lines);
	if (json_array_size(lines)) {
		tree = json_object();
		json_object_set(tree, "lines", lines);
		put_event(out, "log", stream->seq + 1, tree);
		json_decref(tree);
	}
	json_decref(lines);
}

/* Out to all workers that have readers of it; without memory, readers find a gap and get a snapshot. */
RUNS_ON(on_control) static void frame_send(enum events_stream which, struct buffer *text)
{
	struct stream *stream = &streams[which];
	struct frame *frame;

	stream->seq++;
	stream->quiet = 0;
	frame = frame_make(which, stream->seq, false, text);
	if (!frame)
		return;
	for (unsigned i = 0; i < workers_count(); i++)
		if (events_readers_on(which, i))
			frame_post(frame, worker_of(i));
	frame_unref(frame);
}

RUNS_ON(on_control) static void stream_tick(enum events_stream which)
{
	struct stream *stream = &streams[which];
	struct buffer text = {0};
	json_t *state, *patch;

	if (!events_readers(which)) {
		json_decref(stream->state);
		stream->state = NULL;
		return;
	}
	if (!stream->state) {
		/* Who has come again and asked for nothing finds a gap, and asks for a snapshot. */
		stream->state = state_now(stream);
		stream->log_next = log_recent(UINT64_MAX, NULL, NULL);
		stream->seq++;
		buffer_put(&text, BYTES(":\n\n"));
		frame_send(which, &text);
		buffer_fini(&text);
		return;
	}
	state = state_now(stream);
	patch = events_patch(stream->state, state);
	json_decref(stream->state);
	stream->state = state;
	if (patch)
		put_event(&text, "delta", stream->seq + 1, patch);
	json_decref(patch);
	if (which == EVENTS_ADMIN)
		put_log(stream, &text);
	if (!text.len && ++stream->quiet >= QUIET_TICKS)
		buffer_put(&text, BYTES(":\n\n"));
	if (text.len || text.failed)
		frame_send(which, &text);
	buffer_fini(&text);
}

static void on_tick(uv_timer_t *handle)
{
	(void)handle;
	enter_control();
	for (enum events_stream which = 0; which < EVENTS_STREAMS; which++)
		stream_tick(which);
}

void events_answer_snapshot(enum events_stream which, struct worker *worker)
{
	struct stream *stream = &streams[which];
	struct buffer text = {0};
	struct frame *frame;

	enter_control();
	if (stopping)
		return;
	if (!stream->state) {
		stream->state = state_now(stream);
		stream->seq++;
		stream->log_next = log_recent(UINT64_MAX, NULL, NULL);
	}
	put_event(&text, "snapshot", stream->seq, stream->state);
	frame = frame_make(which, stream->seq, true, &text);
	buffer_fini(&text);
	if (!frame)
		return;
	frame_post(frame, worker);
	frame_unref(frame);
}

void events_start(uv_loop_t *loop)
{
	snprintf(epoch, sizeof epoch, "%llx", (unsigned long long)wall_now_us());
	uv_timer_init(loop, &timer);
	uv_timer_start(&timer, on_tick, TICK_MS, TICK_MS);
}

void events_stop(void)
{
	stopping = true;
	uv_close((uv_handle_t *)&timer, NULL);
	for (unsigned i = 0; i < EVENTS_STREAMS; i++) {
		json_decref(streams[i].state);
		streams[i].state = NULL;
	}
}
