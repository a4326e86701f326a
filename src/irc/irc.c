#include "irc/irc.h"

#include "core/clock.h"
#include "core/log.h"
#include "edge/account.h"
#include "edge/api.h"
#include "edge/edge.h"
#include "edge/linger.h"
#include "edge/route.h"
#include "edge/tls_outgoing.h"
#include "edge/web_push.h"
#include "irc/irc_buffer.h"
#include "irc/irc_client.h"
#include "irc/irc_cursors.h"
#include "irc/irc_detach.h"
#include "irc/irc_errand.h"
#include "irc/irc_face.h"
#include "irc/irc_gap.h"
#include "irc/irc_identd.h"
#include "irc/irc_leave.h"
#include "irc/irc_load.h"
#include "irc/irc_motd.h"
#include "irc/irc_network.h"
#include "irc/irc_outside.h"
#include "irc/irc_push.h"
#include "irc/irc_route.h"
#include "irc/irc_upload.h"
#include "irc/irc_upstream.h"
#include "irc/irc_user.h"
#include "irc/irc_web.h"
#include "store/store_irc.h"
#include "store/store_port.h"

#define TICK_MS   100
#define PAUSED_MS 10

static _Atomic(const struct irc_conf *) settings;
static unsigned site;
static bool running OWNED_BY(on_control);

const struct irc_conf *irc_conf_now(void)
{
	return atomic_load_explicit(&settings, memory_order_acquire);
}

/* --- each worker ---------------------------------------------------------------------------- */

/* Who is late, and who has been silent for too long. */
static void look_at_client(struct irc_client *client, mono_t now)
{
	const struct irc_conf *conf = irc_conf_now();
	int64_t silent_ms = mono_since_us(now, client->heard) / 1000;

	if (!client->registered) {
		if (!mono_before(now, client->deadline))
			irc_client_end(client, "Registration took too long");
		return;
	}
	if (silent_ms > (int64_t)(conf->ping_interval + conf->ping_timeout)) {
		irc_client_end(client, "Ping timeout");
	} else if (silent_ms > (int64_t)conf->ping_interval && !client->pinged) {
		client->pinged = true;
		irc_client_say(client, "PING ringmain");
	}
}

static void look_at_clients(struct irc_client *first, mono_t now)
{
	struct irc_client *next;

	for (struct irc_client *client = first; client; client = next) {
		next = client->next;
		look_at_client(client, now);
	}
}

/* What is too old, in the ring and the store. */
static void prune(struct irc_network *network)
{
	int64_t now_ms = wall_now_us() / 1000;
	struct irc_named *named;
	uint32_t at = 0;

	while ((named = irc_index_next(&network->buffers, &at))) {
		struct irc_buffer *buffer = container_of(named, struct irc_buffer, named);
		uint64_t keep_ms = irc_buffer_retention_ms(buffer);

		if (keep_ms)
			irc_buffer_forget(buffer, now_ms - (int64_t)keep_ms);
	}
}

/* Servers that had to wait for the store; and looks more often while there are such. */
static void resume_paused(void)
{
	struct irc_named *named;
	uint32_t at = 0;

	while (irc_here.paused && (named = irc_index_next(&irc_here.users, &at)))
		for (struct irc_network *n = container_of(named, struct irc_user, named)->networks;
		     n; n = n->next)
			if (n->up)
				irc_upstream_resume(n->up);
	uv_timer_set_repeat(&irc_here.tick, irc_here.paused ? PAUSED_MS : TICK_MS);
}

/* Seconds. Whoever starts after us must not take who is here for one that has not come for irc.inactive. */
static uint64_t seen_every(void)
{
	uint64_t half = irc_conf_now()->inactive / 2000;

	return !irc_conf_now()->inactive || half > 3600 ? 3600 : half ? half : 1;
}

