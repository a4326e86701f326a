/* shape: what a decoder has to know before the first picture, out of a key picture as unpack gives it.
 *
 *   H.264  SPS, PPS ─▶ AVCDecoderConfigurationRecord   (ISO/IEC 14496-15 5.3.3.1)
 *   H.265  VPS, SPS, PPS ─▶ HEVCDecoderConfigurationRecord   (8.3.3.1)
 *   AV1    sequence header ─▶ AV1CodecConfigurationRecord   (AV1 in ISOBMFF 2.3)
 *   Opus   ─▶ identification header   (RFC 7845 5.1)          VP8, VP9: only how large pictures are
 *
 * Sans-I/O, no allocation. Thread: any. */
#pragma once

#include "core/bytes.h"
#include "sfu/proto/codec.h"

#define SHAPE_SETUP_MAX 1024u

struct shape {
	enum codec codec;
	uint32_t width, height; /* 0 of sound */
	size_t setup_len;
	uint8_t setup[SHAPE_SETUP_MAX]; /* what Matroska calls CodecPrivate */
};

/* False: it cannot be said from this picture. channels: of sound. */
bool shape_read(enum codec codec, struct bytes frame, unsigned channels, struct shape *out);

/* Whether both go into one file: each key picture of VP8 and VP9 says for itself how large it is. */
bool shape_fits(const struct shape *a, const struct shape *b);
