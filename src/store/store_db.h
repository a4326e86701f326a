/* store_db: the database file: opening it, bringing it up to date, moving a corrupt one aside.
 *
 * The only face that SQLite shows to the rest of the room is struct store_db with its statements.
 * Thread: the store's, whose every call may wait for the disk. */
#pragma once

#include <sqlite3.h>

#include "store/store.h"
#include "store/store_pieces.h"

#define STORE_STATEMENTS 128u
#define STORE_TURNS      64u

/* A user whose searches have turns, and the one of them that has (store_search.h). */
struct store_turn {
	char user[64];
	const void *ask; /* NULL: free; only compared */
	mono_t last;
};

struct store_db {
	sqlite3 *sqlite;
	sqlite3_stmt
		*statement[STORE_STATEMENTS]; /* by store_sql()'s number; made when first used */
	enum store_fault fault;               /* of the last call that failed */
	int code;                             /* SQLite's of that call, or an errno */
	int64_t oldest_minute;                /* that was written and is not rolled up */
	enum store_addresses addresses;       /* privacy.addresses */
	struct store_pieces pieces;
	struct store_turn turns[STORE_TURNS];
};

/* Opens or makes the file, with permissions for nobody else, and migrates it. On a fault db is closed. */
enum store_fault db_open(struct store_db *db, const char *path);
void db_close(struct store_db *db);

/* What an SQLite result means; a good one is STORE_GOOD. */
enum store_fault db_fault_of(int code);

/* Runs statements that return nothing. */
enum store_fault db_run(struct store_db *db, const char *sql);

/* The prepared statement of that number, reset; NULL with db->fault set. sql is a constant, always
 * the same for a number. */
sqlite3_stmt *db_statement(struct store_db *db, unsigned number, const char *sql);

/* Steps a statement that returns nothing, and resets it. */
enum store_fault db_step(struct store_db *db, sqlite3_stmt *statement);

/* Renames a corrupt file, and what SQLite keeps beside it, to a name that says so and when. False: it
 * could not be. to: the new name. */
bool db_move_aside(const char *path, char *to, size_t size);

/* Copies users and tokens from a file that was moved aside, where they can be read. How many. */
int db_salvage(struct store_db *db, const char *from);
