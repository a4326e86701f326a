#include "edge/edge.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/log.h"
#include "core/metric.h"
#include "core/tcp.h"
#include "edge/ban.h"
#include "edge/conn.h"
#include "edge/route.h"
#include "edge/tls.h"

#define ACCEPT_BATCH    256
#define ACCEPT_PAUSE_MS 100 /* how long to leave the queue alone when descriptors have run out */

struct door {
	struct door *next; /* doors */
	uv_poll_t poll;
	uv_timer_t pause;
	unsigned open_handles;
	int fd;
	struct address at; /* as it was asked for */
	uint16_t port;     /* as it is */
	unsigned site;     /* whose routes are served there */
	bool icy;
	bool wanted;
	bool starved; /* the last accept found no descriptor: said in the log */
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
	close(door->fd);
}

RUNS_ON(on_control)
static struct door *door_find(const struct address *at, bool icy, unsigned site)
{
	struct door *door = doors;

	while (door && (door->icy != icy || door->site != site || door->at.port != at->port ||
			!address_same_ip(&door->at, at)))
		door = door->next;
	return door;
}

RUNS_ON(on_control)
static int door_open(uv_loop_t *loop, const struct address *at, bool icy, unsigned site)
{
	struct tcp_end end = {.port = at->port};
	struct door *door = door_find(at, icy, site);
	int error;

	if (door) {
		door->wanted = true;
		return 0;
	}
	door = calloc(1, sizeof *door);
	if (!door)
		return -ENOMEM;
	memcpy(end.ip, at->ip, sizeof end.ip);
	door->fd = tcp_listen(&end);
	error = door->fd < 0 ? door->fd : uv_poll_init(loop, &door->poll, door->fd);
	if (error) {
		if (door->fd >= 0)
			close(door->fd);
		free(door);
		return error;
	}
	door->at = *at;
	door->port = tcp_port(door->fd);
	door->icy = icy;
	door->site = site;
	door->wanted = true;
	door->poll.data = door->pause.data = door;
	door->open_handles = 2;
	uv_timer_init(loop, &door->pause);
	door->next = doors;
	doors = door;
	return uv_poll_start(&door->poll, UV_READABLE, on_knock);
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
		if (!door->wanted)
			door_close(door);
	}
}

/* A door that was opened just now and not before is the only kind that fails to be wanted twice. */
RUNS_ON(on_control)
static int listen_at(uv_loop_t *loop, unsigned site, const struct conf_list *listen, bool icy_door,
		     uint16_t *first, char *fault, size_t size)
{
	struct door *before = doors;

	*first = 0;
	for (struct door *door = doors; door; door = door->next)
		door->wanted = door->site != site;
	for (size_t i = 0; i < listen->count; i++) {
		struct address at;
		struct door *door;
		int error = -EINVAL;

		if (address_parse_listen(bytes_str(listen->at[i]), &at))
			error = door_open(loop, &at, false, site);
		if (error) {
			fault_say(fault, size, &at);
			/* All stays as it was: what is new goes, what was there stays. */
			while (doors != before)
				door_close(doors);
			return error;
		}
		door = door_find(&at, false, site);
		if (i == 0)
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

uint16_t edge_port(void)
{
	return atomic_load_explicit(&first_port, memory_order_relaxed);
}

static int edge_worker_start(struct worker *worker)
{
	int error = tls_worker_start(worker);

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
