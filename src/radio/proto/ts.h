/* ts: cuts an MPEG transport stream (ISO 13818-1) into runs of whole packets of 188 bytes.
 *
 *     PAT PMT audio audio audio … | audio … | PAT PMT audio …
 *     KEY                                     KEY
 *
 * A unit is what is there of whole packets, at most TS_RUN_MAX bytes, cut before each packet in which
 * a PAT begins. The tables repeat in the stream, so there are no HEADER units: a listener starts at
 * a PAT.
 *
 * KEY: a run that begins with a PAT; if the programme has video, only if a packet of a video stream
 * with random_access_indicator comes before the next PAT and within TS_RUN_MAX bytes. (ffmpeg sends
 * the tables right before each keyframe. A muxer that does not makes a listener get the end of
 * another group of pictures first.) So with video, and while the PMT is not known, a run that begins
 * with a PAT waits until that is clear. The PMT known when the PAT comes decides.
 * duration_us: by the PCR, the time since the one before, given with the run in which it is found or
 * a later one. Discontinuities, and steps over 60 s, which steps back are, count 0.
 *
 * Sync is three 0x47 in step; then each packet must begin with one, or it is lost and FRAMER_SKIP
 * what lies before the next three. Packets of 192 bytes (M2TS) or 204 (with Reed-Solomon bytes) are
 * not taken: all of such a stream is FRAMER_SKIP. Only the first programme is looked at.
 * Thread: whoever owns the struct. It does not read what is in the PES packets. */
#pragma once

#include "radio/proto/ts_table.h"

#define TS_PACKET  188u
#define TS_RUN_MAX (FRAMER_UNIT_MAX / TS_PACKET * TS_PACKET)

struct ts_framer {
	struct framer_about about; /* codec alone, by stream_type */
	bool synced;
	size_t scanned;    /* bytes of the input that were taken into account */
	bool at_pat;       /* the run begins with a PAT */
	bool key_decided;  /* and whether it is KEY depends on nothing more */
	bool key;          /* that it is, so far */
	bool needs_access; /* it needs a random access point of a video stream */
	uint32_t pmt_pid;
	bool pmt_known;
	struct ts_pmt pmt;
	struct ts_section pat_section;
	struct ts_section pmt_section;
	uint64_t pcr; /* at 27 MHz */
	bool pcr_known;
	uint64_t due; /* time at 27 MHz that no unit was given yet */
};

void ts_init(struct ts_framer *framer);

enum framer_status ts_next(struct ts_framer *framer, struct bytes in, bool end, struct unit *unit);
