/* cutting: the small words that the framers share: looking ahead, skipping, play time.
 *
 * Pure functions and one counter; no format is known here. */
#pragma once

#include "radio/proto/unit.h"

/* What the first bytes of a run show. SHORT: so far it fits, more bytes would tell. */
enum look { LOOK_NO, LOOK_SHORT, LOOK_YES };

static inline enum look look_magic(struct bytes in, struct bytes magic)
{
	struct bytes seen = bytes_first(in, magic.len);

	if (!bytes_equal(seen, bytes_first(magic, seen.len)))
		return LOOK_NO;
	return seen.len == magic.len ? LOOK_YES : LOOK_SHORT;
}

static inline enum framer_status cut_unit(struct bytes data, uint32_t flags, uint32_t duration_us,
					  struct unit *unit)
{
	*unit = (struct unit){data, flags, duration_us};
	return FRAMER_UNIT;
}

static inline enum framer_status cut_skip(struct bytes data, struct unit *unit)
{
	*unit = (struct unit){bytes_first(data, FRAMER_UNIT_MAX), 0, 0};
	return FRAMER_SKIP;
}

/* Skips what is there of a run of *left bytes (at most a unit), so that a run larger than any
 * buffer, such as a tag with a picture, never has to be whole. */
static inline enum framer_status cut_skip_counted(uint64_t *left, struct bytes in,
						  struct unit *unit)
{
	size_t most = *left < FRAMER_UNIT_MAX ? (size_t)*left : FRAMER_UNIT_MAX;
	struct bytes data = bytes_first(in, most);

	*left -= data.len;
	return cut_skip(data, unit);
}

/* Samples to microseconds; what division leaves over goes into the next, so that the sum of the
 * parts never drifts from the whole. */
struct play_clock {
	uint32_t sample_rate;
	uint32_t owed; /* in 1/sample_rate of a microsecond */
};

/* 0 when the sample rate is not known (0). */
static inline uint32_t play_clock_us(struct play_clock *clock, uint32_t samples,
				     uint32_t sample_rate)
{
	uint64_t parts = (uint64_t)samples * 1000000;

	if (clock->sample_rate != sample_rate)
		*clock = (struct play_clock){sample_rate, 0};
	if (sample_rate == 0)
		return 0;
	parts += clock->owed;
	clock->owed = (uint32_t)(parts % sample_rate);
	parts /= sample_rate;
	return parts < UINT32_MAX ? (uint32_t)parts : UINT32_MAX;
}
