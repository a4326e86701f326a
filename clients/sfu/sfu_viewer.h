/* sfu_viewer: one who watches: what came, whether it is whole and in its place, and what is asked for
 * again.
 *
 * The server promises: numbers of packets go up by one, the first is the first of a key picture, and each
 * payload is one that the publisher made. Numbers that the stream bears and those of RTP differ by a
 * constant until the room's publisher changes: each other change is a fault. Thread: the loop's. */
#pragma once

#include "sfu/proto/missing.h"
#include "sfu/proto/rtp.h"
#include "sfu_link.h"
#include "spread.h"

enum viewer_state { VIEWER_UNBORN, VIEWER_SIGNAL, VIEWER_LINK, VIEWER_ON, VIEWER_FAILED };

struct viewer {
	struct link link;
	uint32_t number;
	enum viewer_state state;
	bool checked; /* every packet is opened */
	bool slow;
	mono_t begun, up, first, key, whole, reported, ends;
	struct rtp_count seq;
	struct missing missing;
	uint32_t ssrc, key_frame;
	unsigned key_left; /* packets of the first key picture that have not come */
	bool placed;
	int64_t offset, offset_before; /* the stream's number less RTP's */
};

struct viewer_sums {
	uint64_t packets, bytes, opened, dropped, repaired, doubles, nacks, reports;
	uint64_t bad;    /* that do not open */
	uint64_t torn;   /* opened, and not as the publisher made them */
	uint64_t astray; /* whole, with a wrong number */
	uint64_t moves;  /* another publisher: numbers begin anew at a key picture */
	uint64_t torn_starts;
	struct spread up_us, first_us, key_us, whole_us, latency_us;
};

/* Media; drop: it is lost on its way. */
void viewer_media(struct viewer *viewer, struct bytes datagram, bool drop, mono_t now,
		  struct viewer_sums *sums);

/* NACKs that are due, and a report each second. quiet: reports only. */
void viewer_tick(struct viewer *viewer, mono_t now, bool asks, struct viewer_sums *sums);

/* How many never came. */
uint64_t viewer_lost(const struct viewer *viewer);
