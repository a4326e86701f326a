#include "edge/edge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/estate.h"
#include "core/keeper.h"
#include "core/local_socket.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/tcp.h"
#include "edge/ban.h"
#include "edge/conn.h"
#include "edge/lockout.h"
#include "edge/route.h"
#include "edge/tls.h"

#define DOOR_LAYOUT     1u
#define DOORS_MAX       256u
#define ACCEPT_BATCH    256
#define ACCEPT_PAUSE_MS 100 /* how long to leave the queue alone when descriptors have run out */

struct door {
	struct door *next; /* doors */
	uv_poll_t poll;
	uv_timer_t pause;
	unsigned open_handles;
	int fd;
	uint32_t row;
	struct address at;          /* as it was asked for */
	char path[LOCAL_PATH_SIZE]; /* instead of it; "": none */
	uint16_t port;              /* as it is */
	unsigned site;              /* whose routes are served there */
	bool icy;
	bool wanted;
	bool starved; /* the last accept found no descriptor: said in the log */
};

struct door_row {
	uint64_t in_use;
	int32_t fd;
	uint32_t icy;
	uint8_t ip[16]; /* as it was asked for */
	uint16_t port;
	uint16_t site; /* SITE_MAIN in rows of servers that knew no other */
	uint8_t pad[28];
};

static_assert(sizeof(struct door_row) == 64, "rows are whole cache lines");

static const struct estate_kind door_kind = {
	.name = "edge.doors",
	.layout = DOOR_LAYOUT,
	.row_size = sizeof(struct door_row),
	.fds_at = offsetof(struct door_row, fd),
	.fds = 1,
};

/* No descriptors: those are in the rows of whoever holds the links. */
static const struct estate_kind tls_kinds[] = {
	{"edge.tls", TLS_ROW_LAYOUT, sizeof(struct tls_row), 0, 0},
	{"edge.tls_slots", TLS_SLOT_LAYOUT, sizeof(struct tls_slot), 0, 0},
	{"edge.tls_batch", TLS_BATCH_LAYOUT, sizeof(struct tls_batch), 0, 0},
};

struct arrival {
	struct message message;
	struct worker *worker;
	struct address peer;
	unsigned site;
	int fd;
};

static _Atomic(struct edge_settings *) settings;
static struct door *doors OWNED_BY(on_control);
static struct table rows OWNED_BY(on_control);
static _Atomic uint16_t first_port;

/* --- settings ------------------------------------------------------------------------------- */

const struct edge_settings *edge_settings(void)
{
	return atomic_load_explicit(&settings, memory_order_acquire);
}

/* The texts were checked when the file was read. */
static struct cidr_list parse_networks(const struct conf_list *texts, struct cidr **next)
{
	struct cidr_list list = cidr_list_of(texts->at, texts->count, *next);

	*next += list.count;
	return list;
}

static void settings_home(struct baton *baton)
{
	free(container_of(baton, struct edge_settings, farewell));
}

int edge_configure(const struct edge_conf *conf)
{
	size_t count = conf->http_allow.count + conf->http_deny.count +
		       conf->http_trusted_proxies.count + conf->outgoing_internal.count +
		       conf->metrics_allow.count;
	struct edge_settings *made = calloc(1, sizeof *made + count * sizeof(struct cidr));
	struct cidr *next;

	if (!made)
		return -ENOMEM;
	next = made->networks;
	made->conf = *conf;
	made->allow = parse_networks(&conf->http_allow, &next);
	made->deny = parse_networks(&conf->http_deny, &next);
	made->trusted = parse_networks(&conf->http_trusted_proxies, &next);
	made->internal = parse_networks(&conf->outgoing_internal, &next);
	made->metrics = parse_networks(&conf->metrics_allow, &next);
	made = atomic_exchange_explicit(&settings, made, memory_order_acq_rel);
	if (made) {
		made->farewell.visit = baton_pass;
		made->farewell.home = settings_home;
		baton_send(&made->farewell);
	}
	return 0;
}

