/* clock: the one place that asks the kernel what time it is. Any thread. */
#pragma once

#include <stdint.h>
#include <time.h>

#include "core/mono.h"

static inline mono_t mono_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (mono_t){(int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000};
}

/* Wall time: microseconds since 1970 UTC. For people and files, never for differences. */
static inline int64_t wall_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}
