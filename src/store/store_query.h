/* store_query: what was kept, page by page, newest first, as rows of cells.
 *
 * Owner: who asks; the query is asked with store_ask() and lies in memory of his. */
#pragma once

#include "store/store.h"

enum store_table {
	STORE_TABLE_SONGS,
	STORE_TABLE_SOURCES,
	STORE_TABLE_LISTENERS,
	STORE_TABLE_AUDIT,
	STORE_TABLE_MINUTES, /* as step_ms says: from minutes, hours or days */
	STORE_TABLE_USERS,   /* with all of the secrets there are; the next two as well */
	STORE_TABLE_TOKENS,
	STORE_TABLE_SESSIONS,
};

#define STORE_COLUMNS_MAX 12u
#define STORE_ROWS_MAX    50000u

enum store_cell_kind { STORE_CELL_NONE, STORE_CELL_NUMBER, STORE_CELL_REAL, STORE_CELL_BYTES };

struct store_cell {
	enum store_cell_kind kind;
	uint32_t len;
	union {
		int64_t number;
		double real;
		size_t at; /* in text; a NUL stands behind the bytes */
	};
};

struct store_rows {
	const char *const *names; /* constants */
	unsigned columns;
	size_t count;
	struct store_cell *cells;
	uint8_t *text;
	size_t cells_size, text_len, text_size;
};

struct store_query {
	struct store_ask ask;
	enum store_table table;
	char mount[256]; /* "": all, or for minutes the server as a whole */
	int64_t from_ms; /* began or was at, not before; 0: from the beginning */
	int64_t to_ms;   /* and before; 0: until now */
	int64_t before;  /* only smaller ids; 0: all. The way to the next page */
	int64_t step_ms; /* of STORE_TABLE_MINUTES; whole minutes */
	unsigned limit;  /* at most STORE_ROWS_MAX; 0: that */
	struct store_rows rows;
	bool out_of_memory;
};

/* For ask.run. */
enum store_fault store_query_run(struct store_db *db, struct store_ask *ask);

static inline const struct store_cell *store_cell(const struct store_rows *rows, size_t row,
						  unsigned column)
{
	return &rows->cells[row * rows->columns + column];
}

/* The bytes of a cell of bytes; "" of another. */
static inline const char *store_cell_text(const struct store_rows *rows,
					  const struct store_cell *cell)
{
	return cell->kind == STORE_CELL_BYTES ? (const char *)rows->text + cell->at : "";
}

void store_rows_fini(struct store_rows *rows);

/* The row that a statement stands on, for others of this room. False: no memory. */
struct sqlite3_stmt;
MUST_CHECK bool store_rows_take(struct store_rows *rows, struct sqlite3_stmt *statement);
