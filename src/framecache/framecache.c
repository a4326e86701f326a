#include "framecache/framecache.h"

#include "core/fault.h"
#include "core/log.h"
#include "edge/api.h"
#include "edge/edge.h"
#include "edge/route.h"
#include "fc_internal.h"
#include "framecache/slot_board.h"
#include "framecache/slot_face.h"
#include "framecache/slot_thumb.h"

static unsigned site;
static bool running OWNED_BY(on_control);

/* A slot's file is its writer's too, who may cut it off at any time. */
static void on_map(const void *at, size_t len, bool mapped)
{
	if (!mapped)
		fault_spare_end(at);
	else if (!fault_spare(at, len))
		log_warnx("framecache", "a slot too many to be safe from its writer",
			  kv_u64("most", FAULT_SPARED_MAX));
}

static void configure(const struct conf *conf)
{
	fc_on_map = on_map;
	board_place(framecache_conf_of(conf));
	site = route_site();
	route_add_at(site, slot_routes);
	api_add(thumb_operations);
	api_add(slot_operations);
}

RUNS_ON(on_control)
static int open_doors(uv_loop_t *loop, const struct conf *conf, char *fault, size_t size)
{
	const struct framecache_conf *values = framecache_conf_of(conf);
	uint16_t port;
	int error = 0;

	thumb_start(loop);
	if (values->listen.count > 0 && !running) {
		error = board_start(loop, values);
		if (error) {
			log_error("framecache", "no directory",
				  kv_str("directory", board_directory()),
				  kv_str("error", uv_strerror(error)));
			return error;
		}
	}
	/* From here on the board stays until the end, also where its doors are closed. */
	running |= values->listen.count > 0;
	error = edge_listen_at(loop, site, &values->listen, &port, fault, size);
	if (error)
		return error;
	board_configure(values);
	slot_face_configure(values);
	if (values->listen.count)
		log_info("framecache", "ready", kv_u64("port", port),
			 kv_str("directory", board_directory()));
	return 0;
}

RUNS_ON(on_control) static void stop(void)
{
	thumb_stop();
	board_stop();
	running = false;
}

static const struct conf_room *const rooms[] = {&framecache_conf_room, NULL};

const struct family framecache_family = {
	.name = "framecache",
	.rooms = rooms,
	.configure = configure,
	.listen = open_doors,
	.stop = stop,
};
