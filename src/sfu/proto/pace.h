/* pace: how much may leave now, so that what is there at once does not leave at once.
 *
 *   rate ─▶ ╲ bucket, no deeper than what DEPTH brings ╱ ─▶ pace_left ─▶ packets ─▶ pace_spend
 *
 * A packet that was begun leaves whole: what is left may be less than nothing, and is made up for. Sans-I/O,
 * no allocation. Thread: the owner's. */
#pragma once

#include <stddef.h>

#include "core/mono.h"

#define PACE_DEPTH_US 10000 /* what an idle time saves up */

struct pace {
	mono_t at;
	int64_t bytes; /* may be negative */
	bool begun;
};

/* Bytes that may leave now, at most; 0 or less: none. */
static inline int64_t pace_left(struct pace *pace, mono_t now, uint64_t bits_a_second)
{
	int64_t rate = (int64_t)(bits_a_second / 8), depth = rate * PACE_DEPTH_US / 1000000;
	int64_t us = pace->begun ? mono_since_us(now, pace->at) : PACE_DEPTH_US;

	pace->begun = true;
	pace->at = now;
	if (us > PACE_DEPTH_US)
		us = PACE_DEPTH_US;
	pace->bytes += rate * us / 1000000;
	if (pace->bytes > depth)
		pace->bytes = depth;
	return pace->bytes;
}

static inline void pace_spend(struct pace *pace, size_t bytes)
{
	pace->bytes -= (int64_t)bytes;
}