static void on_tick(uv_timer_t *timer)
{
	static _Thread_local mono_t next_second;
	mono_t now = mono_now();
	struct irc_named *named;
	uint32_t at = 0;
	bool sees;

	(void)timer;
	enter_worker();
	irc_buffers_save();
	if (irc_here.hushed)
		return;
	resume_paused();
	irc_push_tick(now);
	if (mono_before(now, next_second))
		return;
	next_second = mono_add_ms(now, 1000);
	if (++irc_here.ticks % 3600 == 0 && irc_here.worker->id == 0)
		irc_upload_expire();
	sees = irc_here.ticks % seen_every() == 0;
	look_at_clients(irc_here.strangers, now);
	irc_users_look(wall_now_us() / 1000);
	while ((named = irc_index_next(&irc_here.users, &at))) {
		struct irc_user *user = container_of(named, struct irc_user, named);

		look_at_clients(user->clients, now);
		/* One that stays for weeks is seen, whatever becomes of us. */
		for (struct irc_client *client = sees ? user->clients : NULL; client;
		     client = client->next)
			irc_device_seen(user, client->device);
		for (struct irc_network *network = user->networks, *after; network;
		     network = after) {
			after = network->next;
			/* One that was only tried, and did not let us in. */
			if (network->is_trial && network->state == IRC_STATE_OFF && !network->up) {
				irc_network_drop(network, false);
				continue;
			}
			irc_routes_tick(network, now);
			if (network->up)
				irc_gaps_tick(network->up, now);
			irc_detach_tick(network, now);
			if (irc_here.ticks % 3600 == 0)
				prune(network);
		}
	}
}

static int worker_start(struct worker *worker)
{
	int error;

	enter_worker();
	memset(&irc_here, 0, sizeof irc_here - sizeof irc_here.scratch);
	irc_here.worker = worker;
	irc_here.runs = true;
	error = irc_leave_open(worker);
	if (!error)
		error = uv_timer_init(&worker->loop, &irc_here.tick);
	return error ? error : uv_timer_start(&irc_here.tick, on_tick, TICK_MS, TICK_MS);
}

static void worker_stop(struct worker *worker)
{
	struct irc_named *named;
	uint32_t at;

	(void)worker;
	enter_worker();
	irc_here.stopping = true;
	uv_close((uv_handle_t *)&irc_here.tick, NULL);
	while (irc_here.strangers)
		irc_client_end(irc_here.strangers, "The bouncer ends");
	for (at = 0; (named = irc_index_next(&irc_here.users, &at)); at = 0) {
		struct irc_user *user = container_of(named, struct irc_user, named);

		while (user->clients) {
			user->clients->delivers = true;
			irc_client_end(user->clients, "The bouncer ends");
		}
		irc_buffers_save();
		irc_user_drop(user, true);
	}
	irc_push_stop();
	irc_upload_stop();
	irc_index_fini(&irc_here.users);
	irc_here.runs = false;
	irc_leave_close();
	tls_outgoing_fini();
}

/* Orders and questions wait for the pool or for another thread, which comes back here. */
static bool worker_busy(struct worker *worker)
{
	(void)worker;
	enter_worker();
	return irc_here.orders || irc_here.asks || irc_upload_busy() || irc_outside_busy();
}

static const struct worker_hooks irc_hooks = {worker_start, worker_stop, worker_busy};

/* --- the door ------------------------------------------------------------------------------- */

static enum route_first look(struct bytes first)
{
	/* Who speaks HTTP here is answered by edge, in words that he knows. */
	if (bytes_start_with(first, BYTES("GET ")) || bytes_start_with(first, BYTES("POST ")))
		return ROUTE_FIRST_OTHER;
	return first.len ? ROUTE_FIRST_OURS : ROUTE_FIRST_MORE;
}

/* RFC 8446 sections 5.1 and 6.2. Who waits for an answer to its hello is told at once that none will come; if
 * there were a certificate, edge would have taken the hello. */
#define TLS_HELLO 22
#define TLS_ALERT BYTES("\x15\x03\x01\x00\x02\x02\x28") /* fatal: handshake_failure */

