/* conf_snapshot: how a snapshot lies in memory; for conf.c and conf_load.c only.
 *
 *     conf ─▶ conf_table a room ─▶ own:     conf_block { values, origins }
 *                              └─▶ entries: conf_block { name, values, origins } …  [0] "default"
 *
 * Everything but the nodes of by_name hangs in the kept list and goes with it. Written while it is loaded, by one thread;
 * read-only afterwards. */
#pragma once

#include "core/conf.h"

/* Where a value comes from. */
struct conf_origin {
	enum conf_from from;
	bool faulty; /* what was said was refused, and reported */
	struct conf_place place;
	const struct conf_place *members; /* of a list written as an array; else NULL */
};

struct conf_block {
	const char *name;        /* of an entry; NULL: the room's own settings */
	struct conf_place place; /* where the entry was first named */
	const struct conf_item *items;
	size_t count;
	void *values;
	struct conf_origin *origins;     /* one an item */
	struct conf_block *next_pattern; /* in conf_table.patterns */
};

struct conf_table {
	const struct conf_room *room;
	struct conf_block own;
	struct conf_block **entries;
	size_t entry_count;
	size_t entry_room;
	void *by_name;               /* tsearch(3) over entries; its nodes are not in kept */
	struct conf_block *patterns; /* names with a star, as in the file */
	struct conf_block **patterns_end;
};

struct conf {
	struct conf_kept *kept;
	const char *source; /* the file's name, or "default" */
	struct conf_table *tables;
	size_t count;
};

/* All of these: false or NULL is out of memory. */
struct conf *conf_snapshot_create(const struct conf_room *const *rooms, size_t count,
				  const char *source);

/* The entry of that name, made when there is none. */
struct conf_block *conf_snapshot_entry(struct conf *conf, struct conf_table *table,
				       const char *name, struct conf_place place);

/* Gives every value that nobody said what it inherits. */
void conf_snapshot_inherit(struct conf *conf);
