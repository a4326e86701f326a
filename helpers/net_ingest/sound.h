/* sound: decoded sound becomes the slot's samples, each at its place beside the pictures.
 *
 *   AVFrame ─▶ swresample ─▶ store: samples first … first + held - 1, counted from frame 0
 *                              └─▶ sound_take: those of one frame; silence where there are none
 *
 * What the input leaves out becomes silence, what comes twice is left out; small errors of its clock are
 * not touched. One thread. */
#pragma once

#include <libavutil/frame.h>
#include <libswresample/swresample.h>

#include "timeline.h"

struct sound {
	uint32_t rate, channels;
	struct SwrContext *swr;
	AVFrame *as; /* what swr was made for: format, rate, channels */
	int32_t *store;
	size_t size, held; /* samples of all channels */
	int64_t first;     /* the number of the first that is held */
};

/* False: no memory. channels 0: there is no sound, and nothing else may be called but stop. */
bool sound_start(struct sound *sound, uint32_t rate, uint32_t channels);
void sound_stop(struct sound *sound);

/* From here on the line begins anew: what is held is forgotten. */
void sound_begin(struct sound *sound);

/* pts_us: when the first of them is heard. 0, or an AVERROR. */
int sound_put(struct sound *sound, const struct timeline *line, const AVFrame *frame,
	      int64_t pts_us);

/* Whether all samples before that one are there. */
bool sound_reaches(const struct sound *sound, int64_t end);

/* Samples up to end, *count of them, with silence for those that are missing; they hold until the next
 * call. NULL: no memory. */
const int32_t *sound_take(struct sound *sound, int64_t end, uint32_t *count);
