/* sprop: parameter sets of H.264 and H.265 that stand in the session description alone (RFC 6184 8.1,
 * RFC 7798 7.1), put in front of each key picture that comes without any; not where the packet before it is missing.
 *
 *   fmtp: sprop-parameter-sets=…,… ─▶ sprop_read ─▶ sets, as units
 *   7 8 [key 9 10 … ─▶ sprop_insert ─▶ 7 8 [SPS 9] [PPS 10] [key 11] 12 …   numbers behind it move
 *
 * So whoever comes to a key picture finds there what a decoder needs: viewers, recorders, other servers. A
 * publisher who sends sets of his own has those of the description forgotten: they may be older.
 * Sans-I/O, no allocation. Thread: any. */
#pragma once

#include "core/writer.h"
#include "sfu/proto/codec.h"

#define SPROP_SETS   8u
#define SPROP_SIZE   768u /* bytes of all */
#define SPROP_PLACES 32u  /* pictures back that a late packet finds its number */

struct sprop {
	unsigned count; /* 0: there are none */
	uint16_t end[SPROP_SETS];
	uint8_t room[SPROP_SIZE];
};

/* Whether there are such parameters at all. */
bool sprop_are_said(enum codec codec, struct bytes fmtp);

/* False: none, or none that a decoder could begin with; out is empty then. */
bool sprop_read(enum codec codec, struct bytes fmtp, struct sprop *out);

struct bytes sprop_set(const struct sprop *sprop, unsigned number);

/* The other parameters. */
void sprop_strip(struct bytes fmtp, struct writer *w);

/* What has been inserted into one stream. */
struct sprop_places {
	int64_t first[SPROP_PLACES]; /* numbers of the packets that sets stand before */
	uint64_t count;
	int64_t highest, ts; /* the highest number that came; the time of the last key picture */
	bool begun, keyed;
	bool own; /* the publisher sends sets himself */
};

enum sprop_order {
	SPROP_PASS,   /* publish it as *seq */
	SPROP_INSERT, /* the sets first, as *seq - count and on; then it */
	SPROP_LATE,   /* nobody knows its number any more */
};

/* The publisher began anew, and numbers go on: what he said of himself does not hold any more. */
void sprop_again(struct sprop_places *places);

/* A packet of this number (counted up, in *seq) and time came, none of them twice. */
enum sprop_order sprop_insert(struct sprop_places *places, const struct sprop *sprop,
			      enum codec codec, struct bytes payload, int64_t *seq, int64_t ts);
