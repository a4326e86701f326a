#include "sfu/sfu.h"

#include <stdatomic.h>

#include "core/log.h"
#include "edge/route.h"
#include "sfu/dtls.h"
#include "sfu/sfu_door.h"
#include "sfu/sfu_face.h"
#include "sfu/sfu_idle.h"
#include "sfu/sfu_room.h"
#include "sfu/sfu_stage.h"
#include "sfu/sfu_whip.h"

static _Atomic(const struct conf *) settings;

const struct sfu_conf *sfu_conf(void)
{
	return sfu_conf_of(atomic_load_explicit(&settings, memory_order_acquire));
}

static void configure(const struct conf *conf)
{
	atomic_store_explicit(&settings, conf, memory_order_release);
	route_add(whip_routes);
	api_add(sfu_operations);
}

static int start(uv_loop_t *loop, const struct conf *conf)
{
	(void)conf;
	enter_control();
	rooms_start();
	whip_start(loop);
	return 0;
}

static void part_start(struct worker *worker)
{
	enter_worker();
	stage_start(worker);
}

/* The doors are opened once: their number is that of the workers. */
static int listen_at(uv_loop_t *loop, const struct conf *conf, char *at, size_t size)
{
	int error;

	(void)loop;
	enter_control();
	if (door_is_open() || sfu_conf_of(conf)->udp.count == 0)
		return 0;
	error = dtls_init();
	if (!error)
		error = door_open(sfu_conf_of(conf), workers_count(), at, size);
	if (error)
		return error;
	if (sfu_conf_of(conf)->idle)
		idle_open();
	workers_run(part_start);
	log_info("sfu", "ready", kv_u64("port", door_number(0)),
		 kv_str("ports", sfu_conf_of(conf)->ports == SFU_PORTS_EACH ? "each" : "one"));
	return 0;
}

static bool reload(const struct conf *conf)
{
	atomic_store_explicit(&settings, conf, memory_order_release);
	return true;
}

static void stop(void)
{
	enter_control();
	whip_stop();
	rooms_stop();
}

static void fini(void)
{
	idle_close();
}

static const struct conf_room *const rooms[] = {&sfu_conf_room, NULL};

const struct family sfu_family = {
	.name = "sfu",
	.rooms = rooms,
	.hooks = &stage_hooks,
	.configure = configure,
	.start = start,
	.listen = listen_at,
	.reload = reload,
	.stop = stop,
	.fini = fini,
};
