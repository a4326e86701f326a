/* lipsync: where on one clock the times of several streams lie, each with a clock of its own.
 *
 *   RTP time ─▶ lipsync_us ─▶ microseconds since the recording began
 *                  ▲
 *   sender report: RTP time = NTP time (RFC 3550 6.4.1)
 *
 * A stream begins where its first packet came. The first report of any stream says where that is by the
 * sender's clock, and those of the others put them there too: at once as long as nothing was asked of them,
 * later as slowly as clocks drift. A report that jumps is of a clock that was set: it is followed, and
 * moves nothing. Times may go back, as pictures do that are shown in another order. Sans-I/O, no allocation.
 * Thread: the owner's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define LIPSYNC_JUMP_US  1000000  /* a report that is further off is of a clock that was set */
#define LIPSYNC_FIRST_US 10000000 /* the first one may be: an encoder looks ahead before it sends */
#define LIPSYNC_SLEW     100      /* at most a hundredth of the time that has passed is put right */

/* Of all streams. */
struct lipsync_base {
	bool known;
	int64_t ntp_us; /* the sender's clock at 0 */
};

struct lipsync {
	uint32_t clock;
	bool begun, reported;
	int64_t ts; /* the anchor */
	int64_t us;
	int64_t off_us;    /* what is to be put right */
	int64_t ntp_shift; /* of a clock that was set */
	int64_t slewed_ts;
};

/* Time ts lies at us. */
void lipsync_begin(struct lipsync *sync, uint32_t clock, int64_t ts, int64_t us);

/* ntp: 32 bits of seconds and 32 of fractions. fresh: nothing was asked of the stream yet. */
void lipsync_report(struct lipsync *sync, struct lipsync_base *base, uint64_t ntp, int64_t ts,
		    bool fresh);

int64_t lipsync_us(struct lipsync *sync, int64_t ts);
