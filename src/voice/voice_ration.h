/* voice_ration: so many now, refilled with time: what strangers may cost. Zeroes are a full one, as soon as
 * the clock is a burst's time old. Pure: time is an argument. Thread: its owner's. */
#pragma once

#include "core/mono.h"

struct ration {
	int64_t left;
	mono_t at; /* when it was refilled last */
};

/* rate: a second. False: none is left. */
static inline bool ration_take(struct ration *ration, int64_t rate, int64_t burst, mono_t now)
{
	int64_t since = mono_since_us(now, ration->at), all = burst * 1000000 / rate + 1;
	int64_t more = (since < all ? since : all) * rate / 1000000;

	if (more > 0) {
		ration->left = ration->left + more > burst ? burst : ration->left + more;
		ration->at = now;
	}
	if (ration->left <= 0)
		return false;
	ration->left--;
	return true;
}
