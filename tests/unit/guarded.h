/* guarded: test input that ends exactly at an unmapped page, so that reading one byte too many
 * faults instead of passing by luck. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/bytes.h"

/* A copy of in whose last byte is the last one mapped. Free it with guarded_free(). */
static inline struct bytes guarded(struct bytes in)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t span = (in.len + page - 1) / page * page;
	uint8_t *map =
		mmap(NULL, span + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(map != MAP_FAILED);
	assert_int_equal(mprotect(map + span, page, PROT_NONE), 0);
	if (in.len)
		memcpy(map + span - in.len, in.at, in.len);
	return bytes_of(map + span - in.len, in.len);
}

static inline void guarded_free(struct bytes in)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t span = (in.len + page - 1) / page * page;

	munmap((void *)(uintptr_t)(in.at + in.len - span), span + page);
}
