/* radio_history: what the radio tells the store: songs, sources, listeners, and how many there were.
 *
 *   mounts ── each second ──▶ store_minute      titles, sources ──▶ store_song, store_source_…
 *   listener_end (worker) ──▶ store_listener_gone, into bounded memory of the worker
 *
 * Owns nothing and waits for nobody; where nothing is kept it does nothing. */
#pragma once

#include "radio/radio_listener.h"
#include "radio/radio_mount.h"

/* The title of a mount is another one now, or none. */
RUNS_ON(on_control) void history_title(const struct mount *mount);

/* A source's first unit is out; it is no more. */
RUNS_ON(on_control) void history_source_came(struct mount *mount);
RUNS_ON(on_control) void history_source_gone(const struct mount *mount, const char *why);

/* Once a second: what each mount's listeners and bytes were since the last time. */
RUNS_ON(on_control) void history_tick(void);

RUNS_ON(on_worker)
void history_listener_gone(const char *mount, const struct listener *listener, const char *why);
