/* estate: what a server leaves to the next one: the list of all tables that outlive it.
 *
 *   memfd:  ┌ page: layout, words ┐┌ entry: kind, number, memfd ┐┌ entry ┐ …      (append only)
 *                                        │
 *                                        └──▶ table (table.h): rows, some with descriptors
 *
 * The next server has all descriptors of the last one under the same numbers, because it shares the
 * keeper's descriptor table (keeper.h) or was sent them (handover.h). So the numbers in the rows hold
 * as they are, and what no row of a settled kind names is nobody's: estate_sweep closes it.
 *
 * Kinds are announced by the rooms before anything else, so that an estate can be judged as a whole
 * before a row of it is touched: one kind that is not known, or of another layout, and it is refused.
 *
 * Ownership: one estate in a process, made or adopted by the control thread; tables are opened by
 * one thread after the other while rooms start. It does not know what rows mean. */
#pragma once

#include <stdbool.h>

#include "core/table.h"

#define ESTATE_NAME_MAX   23
#define ESTATE_TABLES_MAX 512
#define ESTATE_WORDS      8

/* A kind of table: its name, its row, and where in the row descriptors stand, one int32_t behind
 * the other (-1: none at present). */
struct estate_kind {
	char name[ESTATE_NAME_MAX + 1];
	uint32_t layout;
	uint32_t row_size;
	uint32_t fds_at;
	uint32_t fds;
};

/* Numbers that belong to the server as a whole. */
enum estate_word {
	ESTATE_WORKERS, /* how many it has: who takes over has as many */
	ESTATE_CRASHES, /* that were survived */
	ESTATE_UPGRADES,
};

/* Announces a kind, which must last. Before any estate is made or adopted. */
void estate_know(const struct estate_kind *kind);

/* Makes an empty one. 0 or -errno. */
MUST_CHECK int estate_create(void);

/* Goes on with the one in fd. 0; -EPROTO when it is none, or holds what no room here knows, or names
 * descriptors that are not open: then nothing has been changed. Or -errno. */
MUST_CHECK int estate_adopt(int fd);

/* The estate was another server's before; and that one died, perhaps in the middle of anything. */
bool estate_is_adopted(void);
bool estate_of_crashed(void);
void estate_say_crashed(void);

/* Its descriptor; -1: there is none. */
int estate_fd(void);

/* Room for a number that outlives the process. */
_Atomic uint64_t *estate_word(enum estate_word word);

/* The table of this kind and number: the one that was left, or a new one. 0 or -errno. */
MUST_CHECK int estate_table(struct table *table, const struct estate_kind *kind, uint32_t number,
			    uint32_t capacity);

/* Unmaps a table of the estate, which stays. */
void estate_close(struct table *table);

/* All descriptors that the estate holds, itself among them, in rising order: *fds is the caller's to
 * free. The count, or -errno. */
MUST_CHECK int estate_descriptors(int **fds);

/* Closes every descriptor above 2 that the estate does not hold and that is not in also[]. 0 or
 * -errno. */
MUST_CHECK int estate_sweep(const int *also, size_t count);

/* Unmaps all; the memory lives on with its descriptors. For tests. */
void estate_forget(void);
