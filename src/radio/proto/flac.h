/* flac: cuts a stream of native FLAC (RFC 9639) into its headers and frames.
 *
 *     fLaC STREAMINFO │ block │ … │ frame │ frame │ … fLaC STREAMINFO │ …
 *     HEADER CHAIN      HEADER      KEY     KEY        a new chain
 *
 * A FLAC frame does not say how long it is: it ends where its CRC-16 comes out right and another
 * frame header (CRC-8), "fLaC", a tag or the end of the stream stands behind. So a frame is held back
 * until the next one begins, and a sync code inside a frame does not cut it. A frame that arrived
 * damaged is known by the frame behind it being whole, and is skipped.
 *
 * PADDING, SEEKTABLE and PICTURE blocks are skipped, as they may be megabytes that mean nothing in a
 * live stream; but not the one marked as last of the headers, whose mark decoders need. How many
 * header bytes are kept is the caller's to limit: blocks may follow each other without end.
 *
 * Headers and frames above FRAMER_UNIT_MAX are given out in pieces, later ones marked UNIT_PART; a
 * frame's duration is on its first piece. A stream without "fLaC" (joined in the middle) is framed
 * too, except that its first frame must fit a unit to be found.
 *
 * Each byte goes through the CRC a bounded number of times however finely the input arrives. */
#pragma once

#include "radio/proto/cutting.h"

enum flac_phase { FLAC_HUNT, FLAC_BLOCK, FLAC_BLOCK_BODY, FLAC_FRAME };

struct flac_header {
	size_t len; /* of the frame header, its CRC-8 included */
	uint32_t samples;
	uint32_t sample_rate; /* 0 when only a STREAMINFO that was not seen would tell */
	uint32_t channels;
	uint32_t sample_bits; /* 0 likewise */
};

struct flac_framer {
	struct framer_about about;
	enum flac_phase phase;
	uint64_t tag_left;
	bool synced; /* what begins here follows a whole frame or the last header block */

	uint32_t info_rate; /* of the STREAMINFO, for frames that refer to it; 0 before */
	uint32_t info_bits;

	uint32_t block_left; /* of the metadata block that begins here or has begun */
	uint32_t block_flags;
	bool block_last;
	bool block_dropped;

	struct flac_header frame; /* of the frame that begins here or has begun */
	bool begun;               /* its first piece is out */
	uint32_t given;           /* bytes of it that are out */
	size_t seen;              /* bytes from the beginning of the input that crc covers */
	uint16_t crc;             /* of the frame so far */
	bool suspected;           /* a frame header inside this frame: this one may be damaged */
	size_t suspect;           /* where it stands in the input */
	uint16_t suspect_crc;     /* from there to seen */
	struct play_clock clock;
};

void flac_init(struct flac_framer *framer);

enum framer_status flac_next(struct flac_framer *framer, struct bytes in, bool end,
			     struct unit *unit);