void edge_fini(void)
{
	estate_close(&rows);
	free(atomic_exchange_explicit(&settings, NULL, memory_order_relaxed));
}

/* --- accepting ------------------------------------------------------------------------------ */

uint32_t edge_connections(void)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < workers_count(); i++)
		sum += atomic_load_explicit(&worker_of(i)->load, memory_order_relaxed);
	return sum;
}

void edge_joined(struct worker *worker)
{
	atomic_fetch_add_explicit(&worker->load, 1, memory_order_relaxed);
	metric_add(METRIC_edge_connections, 1);
}

void edge_left(struct worker *worker)
{
	atomic_fetch_sub_explicit(&worker->load, 1, memory_order_relaxed);
	metric_add(METRIC_edge_connections, -1);
}

static void deliver_arrival(struct message *message)
{
	struct arrival *arrival = container_of(message, struct arrival, message);

	enter_worker();
	conn_start(arrival->worker, arrival->fd, &arrival->peer, arrival->site);
	free(arrival);
}

static bool may_connect(const struct address *peer)
{
	if (cidr_list_holds(edge_settings()->deny, peer) || ban_holds(peer))
		return false;
	return edge_settings()->allow.count == 0 || cidr_list_holds(edge_settings()->allow, peer);
}

RUNS_ON(on_control)
static void welcome(int fd, const struct address *peer, unsigned site)
{
	static const char full[] = "HTTP/1.0 503 Service Unavailable\r\nRetry-After: 30\r\n"
				   "Content-Length: 0\r\nConnection: close\r\n\r\n";
	struct arrival *arrival;

	if (!may_connect(peer)) {
		metric_add(METRIC_edge_connections_denied, 1);
		close(fd);
		return;
	}
	arrival = edge_connections() < edge_settings()->conf.http_connections
			  ? malloc(sizeof *arrival)
			  : NULL;
	if (!arrival) {
		metric_add(METRIC_edge_connections_refused, 1);
		(void)!tcp_send(fd, bytes_str(full));
		tcp_close_gently(fd);
		return;
	}
	*arrival = (struct arrival){
		.message.deliver = deliver_arrival,
		.worker = worker_place(),
		.peer = *peer,
		.site = site,
		.fd = fd,
	};
	atomic_fetch_add_explicit(&arrival->worker->load, 1, memory_order_relaxed);
	metric_add(METRIC_edge_connections, 1);
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

/* Out of descriptors or memory: the queue in the kernel keeps those who wait. Asking again at once
 * would spin, as the queue stays readable. */
RUNS_ON(on_control) static void pause_accepting(struct door *door, int error)
{
	metric_add(METRIC_edge_accept_pauses, 1);
	if (!door->starved)
		log_warn_code(error, "edge", "accept paused", kv_u64("port", door->port));
	door->starved = true;
	uv_poll_stop(&door->poll);
	uv_timer_start(&door->pause, on_pause_over, ACCEPT_PAUSE_MS, 0);
}

static void on_knock(uv_poll_t *poll, int status, int events)
{
	struct door *door = container_of(poll, struct door, poll);

	(void)status;
	(void)events;
	enter_control();
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		struct tcp_end end;
		struct address peer = {0};
		int fd = tcp_accept(door->fd, &end);

		if (fd == -EAGAIN)
			return;
		if (fd < 0) {
			pause_accepting(door, -fd);
			return;
		}
		door->starved = false;
		memcpy(peer.ip, end.ip, sizeof peer.ip);
		peer.port = end.port;
		if (door->path[0])
			CHECK(address_parse(BYTES("127.0.0.1"), &peer));
		welcome(fd, &peer, door->site);
	}
}

/* --- doors ---------------------------------------------------------------------------------- */

static void fault_say(char *fault, size_t size, const struct address *at)
{
	struct writer w = writer_of(fault, size - 1);

	address_write(&w, at);
	fault[w.len] = '\0';
}

