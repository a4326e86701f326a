/* edge: the shared front door of all families: one HTTP port, its connections, and who may in.
 *
 *   control thread: listens, accepts, places ──▶ worker: conn ── route ──▶ a family, a page, a call
 *
 * Families hand in routes (route.h) before edge_start, and know edge; edge knows none of them. */
#pragma once

#include "core/worker.h"
#include "edge/edge_conf.h"
#include "edge/proto/address.h"

/* The settings in force, and the networks in them, parsed. Any thread; may change at a reload, so
 * nobody keeps a pointer into them beyond the event at hand. */
struct edge_settings {
	struct edge_conf conf;
	struct cidr_list allow, deny, trusted;
};

extern const struct worker_hooks edge_hooks;

const struct edge_settings *edge_settings(void);

/* Takes the settings. They must last. 0, or -errno when there is no memory. */
MUST_CHECK int edge_configure(const struct edge_conf *conf);

/* Begins to listen and accept; after the workers run. With icy_door, the port above each is opened
 * for SHOUTcast v1 sources too. 0, or -errno, with *fault saying at what. */
RUNS_ON(on_control)
MUST_CHECK int edge_start(uv_loop_t *loop, bool icy_door, char *fault, size_t size);

/* Closes the doors. Connections are the workers'. */
RUNS_ON(on_control) void edge_stop(void);

/* The port of the first door (useful when 0 was asked for). Any thread, after edge_start. */
uint16_t edge_port(void);

/* This connection, placed on worker by edge, is no more. Any worker. */
void edge_left(struct worker *worker);

/* Connections of all workers. */
uint32_t edge_connections(void);
