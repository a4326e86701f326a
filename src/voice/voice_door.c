#include "voice/voice_door.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/log.h"
#include "core/metric.h"
#include "core/udp.h"
#include "edge/ban.h"
#include "edge/edge.h"
#include "edge/tls_identity.h"
#include "edge/tls_room.h"
#include "voice/voice_conn.h"
#include "voice/voice_rx.h"

#define DOORS_MAX    64u
#define ACCEPT_BATCH 256
#define PAUSE_MS     100

struct door {
	uv_poll_t poll;
	uv_timer_t pause;
	unsigned open_handles;
	unsigned number;
	int fd;
	struct address asked; /* as in the settings */
	uint16_t port;        /* as it is */
};

struct arrival {
	struct message message;
	struct worker *worker;
	struct tcp_end peer;
	int fd;
};

static struct door *doors[DOORS_MAX] OWNED_BY(on_control);
static bool opened OWNED_BY(on_control);
static _Atomic(struct tls_identity *) identity;

/* What workers are told while control waits (workers_run). */
static struct {
	unsigned door;
	int fds[WORKERS_MAX];
	int errors[WORKERS_MAX];
} order;

const struct tls_identity *voice_door_identity(void)
{
	return atomic_load_explicit(&identity, memory_order_acquire);
}

/* --- accepting ------------------------------------------------------------------------------ */

static void on_arrival(struct message *message)
{
	struct arrival *arrival = container_of(message, struct arrival, message);

	enter_worker();
	voice_conn_start(arrival->worker, arrival->fd, &arrival->peer);
	free(arrival);
}

RUNS_ON(on_control) static void welcome(int fd, const struct tcp_end *end)
{
	struct address peer = {.port = end->port};
	struct arrival *arrival = NULL;

	memcpy(peer.ip, end->ip, sizeof peer.ip);
	if (cidr_list_holds(edge_settings()->deny, &peer) || ban_holds(&peer))
		metric_add(METRIC_edge_connections_denied, 1);
	else if (edge_connections() < edge_settings()->conf.http_connections)
		arrival = malloc(sizeof *arrival);
	if (!arrival) {
		metric_add(METRIC_edge_connections_refused, 1);
		close(fd);
		return;
	}
	*arrival = (struct arrival){{NULL, on_arrival}, worker_place(), *end, fd};
	edge_joined(arrival->worker);
	metric_add(METRIC_edge_connections_accepted, 1);
	worker_post(arrival->worker, &arrival->message);
}

static void on_knock(uv_poll_t *poll, int status, int events);

static void on_pause_over(uv_timer_t *timer)
{
	struct door *door = container_of(timer, struct door, pause);

	enter_control();
	uv_poll_start(&door->poll, UV_READABLE, on_knock);
}

static void on_knock(uv_poll_t *poll, int status, int events)
{
	struct door *door = container_of(poll, struct door, poll);

	(void)status;
	(void)events;
	enter_control();
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		struct tcp_end peer;
		int fd = tcp_accept(door->fd, &peer);

		if (fd == -EAGAIN)
			return;
		if (fd < 0) {
			/* Out of descriptors: the queue stays readable, so ask again a little later. */
			metric_add(METRIC_edge_accept_pauses, 1);
			uv_poll_stop(&door->poll);
			uv_timer_start(&door->pause, on_pause_over, PAUSE_MS, 0);
			return;
		}
		welcome(fd, &peer);
	}
}

/* --- opening, closing ----------------------------------------------------------------------- */

static void open_on_worker(struct worker *worker)
{
	enter_worker();
	order.errors[worker->id] = voice_rx_open(worker, order.door, order.fds[worker->id]);
}

static void close_on_worker(struct worker *worker)
{
	(void)worker;
	enter_worker();
	voice_rx_close(order.door);
}

static void on_door_closed(uv_handle_t *handle)
{
	struct door *door = handle->data;

	if (--door->open_handles == 0)
		free(door);
}

RUNS_ON(on_control) static void door_close(struct door *door)
{
	doors[door->number] = NULL;
	order.door = door->number;
	workers_run(close_on_worker);
	uv_close((uv_handle_t *)&door->poll, on_door_closed);
	uv_close((uv_handle_t *)&door->pause, on_door_closed);
	close(door->fd);
}

