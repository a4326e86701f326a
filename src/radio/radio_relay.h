/* radio_relay: streams of other servers on mounts of ours: who is called, when, and what came of it.
 *
 *   file, API, master's list ──▶ relay ── pull (on a worker) ──▶ mount
 *
 *        OFF ◀─stop─┐        ┌── listener ──┐
 *                IDLE ──────────▶ CONNECTING ──▶ RUNNING ──lost──▶ WAITING (back-off) ──▶ CONNECTING
 *                   └──nobody listens───────────────┘   YIELDING: an encoder has the mount
 *
 * Upstreams are tried in their order, all of them before each pause; pauses double, with some chance in
 * them so that a hundred relays of one upstream do not come back at once. A relay that only ran for
 * moments is one that failed. Circles are found by the ids in Via and icy-via (proto/hops.h).
 *
 * Control thread, all of it. */
#pragma once

#include <jansson.h>

#include "edge/fetch.h"
#include "radio/radio_mount.h"
#include "radio/radio_relay_conf.h"

struct pull;
struct relay;

enum relay_order { RELAY_START, RELAY_STOP, RELAY_RESTART };

/* The relays of the file, behind the hub's start. 0 or -errno. */
RUNS_ON(on_control) MUST_CHECK int relays_start(uv_loop_t *loop, const struct conf *conf);
/* Those of the file follow it; what has not changed goes on undisturbed. False: no memory. */
RUNS_ON(on_control) bool relays_reload(const struct conf *conf);
/* Calls nobody any more. The pulls end with their workers. */
RUNS_ON(on_control) void relays_stop(void);
RUNS_ON(on_control) void relays_fini(void);

/* --- for the API and the dashboard -------------------------------------------------------------- */

/* mount, url, state, since, error, bytes, retries …; and an array of each. NULL: no memory. */
RUNS_ON(on_control) json_t *relay_tree(const struct relay *relay);
RUNS_ON(on_control) json_t *relays_tree(void);

RUNS_ON(on_control) struct relay *relay_find(struct bytes mount);
RUNS_ON(on_control) void relay_do(struct relay *relay, enum relay_order order);

/* A relay that stands in no file, with the settings of the file's default. reach: FETCH_OUTSIDE for
 * addresses that came through the API. -EEXIST, -EINVAL, -ENOMEM. It lasts until relay_remove() or
 * the server's end. */
RUNS_ON(on_control)
MUST_CHECK int relay_add(const char *mount, const char *url, bool on_demand,
			 enum fetch_reach reach);
/* -EPERM: it stands in the file. */
RUNS_ON(on_control) MUST_CHECK int relay_remove(struct relay *relay);
RUNS_ON(on_control) bool relay_is_of_file(const struct relay *relay);

/* Of those that relay_add() made: how many; and all of them but the one of a mount, as radio_relay_own.h
 * keeps them; and one such. NULL: no memory. */
RUNS_ON(on_control) size_t relays_own_count(void);
RUNS_ON(on_control) json_t *relays_own_tree(const char *but);
json_t *relay_own_tree(const char *mount, const char *url, bool on_demand);

/* --- for others of the radio --------------------------------------------------------------------- */

/* Somebody wants to hear this mount, and waits. via: of his request. */
RUNS_ON(on_control) void relay_demand(struct mount *mount, struct bytes via);

/* Whether what is to be heard will be there at once, or it will be known that it will not. */
RUNS_ON(on_control) bool relay_promises(const struct relay *relay);
RUNS_ON(on_control) uint64_t relay_wait_ms(const struct relay *relay);

/* From pulls. */
RUNS_ON(on_control) void relay_is_up(struct pull *pull);
RUNS_ON(on_control) void relay_ended(struct pull *pull);

/* From the master's list: relays exactly these mounts of it, one a line. */
RUNS_ON(on_control) void relays_of_master(const char *base, struct bytes list, bool on_demand);
