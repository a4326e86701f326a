#include "sfu/sfu.h"

#include <errno.h>
#include <stdatomic.h>

#include "core/conf_standing.h"
#include "core/log.h"
#include "core/metric.h"
#include "edge/route.h"
#include "sfu/dtls.h"
#include "sfu/sfu_cascade.h"
#include "sfu/sfu_door.h"
#include "sfu/sfu_face.h"
#include "sfu/sfu_idle.h"
#include "sfu/sfu_record.h"
#include "sfu/sfu_record_order.h"
#include "sfu/sfu_room.h"
#include "sfu/sfu_rtp.h"
#include "sfu/sfu_sse.h"
#include "sfu/sfu_stage.h"
#include "sfu/sfu_whip.h"
#include "sfu/srtp_fast.h"

#define AGAIN_MS 200u

static _Atomic(const struct conf *) settings;
static uv_timer_t again OWNED_BY(on_control);
/* As the doors were opened with. */
static struct conf_standing standing[] = {{"sfu.udp", NULL},   {"sfu.tcp", NULL},
					  {"sfu.ports", NULL}, {"sfu.public", NULL},
					  {"sfu.idle", NULL},  {0}};

const struct conf *sfu_settings(void)
{
	return atomic_load_explicit(&settings, memory_order_acquire);
}

const struct sfu_conf *sfu_conf(void)
{
	return sfu_conf_of(sfu_settings());
}

static void doubt(const struct conf *conf, struct conf_errors *errors)
{
	sfu_conf_doubt(conf, errors);
	conf_standing_doubt(standing, conf, &sfu_conf_room, errors);
}

static void configure(const struct conf *conf)
{
	atomic_store_explicit(&settings, conf, memory_order_release);
	route_add(whip_routes);
	api_add(sfu_operations);
	api_add(sfu_rtp_operations);
	api_add(sfu_record_operations);
	kept_add(&sfu_record_kept);
}

static int start(uv_loop_t *loop, const struct conf *conf)
{
	int error;

	enter_control();
	rooms_start();
	error = sfu_record_start(loop);
	whip_start(loop);
	sse_start(loop);
	cascade_start(loop);
	rtp_start(loop);
	rtp_take(conf);
	uv_timer_init(loop, &again);
	uv_unref((uv_handle_t *)&again);
	return error;
}

static void part_start(struct worker *worker)
{
	enter_worker();
	stage_start(worker);
}

/* The doors are opened once: their number is that of the workers. */
RUNS_ON(on_control) static int open_doors(const struct conf *all, char *at, size_t size)
{
	const struct sfu_conf *conf = sfu_conf_of(all);
	int error = door_open(conf, workers_count(), at, size);

	if (error)
		return error;
	conf_standing_take(standing, all, &sfu_conf_room);
	if (conf->idle)
		idle_open();
	workers_run(part_start);
	log_info("sfu", "ready", kv_u64("port", door_number(0)),
		 kv_str("ports", conf->ports == SFU_PORTS_EACH ? "each" : "one"));
	return 0;
}

/* After an upgrade: the server before has the port until it lets go of it. */
static void on_again(uv_timer_t *timer)
{
	char at[64];

	enter_control();
	if (door_is_open() || open_doors(atomic_load_explicit(&settings, memory_order_acquire), at,
					 sizeof at) != -EADDRINUSE)
		uv_timer_stop(timer);
}

static int listen_at(uv_loop_t *loop, const struct conf *conf, char *at, size_t size)
{
	static bool ready;
	int error = 0;

	(void)loop;
	enter_control();
	if (door_is_open() || sfu_conf_of(conf)->udp.count == 0)
		return 0;
	if (!ready) {
		/* Before what is logged of it: that is left out where the level is higher. */
		bool fast = fast_open(workers_count());

		error = dtls_init();
		metric_add(METRIC_sfu_sealed_fast, fast);
		log_info("sfu", "sealing", kv_str("by", fast ? "libipsec-mb" : "openssl"));
	}
	ready |= !error;
	if (!error)
		error = open_doors(conf, at, size);
	if (error == -EADDRINUSE)
		uv_timer_start(&again, on_again, AGAIN_MS, AGAIN_MS);
	return error;
}

static bool reload(const struct conf *conf)
{
	enter_control();
	atomic_store_explicit(&settings, conf, memory_order_release);
	rtp_take(conf);
	idle_reload();
	return true;
}

static void stop(void)
{
	enter_control();
	uv_close((uv_handle_t *)&again, NULL);
	whip_stop();
	sse_stop();
	cascade_stop();
	rtp_stop();
	rooms_stop();
	sfu_record_stop();
}

/* Sessions end with the server that has them: what they sent until now is in whole files. */
static void part(void)
{
	enter_control();
	sfu_record_stop();
}

/* The port is free for the next one. */
static void part_worker(void)
{
	enter_worker();
	stage_hooks.stop(worker_here());
}

static void fini(void)
{
	enter_control();
	idle_close();
	cascade_fini();
	conf_standing_drop(standing);
}

static const struct conf_room *const rooms[] = {&sfu_conf_room, &room_conf_room, NULL};

const struct family sfu_family = {
	.name = "sfu",
	.rooms = rooms,
	.hooks = &stage_hooks,
	.doubt = doubt,
	.know = record_order_know,
	.configure = configure,
	.start = start,
	.listen = listen_at,
	.reload = reload,
	.part = part,
	.part_worker = part_worker,
	.stop = stop,
	.fini = fini,
};
