#include "core/arena.h"

#include <stdlib.h>

struct arena_block {
	struct arena_block *next;
	size_t size;
	_Alignas(max_align_t) uint8_t bytes[];
};

#ifdef RINGMAIN_ARENA_MALLOC
#	define BLOCK_LEAST 0u
#else
#	define BLOCK_LEAST 2048u
#endif

void arena_init(struct arena *arena, size_t limit)
{
	*arena = (struct arena){.limit = limit};
}

void arena_fini(struct arena *arena)
{
	while (arena->blocks) {
		struct arena_block *next = arena->blocks->next;

		free(arena->blocks);
		arena->blocks = next;
	}
	arena->left = arena->taken = 0;
}

void *arena_take(struct arena *arena, size_t len)
{
	size_t align = _Alignof(max_align_t);
	size_t need = (len + align - 1) & ~(align - 1);
	struct arena_block *block = arena->blocks;
	uint8_t *taken;

	if (BLOCK_LEAST == 0)
		need = len;
	if (need < len || need > SIZE_MAX - sizeof *block || need > arena->limit - arena->taken)
		return NULL;
	if (!block || need > arena->left || BLOCK_LEAST == 0) {
		size_t size = need > BLOCK_LEAST ? need : BLOCK_LEAST;

		block = calloc(1, sizeof *block + size);
		if (!block)
			return NULL;
		*block = (struct arena_block){.next = arena->blocks, .size = size};
		arena->blocks = block;
		arena->left = size;
	}
	taken = block->bytes + (block->size - arena->left);
	arena->left -= need;
	arena->taken += need;
	return taken;
}
