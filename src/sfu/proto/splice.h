/* splice: one outgoing stream of numbers and times, made of pieces of several incoming ones.
 *
 *   track A   …  7   8   9                              B's key packet is 500
 *   track B                     498 499 500 501 …       ─┐
 *   out       … 107 108 109              110 111 …       ◀┘  sequence +1, time goes on by the clock
 *
 * A viewer sees one SSRC whatever it watches; so numbers go on without a gap where it was switched,
 * and times by as much as has passed. Within a piece out = in + an offset, so what is asked for
 * again is found by a subtraction; what came late and is older than the piece is not the
 * viewer's.
 *
 * A piece may begin in the past (the pictures since the last key one, so that a new viewer sees
 * something at once). Those are shown as fast as they can be decoded: their times are squeezed
 * by SPLICE_SQUEEZE up to the anchor, from which on time runs as it should.
 *
 * Sans-I/O, no allocation. Thread: the owner's. */
#pragma once

#include "core/mono.h"
#include "sfu/proto/picture.h"

#define SPLICE_PIECES  4u /* remembered, for what is asked for again */
#define SPLICE_SQUEEZE 16

struct splice_piece {
	uint64_t track;   /* the caller's word for the incoming stream; 0: none */
	int64_t first_in; /* what came before is not of this piece */
	int64_t first_out;
	int64_t anchor_in, anchor_out; /* times, counted up */
	struct picture_shift shift;    /* the caller's: of numbers inside the payload */
};

struct splice {
	int64_t next_out;    /* highest number given out, plus 1 */
	int64_t last_out_ts; /* highest time given out */
	mono_t last_at;      /* when */
	uint32_t clock;      /* ticks a second */
	bool begun;
	struct splice_piece piece[SPLICE_PIECES]; /* the present one is [0] */
};

/* What goes out begins at these. */
void splice_init(struct splice *splice, uint32_t clock, uint16_t first_seq, uint32_t first_ts);

/* From now on packets of another stream go out, beginning with number seq. ts is the time of the
 * first that is live: that of this packet, or a later one when it is of the past. */
void splice_begin(struct splice *splice, uint64_t track, int64_t seq, int64_t ts, int64_t live_ts,
		  mono_t now);

/* The number and time for a packet of the present piece; false when it is older than that. */
bool splice_map(struct splice *splice, int64_t seq, int64_t ts, mono_t now, int64_t *out_seq,
		int64_t *out_ts);

/* The time that a time of the present stream has outside. */
int64_t splice_time(const struct splice_piece *piece, int64_t ts);

/* Of which piece that number was, and what it had been: for what is asked for again. NULL when that
 * is not remembered. */
const struct splice_piece *splice_find(const struct splice *splice, uint16_t out_seq, int64_t *seq);
