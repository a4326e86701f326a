#include "irc/irc_index.h"

#include <stdlib.h>

void irc_index_fini(struct irc_index *index)
{
	free(index->slot);
	*index = (struct irc_index){0};
}

struct irc_named *irc_index_find(const struct irc_index *index, enum irc_casemap map,
				 struct bytes name)
{
	uint32_t hash = irc_hash(map, name);

	for (uint32_t at = hash; index->size; at++) {
		struct irc_named *named = index->slot[at & (index->size - 1)];

		if (!named)
			break;
		if (named->hash == hash && irc_same(map, irc_named_bytes(named), name))
			return named;
	}
	return NULL;
}

static void place(struct irc_index *index, struct irc_named *named)
{
	uint32_t at = named->hash;

	while (index->slot[at & (index->size - 1)])
		at++;
	index->slot[at & (index->size - 1)] = named;
}

bool irc_index_put(struct irc_index *index, enum irc_casemap map, struct irc_named *named)
{
	named->len = (uint32_t)strlen(named->name);
	named->hash = irc_hash(map, irc_named_bytes(named));
	if ((index->used + 1) * 4 > index->size * 3) {
		struct irc_index larger = {.size = index->size ? index->size * 2 : 8};

		larger.slot = calloc(larger.size, sizeof(struct irc_named *));
		if (!larger.slot)
			return false;
		larger.used = index->used;
		for (uint32_t i = 0; i < index->size; i++)
			if (index->slot[i])
				place(&larger, index->slot[i]);
		free(index->slot);
		*index = larger;
	}
	place(index, named);
	index->used++;
	return true;
}

void irc_index_drop(struct irc_index *index, struct irc_named *named)
{
	uint32_t mask = index->size - 1, at = named->hash & mask;

	while (index->slot[at] != named)
		at = (at + 1) & mask;
	index->slot[at] = NULL;
	index->used--;
	/* Those behind it that its place kept away from theirs move up. */
	for (uint32_t next = (at + 1) & mask; index->slot[next]; next = (next + 1) & mask) {
		struct irc_named *moved = index->slot[next];

		index->slot[next] = NULL;
		place(index, moved);
	}
}

void irc_index_rehash(struct irc_index *index, enum irc_casemap map)
{
	struct irc_named **slot = index->slot;
	struct irc_index anew = *index;

	anew.slot = calloc(index->size ? index->size : 1, sizeof(struct irc_named *));
	if (!anew.slot)
		return;
	for (uint32_t i = 0; i < index->size; i++)
		if (slot[i]) {
			slot[i]->hash = irc_hash(map, irc_named_bytes(slot[i]));
			place(&anew, slot[i]);
		}
	*index = anew;
	free(slot);
}

struct irc_named *irc_index_next(const struct irc_index *index, uint32_t *at)
{
	while (*at < index->size) {
		struct irc_named *named = index->slot[(*at)++];

		if (named)
			return named;
	}
	return NULL;
}
