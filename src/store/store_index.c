#include "store/store_index.h"

#define STEP 2000  /* lines of one buffer at a time */
#define MOST 50000 /* before a search: a second or two */

static const char next_sql[] =
	"SELECT id, indexed, (SELECT max(seq) FROM irc_lines WHERE buffer = b.id) AS head FROM "
	"irc_buffers b WHERE id > ?1 AND head > indexed ORDER BY id LIMIT 1";
static const char next_of_user_sql[] =
	"SELECT b.id, b.indexed, (SELECT max(seq) FROM irc_lines WHERE buffer = b.id) AS head FROM "
	"irc_networks n JOIN irc_buffers b ON b.network = n.id WHERE b.id > ?1 AND n.user = ?2 AND "
	"(?3 = 0 OR n.id = ?3) AND head > b.indexed ORDER BY b.id LIMIT 1";
/* PRIVMSG and NOTICE: what stands behind the first " :" is what was said (RFC 2812 section 2.3). */
static const char index_sql[] =
	"INSERT INTO irc_words (rowid, text) SELECT buffer << 40 | seq, substr(line, instr(line, "
	"' :') + 2) FROM irc_lines WHERE buffer = ?1 AND seq > ?2 AND seq <= ?3 AND kind & 256 = 0 "
	"AND kind & 255 IN (1, 2)";
static const char done_sql[] = "UPDATE irc_buffers SET indexed = ?3 WHERE id = ?1";

/* A buffer with lines that are not in the index. */
struct behind {
	int64_t id, indexed, head;
};

/* behind->id: the last one looked at; 0 afterwards: there is none behind it. */
static enum store_fault find(struct store_db *db, const char *user, int64_t network,
			     struct behind *behind)
{
	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v2(db->sqlite, user ? next_of_user_sql : next_sql, -1,
				      &statement, NULL);

	if (code == SQLITE_OK) {
		sqlite3_bind_int64(statement, 1, behind->id);
		if (user) {
			sqlite3_bind_text(statement, 2, user, -1, SQLITE_STATIC);
			sqlite3_bind_int64(statement, 3, network);
		}
		behind->id = 0;
		code = sqlite3_step(statement);
		if (code == SQLITE_ROW)
			*behind = (struct behind){sqlite3_column_int64(statement, 0),
						  sqlite3_column_int64(statement, 1),
						  sqlite3_column_int64(statement, 2)};
	}
	sqlite3_finalize(statement);
	db->code = code;
	return db_fault_of(code);
}

static enum store_fault run(struct store_db *db, const char *sql, const struct behind *behind,
			    int64_t to)
{
	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v2(db->sqlite, sql, -1, &statement, NULL);

	if (code == SQLITE_OK) {
		sqlite3_bind_int64(statement, 1, behind->id);
		if (sql == index_sql)
			sqlite3_bind_int64(statement, 2, behind->indexed);
		sqlite3_bind_int64(statement, 3, to);
		code = sqlite3_step(statement);
	}
	sqlite3_finalize(statement);
	db->code = code;
	return db_fault_of(code);
}

/* The next step of this buffer; how many lines are left to the most. */
static enum store_fault step(struct store_db *db, struct behind *behind, int64_t *most)
{
	enum store_fault fault = STORE_GOOD;

	while (behind->indexed<behind->head && * most> 0 && !fault) {
		int64_t to = behind->indexed + STEP < behind->head ? behind->indexed + STEP
								   : behind->head;

		fault = run(db, index_sql, behind, to);
		if (!fault)
			fault = run(db, done_sql, behind, to);
		*most -= to - behind->indexed;
		behind->indexed = to;
	}
	return fault;
}

static enum store_fault index_all(struct store_db *db, const char *user, int64_t network,
				  int64_t most, bool *more)
{
	struct behind behind = {0};
	enum store_fault fault = find(db, user, network, &behind);

	while (!fault && behind.id && most > 0) {
		fault = step(db, &behind, &most);
		if (!fault)
			fault = find(db, user, network, &behind);
	}
	*more = behind.id;
	return fault;
}

enum store_fault index_some(struct store_db *db, bool *more)
{
	return index_all(db, NULL, 0, STEP, more);
}

enum store_fault index_user(struct store_db *db, const char *user, int64_t network)
{
	bool more;

	return index_all(db, user, network, MOST, &more);
}
