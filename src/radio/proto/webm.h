/* webm: cuts a live WebM or Matroska stream (RFC 8794, RFC 9559) into elements.
 *
 *     EBML Segment Info Tracks … | Cluster Timestamp Block Block … | Cluster … | EBML …
 *     HEADER (the first: CHAIN)    KEY     -         -     -         KEY         HEADER CHAIN
 *
 * A unit is an element, but of Segment and Cluster only ID and size: what is in them are elements of
 * their own, so data flows before a cluster ends, and unknown sizes need no care. All up to the
 * first Cluster is HEADER. Void, Cues, Tags and the like behind it are units without flags.
 * Elements over FRAMER_UNIT_MAX come in pieces of that size, all but the first with PART.
 *
 * KEY: Cluster, if the chain has no video. With video, if the first block of a video track within
 * the first FRAMER_UNIT_MAX bytes of the cluster is a keyframe: a SimpleBlock says so, a BlockGroup
 * is one unless it has a ReferenceBlock there. So with video a Cluster waits for that block. Without
 * such a block it is not KEY.
 * duration_us: of a block of the first audio track (video if there is none): the time since the
 * block of that track before it. Steps back and steps over 60 s, and a chain's first block: 0.
 *
 * FRAMER_SKIP: what comes before the first EBML header, and after an element that is none of those
 * that may stand there, or is larger than 16 MiB, all up to the next Cluster or EBML header.
 * Thread: whoever owns the struct. It does not read titles. */
#pragma once

#include "radio/proto/ebml.h"
#include "radio/proto/unit.h"

#define WEBM_VIDEO_TRACKS 8u

struct webm_framer {
	struct framer_about about; /* of the first audio track, or else of the first video track */
	bool chain;                /* an EBML header was seen */
	bool synced;               /* an element begins where the input does */
	bool headers;              /* no Cluster of this chain was seen yet */
	uint64_t part_left;        /* of an element that is given out in pieces */
	uint32_t part_flags;
	size_t looked; /* how far a Cluster was looked into for its first video block */
	uint64_t video[WEBM_VIDEO_TRACKS]; /* track numbers */
	uint32_t video_count;
	uint64_t clock; /* number of the track that durations are of; 0: none */
	bool clock_is_audio;
	uint64_t scale; /* nanoseconds in a tick; 0: it said something absurd, no durations */
	uint64_t cluster_time; /* ticks */
	bool cluster_timed;
	uint64_t last_time; /* ticks, of the clock's last block */
	bool last_known;
	uint64_t rest; /* nanoseconds that the durations so far left out */
};

void webm_init(struct webm_framer *framer);

enum framer_status webm_next(struct webm_framer *framer, struct bytes in, bool end,
			     struct unit *unit);
