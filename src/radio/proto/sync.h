/* sync: finds and keeps frame sync in streams whose frames say their own length: MPEG audio, ADTS,
 * LOAS.
 *
 *     junk │ frame │ frame │ tag │ frame │ junk │ frame │ frame
 *     hunt   ▲ two headers in step: in sync      hunt   ▲ in step again
 *
 * Out of sync, a frame counts once another header of the same kind (or a tag, or the end of the
 * stream) stands right behind it. In sync it is given out as soon as it is whole, without waiting
 * for what follows; a header that differs in what must stay fixed ends the sync, so a real change of
 * parameters costs one frame of delay and no frame. What is no frame is skipped as soon as that is
 * certain: never more than one frame and a header is held back.
 *
 * All decisions rest on the bytes alone, never on how they arrived. The format gives the one
 * function that reads its header. */
#pragma once

#include "radio/proto/cutting.h"

struct sync_frame {
	size_t len;     /* bytes, header included; far below FRAMER_UNIT_MAX */
	uint32_t fixed; /* stays the same from frame to frame while in sync; never 0 */
	uint32_t samples;
	uint32_t sample_rate; /* 0: as in the frame before */
	uint32_t channels;
	uint32_t bitrate;
	bool opens; /* a decoder can start here, so sync may */
};

/* Reads the frame header that in begins with. */
typedef enum look sync_parse(struct bytes in, struct sync_frame *frame);

struct sync {
	uint32_t fixed; /* of the frames in sync; 0: hunting */
	uint64_t tag_left;
};

/* As framer_next(). On FRAMER_UNIT unit->data is one whole frame and *frame its header; flags and
 * duration are left to the format. */
enum framer_status sync_next(struct sync *sync, sync_parse *parse, struct bytes in, bool end,
			     struct unit *unit, struct sync_frame *frame);

/* Whether in begins with a frame that sync may start with. */
enum look sync_look(sync_parse *parse, struct bytes in, bool end, struct sync_frame *frame);
