#include "store/store_query.h"

#include <stdlib.h>
#include <string.h>

#include "store/store_db.h"

#define MINUTE_MS 60000
#define HOUR_MS   3600000
#define DAY_MS    86400000

static const char *const song_names[] = {"id",    "mount",     "title", "began",
					 "ended", "listeners", "peak"};
static const char *const source_names[] = {"id",   "mount", "address", "agent", "user", "protocol",
					   "type", "began", "ended",   "bytes", "why"};
static const char *const listener_names[] = {"id",    "mount", "address", "agent",
					     "began", "ended", "bytes",   "why"};
static const char *const audit_names[] = {"id",      "at",     "who",    "how",
					  "address", "action", "target", "result"};
static const char *const minute_names[] = {"mount", "at",       "listeners", "peak",
					   "joins", "bytes_in", "bytes_out"};
static const char *const user_names[] = {"name",     "stored",  "rank", "mounts",
					 "disabled", "created", "seen"};
static const char *const token_names[] = {"id",      "hash",        "prefix", "name",
					  "owner",   "of_settings", "rank",   "mounts",
					  "created", "expires",     "used",   "used_address"};
static const char *const session_names[] = {"hash",    "user",  "of_settings", "bound",
					    "address", "agent", "created",     "seen"};

#define PAGE(columns, table, time)                                             \
	"SELECT " columns " FROM " table " WHERE (?1 = '' OR mount = ?1) AND " \
	"id < ?2 AND " time " >= ?3 AND " time " < ?4 ORDER BY id DESC LIMIT ?5"

/* ?1 mount, ?2 before, ?3 from, ?4 to, ?5 limit, ?6 step, ?7 the length of the table's rows */
static const struct {
	const char *const *names;
	unsigned columns;
	const char *sql;
} tables[] = {
	[STORE_TABLE_SONGS] = {song_names, COUNT_OF(song_names),
			       PAGE("id, mount, title, began, ended, listeners, peak", "songs",
				    "began")},
	[STORE_TABLE_SOURCES] = {source_names, COUNT_OF(source_names),
				 PAGE("id, mount, address, agent, user, protocol, type, began, "
				      "ended, bytes, why",
				      "sources", "began")},
	[STORE_TABLE_LISTENERS] = {listener_names, COUNT_OF(listener_names),
				   PAGE("id, mount, address, agent, began, ended, bytes, why",
					"listeners", "ended")},
	[STORE_TABLE_AUDIT] =
		{audit_names, COUNT_OF(audit_names),
		 "SELECT id, at, who, how, address, action, target, result FROM audit "
		 "WHERE id < ?2 AND at >= ?3 AND at < ?4 ORDER BY id DESC LIMIT ?5"},
	[STORE_TABLE_MINUTES] = {minute_names, COUNT_OF(minute_names), NULL},
	[STORE_TABLE_USERS] =
		{user_names, COUNT_OF(user_names),
		 "SELECT name, stored, rank, mounts, disabled, created, seen FROM users "
		 "ORDER BY name"},
	[STORE_TABLE_TOKENS] = {token_names, COUNT_OF(token_names),
				"SELECT id, hash, prefix, name, owner, of_settings, rank, mounts, "
				"created, expires, used, used_address FROM tokens ORDER BY id"},
	[STORE_TABLE_SESSIONS] = {session_names, COUNT_OF(session_names),
				  "SELECT hash, user, of_settings, bound, address, agent, created, "
				  "seen FROM sessions ORDER BY seen"},
};

/* The mean of a step is that of all of it: what is missing counts as nobody. */
#define STEPS(table)                                                                     \
	"SELECT mount, at / ?6 * ?6 AS began, sum(listeners) * ?7 / ?6, max(peak), "     \
	"sum(joins), sum(bytes_in), sum(bytes_out) FROM " table " WHERE mount = ?1 AND " \
	"at >= ?3 AND at < ?4 GROUP BY began ORDER BY began DESC LIMIT ?5"

static const char *steps_sql(int64_t step_ms, double *row_ms)
{
	if (step_ms % DAY_MS == 0) {
		*row_ms = DAY_MS;
		return STEPS("days");
	}
	if (step_ms % HOUR_MS == 0) {
		*row_ms = HOUR_MS;
		return STEPS("hours");
	}
	*row_ms = MINUTE_MS;
	return STEPS("minutes");
}

