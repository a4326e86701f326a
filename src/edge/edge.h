/* edge: the shared front door of all families: one HTTP port, its connections, and who may in.
 *
 *   control thread: listens, accepts, places ──▶ worker: conn ── route ──▶ a family, a page, a call
 *
 * Families hand in routes (route.h) before edge_start, and know edge; edge knows none of them. */
#pragma once

#include <stdbool.h>

#include "core/worker.h"
#include "edge/edge_conf.h"
#include "edge/proto/address.h"

/* The settings in force, and the networks in them, parsed. Any thread; may change at a reload, so
 * nobody keeps a pointer into them beyond the event at hand. */
struct edge_settings {
	struct edge_conf conf;
	struct cidr_list allow, deny, trusted, metrics;
	struct cidr_list internal; /* what addresses given through the API may lead to */
	struct baton farewell;
	struct cidr networks[];
};

extern const struct worker_hooks edge_hooks;

const struct edge_settings *edge_settings(void);

/* Puts settings in force, at the start and at a reload; what conf points to must last until the next
 * ones are and a baton has passed. 0, or -ENOMEM: then nothing has changed. */
MUST_CHECK int edge_configure(const struct edge_conf *conf);

/* Frees the settings, when all workers have stopped. */
RUNS_ON(on_control) void edge_fini(void);

/* Listens at these addresses, at the start (after the workers run) and at a reload: opens what is
 * new, and then closes what is not wanted any more; connections stay. With icy_door, the port above
 * each is opened for SHOUTcast v1 sources too. 0; or -errno with *fault saying at what, and all is
 * as it was before. */
RUNS_ON(on_control)
MUST_CHECK int edge_listen(uv_loop_t *loop, const struct conf_list *listen, bool icy_door,
			   char *fault, size_t size);

/* The same for the doors of another site (route.h), where "unix:PATH" is one too: who comes in there counts
 * as 127.0.0.1. *port is that of the first that has one, or 0. */
RUNS_ON(on_control)
MUST_CHECK int edge_listen_at(uv_loop_t *loop, unsigned site, const struct conf_list *listen,
			      uint16_t *port, char *fault, size_t size);

/* Announces what this room leaves in an estate. Before there is one. */
void edge_know(void);

/* Goes on with the doors that the last server left: in the estate, or (loose) all sockets that listen
 * in this process. The next edge_listen closes those that are not wanted. 0 or -errno. */
RUNS_ON(on_control) MUST_CHECK int edge_adopt(uv_loop_t *loop, bool loose);

/* Stops accepting for a while: who comes waits in the kernel. */
RUNS_ON(on_control) void edge_pause(void);
RUNS_ON(on_control) void edge_resume(void);

/* Connections that are in the middle of a request or its answer. */
RUNS_ON(on_control) unsigned edge_busy(void);

/* Lists connections that wait for a request, for the other server; and takes that back. */
RUNS_ON(on_worker) void edge_leave_worker(void);
RUNS_ON(on_worker) void edge_stay_worker(void);

/* Goes on with those that were listed, when all rooms serve. */
RUNS_ON(on_control) void edge_adopt_callers(void);

/* Another server has the doors: closes ours, and on each worker the connections that wait for a
 * request; the others when they are answered. */
RUNS_ON(on_control) void edge_part(void);
RUNS_ON(on_worker) void edge_part_worker(void);

/* Closes the doors. Connections are the workers'. */
RUNS_ON(on_control) void edge_stop(void);

/* The port of the first door (useful when 0 was asked for). Any thread, after edge_listen. */
uint16_t edge_port(void);

/* A connection that another process accepted is on this worker now. Any worker. */
void edge_joined(struct worker *worker);

/* This connection, placed on worker by edge, is no more. Any worker. */
void edge_left(struct worker *worker);

/* Connections of all workers. */
uint32_t edge_connections(void);
