#include "timeline.h"

#define SECOND 1000000
#define FAR    (INT64_MAX / 8)

__extension__ typedef __int128 wide;

/* a × b / c to the nearest, halves up; what is below zero too. No further than FAR, where any time is a leap and
 * sums of a few do not overflow. */
static int64_t scale(wide a, int64_t b, int64_t c)
{
	wide twice = a * b * 2 + c;
	wide whole = twice / (2 * (wide)c);

	if (twice < 0 && whole * 2 * c != twice)
		whole--;
	return whole > FAR ? FAR : whole < -FAR ? -FAR : (int64_t)whole;
}

enum timeline_place timeline_place(const struct timeline *line, int64_t pts_us, uint64_t *missing)
{
	int64_t frame, gap = scale(TIMELINE_GAP_US, line->fps_num, (int64_t)line->fps_den * SECOND);

	*missing = 0;
	if (!line->begun)
		return TIMELINE_JUMP;
	frame = scale((wide)pts_us - line->origin_us, line->fps_num,
		      (int64_t)line->fps_den * SECOND);
	if (frame < line->next - gap || frame > line->next + gap)
		return TIMELINE_JUMP;
	if (frame < line->next)
		return TIMELINE_DROP;
	*missing = (uint64_t)(frame - line->next);
	return TIMELINE_FRAME;
}

void timeline_begin(struct timeline *line, int64_t pts_us)
{
	line->origin_us = pts_us;
	line->next = 0;
	line->begun = true;
}

int64_t timeline_samples(const struct timeline *line, int64_t n, uint32_t rate)
{
	return scale(n, (int64_t)rate * line->fps_den, line->fps_num);
}

int64_t timeline_sample_at(const struct timeline *line, int64_t pts_us, uint32_t rate)
{
	return scale((wide)pts_us - line->origin_us, rate, SECOND);
}

void timeline_rate_tidy(uint32_t *num, uint32_t *den)
{
	static const uint32_t known[][2] = {
		{24000, 1001}, {24, 1},        {25, 1},  {30000, 1001}, {30, 1},
		{48000, 1001}, {48, 1},        {50, 1},  {60000, 1001}, {60, 1},
		{100, 1},      {120000, 1001}, {120, 1},
	};

	for (unsigned i = 0; i < sizeof known / sizeof *known; i++) {
		/* Nearer than 0.02 %: 24 and 24000/1001 are five times as far apart. */
		uint64_t a = (uint64_t)*num * known[i][1], b = (uint64_t)known[i][0] * *den;
		uint64_t off = a > b ? a - b : b - a;

		if (off * 5000 < b) {
			*num = known[i][0];
			*den = known[i][1];
			return;
		}
	}
}
