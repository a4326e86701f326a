/* fifo: a slot's frames and samples as plain streams in two named pipes, for programs that know no slot.
 *
 *   ring ── a reader of its own, copies ──▶ video FIFO: frame after frame
 *   ring ── another ─────────────────────▶ audio FIFO: from the first sample of that first frame
 *
 * Such a stream has no time in it. So what was lost is made up: a frame by the one before it, samples by
 * silence; counts stay exact, and picture and sound together. A FIFO is written while somebody has it open;
 * who comes later begins with the frame of that moment. A new ring ends the streams: their form may differ. */
#pragma once

#include <stdint.h>

/* Makes the FIFOs where they are not there. 0, or -errno with *which. audio may be NULL. */
int fifo_open(const char *video, const char *audio, const char **which);

/* From here on this slot's frames; its descriptor is duplicated. -1: none. */
void fifo_follow(int fd);

/* Ends the threads. The FIFOs stay where they are. */
void fifo_close(void);
