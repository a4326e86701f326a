/* cache: memory that is about to be looked at is brought near, while something else is done.
 *
 * Worth it where a loop goes over more than a cache holds, and knows a few steps before where it goes.
 * Any address will do: a wrong one costs a little and does no harm. Any thread. */
#pragma once

#include <stddef.h>

#define CACHE_LINE 64u

/* All that lies in these bytes. */
static inline void cache_fetch(const void *at, size_t len)
{
	for (size_t i = 0; i < len; i += CACHE_LINE)
		__builtin_prefetch((const char *)at + i);
	__builtin_prefetch((const char *)at + len - 1);
}
