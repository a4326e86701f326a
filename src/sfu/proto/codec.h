/* codec: the codecs that are carried, as SDP names them, and where in a stream of their packets a
 * decoder may begin.
 *
 * Nothing is decoded: a packet is looked at as far as its payload format says whether a picture
 * begins in it that needs no other. Sans-I/O, no allocation. Thread: any. */
#pragma once

#include "core/bytes.h"

enum codec {
	CODEC_NONE,
	CODEC_OPUS,
	CODEC_PCMU,
	CODEC_PCMA,
	CODEC_G722,
	CODEC_H264, /* RFC 6184 */
	CODEC_VP8,  /* RFC 7741 */
	CODEC_VP9,  /* RFC 9628 */
	CODEC_AV1,  /* the AV1 RTP specification 1.0 */
	CODEC_H265, /* RFC 7798 */
	CODEC_COUNT,
};

/* By the name in rtpmap, in any case; CODEC_NONE when it is not carried. */
enum codec codec_of(struct bytes name);

/* As rtpmap writes it. */
const char *codec_name(enum codec codec);

bool codec_is_video(enum codec codec);

/* Whether what a decoder needs first (parameter sets, a key picture) begins in this payload. */
bool codec_begins_key(enum codec codec, struct bytes payload);
