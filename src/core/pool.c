#include "core/pool.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"

struct pool_free {
	struct pool_free *next;
};

void pool_init(struct pool *pool, size_t size, size_t spare)
{
#ifdef RINGMAIN_ARENA_MALLOC
	spare = 0;
#endif
	*pool = (struct pool){
		.size = size < sizeof(struct pool_free) ? sizeof(struct pool_free) : size,
		.spare = spare,
	};
}

void pool_fini(struct pool *pool)
{
	pool->spare = 0;
	while (pool->first) {
		struct pool_free *next = pool->first->next;

		free(pool->first);
		pool->first = next;
	}
	pool->unused = 0;
}

void *pool_take(struct pool *pool)
{
	struct pool_free *object = pool->first;

	if (object) {
		pool->first = object->next;
		pool->unused--;
		memset(object, 0, pool->size);
	} else {
		object = calloc(1, pool->size);
	}
	pool->used += !!object;
	return object;
}

void pool_give(struct pool *pool, void *given)
{
	struct pool_free *object = given;

	if (!given)
		return;
	CHECK(pool->used > 0);
	pool->used--;
	if (pool->unused >= pool->spare) {
		free(given);
		return;
	}
	object->next = pool->first;
	pool->first = object;
	pool->unused++;
}
