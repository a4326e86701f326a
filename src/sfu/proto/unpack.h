/* unpack: pictures and packets of sound out of RTP payloads, in the form that Matroska keeps them in.
 *
 *   payload, time, marker ─▶ unpack_put ─▶ frame: H.264, H.265  each unit behind its length, 32 bits
 *                                                 VP8           as it is
 *                                                 VP9           with an index when it has several layers (Annex B)
 *                                                 AV1           OBUs with sizes, without temporal delimiters
 *                                                 Opus          as it is
 *
 * Payloads come in the order of their numbers and without a gap: of one the caller knows, and says so by
 * unpack_clear. Nothing is decoded. The room for a frame is the caller's; one that does not fit, or whose
 * fragments make no sense, is broken as a whole. Sans-I/O, no allocation. Thread: any. */
#pragma once

#include "core/writer.h"
#include "sfu/proto/codec.h"

#define UNPACK_LAYERS 8u

struct unpack {
	enum codec codec;
	struct writer frame;
	int64_t ts;
	bool open;   /* there is a part of a frame */
	bool broken; /* and it cannot become a whole one */
	bool key;
	bool unit;       /* one goes on in the next payload */
	size_t unit_at;  /* where it begins, its length before it */
	bool sequence;   /* of AV1: there was a sequence header */
	unsigned layers; /* of VP9 */
	size_t layer_end[UNPACK_LAYERS];
};

struct unpacked {
	struct bytes frame; /* good until the next unpack_put */
	int64_t ts;
	bool key;
};

/* Whether frames of this codec can be unpacked. */
bool unpack_can(enum codec codec);

void unpack_init(struct unpack *unpack, enum codec codec, void *room, size_t size);

/* Forgets what there is of a frame. */
void unpack_clear(struct unpack *unpack);

/* Whether a payload of this time belongs to another frame than what there is: unpack_end comes first. */
bool unpack_is_other(const struct unpack *unpack, int64_t ts);

/* True: the frame ends with this payload. */
bool unpack_put(struct unpack *unpack, struct bytes payload, int64_t ts, bool marker);

enum unpack_status { UNPACK_NOTHING, UNPACK_FRAME, UNPACK_BROKEN };

/* What there is, as a frame. */
enum unpack_status unpack_end(struct unpack *unpack, struct unpacked *out);
