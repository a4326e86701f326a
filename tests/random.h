/* random: numbers for tests that can be drawn again: the seed is printed, and RINGMAIN_SEED sets it. */
#pragma once

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct random {
	uint64_t state;
};

static inline uint64_t random_mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static inline struct random random_start(const char *what)
{
	const char *given = getenv("RINGMAIN_SEED");
	struct timespec now;
	uint64_t seed;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = given ? strtoull(given, NULL, 0)
		     : random_mix((uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 30) >> 32;
	fprintf(stderr, "# %s: RINGMAIN_SEED=%" PRIu64 "\n", what, seed);
	return (struct random){random_mix(seed)};
}

static inline uint64_t random_next(struct random *random)
{
	random->state = random_mix(random->state);
	return random->state;
}

/* 0 … n-1 */
static inline uint64_t random_below(struct random *random, uint64_t n)
{
	return random_next(random) % n;
}

static inline int random_percent(struct random *random, unsigned percent)
{
	return random_below(random, 100) < percent;
}
