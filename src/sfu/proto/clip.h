/* clip: a small film in a file, and its pictures as RTP payloads: VP8 in IVF, or H.264 as a stream of units
 * behind start codes (ITU-T H.264 Annex B), baseline, since nothing is put into another order.
 *
 *   file ─▶ clip_open: what is it, does it begin with a key picture, how far are these apart
 *             clip_next ─▶ picture ─▶ clip_payload, clip_payload … (RFC 7741, RFC 6184)
 *
 * Nothing is decoded or copied: pictures are borrowed from the file. Sans-I/O, no allocation. Thread: any. */
#pragma once

#include "core/bytes.h"
#include "core/writer.h"
#include "sfu/proto/codec.h"

#define CLIP_PAYLOAD_MAX 1100u /* bytes of a payload: with headers it passes everywhere */

struct clip {
	enum codec codec;       /* CODEC_VP8, CODEC_H264 */
	uint32_t width, height; /* VP8 only */
	int64_t length_us;
	int64_t key_gap_us; /* the longest time without a key picture */
	unsigned pictures;
	char profile[7]; /* H.264: profile-level-id; else empty */

	/* Where it is. */
	struct bytes all, rest;
	int64_t tick_us, scale, rate, next_us;
};

struct clip_picture {
	int64_t at_us; /* since the clip began */
	bool key;
	bool bare;         /* of H.264: a key picture that nobody can begin with */
	struct bytes rest; /* what clip_payload has not taken */

	bool vp8_begun;
	uint16_t id;       /* of VP8, 15 bits: set by the caller */
	struct bytes unit; /* of H.264: the rest of one that is sent in fragments */
	uint8_t unit_head;
};

/* NULL, or what is wrong with the file. rate: pictures a second of H.264, which does not say it. */
const char *clip_open(struct bytes file, unsigned rate, struct clip *clip);

/* The next picture; false behind the last one: clip_rewind goes back to the first. */
bool clip_next(struct clip *clip, struct clip_picture *picture);
void clip_rewind(struct clip *clip);

/* The next payload of it; false when there was none left. marker: the picture ends with it. */
bool clip_payload(enum codec codec, struct clip_picture *picture, struct writer *w, bool *marker);