/* --- rows ----------------------------------------------------------------------------------- */

static bool grow(void **at, size_t *size, size_t wanted)
{
	size_t larger = *size ? *size : 4096;
	void *made;

	while (larger < wanted)
		larger *= 2;
	if (larger == *size)
		return true;
	made = realloc(*at, larger);
	if (!made)
		return false;
	*at = made;
	*size = larger;
	return true;
}

static bool take_bytes(struct store_rows *rows, struct store_cell *cell, sqlite3_stmt *statement,
		       int column)
{
	const void *bytes = sqlite3_column_blob(statement, column);
	size_t len = (size_t)sqlite3_column_bytes(statement, column);

	if (!grow((void **)&rows->text, &rows->text_size, rows->text_len + len + 1))
		return false;
	*cell = (struct store_cell){
		.kind = STORE_CELL_BYTES, .len = (uint32_t)len, .at = rows->text_len};
	if (len)
		memcpy(rows->text + rows->text_len, bytes, len);
	rows->text[rows->text_len + len] = '\0';
	rows->text_len += len + 1;
	return true;
}

bool store_rows_take(struct store_rows *rows, sqlite3_stmt *statement)
{
	size_t from = rows->count * rows->columns;

	if (!grow((void **)&rows->cells, &rows->cells_size,
		  (from + rows->columns) * sizeof *rows->cells))
		return false;
	for (unsigned i = 0; i < rows->columns; i++) {
		struct store_cell *cell = &rows->cells[from + i];

		*cell = (struct store_cell){0};
		switch (sqlite3_column_type(statement, (int)i)) {
		case SQLITE_NULL: break;
		case SQLITE_INTEGER:
			cell->kind = STORE_CELL_NUMBER;
			cell->number = sqlite3_column_int64(statement, (int)i);
			break;
		case SQLITE_FLOAT:
			cell->kind = STORE_CELL_REAL;
			cell->real = sqlite3_column_double(statement, (int)i);
			break;
		default:
			if (!take_bytes(rows, cell, statement, (int)i))
				return false;
		}
	}
	rows->count++;
	return true;
}

void store_rows_fini(struct store_rows *rows)
{
	free(rows->cells);
	free(rows->text);
	*rows = (struct store_rows){0};
}

/* --- the query ------------------------------------------------------------------------------ */

static void bind_query(sqlite3_stmt *statement, const struct store_query *query, double row_ms)
{
	unsigned limit =
		query->limit && query->limit < STORE_ROWS_MAX ? query->limit : STORE_ROWS_MAX;

	/* Those that a statement does not have are refused, and nothing is lost by that. */
	sqlite3_bind_text(statement, 1, query->mount, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, query->before ? query->before : INT64_MAX);
	sqlite3_bind_int64(statement, 3, query->from_ms);
	sqlite3_bind_int64(statement, 4, query->to_ms ? query->to_ms : INT64_MAX);
	sqlite3_bind_int64(statement, 5, limit);
	sqlite3_bind_int64(statement, 6, query->step_ms);
	sqlite3_bind_double(statement, 7, row_ms);
}

enum store_fault store_query_run(struct store_db *db, struct store_ask *ask)
{
	struct store_query *query = container_of(ask, struct store_query, ask);
	double row_ms = 0;
	const char *sql = query->table == STORE_TABLE_MINUTES ? steps_sql(query->step_ms, &row_ms)
							      : tables[query->table].sql;
	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v2(db->sqlite, sql, -1, &statement, NULL);

	query->rows.names = tables[query->table].names;
	query->rows.columns = tables[query->table].columns;
	if (code == SQLITE_OK) {
		bind_query(statement, query, row_ms);
		while ((code = sqlite3_step(statement)) == SQLITE_ROW)
			if (!store_rows_take(&query->rows, statement)) {
				query->out_of_memory = true;
				code = SQLITE_DONE;
				break;
			}
	}
	sqlite3_finalize(statement);
	db->code = code;
	return db_fault_of(code);
}
