#include "sfu/sfu_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/metric.h"
#include "sfu/proto/frame.h"
#include "sfu/sfu.h"
#include "sfu/sfu_door.h"
#include "sfu/sfu_peer.h"

#define OUT_SIZE    (256u << 10)
#define READS_MAX   16u /* of one stream in a turn */
#define ACCEPTS_MAX 64u
#define NOBODYS_MAX 1024u

struct streams {
	struct worker *worker;
	uv_poll_t listener; /* of worker 0 */
	bool listens, rests;
	struct sfu_stream *oldest, *newest; /* nobody's */
	unsigned nobodys;
	struct sfu_stream *full;
};

static int listener = -1; /* before the workers start, then worker 0's */
static uint16_t port;
static _Thread_local struct streams *here;

/* --- begin and end ----------------------------------------------------------------------------------- */

static void list_add(struct sfu_stream *stream)
{
	stream->listed = true;
	stream->prev = here->newest;
	stream->next = NULL;
	*(here->newest ? &here->newest->next : &here->oldest) = stream;
	here->newest = stream;
	here->nobodys++;
}

static void list_remove(struct sfu_stream *stream)
{
	if (!stream->listed)
		return;
	stream->listed = false;
	*(stream->prev ? &stream->prev->next : &here->oldest) = stream->next;
	*(stream->next ? &stream->next->prev : &here->newest) = stream->prev;
	here->nobodys--;
}

static void on_gone(uv_handle_t *handle)
{
	struct sfu_stream *stream = container_of((uv_poll_t *)handle, struct sfu_stream, poll);

	if (stream->fd >= 0)
		close(stream->fd);
	free(stream->out);
	free(stream);
}

void stream_close(struct sfu_stream *stream)
{
	struct sfu_stream **at = &here->full;

	if (stream->closed)
		return;
	stream->closed = true;
	stream->peer = NULL;
	list_remove(stream);
	while (*at && *at != stream)
		at = &(*at)->next_full;
	if (*at)
		*at = stream->next_full;
	uv_poll_stop(&stream->poll);
	uv_close((uv_handle_t *)&stream->poll, on_gone);
}

/* By the other side, or because it makes no sense. */
RUNS_ON(on_worker) static void end(struct sfu_stream *stream)
{
	if (stream->peer)
		peer_path_lost(stream->peer, stream);
	stream_close(stream);
}

/* --- in ------------------------------------------------------------------------------------------------- */

/* What is whole of it; what is left moves to the front. */
RUNS_ON(on_worker) static void read_packets(struct sfu_stream *stream)
{
	struct bytes in = bytes_of(stream->in, stream->in_len), packet;
	enum frame_status status = FRAME_PART;

	while (!stream->closed && (status = frame_next(&in, STREAM_MAX, &packet)) == FRAME_WHOLE) {
		struct bytes before = bytes_of(packet.at - FRAME_HEAD, FRAME_HEAD + packet.len);

		if (packet.len == 0 || door_arrived_in(stream, packet))
			continue;
		/* Another worker's: with this packet and what follows. */
		stream->in_len = before.len + in.len;
		memmove(stream->in, before.at, stream->in_len);
		return;
	}
	if (stream->closed)
		return;
	if (status == FRAME_LONG) {
		end(stream);
		return;
	}
	memmove(stream->in, in.at, in.len);
	stream->in_len = in.len;
}

RUNS_ON(on_worker) static void read_on(struct sfu_stream *stream)
{
	for (unsigned i = 0; i < READS_MAX && !stream->closed; i++) {
		ssize_t n = tcp_recv(stream->fd, stream->in + stream->in_len,
				     STREAM_IN - stream->in_len);

		if (n == -EAGAIN)
			break;
		if (n <= 0) {
			end(stream);
			break;
		}
		stream->in_len += (size_t)n;
		read_packets(stream);
	}
}

RUNS_ON(on_worker) static void flush_one(struct sfu_stream *stream);

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct sfu_stream *stream = container_of(poll, struct sfu_stream, poll);

	enter_worker();
	if (status < 0) {
		end(stream);
		return;
	}
	if (events & UV_WRITABLE)
		flush_one(stream);
	if (events & UV_READABLE && !stream->closed)
		read_on(stream);
	door_flush();
}

/* Takes fd. NULL: no memory. */
RUNS_ON(on_worker) static struct sfu_stream *begin(int fd, const struct udp_path *path)
{
	struct sfu_stream *stream;

	if (here->nobodys >= NOBODYS_MAX)
		stream_close(here->oldest);
	stream = calloc(1, sizeof *stream);
	if (!stream || uv_poll_init(&here->worker->loop, &stream->poll, fd) != 0) {
		free(stream);
		close(fd);
		return NULL;
	}
	stream->fd = fd;
	stream->path = *path;
	stream->since = mono_now();
	list_add(stream);
	uv_poll_start(&stream->poll, UV_READABLE, on_ready);
	return stream;
}

/* --- from worker to worker ------------------------------------------------------------------------------- */

struct passed {
	struct message message;
	int fd;
	struct udp_path path;
	size_t len;
	uint8_t data[STREAM_IN];
};

