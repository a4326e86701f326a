/* radio_player: plays a file in a loop as a feed: the last resort of a mount without an encoder.
 *
 *   file ─ read on the thread pool ─▶ publisher ─▶ feed      paced by the play time of the units
 *
 * It runs on the control thread's loop and only while its mount wants it. A file that cannot be
 * read, or holds no unit of a format with play times, is said in the log and tried again later.
 *
 * Where it is in the file lies on a desk (radio_desk.h), so that the next server plays on. */
#pragma once

#include "core/estate.h"
#include "radio/radio_mount.h"

struct player;

/* NULL when there is no memory. */
RUNS_ON(on_control) struct player *player_start(struct mount *mount, uv_loop_t *loop);

/* Ends it; the feed goes when the workers have let go of it. */
RUNS_ON(on_control) void player_stop(struct player *player);

/* Whether it has neither played nor failed yet. */
RUNS_ON(on_control) bool player_is_starting(const struct player *player);

/* Whether this is the file that it was started for. */
RUNS_ON(on_control) bool player_plays(const struct player *player, const char *file);

/* Bit/s of what it plays; 0 while that is not known. */
RUNS_ON(on_control) uint32_t player_bitrate(const struct player *player);

/* Its feed; NULL while nothing is out yet. */
RUNS_ON(on_control) struct feed *player_feed(const struct player *player);

extern const struct estate_kind player_kind;

/* Opens the list of players in the estate. 0 or -errno. */
RUNS_ON(on_control) MUST_CHECK int players_open(void);
RUNS_ON(on_control) void players_close(void);

/* Plays on what the last server played, where the mount still wants that file. */
RUNS_ON(on_control) void players_adopt(uv_loop_t *loop);

/* Another server plays on: publishes no more, and leaves the feed as it is. */
RUNS_ON(on_control) void player_leave(struct player *player);
