#include "voice/voice.h"

#include <errno.h>

#include "core/log.h"
#include "edge/ban.h"
#include "edge/route.h"
#include "edge/websocket.h"
#include "voice/voice_conn.h"
#include "voice/voice_door.h"
#include "voice/voice_face.h"
#include "voice/voice_left.h"
#include "voice/voice_part.h"
#include "voice/voice_record.h"
#include "voice/voice_relay.h"
#include "voice/voice_rx.h"
#include "voice/voice_tx.h"

#define AGAIN_MS 100

static _Atomic(const struct voice_conf *) in_force;
static bool started OWNED_BY(on_control);
static uv_timer_t again OWNED_BY(on_control);

const struct voice_conf *voice_conf(void)
{
	return atomic_load_explicit(&in_force, memory_order_acquire);
}

/* --- workers ----------------------------------------------------------------------------------- */

static int worker_start(struct worker *worker)
{
	int error = voice_tx_start(worker);

	if (!error)
		error = voice_rx_start(worker);
	if (!error)
		error = voice_relay_start(worker);
	return error ? error : voice_conn_worker_start(worker);
}

static void worker_stop(struct worker *worker)
{
	enter_worker();
	voice_conn_worker_stop();
	voice_relay_stop(worker);
	voice_rx_stop();
	voice_tx_stop();
	voice_cipher_thread_stop();
}

static bool worker_busy(struct worker *worker)
{
	(void)worker;
	return voice_conn_worker_busy();
}

static const struct worker_hooks hooks = {worker_start, worker_stop, worker_busy};

/* --- the browsers' door --------------------------------------------------------------------------- */

RUNS_ON(on_worker) static void web_take(struct conn *conn)
{
	struct address peer = conn_request(conn)->peer;
	struct worker *worker = conn_worker(conn);
	struct bytes early;
	struct link link = conn_take(conn, &early);

	voice_conn_start_web(worker, link, &peer, early);
}

static void web_serve(struct conn *conn)
{
	const struct voice_conf *conf = voice_conf();

	enter_worker();
	if (!conf->web || conf->listen.count == 0) {
		struct reply reply = {0};

		reply_text(&reply, 404, "there are no voice rooms here");
		conn_reply(conn, &reply);
		return;
	}
	if (!voice_hub_is_open()) {
		struct reply reply = {0};

		reply_text(&reply, 503, "the voice rooms are not open yet");
		conn_reply(conn, &reply);
		return;
	}
	websocket_accept(conn, NULL, web_take);
}

static const struct route routes[] = {
	{"/voice/ws", METHOD_GET, web_serve, NULL},
	{0},
};

/* --- the family -------------------------------------------------------------------------------- */

static void configure(const struct conf *conf)
{
	atomic_store_explicit(&in_force, voice_conf_of(conf), memory_order_release);
}

static void prepare(const struct conf *conf)
{
	configure(conf);
	api_add(voice_operations);
	api_add(voice_record_operations);
	kept_add(&voice_record_kept);
	ban_on_new(voice_send_away);
	route_add(routes);
}

static int start(uv_loop_t *loop, const struct conf *conf)
{
	int error;

	(void)conf;
	enter_control();
	started = true;
	uv_timer_init(loop, &again);
	uv_unref((uv_handle_t *)&again);
	error = voice_left_start();
	if (!error)
		error = voice_door_start(loop);
	return error ? error : voice_hub_start(loop);
}

static void on_again(uv_timer_t *timer)
{
	char at[64];

	enter_control();
	if (voice_door_listen(timer->loop, &voice_conf()->listen, at, sizeof at) != -EADDRINUSE)
		uv_timer_stop(timer);
}

static int listen_at(uv_loop_t *loop, const struct conf *conf, char *at, size_t size)
{
	static bool later;
	int error;

	enter_control();
	error = voice_door_listen(loop, &voice_conf_of(conf)->listen, at, size);
	/* At a start that is an upgrade: a server that could not leave its doors has them until it ends. */
	if (error == -EADDRINUSE && !later)
		uv_timer_start(&again, on_again, AGAIN_MS, AGAIN_MS);
	later = true;
	return error;
}

static bool reload(const struct conf *conf)
{
	configure(conf);
	return true;
}

/* --- another server takes over ----------------------------------------------------------------- */

static void know(void)
{
	voice_door_know();
	voice_left_know();
}

static void hush(void)
{
	enter_control();
	voice_left_hush();
}

static bool is_idle(void)
{
	enter_control();
	return voice_hub.admitted == 0;
}

static bool is_hushed(void)
{
	enter_control();
	return voice_left_is_hushed();
}

static void leave(void)
{
	enter_control();
	voice_left_leave();
}

static void stay(void)
{
	enter_control();
	voice_left_stay();
}

static void part(void)
{
	enter_control();
	voice_door_part();
	voice_record_part();
	voice_hub_part();
}

static void part_worker(void)
{
	enter_worker();
	voice_conn_worker_part();
	for (unsigned i = 0; i < VOICE_DOORS_MAX; i++)
		voice_rx_close(i);
}

/* --- the end ----------------------------------------------------------------------------------- */

static void stop(void)
{
	enter_control();
	if (!started)
		return;
	uv_close((uv_handle_t *)&again, NULL);
	voice_door_stop();
	voice_record_stop();
	voice_hub_stop();
}

static void fini(void)
{
	enter_control();
	voice_door_fini();
	voice_hub_fini();
	voice_left_fini();
	voice_relay_free();
	voice_record_fini();
	started = false;
}

static const struct conf_room *const rooms[] = {&voice_conf_room, NULL};

const struct family voice_family = {
	.name = "voice",
	.rooms = rooms,
	.hooks = &hooks,
	.doubt = voice_conf_doubt,
	.know = know,
	.configure = prepare,
	.start = start,
	.listen = listen_at,
	.reload = reload,
	.hush = hush,
	.is_hushed = is_hushed,
	.leave = leave,
	.stay = stay,
	.part = part,
	.part_worker = part_worker,
	.is_idle = is_idle,
	.stop = stop,
	.fini = fini,
};
