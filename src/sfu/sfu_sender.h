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
#define SENDER_STEPS       3u      /* of sender_fetch */
#define SENDER_MORE        80u     /* bytes of header and tag, at most */
#define SENDER_PATIENCE_US 4000000 /* before a better layer is tried, at first */
#define SENDER_PAD         16u     /* bytes of padding at most, to make packets equally long */

struct peer_path;
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
	/* What every packet needs comes first, down to splice.piece[0]: sender_fetch(). */
	struct sfu_peer *peer;
	struct sfu_sender *next; /* in here.live or here.behind of the track */
	/* Without keys: there, and its RTCP to the one behind; else NULL. */
	const struct peer_path *out;
	uint32_t ssrc;
	unsigned from; /* index of the first packet of this turn's that is for it */
	uint8_t pt;    /* of the track that is shown */
	bool follows;  /* the shift of this piece is set */
	bool verbatim; /* what is asked for again goes out as it was, bit for bit */
	bool video;
	uint8_t mid_ext, time_ext, turn_ext, twcc_ext;
	uint8_t mid_len;
	uint8_t mid[SENDER_MID_MAX];
	struct picture_count pictures; /* numbered so far */
	uint64_t packets, octets;
	int64_t resend_budget;
	mono_t frozen; /* its pictures stand still since; 0: they move */
	struct splice splice;

	struct sfu_sender *prev;                        /* see next */
	struct sfu_sender *prev_pending, *next_pending; /* in here.pending of the other */
	struct sfu_sender *prev_room, *next_room;       /* of the room's, on this worker */
	struct sfu_track *track;                        /* what is shown; NULL: nothing */
	struct sfu_track *pending;                      /* what is to be shown; NULL: no other */
	enum sender_state state;
	unsigned place; /* the n-th of its kind in the viewer's offer */
	unsigned format_count;
	struct sender_format format[SENDER_FORMATS_MAX];
	const struct sender_format *now; /* of the track that is shown */
	uint32_t rtx_ssrc;
	int64_t rtx_next;
	struct ring_cursor cursor; /* BEHIND */
	struct pace pace;          /* BEHIND */
	mono_t reported, begun;
	/* of its reports */
	uint32_t sr_middle;
	mono_t sr_at;
	uint8_t fraction_lost;
	int32_t lost;
	int64_t rtt_us;
	uint64_t nacks, plis, resent, unknown;
	/* Its pictures stood still: it asked for a key one while it was shown something; until that went
	 * out. */
	uint64_t freezes;
	int64_t frozen_us;
	uint64_t remb;  /* what the viewer says that fits through; 0: nothing said */
	char layer[17]; /* that it wants; "": what fits */
	bool only;      /* a server's: that and nothing else */
	mono_t layered, tried;
	mono_t short_since;  /* less fits than is sent; 0: it does not */
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

/* The send time that goes with packets: seconds, in 24 bits with 18 behind the point. */
static inline uint32_t sender_time(mono_t now)
{
	return (uint32_t)((uint64_t)now.us * 262144u / 1000000u) & 0xffffffu;
}

/* Brings near what sender_send() will look at, a step at a time, as what one step brings says where the
 * next finds it: the last (SENDER_STEPS - 1) first, 0 just before it sends. */
RUNS_ON(on_worker) void sender_fetch(const struct sfu_sender *sender, unsigned step);

/* A sender report, when one is due. */
RUNS_ON(on_worker) void sender_tick(struct sfu_sender *sender, mono_t now);

/* Receivers without a session hear that it is over. */
RUNS_ON(on_worker) void sender_end(struct sfu_sender *sender);

/* Its packets count among all of the viewer's (TWCC). Not where what is sent again is to be what it was. */
static inline bool sender_is_numbered(const struct sfu_sender *sender)
{
	return sender->twcc_ext && !sender->verbatim;
}

/* Bits a second that fit through to the viewer, by its feedback or as it says; 0: not known. */
uint64_t sender_limit(const struct sfu_sender *sender);

/* What the viewer said. */
RUNS_ON(on_worker) void sender_rtcp(struct sfu_peer *peer, const struct rtcp *rtcp);
