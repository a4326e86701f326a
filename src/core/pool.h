/* pool: objects of one size that are used again, so that a busy path does not call malloc.
 *
 *   pool_take ◀── free list ◀── pool_give        (kept: at most `spare` objects)
 *
 * Thread: the owner's. With -Darena=malloc every take is a malloc, so that ASan sees its ends. */
#pragma once

#include <stddef.h>

struct pool_free;

struct pool {
	size_t size;   /* of one object */
	size_t spare;  /* free objects to keep at most */
	size_t unused; /* free objects kept */
	size_t used;   /* objects given out */
	struct pool_free *first;
};

void pool_init(struct pool *pool, size_t size, size_t spare);
/* Frees the spare objects and keeps none from now on: objects still out are freed as they come. */
void pool_fini(struct pool *pool);

/* A zeroed object, or NULL when there is no memory. */
void *pool_take(struct pool *pool);
void pool_give(struct pool *pool, void *object);
