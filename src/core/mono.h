/* mono: a moment on a clock that never goes back, in microseconds, as a type of its own.
 *
 * Time is an argument: who needs "now" is given it, so a test can let hours pass at once. Wall
 * time (for people and files) is another type and cannot be mixed in by accident. Pure; the one
 * place that reads the clocks is clock.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct {
	int64_t us;
} mono_t;

#define MONO_NEVER ((mono_t){INT64_MAX})

/* us may be negative. What lies outside the clock's range is its end. */
static inline mono_t mono_add_us(mono_t t, int64_t us)
{
	mono_t sum;

	if (__builtin_add_overflow(t.us, us, &sum.us))
		sum.us = us < 0 ? INT64_MIN : INT64_MAX;
	return sum;
}

static inline mono_t mono_add_ms(mono_t t, int64_t ms)
{
	int64_t us;

	if (__builtin_mul_overflow(ms, (int64_t)1000, &us))
		us = ms < 0 ? INT64_MIN : INT64_MAX;
	return mono_add_us(t, us);
}

/* later - earlier, in microseconds. */
static inline int64_t mono_since_us(mono_t later, mono_t earlier)
{
	return later.us - earlier.us;
}

static inline bool mono_before(mono_t a, mono_t b)
{
	return a.us < b.us;
}

static inline mono_t mono_min(mono_t a, mono_t b)
{
	return a.us < b.us ? a : b;
}