static void on_door_closed(uv_handle_t *handle)
{
	struct door *door = handle->data;

	if (--door->open_handles == 0)
		free(door);
}

RUNS_ON(on_control) static void door_close(struct door *door)
{
	struct door **link = &doors;

	while (*link != door)
		link = &(*link)->next;
	*link = door->next;
	uv_close((uv_handle_t *)&door->poll, on_door_closed);
	uv_close((uv_handle_t *)&door->pause, on_door_closed);
	/* Without the table the row is another server's. */
	if (rows.map)
		table_doubt(&rows, door->row);
	close(door->fd);
	if (rows.map)
		table_give(&rows, door->row);
}

RUNS_ON(on_control)
static struct door *door_find(const struct address *at, bool icy, unsigned site)
{
	struct door *door = doors;

	while (door && (door->icy != icy || door->site != site || door->path[0] ||
			door->at.port != at->port || !address_same_ip(&door->at, at)))
		door = door->next;
	return door;
}

RUNS_ON(on_control) static struct door *door_find_local(const char *path, unsigned site)
{
	struct door *door = doors;

	while (door && (door->site != site || strcmp(door->path, path) != 0))
		door = door->next;
	return door;
}

/* A door of a socket that listens; left: the row that it has already. */
RUNS_ON(on_control)
static int door_make(uv_loop_t *loop, int fd, const struct address *at, bool icy, unsigned site,
		     const uint32_t *left)
{
	struct door *door = calloc(1, sizeof *door);
	struct door_row *row = NULL;
	int error;

	if (!door)
		return -ENOMEM;
	if (left)
		door->row = *left;
	else
		row = table_take(&rows, &door->row);
	error = row || left ? uv_poll_init(loop, &door->poll, fd) : -ENOSPC;
	if (error) {
		if (row)
			table_give(&rows, door->row);
		free(door);
		return error;
	}
	if (row) {
		row->fd = fd;
		row->icy = icy;
		row->site = (uint16_t)site;
		row->port = at->port;
		memcpy(row->ip, at->ip, sizeof row->ip);
		table_settle(&rows, door->row);
	}
	door->fd = fd;
	door->at = *at;
	door->port = tcp_port(fd);
	local_path_of(fd, door->path);
	door->icy = icy;
	door->site = site;
	door->poll.data = door->pause.data = door;
	door->open_handles = 2;
	uv_timer_init(loop, &door->pause);
	door->next = doors;
	doors = door;
	return uv_poll_start(&door->poll, UV_READABLE, on_knock);
}

RUNS_ON(on_control)
static int door_open(uv_loop_t *loop, const struct address *at, bool icy, unsigned site)
{
	struct tcp_end end = {.port = at->port};
	struct door *door = door_find(at, icy, site);
	int fd, error;

	if (door) {
		door->wanted = true;
		return 0;
	}
	memcpy(end.ip, at->ip, sizeof end.ip);
	fd = tcp_listen(&end);
	if (fd < 0)
		return fd;
	error = door_make(loop, fd, at, icy, site, NULL);
	if (error) {
		close(fd);
		return error;
	}
	doors->wanted = true;
	return 0;
}

/* Who may write to the socket may come in: its owner and his group. */
RUNS_ON(on_control)
static int door_open_local(uv_loop_t *loop, const char *path, unsigned site)
{
	struct door *door = door_find_local(path, site);
	struct address nowhere = {0};
	int fd, error;

	if (door) {
		door->wanted = true;
		return 0;
	}
	fd = local_listen(path, 0660);
	if (fd < 0)
		return fd;
	error = door_make(loop, fd, &nowhere, false, site, NULL);
	if (error) {
		close(fd);
		return error;
	}
	doors->wanted = true;
	return 0;
}

/* SHOUTcast v1 sources connect to the port above the one that players use. Somebody else may have
 * it; then they still can use the first, and the log says so. */
