/* pump: a thread that reads a slot and writes its frames, or its sound, to a descriptor.
 *
 *   slot ── copy, whole or not at all ──▶ pump ──▶ a pipe to ffmpeg
 *                                          └──▶ told(): what it did, once a second and when something changes
 *
 * A stream like this has no time in it: a frame that was lost is replaced by the one before it and samples by
 * silence, so that counts stay exact. Knows nothing of Node. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "fc_client.h"

enum pump_kind {
	PUMP_VIDEO, /* raw frames */
	PUMP_AUDIO, /* interleaved signed 32 bit */
	PUMP_NONE   /* only tells */
};

struct pump_report {
	uint64_t frames;   /* written, or seen */
	uint64_t lost;     /* of those that it should have */
	uint64_t repeated; /* written in place of lost ones */
	uint64_t bytes, position, lag;
	int state;    /* of fc_state(), or FC_BROKEN */
	int error;    /* errno of the write that ended it; 0 */
	bool over;    /* the last one */
	bool changed; /* state, and not only numbers */
};

struct pump;

/* told() runs on the pump's thread. fd is duplicated, and does not block from then on; -1 with PUMP_NONE.
 * NULL with errno. */
struct pump *pump_start(const char *slot_id, enum pump_kind kind, int fd, int where,
			void (*told)(void *whom, const struct pump_report *report), void *whom);

/* Ends it and waits for that: a tenth of a second. More than once does nothing. */
void pump_stop(struct pump *pump);

/* Stops it and frees it. */
void pump_free(struct pump *pump);
