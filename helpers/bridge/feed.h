/* feed: takes frames and sound from a card and puts them where they are wanted.
 *
 *   card thread ── feed_frame ──▶ ring: the slot (shm), or memory of our own (fifo alone)
 *                                  ├──▶ readers of the slot, in their processes
 *                                  └──▶ fifo.h: two threads that read the ring like anybody else
 *
 * A card waits for nobody: what a FIFO's reader does is its own matter, and costs the ring nothing. A slot is
 * ordered when the format is known first, and anew (a new generation) when it changes; a slot of the right
 * shape whose writer is dead is gone on with. All functions may be called from any thread. */
#pragma once

#include <stdint.h>

#include "options.h"

struct feed_format {
	uint32_t width, height, fps_num, fps_den;
	uint32_t pixel_format, scan, colour; /* as in fc_client.h */
	uint32_t channels;
};

struct feed_frame {
	const void *pixels;
	long row_bytes;
	uint64_t index; /* since the signal came or changed, those that were lost counted */
	uint32_t timecode;
	const int32_t *sound; /* of all channels, interleaved; or NULL */
	uint32_t samples;
};

/* 0, or 1 with a line on stderr. */
int feed_open(const struct options *options);

/* The card is locked on this. */
void feed_lock(const struct feed_format *format);
void feed_frame(const struct feed_frame *frame);
/* The card has no signal (any more). index as in feed_frame; called once for each frame that is missing. */
void feed_no_signal(uint64_t index);

/* Whether feeding makes no sense any more; said already. */
int feed_fault(void);

/* Gives back the slot. */
void feed_close(void);