RUNS_ON(on_control)
static void icy_door_open(uv_loop_t *loop, const struct address *at, uint16_t port)
{
	struct address above = *at;
	int error;

	if (port == UINT16_MAX)
		return;
	above.port = (uint16_t)(port + 1);
	error = door_open(loop, &above, true, SITE_MAIN);
	if (error)
		log_warn_code(error, "edge", "no shoutcast port", kv_u64("port", above.port));
}

RUNS_ON(on_control) static void doors_close_unwanted(void)
{
	struct door *next;

	for (struct door *door = doors; door; door = next) {
		next = door->next;
		if (door->wanted)
			continue;
		if (door->path[0])
			unlink(door->path);
		door_close(door);
	}
}

/* A door that was opened just now and not before is the only kind that fails to be wanted twice. */
RUNS_ON(on_control)
static int listen_at(uv_loop_t *loop, unsigned site, const struct conf_list *listen, bool icy_door,
		     uint16_t *first, char *fault, size_t size)
{
	struct door *before;

	*first = 0;
	if (!rows.map) {
		int error = edge_adopt(loop, false);

		if (error)
			return error;
	}
	before = doors;

	for (struct door *door = doors; door; door = door->next)
		door->wanted = door->site != site;
	for (size_t i = 0; i < listen->count; i++) {
		const char *path = local_path_in(listen->at[i]);
		struct address at;
		struct door *door;
		int error = -EINVAL;

		if (path)
			error = door_open_local(loop, path, site);
		else if (address_parse_listen(bytes_str(listen->at[i]), &at))
			error = door_open(loop, &at, false, site);
		if (error) {
			if (path)
				snprintf(fault, size, "%s", path);
			else
				fault_say(fault, size, &at);
			/* All stays as it was: what is new goes, what was there stays. */
			while (doors != before)
				door_close(doors);
			return error;
		}
		if (path)
			continue;
		door = door_find(&at, false, site);
		if (*first == 0)
			*first = door->port;
		if (icy_door)
			icy_door_open(loop, &at, door->port);
	}
	doors_close_unwanted();
	return 0;
}

int edge_listen(uv_loop_t *loop, const struct conf_list *listen, bool icy_door, char *fault,
		size_t size)
{
	uint16_t first;
	int error = listen_at(loop, SITE_MAIN, listen, icy_door, &first, fault, size);

	if (!error)
		atomic_store_explicit(&first_port, first, memory_order_relaxed);
	return error;
}

int edge_listen_at(uv_loop_t *loop, unsigned site, const struct conf_list *listen, uint16_t *port,
		   char *fault, size_t size)
{
	return listen_at(loop, site, listen, false, port, fault, size);
}

void edge_stop(void)
{
	while (doors)
		door_close(doors);
}

/* --- what the last server left -------------------------------------------------------------- */

void edge_know(void)
{
	for (size_t i = 0; i < COUNT_OF(tls_kinds); i++)
		estate_know(&tls_kinds[i]);
	estate_know(&door_kind);
	estate_know(&conn_kind);
	lockout_know();
}

static bool is_listening(int fd)
{
	int listening = 0;
	socklen_t len = sizeof listening;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening;
}

/* The port above one that we have, at the same address, is for SHOUTcast. */
static bool is_above(const struct address *at)
{
	for (int fd = 3; fd < keeper_zone(); fd++) {
		struct tcp_end end;

		if (!is_listening(fd))
			continue;
		end = tcp_local(fd);
		if (end.port + 1 == at->port && memcmp(end.ip, at->ip, sizeof end.ip) == 0)
			return true;
	}
	return false;
}

RUNS_ON(on_control) static int adopt_loose(uv_loop_t *loop)
{
	for (int fd = 3; fd < keeper_zone(); fd++) {
		struct address at = {0};
		struct tcp_end end;
		int error;

		if (!is_listening(fd))
			continue;
		end = tcp_local(fd);
		memcpy(at.ip, end.ip, sizeof at.ip);
		at.port = end.port;
		error = door_make(loop, fd, &at, is_above(&at), SITE_MAIN, NULL);
		if (error)
			return error;
	}
	return 0;
}

