#include "sfu/proto/missing.h"

#include <string.h>

#define PATIENCE_US 10000   /* before a gap is asked for */
#define LEAST_US    20000   /* between two askings */
#define ALONE_MAX   4u      /* so often doubled, while nothing is known */
#define LIFE_US     1500000 /* then nobody needs it any more */
#define TRIES_MAX   12u
#define JUMP        3000 /* a larger step is a new beginning (RFC 3550 A.1, MAX_DROPOUT) */

_Static_assert(JUMP > MISSING_SEEN, "behind a new beginning all that came before it is old");

static bool seen(const struct missing *missing, int64_t number)
{
	uint64_t at = (uint64_t)number % MISSING_SEEN;

	return missing->seen[at / 64] >> at % 64 & 1;
}

static void mark(struct missing *missing, int64_t number, bool came)
{
	uint64_t at = (uint64_t)number % MISSING_SEEN, bit = (uint64_t)1 << at % 64;

	if (came)
		missing->seen[at / 64] |= bit;
	else
		missing->seen[at / 64] &= ~bit;
}

static void drop(struct missing *missing, unsigned i)
{
	missing->count--;
	memmove(&missing->gap[i], &missing->gap[i + 1],
		(missing->count - i) * sizeof missing->gap[0]);
}

static void begin(struct missing *missing, int64_t number)
{
	missing->begun = true;
	missing->first = missing->highest = number;
	missing->count = 0;
	missing->expected_before = missing->received_before = 0;
	missing->received = 0;
	memset(missing->seen, 0, sizeof missing->seen);
}

/* All numbers up to this one are missing. Of more than there is room for, the newest are kept. */
static void open_gaps(struct missing *missing, int64_t number, mono_t now)
{
	int64_t from = missing->highest + 1, count = number - from;
	unsigned room, more;

	for (int64_t n = number - from > (int64_t)MISSING_SEEN ? number - (int64_t)MISSING_SEEN
							       : from;
	     n < number; n++)
		mark(missing, n, false);
	if (count > (int64_t)MISSING_MAX) {
		missing->given_up += (uint64_t)(count - (int64_t)MISSING_MAX);
		from = number - (int64_t)MISSING_MAX;
		count = MISSING_MAX;
	}
	room = MISSING_MAX - missing->count;
	if ((unsigned)count > room) {
		more = (unsigned)count - room;
		missing->count -= more;
		missing->given_up += more;
		memmove(missing->gap, missing->gap + more, missing->count * sizeof missing->gap[0]);
	}
	for (int64_t n = from; n < number; n++)
		missing->gap[missing->count++] = (struct missing_one){.number = n, .since = now};
}

/* From the first asking, as nobody knows which one was answered. */
static void answered(struct missing *missing, const struct missing_one *one, mono_t now)
{
	int64_t us = mono_since_us(now, one->first);

	if (one->tries)
		missing->answer_us =
			missing->answer_us ? (missing->answer_us * 7 + us) / 8 : us + 1;
}

static int64_t patience(const struct missing *missing, const struct missing_one *one,
			int64_t rtt_us)
{
	unsigned times = one->tries - 1;

	if (!rtt_us)
		rtt_us = missing->answer_us;
	if (!rtt_us)
		return LEAST_US << (times < ALONE_MAX ? times : ALONE_MAX);
	return rtt_us > LEAST_US ? rtt_us : LEAST_US;
}

enum missing_news missing_came(struct missing *missing, int64_t number, mono_t now)
{
	if (!missing->begun || number > missing->highest + JUMP)
		begin(missing, number);
	if (number < missing->taken || number <= missing->highest - (int64_t)MISSING_SEEN)
		return MISSING_OLD;
	if (number > missing->highest) {
		open_gaps(missing, number, now);
		missing->highest = number;
	} else if (seen(missing, number)) {
		missing->doubles++;
		return MISSING_DOUBLE;
	}
	mark(missing, number, true);
	missing->received++;
	for (unsigned i = 0; i < missing->count; i++) {
		if (missing->gap[i].number == number) {
			answered(missing, &missing->gap[i], now);
			drop(missing, i);
			break;
		}
	}
	return MISSING_NEW;
}

/* RFC 3550 A.8 */
void missing_jitter(struct missing *missing, int64_t ts, int64_t arrival)
{
	int64_t transit = arrival - ts, d = transit - missing->transit;

	if (missing->transit) {
		if (d < 0)
			d = -d;
		if (d < 1 << 24)
			missing->jitter += (uint32_t)d - ((missing->jitter + 8) >> 4);
	}
	missing->transit = transit;
}

unsigned missing_due(struct missing *missing, mono_t now, int64_t rtt_us, uint16_t *out,
		     unsigned max)
{
	unsigned count = 0;

	for (unsigned i = 0; i < missing->count;) {
		struct missing_one *one = &missing->gap[i];

		if (mono_since_us(now, one->since) > LIFE_US || one->tries == TRIES_MAX) {
			drop(missing, i);
			missing->given_up++;
			continue;
		}
		if (count < max && mono_since_us(now, one->since) >= PATIENCE_US &&
		    (one->tries == 0 ||
		     mono_since_us(now, one->asked) >= patience(missing, one, rtt_us))) {
			if (one->tries == 0)
				one->first = now;
			one->asked = now;
			one->tries++;
			missing->asked++;
			out[count++] = (uint16_t)one->number;
		}
		i++;
	}
	return count;
}

/* RFC 3550 A.3 */
uint8_t missing_report(struct missing *missing, int32_t *lost)
{
	int64_t expected = missing->begun ? missing->highest - missing->first + 1 : 0;
	int64_t received = (int64_t)missing->received;
	int64_t expected_now = expected - missing->expected_before;
	int64_t lost_now = expected_now - (received - missing->received_before);
	int64_t all = expected - received;

	missing->expected_before = expected;
	missing->received_before = received;
	*lost = (int32_t)(all > 0x7fffff ? 0x7fffff : all < -0x800000 ? -0x800000 : all);
	if (expected_now <= 0 || lost_now <= 0)
		return 0;
	return (uint8_t)(lost_now >= expected_now ? 255 : lost_now * 256 / expected_now);
}
