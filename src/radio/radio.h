/* radio: the room's door: what main.c starts and stops, and the settings in force.
 *
 * Start order: radio_configure, routes, workers, radio_start; the reverse to stop. */
#pragma once

#include "core/worker.h"
#include "edge/proto/charset.h"
#include "radio/radio_conf.h"
#include "radio/radio_relay_conf.h"

extern const struct worker_hooks radio_hooks;

/* Takes the settings and hands in the routes. conf must last until another is put in its place and a
 * baton has passed. reload: what /admin/reloadconfig does; true when it was done. */
void radio_configure(const struct conf *conf, bool (*reload)(void));

/* Puts other settings in force. False: no memory; then some are and some are not, so that both the
 * old and the new must last. */
RUNS_ON(on_control) bool radio_reload(const struct conf *conf);

/* Runs the reload that radio_configure was given. */
RUNS_ON(on_control) bool radio_ask_reload(void);

const struct radio_conf *radio_conf(void);

/* What holds for a mount of this name. */
const struct mount_conf *radio_mount_conf(const char *name);

/* The settings of relays, and what holds for a relay of this mount. */
const struct relays_conf *radio_relays_conf(void);
const struct relay_conf *radio_relay_conf(const char *name);

/* The settings as a whole. */
const struct conf *radio_settings(void);

/* By which other servers know this one while it runs: "rm-" and a random number. */
struct bytes radio_id(void);

/* What a title that says nothing of its charset is read as. */
enum charset radio_charset_of(unsigned choice);

RUNS_ON(on_control) MUST_CHECK int radio_start(uv_loop_t *loop, const struct conf *conf);
/* Announces what this room leaves in an estate. Before there is one. */
void radio_know(void);

/* Another server has all sources and listeners: lets go of them without a word to anybody, on control
 * and then on each worker. Requests that are under way are answered. */
RUNS_ON(on_control) void radio_part(void);
RUNS_ON(on_worker) void radio_part_worker(void);

/* Nobody listens and nobody sends. */
RUNS_ON(on_control) bool radio_is_idle(void);

/* Before the workers stop. */
RUNS_ON(on_control) void radio_stop(void);
/* After they stopped. */
RUNS_ON(on_control) void radio_fini(void);
