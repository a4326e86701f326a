/* sfu_seen: what a viewer says of itself: how the pictures reached its screen, which only it knows.
 *
 *   page: getStats ─▶ PATCH its session, application/json ─▶ seen_read ─▶ session ─▶ seen_tree ─▶ API
 *
 * Every sfu.stats, and no more often than once a second. Numbers only, each within bounds; nothing else of
 * it is kept or passed on. Owner: the session, on the control thread. */
#pragma once

#include <jansson.h>

#include "core/bytes.h"

#define SEEN_MAX 2048u /* bytes of what it says */

enum seen_kind {
	SEEN_FRAMES,
	SEEN_DROPPED,
	SEEN_FREEZES,
	SEEN_FROZEN_MS,
	SEEN_LOST,
	SEEN_JITTER_US,
	SEEN_WIDTH,
	SEEN_HEIGHT,
	SEEN_FPS,
	SEEN_KINDS
};

struct seen {
	int64_t at_us; /* 0: nothing was said */
	int64_t value[SEEN_KINDS];
};

/* False: it is no object of numbers; out is as it was. */
bool seen_read(struct bytes in, int64_t now_us, struct seen *out);

/* NULL: nothing was said. */
json_t *seen_tree(const struct seen *seen);