RUNS_ON(on_worker)
static void refuse_tls(struct worker *worker, struct link link, const struct address *peer)
{
	struct bytes alert = TLS_ALERT;
	char text[ADDRESS_TEXT_MAX + 1];

	log_info("irc", "TLS, but there is no certificate (tls.certificate)",
		 kv_str("peer", address_text(peer, text)));
	(void)!link_sendv(link, &alert, 1);
	linger(worker, link);
}

static void serve(struct conn *conn)
{
	struct irc_arrival arrival = {0};
	struct worker *worker;
	struct bytes early;
	struct link link;

	enter_worker();
	arrival.peer = conn_request(conn)->peer;
	arrival.certificate = conn_certificate(conn);
	worker = conn_worker(conn);
	link = conn_take(conn, &early);
	arrival.secure = link.tls != 0;
	if (!arrival.secure && early.len && early.at[0] == TLS_HELLO) {
		refuse_tls(worker, link, &arrival.peer);
		return;
	}
	irc_client_arrive(worker, link, &arrival, early);
}

static const struct protocol irc_protocol = {look, serve};

static void erase_user(struct irc_errand *errand, struct irc_user *user)
{
	(void)errand;
	irc_user_erase(user);
}

/* Whoever is given his name later is to find nothing of his. */
RUNS_ON(on_control) static void on_account_gone(const char *name)
{
	struct irc_errand *errand;

	enter_control();
	errand = running ? irc_errand_new(bytes_str(name), NULL) : NULL;
	if (!errand)
		return;
	errand->look = erase_user;
	errand->back = irc_errand_free;
	irc_errand_send(errand);
}

static void configure(const struct conf *conf)
{
	enter_control();
	atomic_store_explicit(&settings, irc_conf_of(conf), memory_order_release);
	site = route_site();
	protocol_add_at(site, &irc_protocol);
	irc_identd_configure();
	route_site_ask(site);
	api_add(irc_operations);
	account_watch(on_account_gone);
	irc_motd_take(irc_conf_of(conf)->motd);
	irc_web_prepare();
	irc_outside_prepare();
	route_add(irc_upload_routes);
}

static int start(uv_loop_t *loop, const struct conf *conf)
{
	int error;

	enter_control();
	if (irc_conf_of(conf)->listen.count == 0)
		return 0;
	error = irc_cursors_open(irc_face_directory());
	if (error)
		log_warn_code(error, "irc", "places of clients are not kept");
	if (!web_push_init(irc_face_directory()))
		log_warn("irc", "nobody is told by WebPush: its key cannot be had");
	irc_load(loop);
	running = true;
	return 0;
}

static int listen_doors(uv_loop_t *loop, const struct conf *conf, char *at, size_t size)
{
	uint16_t port;
	int error;

	enter_control();
	if (irc_conf_of(conf)->listen.count && !running && workers_count())
		(void)!start(loop, conf);
	error = edge_listen_at(loop, site, &irc_conf_of(conf)->listen, &port, at, size);
	if (!error)
		error = irc_identd_listen(loop, &irc_conf_of(conf)->identd, at, size);
	if (!error && port)
		log_info("irc", "ready", kv_u64("port", port));
	return error;
}

static bool reload(const struct conf *conf)
{
	enter_control();
	atomic_store_explicit(&settings, irc_conf_of(conf), memory_order_release);
	irc_motd_take(irc_conf_of(conf)->motd);
	return true;
}

static void doubt(const struct conf *conf, struct conf_errors *errors)
{
	const struct irc_conf *values = irc_conf_of(conf);
	const char *why = irc_motd_doubt(values->motd);

	irc_conf_doubt(conf, errors);
	if (why)
		conf_fault(errors, conf, values, "irc.motd",
			   "there is no message of the day, \"%s\" cannot be used: %s",
			   values->motd, why);
}

static void fini(void)
{
	enter_control();
	irc_motd_fini();
	irc_cursors_close();
	web_push_fini();
}

RUNS_ON(on_worker) static void each_client(void (*visit)(struct irc_client *client))
{
	struct irc_named *named;
	uint32_t at = 0;

	while ((named = irc_index_next(&irc_here.users, &at)))
		for (struct irc_client *client =
			     container_of(named, struct irc_user, named)->clients;
		     client; client = client->next)
			visit(client);
}

