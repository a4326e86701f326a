#include "spread.h"

/* Values below 2 * SPREAD_FINE have a bucket each; above, the top five bits choose. */
static unsigned bucket_of(int64_t value)
{
	uint64_t v = value > 0 ? (uint64_t)value : 0;
	unsigned shift = v < 2 * SPREAD_FINE ? 0 : 59 - (unsigned)__builtin_clzll(v);
	unsigned bucket = shift * SPREAD_FINE + (unsigned)(v >> shift);

	return bucket < SPREAD_BUCKETS ? bucket : SPREAD_BUCKETS - 1;
}

/* The largest value that falls into the bucket; the last one has no end. */
static int64_t top_of(unsigned bucket)
{
	unsigned shift = bucket < 2 * SPREAD_FINE ? 0 : bucket / SPREAD_FINE - 1;
	int64_t base = (int64_t)bucket - (int64_t)shift * SPREAD_FINE;

	return bucket == SPREAD_BUCKETS - 1 ? INT64_MAX : ((base + 1) << shift) - 1;
}

void spread_add(struct spread *spread, int64_t value)
{
	spread->count++;
	spread->bucket[bucket_of(value)]++;
	if (value > spread->max)
		spread->max = value;
}

void spread_merge(struct spread *into, const struct spread *from)
{
	into->count += from->count;
	for (unsigned i = 0; i < SPREAD_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
	if (from->max > into->max)
		into->max = from->max;
}

int64_t spread_at(const struct spread *spread, double share)
{
	double wanted = share * (double)spread->count;
	uint64_t sum = 0;

	for (unsigned i = 0; i < SPREAD_BUCKETS; i++) {
		sum += spread->bucket[i];
		if (spread->bucket[i] && (double)sum >= wanted)
			return top_of(i) < spread->max ? top_of(i) : spread->max;
	}
	return spread->max;
}

uint64_t spread_upto(const struct spread *spread, int64_t value)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i <= bucket_of(value); i++)
		sum += spread->bucket[i];
	return sum;
}
