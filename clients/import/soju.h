/* soju: rows of its database, by names of columns, as its versions differ in which there are; and what lies
 * behind a user's networks in it. */
#pragma once

#include <sqlite3.h>

#include "import.h"

struct soju_row {
	sqlite3_stmt *statement;
};

/* "" and 0 where there is no such column. Good until the next row. */
const char *soju_text_of(const struct soju_row *row, const char *name);
sqlite3_int64 soju_number_of(const struct soju_row *row, const char *name);

typedef void soju_take(sqlite3 *db, const struct soju_row *row, struct import *import,
		       const char *user);

/* Calls for each row of a question, where ?1 is id. -1: there is no such table. */
int soju_each(sqlite3 *db, const char *sql, sqlite3_int64 id, struct import *import,
	      const char *user, soju_take *take);

/* What a network is called here: of a row with its name and addr. */
void soju_network_name(const struct soju_row *row, char *out, size_t size);

/* What was said to a user, how far he has read it and each client was told it; then his networks are turned
 * on. */
void soju_history(sqlite3 *db, sqlite3_int64 id, struct import *import, const char *user);