/* Over TLS a record may wait that the kernel has not; it is nobody's to send then. */
RUNS_ON(on_worker) static void leave_client(struct irc_client *client)
{
	client->delivers = link_flush(client->link) == 1;
}

/* Who takes over knows what is on disk: what was ordered until now is to be there too. */
static struct flushing {
	struct baton baton;
	unsigned
		orders; /* that wait for something, on all workers; each counts when it is visited */
	bool away, home;
} flushing;

static void flush_visit(struct baton *baton, struct worker *worker)
{
	struct flushing *now = container_of(baton, struct flushing, baton);

	(void)worker;
	enter_worker();
	now->orders += irc_here.orders;
	irc_buffers_save();
	port_flush();
}

static void flush_home(struct baton *baton)
{
	struct flushing *now = container_of(baton, struct flushing, baton);

	now->away = false;
	now->home = now->orders == 0;
}

static void flush_go(void)
{
	if (flushing.away)
		return;
	flushing.away = true;
	flushing.orders = 0;
	flushing.baton = (struct baton){.visit = flush_visit, .home = flush_home};
	baton_send(&flushing.baton);
}

static void hush_worker(struct worker *worker)
{
	(void)worker;
	enter_worker();
	if (irc_here.runs)
		irc_leave_hush();
}

static void hush(void)
{
	enter_control();
	workers_run(hush_worker);
	port_flush();
	flushing.home = false;
	flush_go();
}

static bool is_hushed(void)
{
	enter_control();
	if (!flushing.home)
		flush_go();
	return flushing.home && port_all_written();
}

RUNS_ON(on_worker) static void stay_client(struct irc_client *client)
{
	client->delivers = false;
	irc_client_unhush(client);
}

static void leave_worker(void)
{
	enter_worker();
	each_client(leave_client);
	irc_leave_all();
	port_flush();
}

static void stay_worker(void)
{
	enter_worker();
	irc_leave_stay();
	each_client(stay_client);
	for (struct irc_client *client = irc_here.strangers, *next; client; client = next) {
		next = client->next;
		irc_client_unhush(client);
	}
}

/* The record layer of a client is the other server's to end: not a word from this one. */
RUNS_ON(on_worker) static void part_client(struct irc_client *client)
{
	bool tls = client->link.tls != 0;

	client->link.tls = 0;
	irc_client_end(client, tls ? NULL : "The bouncer is renewed: come again");
}

RUNS_ON(on_worker) static void part_network(struct irc_network *network)
{
	if (network->up && (network->is_left || network->up->link.tls))
		irc_upstream_part(network->up);
	irc_network_stop(network, "The bouncer is renewed");
}

/* Another server has taken over, with the connections to networks that were left to it. */
static void part_worker(void)
{
	struct irc_named *named;
	uint32_t at;

	enter_worker();
	irc_buffers_save();
	irc_upload_stop();
	irc_here.stopping = true;
	for (at = 0; (named = irc_index_next(&irc_here.users, &at));) {
		struct irc_user *user = container_of(named, struct irc_user, named);

		while (user->clients)
			part_client(user->clients);
		for (struct irc_network *n = user->networks; n; n = n->next)
			part_network(n);
	}
	while (irc_here.strangers)
		part_client(irc_here.strangers);
	irc_buffers_save();
	port_flush();
}

static const struct conf_room *const irc_rooms[] = {&irc_conf_room, NULL};

const struct family irc_family = {
	.name = "irc",
	.rooms = irc_rooms,
	.hooks = &irc_hooks,
	.doubt = doubt,
	.configure = configure,
	.start = start,
	.listen = listen_doors,
	.reload = reload,
	.order = irc_face_order,
	.know = irc_leave_know,
	.hush = hush,
	.is_hushed = is_hushed,
	.leave_worker = leave_worker,
	.stay_worker = stay_worker,
	.part_worker = part_worker,
	.fini = fini,
};
