/* sfu_sender: OUT. One medium of a viewer: which track it is shown, and what it has to say about that.
 *
 *   IDLE ──choose──▶ pending of a track ──its key picture──▶ LIVE   serves with all others of the track
 *                        └─ there is one in the past ──▶ BEHIND ──caught up──▶ LIVE
 *   LIVE, BEHIND ──choose another──▶ goes on with this one until that one's key picture comes
 *
 * A place in a feed, a splice (proto/splice.h) and a header: nothing is queued for a viewer. What it
 * asks for again is looked up in the feed, under a budget. Owner: the peer, on its worker. */
#pragma once

#include "core/mono.h"
#include "core/ring.h"
#include "core/role.h"
#include "sfu/proto/codec.h"
#include "sfu/proto/pace.h"
#include "sfu/proto/rtcp.h"
#include "sfu/proto/splice.h"

#define SENDER_FORMATS_MAX 20u
#define SENDER_MID_MAX     16u
#define SENDER_PAD         16u /* bytes of padding at most, to make packets equally long */

struct sfu_peer;
struct sfu_track;

/* A codec that the viewer takes, and under which numbers. */
struct sender_format {
	enum codec codec;
	uint8_t pt, rtx_pt; /* rtx_pt 0: none */
	uint8_t feedback;
	uint32_t
		profile; /* of H.264: profile-level-id's first two bytes and the packetization mode */
};

enum sender_state { SENDER_IDLE, SENDER_BEHIND, SENDER_LIVE };

struct sfu_sender {
	struct sfu_peer *peer;
	struct sfu_sender *prev, *next; /* in here.live or here.behind of the track */
	struct sfu_sender *prev_pending, *next_pending; /* in here.pending of the other */
	struct sfu_sender *prev_room, *next_room;       /* of the room's, on this worker */
	struct sfu_track *track;                        /* what is shown; NULL: nothing */
	struct sfu_track *pending;                      /* what is to be shown; NULL: no other */
	enum sender_state state;
	bool video;
	uint8_t mid_ext, time_ext, turn_ext;
	uint8_t mid_len;
	uint8_t mid[SENDER_MID_MAX];
	unsigned place; /* the n-th of its kind in the viewer's offer */
	unsigned format_count;
	struct sender_format format[SENDER_FORMATS_MAX];
	const struct sender_format *now; /* of the track that is shown */
	uint32_t ssrc, rtx_ssrc;
	int64_t rtx_next;
	struct splice splice;
	struct picture_count pictures; /* numbered so far */
	bool follows;                  /* the shift of this piece is set */
	struct ring_cursor cursor;     /* BEHIND */
	struct pace pace;              /* BEHIND */
	unsigned from;                 /* index of the first packet of this turn's that is for it */
	mono_t reported, joined, begun;
	uint64_t packets, octets, lost_records;
	int64_t resend_budget;
	/* of its reports */
	uint32_t sr_middle;
	mono_t sr_at;
	uint8_t fraction_lost;
	int32_t lost;
	int64_t rtt_us;
	uint64_t nacks, plis, resent, unknown;
	uint64_t remb;  /* what the viewer says that fits through; 0: nothing said */
	char layer[17]; /* that it wants; "": what fits */
	mono_t layered, tried;
	int64_t patience_us; /* before a better one is tried again */
};

/* A packet of a turn, made ready for all viewers. */
struct sender_packet {
	int64_t seq, ts;
	uint32_t flags;
	struct bytes payload; /* with padding */
	uint8_t *room;        /* the same, to be written to: numbers are a viewer's own */
	struct picture picture;
	bool padded;
};

/* Which of its formats that track would be sent in; NULL: none. */
const struct sender_format *sender_format_for(const struct sfu_sender *sender,
					      const struct sfu_track *track);

/* The first two bytes of profile-level-id and the packetization mode. */
uint32_t sender_h264_profile(struct bytes fmtp);

/* Now the sender shows this track, from packet seq on; live_ts: of the first that is not of the
 * past. */
RUNS_ON(on_worker)
void sender_begin(struct sfu_sender *sender, struct sfu_track *track, int64_t seq, int64_t ts,
		  int64_t live_ts, mono_t now);

/* One packet. send_time: of this turn (abs-send-time). */
RUNS_ON(on_worker)
void sender_send(struct sfu_sender *sender, const struct sender_packet *packet, uint32_t send_time,
		 mono_t now);

/* A sender report, when one is due. */
RUNS_ON(on_worker) void sender_tick(struct sfu_sender *sender, mono_t now);

/* What the viewer said. */
RUNS_ON(on_worker) void sender_rtcp(struct sfu_peer *peer, const struct rtcp *rtcp);
