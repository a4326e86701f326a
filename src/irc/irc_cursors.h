/* irc_cursors: how far each device of a user has been in each buffer, in a file that is memory.
 *
 *   data directory/irc-cursors:  ┌ page ┐┌ row ┐┌ row ┐ …     row: buffer, device, seq
 *
 * A cursor that moves is one store into a mapping of the file, so that it is exact when the process dies
 * at any instruction, and costs nothing. (A machine that loses its power may lose the last half minute;
 * then a client is told again what it knows.) The file is sparse; a row that was given back is used
 * again.
 *
 * Thread: open, each, close on control, without workers; take, give, row on any worker for its own rows.
 * A copy of the server that is to take over opens the same file. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "core/check.h"
#include "core/role.h"

#define IRC_NO_ROW 0u

struct irc_cursor_row {
	_Atomic uint64_t buffer; /* 0: free; written last when it is taken */
	uint64_t device;
	_Atomic uint64_t seq; /* the next one it wants; relaxed: read by the next process */
	uint64_t pad;
};

/* 0 or -errno: then there are no rows to be had, and cursors are kept in memory only. */
MUST_CHECK int irc_cursors_open(const char *directory);
void irc_cursors_close(void);

/* Rows that servers before this one gave back are used again: only where none of them runs any more. */
void irc_cursors_reclaim(void);

/* All rows that are in use. */
void irc_cursors_each(void (*found)(void *context, uint32_t row, uint64_t buffer, uint64_t device,
				    uint64_t seq),
		      void *context);

/* A row for this pair; IRC_NO_ROW: none to be had. */
RUNS_ON(on_worker) uint32_t irc_cursor_take(uint64_t buffer, uint64_t device, uint64_t seq);
/* Any thread that knows it is nobody else's. */
void irc_cursor_give(uint32_t row);

void irc_cursor_set(uint32_t row, uint64_t seq);
uint64_t irc_cursor_seq(uint32_t row);