static void deliver_passed(struct message *message)
{
	struct passed *passed = container_of(message, struct passed, message);
	struct sfu_stream *stream = NULL;

	enter_worker();
	if (here)
		stream = begin(passed->fd, &passed->path);
	else
		close(passed->fd);
	if (stream) {
		stream->passed = true;
		memcpy(stream->in, passed->data, passed->len);
		stream->in_len = passed->len;
		read_packets(stream);
		door_flush();
	}
	free(passed);
}

void stream_pass(struct sfu_stream *stream, unsigned worker)
{
	struct passed *passed = calloc(1, sizeof *passed);

	if (passed) {
		passed->message.deliver = deliver_passed;
		passed->fd = stream->fd;
		passed->path = stream->path;
		passed->len = stream->in_len;
		memcpy(passed->data, stream->in, stream->in_len);
		stream->fd = -1;
	}
	stream_close(stream);
	if (passed)
		worker_post(worker_of(worker), &passed->message);
}

void stream_own(struct sfu_stream *stream, struct sfu_peer *peer)
{
	stream->peer = peer;
	list_remove(stream);
}

/* --- out -------------------------------------------------------------------------------------------------- */

void stream_put(struct sfu_stream *stream, struct bytes packet)
{
	struct writer w;

	if (stream->closed)
		return;
	if (!stream->out)
		stream->out = malloc(OUT_SIZE);
	if (!stream->out || packet.len > FRAME_MAX ||
	    FRAME_HEAD + packet.len > OUT_SIZE - stream->out_len) {
		metric_add(METRIC_sfu_stream_dropped, 1);
		return;
	}
	w = writer_of(stream->out + stream->out_len, OUT_SIZE - stream->out_len);
	frame_write_head(&w, packet.len);
	writer_put(&w, packet);
	stream->out_len += w.len;
	if (stream->full)
		return;
	stream->full = true;
	stream->next_full = here->full;
	here->full = stream;
}

static void flush_one(struct sfu_stream *stream)
{
	ssize_t n =
		stream->out_len ? tcp_send(stream->fd, bytes_of(stream->out, stream->out_len)) : 0;

	if (n < 0) {
		end(stream);
		return;
	}
	stream->out_len -= (size_t)n;
	if (stream->out_len)
		memmove(stream->out, stream->out + n, stream->out_len);
	if (stream->waits == (stream->out_len > 0))
		return;
	stream->waits = stream->out_len > 0;
	uv_poll_start(&stream->poll, UV_READABLE | (stream->waits ? UV_WRITABLE : 0), on_ready);
}

void stream_flush(void)
{
	while (here && here->full) {
		struct sfu_stream *stream = here->full;

		here->full = stream->next_full;
		stream->full = false;
		/* Who waits is told when there is room. */
		if (!stream->waits)
			flush_one(stream);
	}
}

/* --- the listener -------------------------------------------------------------------------------------------- */

static void on_connection(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	enter_worker();
	for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
		struct udp_path path = {0};
		struct tcp_end local;
		int fd = tcp_accept(listener, &path.peer);

		if (fd == -EMFILE || fd == -ENFILE) {
			/* It would ring without end: stream_tick goes on. */
			here->rests = true;
			uv_poll_stop(poll);
		}
		if (fd < 0)
			return;
		tcp_tune_stream(fd, 0);
		local = tcp_local(fd);
		memcpy(path.local, local.ip, sizeof path.local);
		(void)begin(fd, &path);
	}
}

int stream_listen(const struct tcp_end *end)
{
	int fd = tcp_listen(end);

	if (fd < 0)
		return fd;
	listener = fd;
	port = tcp_port(fd);
	return 0;
}

uint16_t stream_port(void)
{
	return port;
}

/* --- a worker's part ------------------------------------------------------------------------------------------ */

int stream_worker_start(struct worker *worker)
{
	int error;

	if (listener < 0)
		return 0;
	here = calloc(1, sizeof *here);
	if (!here)
		return -ENOMEM;
	here->worker = worker;
	if (worker->id != 0)
		return 0;
	error = uv_poll_init(&worker->loop, &here->listener, listener);
	if (error) {
		free(here);
		here = NULL;
		return error;
	}
	here->listens = true;
	uv_poll_start(&here->listener, UV_READABLE, on_connection);
	return 0;
}

static void on_deaf(uv_handle_t *handle)
{
	free(container_of((uv_poll_t *)handle, struct streams, listener));
}

void stream_worker_stop(void)
{
	if (!here)
		return;
	stream_flush();
	while (here->oldest)
		stream_close(here->oldest);
	if (here->listens) {
		uv_poll_stop(&here->listener);
		uv_close((uv_handle_t *)&here->listener, on_deaf);
		close(listener);
		listener = -1;
	} else {
		free(here);
	}
	here = NULL;
}

void stream_tick(mono_t now)
{
	int64_t most_us = (int64_t)sfu_conf()->connect_timeout * 1000;

	if (!here)
		return;
	while (here->oldest && mono_since_us(now, here->oldest->since) > most_us)
		stream_close(here->oldest);
	if (here->rests) {
		here->rests = false;
		uv_poll_start(&here->listener, UV_READABLE, on_connection);
	}
}
