/* picture: a decoded picture becomes the pixels of a frame, in the frame's own memory.
 *
 *   decoder ── the slot's own format, no later picture needs it ──▶ written there by the decoder itself
 *          └── any other ──▶ AVFrame ── swscale, with the slot as destination ──▶ there
 *
 * v210 is packed here, as swscale does not know it. One thread. */
#pragma once

#include <libavcodec/avcodec.h>
#include <libswscale/swscale.h>
#include <stdbool.h>

#include "fc_client.h"

struct picture {
	fc_info_t info;            /* of the slot */
	enum AVPixelFormat format; /* what swscale makes for it */
	struct SwsContext *sws[2]; /* whole pictures, fields */
	AVFrame *planar;           /* where v210 is packed from; else NULL */
};

/* libav's name of a slot's format, for v210 what it is packed from. */
enum AVPixelFormat picture_format(uint32_t pixel_format);

/* False: no memory. */
bool picture_start(struct picture *picture, const fc_info_t *info);
void picture_stop(struct picture *picture);

/* Writes the pixels of a frame to at. 0, or an AVERROR. */
int picture_draw(struct picture *picture, const AVFrame *frame, uint8_t *at);

/* Whether a decoder may write straight into a frame: it writes each picture once, in order, and never
 * looks at it again. */
bool picture_direct_ok(const AVCodecContext *codec);

/* Makes frame's planes those of the frame at, for get_buffer2. False: it does not fit. */
bool picture_lend(const struct picture *picture, AVCodecContext *codec, AVFrame *frame,
		  uint8_t *at);
