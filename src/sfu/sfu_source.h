/* sfu_source: IN. What a publisher sends, packet by packet into the feeds of its tracks, and what it is
 * told: what is missing, what came, when a key picture is wanted, how much it may send.
 *
 *   packet ─▶ whose stream? ─▶ original number (RTX) ─▶ double? ─▶ track_publish
 *              by SSRC; at first by RID, MID or payload type
 *
 * Made by the control thread with its tracks, then the peer's, on its worker. */
#pragma once

#include "core/mono.h"
#include "core/role.h"
#include "sfu/proto/missing.h"
#include "sfu/proto/rtcp.h"
#include "sfu/proto/rtp.h"
#include "sfu/proto/sprop.h"
#include "sfu/proto/twcc.h"
#include "sfu/sfu_track.h"

#define SOURCE_TRACKS_MAX 12u

struct sfu_peer;

struct source_track {
	struct sfu_track *track;
	char mid[33];
	char rid[TRACK_RID_MAX + 1]; /* "": no layers */
	uint8_t pt, rtx_pt;          /* rtx_pt 0: none */
	uint8_t feedback;            /* SDP_FB_… that the publisher understands */
	uint8_t mid_ext, rid_ext, repaired_ext, turn_ext, twcc_ext; /* 0: it has none */
	uint32_t ssrc, rtx_ssrc;                                    /* 0: not known yet */
	struct rtp_count seq, ts;
	uint16_t
		seq_shift; /* what is added to its numbers and times, so that they go on when it ... */
	uint32_t ts_shift; /* ... begins anew, under another SSRC or its own */
	bool odd;          /* the last packet had an old number, before odd_next */
	uint16_t odd_next;
	struct missing missing;
	struct sprop
		sprop; /* sets of the description: behind one that was inserted its packets' numbers move */
	struct sprop_places places;
	uint32_t sr_middle; /* of the last sender report; 0: none */
	mono_t sr_at, reported, key_asked;
	uint8_t fir;
	int turn;
	uint64_t recovered;
	uint64_t counted; /* octets, when the bitrate was last made */
	mono_t counted_at;
};

#define SOURCE_EARLY 4u

struct sfu_source {
	struct sfu_peer *peer;
	uint32_t ssrc; /* ours, in what we say */
	uint64_t remb_bits;
	mono_t remb_sent, twcc_sent;
	struct twcc twcc; /* of the transport: of all tracks */
	/* Reports of streams of which no packet has come yet: programs begin with one. */
	struct {
		uint32_t ssrc; /* 0: none */
		uint64_t ntp;
		uint32_t ts;
	} early[SOURCE_EARLY];
	unsigned early_next;
	unsigned count;
	struct source_track track[SOURCE_TRACKS_MAX];
};

RUNS_ON(on_worker) void source_rtp(struct sfu_source *source, struct bytes packet);
RUNS_ON(on_worker) void source_rtcp(struct sfu_source *source, const struct rtcp *rtcp);

/* Each 20 ms or so: says what is to be said. key_wait_us: between two wishes for a key picture. */
RUNS_ON(on_worker) void source_tick(struct sfu_source *source, mono_t now, int64_t key_wait_us);

/* It writes no more. */
RUNS_ON(on_worker) void source_end(struct sfu_source *source);
