/* radio_push: what is heard on a mount here, sent on to another server as an encoder would.
 *
 *   feed ── cursor ──▶ fetch (SOURCE or PUT) ──▶ Icecast, ringmain …      titles: /admin/metadata there
 *
 * A push is a reader of the ring like a listener: it costs the mount nothing and never slows it. It
 * starts with the headers of the chain and a whole unit; one that is lapped goes on at the oldest
 * unit kept, which is counted. When the mount changes to a feed of another format, or the other
 * server goes away, it calls again, after the pause of a relay.
 *
 * Each lives on one worker; the control thread makes it, asks it to start and stop, and hears of
 * its state. It follows what is heard, fallbacks included, and is silent while nothing is. */
#pragma once

#include <jansson.h>

#include "radio/radio_mount.h"
#include "radio/radio_relay_conf.h"

RUNS_ON(on_control) bool pushes_reload(const struct conf *conf);
/* Behind the workers. */
RUNS_ON(on_control) void pushes_fini(void);

/* name, mount, url, state, since, error, bytes, retries, lost of each. */
RUNS_ON(on_control) json_t *pushes_tree(void);

/* By its name in the file. False: there is none. */
RUNS_ON(on_control) bool push_do(struct bytes name, bool start);

RUNS_ON(on_worker) int push_worker_start(struct worker *worker);
RUNS_ON(on_worker) void push_worker_stop(struct worker *worker);