int edge_adopt(uv_loop_t *loop, bool loose)
{
	int error = rows.map ? 0 : estate_table(&rows, &door_kind, 0, DOORS_MAX);

	if (!error && loose)
		return adopt_loose(loop);
	for (uint32_t at = 0; !error && at < rows.high; at++) {
		const struct door_row *row = table_settled(&rows, at);
		struct address address = {0};

		if (!row)
			continue;
		memcpy(address.ip, row->ip, sizeof address.ip);
		address.port = row->port;
		error = door_make(loop, row->fd, &address, row->icy, row->site, &at);
	}
	return error;
}

/* --- another server takes over -------------------------------------------------------------- */

void edge_pause(void)
{
	for (struct door *door = doors; door; door = door->next) {
		uv_poll_stop(&door->poll);
		uv_timer_stop(&door->pause);
	}
}

void edge_resume(void)
{
	for (struct door *door = doors; door; door = door->next)
		uv_poll_start(&door->poll, UV_READABLE, on_knock);
}

static _Atomic unsigned busy;

static void count_busy(struct worker *worker)
{
	(void)worker;
	enter_worker();
	atomic_fetch_add_explicit(&busy, conn_worker_active(), memory_order_relaxed);
}

unsigned edge_busy(void)
{
	atomic_store_explicit(&busy, 0, memory_order_relaxed);
	workers_run(count_busy);
	return atomic_load_explicit(&busy, memory_order_relaxed);
}

static void adopt_callers(struct worker *worker)
{
	enter_worker();
	conn_worker_adopt(worker);
	tls_drop_unclaimed();
}

void edge_adopt_callers(void)
{
	workers_run(adopt_callers);
}

void edge_leave_worker(void)
{
	conn_worker_leave();
}

void edge_stay_worker(void)
{
	conn_worker_stay();
}

void edge_part(void)
{
	estate_close(&rows);
	edge_stop();
}

void edge_part_worker(void)
{
	conn_worker_part();
}

uint16_t edge_port(void)
{
	return atomic_load_explicit(&first_port, memory_order_relaxed);
}

/* The record layers of this worker outlive it. */
static int record_layers(unsigned worker)
{
	const uint64_t rows_wanted = edge_settings()->conf.http_connections;
	const uint32_t connections = (uint32_t)(rows_wanted < 1u << 20 ? rows_wanted : 1u << 20);
	struct table views[COUNT_OF(tls_kinds)] = {{.fd = -1}, {.fd = -1}, {.fd = -1}};
	const uint32_t wanted[COUNT_OF(tls_kinds)] = {connections, TLS_SLOTS_MAX, 1};
	struct tls_tables tables;
	uint32_t row;
	int error = 0;

	for (size_t i = 0; !error && i < COUNT_OF(tls_kinds); i++)
		error = estate_table(&views[i], &tls_kinds[i], worker, wanted[i]);
	if (!error) {
		tables = (struct tls_tables){views[0].fd, views[1].fd, views[2].fd};
		if (!table_settled(&views[2], 0) && table_take(&views[2], &row))
			table_settle(&views[2], row);
		tls_adopt(worker, &tables);
	}
	for (size_t i = 0; i < COUNT_OF(tls_kinds); i++)
		estate_close(&views[i]);
	return error;
}

static int edge_worker_start(struct worker *worker)
{
	int error = record_layers(worker->id);

	if (!error)
		error = tls_worker_start(worker);
	enter_worker();
	if (error)
		return error;
	error = conn_worker_start(worker);
	if (error)
		tls_worker_stop();
	return error;
}

/* Rows are needed until the last connection has gone. */
static bool edge_worker_busy(struct worker *worker)
{
	enter_worker();
	if (conn_worker_busy(worker))
		return true;
	tls_worker_stop();
	return false;
}

const struct worker_hooks edge_hooks = {
	.start = edge_worker_start,
	.stop = conn_worker_stop,
	.busy = edge_worker_busy,
};
