/* unit: what a framer gives out, and the words that all framers share.
 *
 * One header of its own, so that the framer of each format (mp3.h, ogg.h …) and the one in front of
 * them (framer.h) need not know each other. Pure data. */
#pragma once

#include "core/bytes.h"

/* No unit is larger. A caller's buffer of this size therefore always makes progress; larger codec
 * units are given out in pieces, the later ones marked UNIT_PART. */
#define FRAMER_UNIT_MAX 65536u

enum framer_status {
	FRAMER_MORE, /* nothing can be cut from what is there: call again with more behind it */
	FRAMER_UNIT, /* *unit is the next unit */
	FRAMER_SKIP, /* unit->data is for nobody: junk, an ID3 tag, a Xing/Info frame */
};

#define UNIT_KEY    1u /* a listener may start here, given the headers of the chain */
#define UNIT_HEADER 2u /* part of the headers that a late listener needs first */
#define UNIT_CHAIN  4u /* the first header unit of a new chain: earlier headers are void */
#define UNIT_PART   8u /* goes on with the unit before it: not a place to start or to end */

struct unit {
	struct bytes data;    /* points into the caller's input, from its beginning */
	uint32_t flags;       /* UNIT_… */
	uint32_t duration_us; /* play time of this unit; 0 when it has none or is not known */
};

/* What the stream says of itself, as far as it was read; 0 or "" where it was not. */
struct framer_about {
	char codec[12];       /* "mp3" "aac" "vorbis" "opus" "flac" "speex" "theora" "vp8" … */
	uint32_t sample_rate; /* Hz */
	uint32_t channels;
	uint32_t bitrate; /* bit/s: of the frame header, or nominal; 0 when unknown */
};
