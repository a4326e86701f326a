/* radio_dump: what an encoder sends, kept as files: each whole in itself, and cut where a decoder can
 * start.
 *
 *   ring ── every quarter of a second: ring_copy ──▶ buffer ── thread pool ──▶ file, named by time
 *
 * A dump is one more reader of its mount's own feed: when the disk is slow or full it falls behind,
 * is lapped, and loses sound, which is counted and said; nobody else notices. It follows the mount
 * through pauses of its encoder and ends when the mount goes off the air.
 *
 * Owned by its mount; all of it on the control thread. Files are written, and old ones taken away,
 * on the thread pool. */
#pragma once

#include "edge/kept.h"
#include "radio/radio_mount.h"

struct dump;

/* The mount is on the air, or its settings have changed: its dump begins, goes on or ends as they say. */
RUNS_ON(on_control) void dump_follow(struct mount *mount, uv_loop_t *loop);

extern const struct kept_family dump_kept;

/* Ends it, if there is one; what the ring still has of it is written. The feed may go afterwards. */
RUNS_ON(on_control) void dump_end(struct mount *mount);

/* The name of a file: strftime(3)'s conversions of the pattern for this local time, {mount} as a word
 * without slashes, {ext} as the format's. False when it does not fit. */
bool dump_name(const char *pattern, const char *mount, const char *extension, int64_t wall_us,
	       char *out, size_t size);

/* The same as a glob(7) pattern that all names of this mount match; of all mounts where it is NULL. */
bool dump_glob(const char *pattern, const char *mount, const char *extension, char *out,
	       size_t size);
