/* dice: the demo's random numbers: the same seed gives the same music on every machine.
 *
 * SplitMix64 (Steele, Lea, Flood 2014): one word of state, and every seed is a good one. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct dice {
	uint64_t state;
};

static inline uint64_t dice_roll(struct dice *dice)
{
	uint64_t z = dice->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* 0 … sides-1 */
static inline unsigned dice_below(struct dice *dice, unsigned sides)
{
	return (unsigned)((dice_roll(dice) >> 33) % sides);
}

/* low ≤ x < high */
static inline float dice_between(struct dice *dice, float low, float high)
{
	return low + (high - low) * ((float)(dice_roll(dice) >> 40) / 16777216.0F);
}

static inline bool dice_chance(struct dice *dice, float chance)
{
	return dice_between(dice, 0.0F, 1.0F) < chance;
}
