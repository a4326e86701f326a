#include "edge/edge.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/log.h"
#include "core/metric.h"
#include "core/tcp.h"
#include "edge/conn.h"

#define DOORS_MAX       32
#define ACCEPT_BATCH    256
#define ACCEPT_PAUSE_MS 100 /* how long to leave the queue alone when descriptors have run out */

struct door {
	uv_poll_t poll;
	uv_timer_t pause;
	int fd;
	uint16_t port;
	bool icy;
};

struct arrival {
	struct message message;
	struct worker *worker;
	struct address peer;
	int fd;
	bool icy_port;
};

static struct edge_settings settings;
static struct cidr *networks;
static struct door doors[DOORS_MAX];
static unsigned door_count;

/* --- settings ------------------------------------------------------------------------------- */

const struct edge_settings *edge_settings(void)
{
	return &settings;
}

/* The texts were checked when the file was read. */
static struct cidr_list parse_networks(const struct conf_list *texts, struct cidr **next)
{
	struct cidr_list list = {*next, 0};

	for (size_t i = 0; i < texts->count; i++)
		list.count += cidr_parse(bytes_str(texts->at[i]), &(*next)[list.count]);
	*next += list.count;
	return list;
}

int edge_configure(const struct edge_conf *conf)
{
	size_t count =
		conf->http_allow.count + conf->http_deny.count + conf->http_trusted_proxies.count;
	struct cidr *next = calloc(count + 1, sizeof *next);

	if (!next)
		return -ENOMEM;
	free(networks);
	networks = next;
	settings.conf = *conf;
	settings.allow = parse_networks(&conf->http_allow, &next);
	settings.deny = parse_networks(&conf->http_deny, &next);
	settings.trusted = parse_networks(&conf->http_trusted_proxies, &next);
	return 0;
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
	conn_start(arrival->worker, arrival->fd, &arrival->peer, arrival->icy_port);
	free(arrival);
}

static bool may_connect(const struct address *peer)
{
	if (cidr_list_holds(settings.deny, peer))
		return false;
	return settings.allow.count == 0 || cidr_list_holds(settings.allow, peer);
}

RUNS_ON(on_control)
static void welcome(const struct door *door, int fd, const struct address *peer)
{
	static const char full[] = "HTTP/1.0 503 Service Unavailable\r\nRetry-After: 30\r\n"
				   "Content-Length: 0\r\nConnection: close\r\n\r\n";
	struct arrival *arrival;

	if (!may_connect(peer)) {
		metric_add(METRIC_edge_connections_denied, 1);
		close(fd);
		return;
	}
	arrival = edge_connections() < settings.conf.http_connections ? malloc(sizeof *arrival)
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
		.fd = fd,
		.icy_port = door->icy,
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
	if (!uv_is_active((uv_handle_t *)&door->pause))
		log_warn_code(error, "edge", "accept paused", kv_u64("port", door->port));
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
		memcpy(peer.ip, end.ip, sizeof peer.ip);
		peer.port = end.port;
		welcome(door, fd, &peer);
	}
}

/* --- doors ---------------------------------------------------------------------------------- */

static void fault_say(char *fault, size_t size, const struct address *at)
{
	struct writer w = writer_of(fault, size - 1);

	address_write(&w, at);
	fault[w.len] = '\0';
}

RUNS_ON(on_control)
static int door_open(uv_loop_t *loop, const struct address *at, bool icy)
{
	struct door *door = &doors[door_count];
	struct tcp_end end = {.port = at->port};
	int error;

	if (door_count == DOORS_MAX)
		return -E2BIG;
	memcpy(end.ip, at->ip, sizeof end.ip);
	door->fd = tcp_listen(&end);
	if (door->fd < 0)
		return door->fd;
	door->port = tcp_port(door->fd);
	door->icy = icy;
	error = uv_poll_init(loop, &door->poll, door->fd);
	if (error) {
		close(door->fd);
		return error;
	}
	uv_timer_init(loop, &door->pause);
	door_count++;
	return uv_poll_start(&door->poll, UV_READABLE, on_knock);
}

/* SHOUTcast v1 sources connect to the port above the one that players use. Somebody else may have
 * it; then they still can use the first, and the log says so. */
RUNS_ON(on_control) static void icy_door_open(uv_loop_t *loop, const struct address *at)
{
	struct address above = *at;
	int error;

	if (above.port == UINT16_MAX)
		return;
	above.port++;
	error = door_open(loop, &above, true);
	if (error)
		log_warn_code(error, "edge", "no shoutcast port", kv_u64("port", above.port));
}

int edge_start(uv_loop_t *loop, bool icy_door, char *fault, size_t size)
{
	const struct conf_list *listen = &settings.conf.http_listen;

	for (size_t i = 0; i < listen->count; i++) {
		struct address at;
		int error = -EINVAL;

		if (address_parse_listen(bytes_str(listen->at[i]), &at))
			error = door_open(loop, &at, false);
		if (error) {
			fault_say(fault, size, &at);
			return error;
		}
		at.port = doors[door_count - 1].port;
		if (icy_door)
			icy_door_open(loop, &at);
	}
	return 0;
}

void edge_stop(void)
{
	for (unsigned i = 0; i < door_count; i++) {
		uv_close((uv_handle_t *)&doors[i].poll, NULL);
		uv_close((uv_handle_t *)&doors[i].pause, NULL);
		close(doors[i].fd);
	}
	door_count = 0;
}

uint16_t edge_port(void)
{
	return door_count ? doors[0].port : 0;
}

const struct worker_hooks edge_hooks = {
	.start = conn_worker_start,
	.stop = conn_worker_stop,
	.busy = conn_worker_busy,
};
