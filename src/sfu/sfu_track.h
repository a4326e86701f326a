/* sfu_track: HUB. One stream of a publisher: a feed of RTP packets, and who reads it on each worker.
 *
 *   sfu_source ── track_publish ──▶ feed ──┬─▶ here[0]: cursor, senders
 *   (its worker)                           └─▶ here[1]: cursor, senders   (each worker its own)
 *
 * A record is an RTP packet without extensions, CSRC and padding: 12 bytes of header and the payload.
 * word[0] is its number and word[1] its time, both counted up for ever. KEY is where a decoder may
 * begin: the first packet of a key picture, each packet of audio. The feed is at once what is sent,
 * the history for what is asked for again, the pictures for who comes new, and what a recorder reads.
 * A note is a sender report: word[1] is its NTP time, its bytes the time that this is, counted up.
 *
 * Owner: the control thread makes and frees tracks; a worker may use one between stage_tune() and the
 * farewell baton (sfu_room.h). Fields say whose they are. */
#pragma once

#include <stdatomic.h>

#include "core/feed.h"
#include "core/mono.h"
#include "core/worker.h"
#include "sfu/proto/rtcp.h"
#include "sfu/proto/rtp.h"
#include "sfu/proto/sdp.h"

#define TRACK_RID_MAX  16u
#define TRACK_FMTP_MAX 255u

#define TRACK_NOTE 8u /* bytes of a note */

/* Flags of records, beside core/ring.h's. */
#define RECORD_MARKER      0x100u
#define RECORD_ROTATED     0x200u /* bits 12 to 15 are the orientation's */
#define RECORD_TURN(flags) ((uint8_t)((flags) >> 12 & 15u))

struct sfu_sender;
struct sfu_room;

/* What one worker has of a track. */
struct track_here {
	struct sfu_track *track;
	struct track_here *prev, *next; /* of those that somebody here reads */
	bool listed;
	struct ring_cursor cursor;  /* of the live ones */
	mono_t served;              /* when they were last sent something, or could have been */
	struct sfu_sender *live;    /* by sfu_sender.next */
	struct sfu_sender *behind;  /* have a cursor of their own, and catch up */
	struct sfu_sender *pending; /* by sfu_sender.next_pending: wait for a key picture */
};

struct sfu_track {
	uint64_t id;
	struct sfu_room *room;
	enum codec codec;
	bool video;
	uint32_t clock;
	unsigned place; /* the n-th of its kind */
	unsigned layer; /* of simulcast: 0 is the first that was offered */
	char rid[TRACK_RID_MAX + 1];
	char fmtp[TRACK_FMTP_MAX + 1];
	struct feed feed;
	unsigned worker; /* the publisher's */

	/* The publisher's worker's. */
	int64_t key_ts;
	bool keyed;

	/* Any worker asks, the publisher's answers: relaxed, a hint. */
	_Atomic bool wants_key;

	/* The publisher's worker stores, any thread looks: relaxed, for people. */
	_Atomic uint64_t packets, octets, keys;
	_Atomic uint64_t bitrate; /* bits a second, of late */
	_Atomic int64_t last_us;  /* mono: when the last packet came */
	_Atomic uint64_t key_seq; /* the record that the newest key picture begins with; 0: none */

	/* The last sender report, for the viewers' (a seqlock of the publisher's worker: odd while it
	 * is written). */
	_Atomic uint32_t report_turn;
	_Atomic uint64_t report_ntp;
	_Atomic int64_t report_ts; /* counted up */
	_Atomic int64_t report_at; /* mono us */

	unsigned workers;
	struct track_here here[];
};

#define TRACK_MEAN 1000u /* bytes of a packet of pictures, about */

/* A track with an empty feed, which keeps so many bytes of pictures, in packets of about mean. NULL: no memory.
 * Control thread. */
struct sfu_track *track_create(struct sfu_room *room, enum codec codec, uint64_t history,
			       uint32_t mean);
void track_destroy(struct sfu_track *track);

/* No packet comes any more. */
RUNS_ON(on_worker) void track_end(struct sfu_track *track);

/* A packet for all: number and time counted up. turn: its orientation, or -1. On the publisher's
 * worker. */
RUNS_ON(on_worker)
void track_publish(struct sfu_track *track, const struct rtp *rtp, int64_t seq, int64_t ts,
		   int turn, mono_t now);

/* What the publisher said its clock was. */
RUNS_ON(on_worker)
void track_report(struct sfu_track *track, uint64_t ntp, int64_t ts, mono_t now);

/* The same, for a viewer's report; false before the first. */
bool track_last_report(struct sfu_track *track, uint64_t *ntp, int64_t *ts, int64_t *at_us);

/* The record of packet seq; false when it is not there (any more). */
bool track_find(const struct sfu_track *track, int64_t seq, struct record *out);

/* The newest key picture that a new viewer may be shown from: no older than limit_us. */
bool track_find_key(const struct sfu_track *track, int64_t limit_us, struct record *out);

static inline const struct ring *track_ring(const struct sfu_track *track)
{
	return &track->feed.ring[FEED_RECORDS];
}
