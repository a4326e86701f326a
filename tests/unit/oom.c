#include "oom.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <uv.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);
int __real_memfd_create(const char *name, unsigned flags);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);
int __wrap_memfd_create(const char *name, unsigned flags);

/* Requests until the one that is refused; negative: none is. */
static _Atomic long left = -1;

static bool refuse(void)
{
	if (atomic_load(&left) < 0 || atomic_fetch_sub(&left, 1) != 0)
		return false;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return refuse() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return refuse() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return refuse() ? NULL : __real_realloc(old, size);
}

void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off)
{
	return refuse() ? MAP_FAILED : __real_mmap(at, len, prot, flags, fd, off);
}

int __wrap_memfd_create(const char *name, unsigned flags)
{
	return refuse() ? -1 : __real_memfd_create(name, flags);
}

void oom_with_uv(void)
{
	uv_replace_allocator(__wrap_malloc, __wrap_realloc, __wrap_calloc, free);
}

void oom_arm(unsigned n)
{
	atomic_store(&left, n);
}

bool oom_disarm(void)
{
	return atomic_exchange(&left, -1) < 0;
}
