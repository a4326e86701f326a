/* outlet: the pipes into a feed's process: frames and samples of a slot as NUT, which has times, or bare.
 *
 *   NUT:  frame 7 │ its samples │ frame 9 │ …     what was lost is a gap in time
 *   bare: frame 7, frame 7 again, frame 9 …       what was lost is repeated, so that counts stay exact
 *
 * Pictures are counted from the first that went in, samples too; samples that are missing are silence. Where
 * the two drift apart by more than a fiftieth of a second, samples are left out or filled in. Blocks while
 * the process does not read, until *stop. One thread. */
#pragma once

#include <libavformat/avformat.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "fc_client.h"

struct outlet {
	const fc_info_t *info;
	const atomic_bool *stop;
	int video, sound;     /* descriptors of ours; sound: -1 for NUT, or where there is none */
	AVFormatContext *nut; /* NULL: bare */
	AVPacket *packet;
	uint16_t *planar; /* P010 taken apart: NUT has no name for it before ffmpeg 6 */
	uint64_t base;    /* the slot's number of our frame 0 */
	uint64_t next;    /* our number of the next frame */
	uint64_t samples; /* written */
	uint64_t repeated;
	int32_t *silence; /* and room for what one frame has */
	size_t silence_len, sound_len;
	int32_t *heard;
	uint8_t *owed; /* bare sound that its pipe did not take yet */
	size_t owed_len, owed_size, owed_most;
};

/* The descriptors are the outlet's from now on. False: no memory, or the process has gone already. */
bool outlet_open(struct outlet *outlet, const fc_info_t *info, int video, int sound, bool raw,
		 const atomic_bool *stop);
void outlet_close(struct outlet *outlet);

/* A frame, its pixels, and the pixels of the one before it or NULL. False: the process does not read any
 * more, or *stop. */
bool outlet_frame(struct outlet *outlet, fc_slot_t *slot, const fc_frame_t *frame,
		  const uint8_t *pixels, const uint8_t *before);
