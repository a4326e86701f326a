/* table: rows of fixed size in shared memory, for what must outlive the process.
 *
 *   memfd:  ┌ page ┐┌ row 0 ┐┌ row 1 ┐ …  ┌ row capacity-1 ┐
 *
 * A row holds no pointer: descriptor numbers, positions, counters, small texts. Its first eight
 * bytes are the table's: 0 when the row is free, 1 while it is being filled or cleared away, 2 when
 * it is settled. Only a settled row is there for the next process: what was half made when its owner
 * died is free again. Each worker has tables of its own, so a row has one writer. Pages are only touched when a row on them is first used, and a row that was given
 * back is taken again before a new one is, so the memory follows the most that were ever in use.
 *
 * Ownership: one thread; another process may open the memfd after that thread is gone, and finds
 * the used rows. Allocates once, in table_create and table_open. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/check.h"

struct table {
	int fd;
	uint8_t *map;
	size_t map_len;
	uint32_t row_size; /* bytes, a multiple of 64 */
	uint32_t capacity;
	uint32_t used;
	uint32_t high;       /* rows from here on were never used */
	uint32_t *free_rows; /* a stack of rows below high that are free */
	uint32_t free_count;
};

enum table_use { TABLE_FREE, TABLE_TAKEN, TABLE_SETTLED };

struct table_row {
	uint64_t in_use; /* enum table_use */
};

/* layout: the version of the row's struct; table_open of another one fails. 0, -EINVAL, -errno. */
MUST_CHECK int table_create(struct table *table, uint32_t layout, uint32_t row_size,
			    uint32_t capacity);
/* 0, -EPROTO when fd is no table of this layout and row size, or -errno. fd is the table's when
 * this succeeds. */
MUST_CHECK int table_open(struct table *table, int fd, uint32_t layout, uint32_t row_size);
void table_close(struct table *table);

/* A zeroed row, taken; NULL when all are. */
void *table_take(struct table *table, uint32_t *row);
void table_give(struct table *table, uint32_t row);

/* The row is whole: the next process may go on with it. table_doubt: it may not any more. */
void table_settle(struct table *table, uint32_t row);
void table_doubt(struct table *table, uint32_t row);

/* The row, when it is settled; else NULL. */
void *table_settled(const struct table *table, uint32_t row);

static inline void *table_row(const struct table *table, uint32_t row)
{
	return table->map + (size_t)row * table->row_size;
}
