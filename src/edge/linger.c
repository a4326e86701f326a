#include "edge/linger.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/edge.h"
#include "edge/tls.h"

#define PIECE      65536u
#define PIECES_MAX 16u /* of a turn */

struct lingering {
	struct lingering *prev, *next;
	struct worker *worker;
	uv_poll_t poll;
	uv_timer_t timer;
	unsigned handles;
	uint64_t left; /* bytes that may still come */
	int fd;
};

static _Thread_local struct lingering *first;
static _Thread_local unsigned count;

static void on_closed(uv_handle_t *handle)
{
	struct lingering *one = handle->data;

	if (--one->handles == 0)
		free(one);
}

RUNS_ON(on_worker) static void linger_end(struct lingering *one)
{
	if (one->prev)
		one->prev->next = one->next;
	else
		first = one->next;
	if (one->next)
		one->next->prev = one->prev;
	count--;
	uv_close((uv_handle_t *)&one->poll, on_closed);
	uv_close((uv_handle_t *)&one->timer, on_closed);
	close(one->fd);
	edge_left(one->worker);
}

static void on_late(uv_timer_t *timer)
{
	enter_worker();
	linger_end(timer->data);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	static _Thread_local uint8_t scrap[PIECE];
	struct lingering *one = poll->data;

	(void)status;
	(void)events;
	enter_worker();
	for (unsigned i = 0; i < PIECES_MAX; i++) {
		ssize_t n = tcp_recv(one->fd, scrap, sizeof scrap);

		if (n == -EAGAIN)
			return;
		if (n <= 0 || (uint64_t)n > one->left) {
			linger_end(one);
			return;
		}
		one->left -= (uint64_t)n;
	}
}

void linger(struct worker *worker, struct link link)
{
	struct lingering *one = count < LINGERS_MAX ? calloc(1, sizeof *one) : NULL;

	if (!one || uv_poll_init(&worker->loop, &one->poll, link.fd) != 0) {
		free(one);
		link_close_gently(link);
		edge_left(worker);
		return;
	}
	/* What comes is not read as records any more. */
	if (link.tls)
		tls_end(link);
	shutdown(link.fd, SHUT_WR);
	uv_timer_init(&worker->loop, &one->timer);
	one->poll.data = one->timer.data = one;
	one->handles = 2;
	one->worker = worker;
	one->left = LINGER_BYTES;
	one->fd = link.fd;
	one->next = first;
	if (first)
		first->prev = one;
	first = one;
	count++;
	uv_timer_start(&one->timer, on_late, LINGER_MS, 0);
	uv_poll_start(&one->poll, UV_READABLE, on_readable);
}

void lingers_stop(void)
{
	while (first)
		linger_end(first);
}
