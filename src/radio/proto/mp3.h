/* mp3: cuts a stream of MPEG audio into frames: MPEG-1, 2 and 2.5, layers I, II and III
 * (ISO 11172-3 section 2.4, ISO 13818-3, Fraunhofer's 2.5).
 *
 * Every frame is a KEY. A layer III frame may borrow bits from frames before it (at most 511 bytes,
 * main_data_begin), so a listener's decoder is silent for a frame or two where it starts; that is
 * how every MP3 stream begins and no boundary is better than another.
 *
 * Skipped: junk, ID3 and APE tags, and the frame of a file that carries a Xing, Info or VBRI header
 * instead of sound (its length and seek table are wrong in a live stream). Free format, whose frames
 * do not say their length, is junk here: a mount for it must be raw.
 *
 * Sync, delay and what is held back: see sync.h. */
#pragma once

#include "radio/proto/sync.h"

struct mp3_framer {
	struct framer_about about; /* codec "mp1" "mp2" "mp3"; bitrate of the last frame */
	struct sync sync;
	struct play_clock clock;
};

void mp3_init(struct mp3_framer *framer);

enum framer_status mp3_next(struct mp3_framer *framer, struct bytes in, bool end,
			    struct unit *unit);

/* Whether in begins with MPEG audio: two frames in step. */
enum look mp3_look(struct bytes in);
