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

static inline mono_t mono_add_us(mono_t t, int64_t us)
{
	return (mono_t){t.us > INT64_MAX - us ? INT64_MAX : t.us + us};
}

static inline mono_t mono_add_ms(mono_t t, int64_t ms)
{
	return mono_add_us(t, ms * 1000);
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
