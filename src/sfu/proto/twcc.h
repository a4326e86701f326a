/* twcc: transport-wide congestion control (draft-holmer-rmcat-transport-wide-cc-extensions-01): a
 * receiver says when each packet of a transport came, and the sender makes of it what fits through.
 *
 *    V  FMT=15 PT=205 length │ sender │ media │ base │ count │ reference time │ n │ chunks … │ deltas …
 *
 * A chunk says of a run of packets, or of each of 7 or 14, whether it came and how large its delta is;
 * deltas are quarters of a millisecond since the packet before. Sans-I/O, no allocation. Thread: the
 * owner's. */
#pragma once

#include "core/mono.h"
#include "sfu/proto/rtcp.h"
#include "sfu/proto/rtp.h"

#define TWCC_KEPT     1024u                 /* packets that a report may go back */
#define TWCC_CLOCK_US ((int64_t)1000 << 30) /* then the clock of the reports begins anew */

struct twcc {
	struct rtp_count count;
	int64_t next;    /* the first that was not reported */
	int64_t highest; /* that came */
	uint8_t reports;
	int64_t came_us[TWCC_KEPT]; /* 0: it has not come */
};

/* A packet with this number. */
void twcc_came(struct twcc *twcc, uint16_t number, mono_t now);

/* Writes a report of what came since the last one; false when nothing did. It has not more than 900
 * bytes: what is left comes with the next. */
bool twcc_write(struct twcc *twcc, uint32_t ssrc, uint32_t media, struct writer *w);

/* --- reading ------------------------------------------------------------------------------------ */

struct twcc_report {
	uint16_t number; /* of the next packet */
	unsigned left;   /* packets */
	int64_t at_us;   /* of the last one that came, on the receiver's clock, which wraps */
	struct bytes chunks, deltas;
	uint16_t chunk;
	unsigned chunk_left; /* symbols */
};

/* Of a feedback's entries. */
bool twcc_read(struct bytes entries, struct twcc_report *out);

/* The next packet: its number, and when it came, less than twice TWCC_CLOCK_US, or -1. False at the end, or at what is broken. */
bool twcc_next(struct twcc_report *report, uint16_t *number, int64_t *at_us);
