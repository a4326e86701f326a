/* oom: the n-th request for memory from now on is refused, to see that only a clean error comes.
 *
 * Programs that link oom.c reach malloc, calloc, realloc, mmap and memfd_create through it (ld's
 * --wrap); libuv's own go through it after oom_with_uv(). Requests of any thread count. */
#pragma once

#include <stdbool.h>

void oom_with_uv(void);

/* The n-th request (from 0) is refused, once. */
void oom_arm(unsigned n);

/* Nothing is refused any more. Whether something was. */
bool oom_disarm(void);
