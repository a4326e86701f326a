/* timeline: which frame of a slot a picture becomes. A slot has a fixed rate; what comes over a network
 * has times that are rounded, gaps, and pictures that come twice.
 *
 *   pts of pictures   0  17  33      67  68 ms          origin: the time of frame 0
 *   frames at 60/s    0   1   2  (3)  4   -     ▶ 3 is frame 2 once more, the picture at 68 is left out
 *
 * Sound is cut by the same ruler: timeline_samples(n) samples lie before frame n, so that frame and sound
 * stay together however long it takes. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct timeline {
	uint32_t fps_num, fps_den;
	int64_t origin_us; /* of frame 0, as the input counts */
	int64_t next;      /* the frame that comes next */
	bool begun;
};

enum timeline_place {
	TIMELINE_FRAME, /* it is the next, once *missing frames before it are filled in */
	TIMELINE_DROP,  /* there is a picture for that time already */
	TIMELINE_JUMP,  /* the input's clock has leapt, or this is the first: begin with it */
};

/* A gap of so much is filled, one that is longer is a leap. */
#define TIMELINE_GAP_US 1000000

/* The picture at pts_us; changes nothing. */
enum timeline_place timeline_place(const struct timeline *line, int64_t pts_us, uint64_t *missing);

/* Frame 0 is at pts_us. */
void timeline_begin(struct timeline *line, int64_t pts_us);

/* How many samples there are before frame n. */
int64_t timeline_samples(const struct timeline *line, int64_t n, uint32_t rate);

/* Where the sample at pts_us belongs, counted from frame 0; may be below zero. */
int64_t timeline_sample_at(const struct timeline *line, int64_t pts_us, uint32_t rate);

/* The rate that a source means when it says 59.94 or 29.97002; others stay as they are. */
void timeline_rate_tidy(uint32_t *num, uint32_t *den);
