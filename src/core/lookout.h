/* lookout: who looks every now and then at how long others were silent, and whether this look judges them.
 *
 *   look ─ 250 ms ─ look ─ 250 ms ─ look ──── left out ──── look ─ look
 *                                                           │      └ judges: all has been read
 *                                                           └ judges nobody
 *
 * A look that comes late itself judges nobody: the process was left out, and what the others said
 * meanwhile lies unread. The next one judges, late or not, for between two looks all is read. The
 * owner has one for each timer and begins with zeros. Pure, on the timer's thread. It does not look. */
#pragma once

#include "core/mono.h"

struct lookout {
	mono_t last;
	bool put_off;
};

/* Whether this look judges. */
static inline bool lookout_counts(struct lookout *look, mono_t now, int64_t interval_ms)
{
	bool late = look->last.us != 0 && mono_since_us(now, look->last) > 3 * interval_ms * 1000;

	look->put_off = late && !look->put_off;
	look->last = now;
	return !look->put_off;
}
