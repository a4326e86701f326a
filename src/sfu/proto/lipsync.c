#include "sfu/proto/lipsync.h"

static int64_t ticks_us(const struct lipsync *sync, int64_t ticks)
{
	return (int64_t)((double)ticks * 1e6 / sync->clock);
}

static int64_t at_us(const struct lipsync *sync, int64_t ts)
{
	return sync->us + ticks_us(sync, ts - sync->ts);
}

void lipsync_begin(struct lipsync *sync, uint32_t clock, int64_t ts, int64_t us)
{
	*sync = (struct lipsync){
		.clock = clock, .begun = true, .ts = ts, .us = us, .slewed_ts = ts};
}

static int64_t ntp_us(uint64_t ntp)
{
	return (int64_t)(ntp >> 32) * 1000000 + (int64_t)((ntp & UINT32_MAX) * 1000000 >> 32);
}

void lipsync_report(struct lipsync *sync, struct lipsync_base *base, uint64_t ntp, int64_t ts,
		    bool fresh)
{
	int64_t here = at_us(sync, ts), said = ntp_us(ntp) + sync->ntp_shift, off;
	int64_t most = sync->reported ? LIPSYNC_JUMP_US : LIPSYNC_FIRST_US;

	if (!base->known) {
		base->known = true;
		base->ntp_us = said - here;
	}
	off = said - base->ntp_us - here;
	sync->reported = true;
	if (off > most || off < -most) {
		sync->ntp_shift -= off;
		off = 0;
	} else if (fresh) {
		sync->us += off;
		off = 0;
	}
	sync->off_us = off;
}

int64_t lipsync_us(struct lipsync *sync, int64_t ts)
{
	int64_t most = ticks_us(sync, ts - sync->slewed_ts) / LIPSYNC_SLEW, step = sync->off_us;

	if (step && most > 0) {
		if (step > most)
			step = most;
		if (step < -most)
			step = -most;
		sync->us += step;
		sync->off_us -= step;
	}
	if (ts > sync->slewed_ts)
		sync->slewed_ts = ts;
	return at_us(sync, ts);
}
