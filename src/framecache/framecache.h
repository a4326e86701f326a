/* framecache: the room's door: what main.c starts and stops.
 *
 *   a bridge, an ingest ── POST /slots ──▶ slot_face ──▶ slot_board ──▶ a file in FC_DIR
 *          └──────── frames, by lib/ (fc_client.h), not through the server ──────▲──▶ readers
 *
 * The server makes slots, says how they are and collects those that nobody writes to any more. Off
 * while framecache.listen is empty. Start order: framecache_configure, workers, framecache_start. */
#pragma once

#include "core/worker.h"
#include "framecache/framecache_conf.h"

/* Names the directory and hands in the routes. Before there are threads. */
void framecache_configure(const struct conf *conf);

/* conf must last until another is put in its place. 0; or -errno with *fault saying at what: all is as
 * it was before then. At the start and at a reload. */
RUNS_ON(on_control)
MUST_CHECK int framecache_listen(uv_loop_t *loop, const struct conf *conf, char *fault,
				 size_t size);

/* Before the workers stop. */
RUNS_ON(on_control) void framecache_stop(void);
