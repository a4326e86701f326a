/* adts: cuts a stream of AAC into frames: ADTS (ISO 13818-7 section 6.2, ISO 14496-3 1.A.3) or the
 * LOAS sync layer around LATM (ISO 14496-3 section 1.7), told apart by their sync words.
 *
 * An ADTS frame is always a KEY. A LOAS frame is one where it carries the StreamMuxConfig: no
 * decoder can start elsewhere, so sync does not either. LATM without LOAS has no sync word and
 * cannot be cut.
 *
 * The sample rate is that of the AAC core, as the header says it: HE-AAC decoders play twice of it,
 * and durations are right either way. Sync, delay and what is held back: see sync.h. */
#pragma once

#include "radio/proto/sync.h"

struct adts_framer {
	struct framer_about about; /* codec "aac"; channels 0 when in-band (PCE); no bitrate */
	struct sync sync;
	struct play_clock clock;
	uint32_t samples; /* of a LOAS frame, from the last StreamMuxConfig; 0 not known */
};

void adts_init(struct adts_framer *framer);

enum framer_status adts_next(struct adts_framer *framer, struct bytes in, bool end,
			     struct unit *unit);

/* Whether in begins with ADTS or LOAS: two frames in step. */
enum look adts_look(struct bytes in);
