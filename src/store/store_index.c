#include "store/store_index.h"

#define STEP "1000" /* lines at a time: some 40 ms, in which nothing is written */

/* Numbers that begin anew are those of others in the index until those are out of it, so that comes first. */
static const char gone_sql[] =
	"INSERT INTO irc_pieces (irc_pieces, rowid, text) SELECT 'delete', id, text FROM irc_gone "
	"ORDER BY rowid LIMIT " STEP;
static const char gone_done_sql[] = "DELETE FROM irc_gone WHERE rowid IN (SELECT rowid FROM "
				    "irc_gone ORDER BY rowid LIMIT " STEP ")";

static const char next_sql[] =
	"SELECT id, indexed, (SELECT max(seq) FROM irc_lines WHERE buffer = b.id) AS head FROM "
	"irc_buffers b WHERE head > indexed ORDER BY id LIMIT 1";
static const char index_sql[] =
	"INSERT INTO irc_pieces (rowid, text) SELECT buffer << 40 | seq, " INDEX_TEXT(
		"line") " FROM irc_lines WHERE buffer = ?1 AND seq > ?2 AND seq <= ?2 + " STEP
			" AND " INDEX_SAID("kind");
static const char done_sql[] =
	"UPDATE irc_buffers SET indexed = min(?2 + " STEP ", ?3) WHERE id = ?1";

/* The index by words of earlier versions goes, from within, as to drop it whole would take a while: all but what
 * FTS5 wants to read before it drops it. It goes before the new one comes: the disk may have no room for both. */
static const char old_sql[] = "SELECT count(*) FROM sqlite_schema WHERE name = 'irc_words'";
static const char old_some_sql[] = "DELETE FROM irc_words_data WHERE id IN (SELECT id FROM "
				   "irc_words_data WHERE id > 10 LIMIT " STEP ")";
static const char old_rest_sql[] = "DROP TABLE irc_words";

/* A buffer with lines that are not in the index. */
struct behind {
	int64_t id, indexed, head;
};

static enum store_fault run(struct store_db *db, const char *sql, struct behind *behind,
			    bool *found)
{
	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v2(db->sqlite, sql, -1, &statement, NULL);

	*found = false;
	if (code == SQLITE_OK) {
		int count = sqlite3_bind_parameter_count(statement);
		const int64_t numbers[] = {behind->id, behind->indexed, behind->head};

		for (int i = 0; i < count; i++)
			sqlite3_bind_int64(statement, i + 1, numbers[i]);
		code = sqlite3_step(statement);
		*found = code == SQLITE_ROW ||
			 (code == SQLITE_DONE && !sqlite3_stmt_readonly(statement) &&
			  sqlite3_changes(db->sqlite));
		if (code == SQLITE_ROW)
			*behind = (struct behind){sqlite3_column_int64(statement, 0),
						  sqlite3_column_int64(statement, 1),
						  sqlite3_column_int64(statement, 2)};
	}
	sqlite3_finalize(statement);
	db->code = code;
	return db_fault_of(code);
}

static enum store_fault forget_old(struct store_db *db, bool *more)
{
	struct behind count = {0};
	bool found;
	enum store_fault fault = run(db, old_sql, &count, &found);

	if (fault || !count.id)
		return fault;
	fault = run(db, old_some_sql, &count, more);
	if (!fault && !*more)
		fault = db_run(db, old_rest_sql);
	*more = true;
	return fault;
}

enum store_fault index_some(struct store_db *db, bool *more)
{
	struct behind behind = {0};
	enum store_fault fault = run(db, gone_sql, &behind, more);

	if (!fault)
		fault = run(db, gone_done_sql, &behind, more);
	if (!fault && !*more)
		fault = forget_old(db, more);
	if (fault || *more)
		return fault;
	fault = run(db, next_sql, &behind, more);
	if (fault || !*more)
		return fault;
	fault = run(db, index_sql, &behind, more);
	if (!fault)
		fault = run(db, done_sql, &behind, more);
	*more = true;
	return fault;
}
