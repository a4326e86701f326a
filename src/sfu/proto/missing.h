/* missing: what of a stream of numbered packets has come, and what is to be asked for again.
 *
 *   missing_came(number) ─▶ new? double? a gap?      missing_due(now) ─▶ numbers for a NACK (RFC 4585)
 *
 * A gap is given a moment to close by itself, as packets overtake each other; then it is asked for,
 * again and again, until it comes, is too old to be of use, or was asked for too often. Also counts what
 * a receiver report says (RFC 3550 6.4.1, A.3, A.8). Numbers count up for ever.
 *
 * Sans-I/O, no allocation. Thread: the owner's. */
#pragma once

#include "core/mono.h"

#define MISSING_SEEN 1024u /* packets back that doubles are known of */
#define MISSING_MAX  256u  /* gaps at once; of more, the oldest are given up */

struct missing_one {
	int64_t number;
	mono_t since, first, asked;
	unsigned tries;
};

struct missing {
	bool begun;
	int64_t taken; /* the caller's: numbers below it were others' */
	int64_t first, highest;
	uint64_t seen[MISSING_SEEN / 64];
	unsigned count;
	struct missing_one gap[MISSING_MAX];
	int64_t answer_us; /* how long an answer took, of late; 0: none came yet */
	/* for reports */
	uint64_t received, doubles, asked, given_up;
	int64_t expected_before, received_before;
	int64_t transit;
	uint32_t jitter; /* times 16 */
};

enum missing_news { MISSING_NEW, MISSING_DOUBLE, MISSING_OLD };

/* What a packet with this number is. No number is ever new twice: who begins anew with lower ones is to be given
 * higher ones by the caller. */
enum missing_news missing_came(struct missing *missing, int64_t number, mono_t now);

/* The jitter of a packet of that time, both in ticks of its clock. */
void missing_jitter(struct missing *missing, int64_t ts, int64_t arrival);

/* Numbers to ask for now, in rising order, at most max. rtt_us: how long an answer takes; 0: as long as the last
 * ones did, and while there was none each time twice as long as before. */
unsigned missing_due(struct missing *missing, mono_t now, int64_t rtt_us, uint16_t *out,
		     unsigned max);

/* Since the last call: the fraction lost in 256ths; and the number lost in all. */
uint8_t missing_report(struct missing *missing, int32_t *lost);
