/* arena: memory for one connection's life: taken piece by piece, given back as a whole.
 *
 * Blocks are taken from malloc as the arena grows; arena_fini frees them all. A request for more
 * than the limit, or that malloc refuses, gives NULL: the connection goes, the process stays.
 * With -Darena=malloc each piece is a block of its own, so that ASan sees its ends. Thread: the
 * owner's. */
#pragma once

#include <stddef.h>

#include "core/bytes.h"

struct arena_block;

struct arena {
	struct arena_block *blocks;
	size_t left;  /* bytes unused in the newest block */
	size_t taken; /* bytes given out in all */
	size_t limit;
};

void arena_init(struct arena *arena, size_t limit);
void arena_fini(struct arena *arena);

/* len bytes, zeroed, aligned for any type; NULL when the limit or memory is reached. */
void *arena_take(struct arena *arena, size_t len);
