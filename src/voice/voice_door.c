#include "voice/voice_door.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/estate.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/udp.h"
#include "edge/ban.h"
#include "edge/edge.h"
#include "edge/tls_identity.h"
#include "edge/tls_room.h"
#include "voice/voice_conn.h"
#include "voice/voice_rx.h"

#define DOORS_MAX    VOICE_DOORS_MAX
#define ACCEPT_BATCH 256
#define PAUSE_MS     100
#define DOOR_LAYOUT  1u
#define DOOR_FDS     (1u + WORKERS_MAX)

/* In the estate, so that a door is open all the time, whichever server has it; who knocks and what comes
 * meanwhile waits in the kernel. The row's number is the door's. */
struct door_row {
	uint64_t in_use;
	int32_t fds[DOOR_FDS]; /* the listening socket, then each worker's of datagrams; -1: none */
	uint32_t count;        /* of workers */
	uint8_t ip[16];        /* as it was asked for */
	uint16_t port;
	uint8_t pad[30];
};

static_assert(sizeof(struct door_row) % 64 == 0, "rows are whole cache lines");

static const struct estate_kind door_kind = {
	.name = "voice.doors",
	.layout = DOOR_LAYOUT,
	.row_size = sizeof(struct door_row),
	.fds_at = offsetof(struct door_row, fds),
	.fds = DOOR_FDS,
};

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
static struct table rows OWNED_BY(on_control);
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

RUNS_ON(on_control) static void door_forget(struct door *door)
{
	doors[door->number] = NULL;
	uv_close((uv_handle_t *)&door->poll, on_door_closed);
	uv_close((uv_handle_t *)&door->pause, on_door_closed);
	close(door->fd);
}

RUNS_ON(on_control) static void door_close(struct door *door)
{
	/* What was not let go of yet is nobody's yet either. */
	for (unsigned i = 0; !opened && i < workers_count(); i++)
		close(((const struct door_row *)table_row(&rows, door->number))->fds[1 + i]);
	if (table_settled(&rows, door->number)) {
		table_doubt(&rows, door->number);
		table_give(&rows, door->number);
	}
	order.door = door->number;
	workers_run(close_on_worker);
	door_forget(door);
}

/* The sockets of the row are the workers' from here on, also when it fails. */
RUNS_ON(on_control) static void datagrams_open(unsigned number)
{
	const struct door_row *row = table_row(&rows, number);
	int error = 0;

	order.door = number;
	memcpy(order.fds, row->fds + 1, sizeof order.fds);
	workers_run(open_on_worker);
	for (unsigned i = 0; i < workers_count(); i++)
		error = error ? error : order.errors[i];
	if (error) /* all speak through the tunnel then */
		log_warn_code(error, "voice", "no datagrams", kv_u64("port", row->port));
}

/* Datagrams wait in the kernel until then: those whom they are of may be about to be known again. */
RUNS_ON(on_control) static void door_go(struct door *door)
{
	datagrams_open(door->number);
	uv_poll_start(&door->poll, UV_READABLE, on_knock);
}

/* Closes all sockets of the row on failure. */
RUNS_ON(on_control)
static int door_make(uv_loop_t *loop, const struct door_row *row, unsigned number)
{
	struct door *door = calloc(1, sizeof *door);
	int fd = row->fds[0], error = door ? uv_poll_init(loop, &door->poll, fd) : -ENOMEM;

	if (error) {
		for (unsigned i = 0; i < 1 + row->count && i < DOOR_FDS; i++)
			close(row->fds[i]);
		free(door);
		return error;
	}
	CHECK(uv_timer_init(loop, &door->pause) == 0);
	door->fd = fd;
	door->port = tcp_port(fd);
	door->asked.port = row->port;
	memcpy(door->asked.ip, row->ip, sizeof door->asked.ip);
	door->number = number;
	door->open_handles = 2;
	door->poll.data = door->pause.data = door;
	doors[number] = door;
	if (opened)
		door_go(door);
	log_info("voice", "ready", kv_u64("port", door->port));
	return 0;
}

RUNS_ON(on_control)
static void row_write(struct door_row *row, const struct address *asked, int fd)
{
	row->fds[0] = fd;
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		row->fds[1 + i] = i < workers_count() ? order.fds[i] : -1;
	row->count = workers_count();
	row->port = asked->port;
	memcpy(row->ip, asked->ip, sizeof row->ip);
}

RUNS_ON(on_control) static int door_open(uv_loop_t *loop, const struct address *asked)
{
	struct tcp_end end = {.port = asked->port};
	struct door_row *row;
	uint32_t number;
	int fd, error;

	row = table_take(&rows, &number);
	if (!row)
		return -EMFILE;
	memcpy(end.ip, asked->ip, sizeof end.ip);
	error = fd = tcp_listen(&end);
	if (fd >= 0) {
		end.port = tcp_port(fd);
		error = udp_open(&end, UDP_STEER_ADDRESS, workers_count(), order.fds);
		if (error)
			close(fd);
	}
	if (error >= 0) {
		row_write(row, asked, fd);
		error = door_make(loop, row, number);
	}
	if (error < 0)
		table_give(&rows, number);
	else
		table_settle(&rows, number);
	return error;
}

/* What the last server left. One that cannot be gone on with is closed. */
RUNS_ON(on_control) static void door_adopt(uv_loop_t *loop, unsigned number)
{
	const struct door_row *row = table_settled(&rows, number);
	int error = -EINVAL;

	if (row->count == workers_count())
		error = door_make(loop, row, number);
	else
		for (unsigned i = 0; i < 1 + row->count && i < DOOR_FDS; i++)
			close(row->fds[i]);
	if (!error)
		return;
	log_warn_code(error, "voice", "door not gone on with", kv_u64("port", row->port));
	table_doubt(&rows, number);
	table_give(&rows, number);
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

void voice_door_know(void)
{
	estate_know(&door_kind);
}

int voice_door_start(uv_loop_t *loop)
{
	int error = estate_table(&rows, &door_kind, 0, DOORS_MAX);
	char fault[512] = "";

	if (!error && rows.used && !identity_make(fault, sizeof fault)) {
		log_error("voice", "no certificate", kv_str("why", fault));
		error = -EIO;
	}
	for (unsigned number = 0; !error && number < rows.high; number++)
		if (table_settled(&rows, number))
			door_adopt(loop, number);
	return error;
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

RUNS_ON(on_control)
static int open_new(uv_loop_t *loop, const struct conf_list *listen, struct door **made,
		    size_t *count, char *at, size_t size)
{
	for (size_t i = 0; i < listen->count; i++) {
		struct address asked;
		int error;

		CHECK(address_parse_listen(bytes_str(listen->at[i]), &asked));
		if (door_of(&asked))
			continue;
		error = door_open(loop, &asked);
		if (error) {
			snprintf(at, size, "%s", listen->at[i]);
			return error;
		}
		made[(*count)++] = door_of(&asked);
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
			door_go(doors[i]);
}

void voice_door_part(void)
{
	estate_close(&rows);
	for (unsigned i = 0; i < DOORS_MAX; i++)
		if (doors[i])
			door_forget(doors[i]);
}

void voice_door_stop(void)
{
	for (unsigned i = 0; i < DOORS_MAX; i++)
		if (doors[i])
			door_close(doors[i]);
}

void voice_door_fini(void)
{
	enter_control();
	estate_close(&rows);
	tls_identity_free(atomic_exchange_explicit(&identity, NULL, memory_order_relaxed));
}