RUNS_ON(on_control) static int datagrams_open(const struct tcp_end *end, unsigned number)
{
	unsigned count = workers_count();
	int error = udp_open(end, UDP_STEER_ADDRESS, count, order.fds);

	if (error)
		return error;
	order.door = number;
	workers_run(open_on_worker);
	for (unsigned i = 0; i < count; i++)
		error = error ? error : order.errors[i];
	if (error)
		workers_run(close_on_worker);
	return error;
}

RUNS_ON(on_control)
static int door_open(uv_loop_t *loop, const struct address *asked, unsigned number)
{
	struct door *door = calloc(1, sizeof *door);
	struct tcp_end end = {.port = asked->port};
	int error;

	if (!door)
		return -ENOMEM;
	memcpy(end.ip, asked->ip, sizeof end.ip);
	door->fd = tcp_listen(&end);
	if (door->fd < 0) {
		error = door->fd;
		free(door);
		return error;
	}
	door->port = end.port = tcp_port(door->fd);
	door->asked = *asked;
	door->number = number;
	error = datagrams_open(&end, number);
	if (!error)
		error = uv_poll_init(loop, &door->poll, door->fd);
	if (error) {
		close(door->fd);
		free(door);
		return error;
	}
	CHECK(uv_timer_init(loop, &door->pause) == 0);
	door->open_handles = 2;
	door->poll.data = door->pause.data = door;
	if (opened)
		uv_poll_start(&door->poll, UV_READABLE, on_knock);
	doors[number] = door;
	log_info("voice", "ready", kv_u64("port", door->port));
	return 0;
}

static bool same(const struct address *a, const struct address *b)
{
	return a->port == b->port && address_same_ip(a, b);
}

RUNS_ON(on_control) static struct door *door_of(const struct address *asked)
{
	for (unsigned i = 0; i < DOORS_MAX; i++)
		if (doors[i] && same(&doors[i]->asked, asked))
			return doors[i];
	return NULL;
}

RUNS_ON(on_control) static bool identity_make(char *at, size_t size)
{
	struct tls_identity *made;

	if (voice_door_identity())
		return true;
	made = tls_self_signed(at, size);
	atomic_store_explicit(&identity, made, memory_order_release);
	return made != NULL;
}

RUNS_ON(on_control)
static int open_new(uv_loop_t *loop, const struct conf_list *listen, struct door **made,
		    size_t *count, char *at, size_t size)
{
	for (size_t i = 0; i < listen->count; i++) {
		struct address asked;
		unsigned number = 0;
		int error;

		CHECK(address_parse_listen(bytes_str(listen->at[i]), &asked));
		if (door_of(&asked))
			continue;
		while (number < DOORS_MAX && doors[number])
			number++;
		error = number < DOORS_MAX ? door_open(loop, &asked, number) : -EMFILE;
		if (error) {
			snprintf(at, size, "%s", listen->at[i]);
			return error;
		}
		made[(*count)++] = doors[number];
	}
	return 0;
}

int voice_door_listen(uv_loop_t *loop, const struct conf_list *listen, char *at, size_t size)
{
	struct door *made[DOORS_MAX];
	size_t count = 0;
	int error;

	if (listen->count && !identity_make(at, size))
		return -EIO;
	error = open_new(loop, listen, made, &count, at, size);
	if (error) {
		while (count > 0)
			door_close(made[--count]);
		return error;
	}
	for (unsigned i = 0; i < DOORS_MAX; i++) {
		bool wanted = false;

		for (size_t n = 0; doors[i] && n < listen->count; n++) {
			struct address asked;

			CHECK(address_parse_listen(bytes_str(listen->at[n]), &asked));
			wanted |= same(&doors[i]->asked, &asked);
		}
		if (doors[i] && !wanted)
			door_close(doors[i]);
	}
	return 0;
}

void voice_door_go(void)
{
	opened = true;
	for (unsigned i = 0; i < DOORS_MAX; i++)
		if (doors[i])
			uv_poll_start(&doors[i]->poll, UV_READABLE, on_knock);
}

void voice_door_stop(void)
{
	for (unsigned i = 0; i < DOORS_MAX; i++)
		if (doors[i])
			door_close(doors[i]);
}

void voice_door_fini(void)
{
	tls_identity_free(atomic_exchange_explicit(&identity, NULL, memory_order_relaxed));
}
