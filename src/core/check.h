/* check: what must be true, or this program is wrong.
 *
 * CHECK() is on in every build. It prints where and what, and aborts; the keeper or systemd starts
 * the server again. It never judges what a peer sent, a file holds or the kernel refuses. */
#pragma once

#include <assert.h> /* static_assert */
#include <stdio.h>
#include <stdlib.h>

#define CHECK(what)                                                                              \
	do {                                                                                     \
		if (__builtin_expect(!(what), 0)) {                                              \
			fprintf(stderr, "%s:%d: CHECK failed: %s\n", __FILE__, __LINE__, #what); \
			abort();                                                                 \
		}                                                                                \
	} while (0)

#define MUST_CHECK __attribute__((warn_unused_result))

/* The struct that a callback's argument is embedded in. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
