/* spread: how many values fell where, in buckets that grow with the value, for percentiles.
 *
 * Sixteen buckets for each doubling: a percentile is right to 6 %. Plain counters without
 * pointers, so that a process can fill one in shared memory and another can add it up when the
 * first has ended. Thread: one writer. */
#pragma once

#include <stdint.h>

enum { SPREAD_FINE = 16, SPREAD_BUCKETS = 44 * SPREAD_FINE };

struct spread {
	uint64_t count;
	int64_t max;
	uint64_t bucket[SPREAD_BUCKETS];
};

/* Negative values count as 0. */
void spread_add(struct spread *spread, int64_t value);
void spread_merge(struct spread *into, const struct spread *from);

/* The value that share (0 … 1) of the values do not exceed; 0 when there are none. */
int64_t spread_at(const struct spread *spread, double share);

/* How many values are at most this large, to the bucket's exactness. */
uint64_t spread_upto(const struct spread *spread, int64_t value);
