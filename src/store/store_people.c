#include "store/store_people.h"

#include "store/store_db.h"

static const char *const statements[] = {
	[STORE_PUT_USER] =
		"INSERT INTO users (name, stored, rank, mounts, disabled, created, seen) "
		"VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (name) DO UPDATE SET "
		"stored = excluded.stored, rank = excluded.rank, mounts = excluded.mounts, "
		"disabled = excluded.disabled",
	[STORE_DROP_USER] = "DELETE FROM users WHERE name = ?1",
	[STORE_PUT_TOKEN] =
		"INSERT OR REPLACE INTO tokens (id, hash, prefix, name, owner, "
		"of_settings, rank, mounts, created, expires, used, used_address) VALUES "
		"(nullif(?8, 0), ?9, ?10, ?1, ?11, ?12, ?3, ?4, ?6, ?13, ?7, '')",
	[STORE_DROP_TOKEN] = "DELETE FROM tokens WHERE id = ?8",
	[STORE_DROP_SESSIONS] = "DELETE FROM sessions WHERE user = ?1 AND of_settings = 0",
};

static enum store_fault run(struct store_db *db, const struct store_change *change, const char *sql)
{
	sqlite3_stmt *statement;
	enum store_fault fault;

	db->code = sqlite3_prepare_v2(db->sqlite, sql, -1, &statement, NULL);
	if (db->code != SQLITE_OK)
		return db_fault_of(db->code);
	sqlite3_bind_text(statement, 1, change->name, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, change->stored, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 3, change->rank, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 4, change->mounts, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 5, change->disabled);
	sqlite3_bind_int64(statement, 6, change->created_ms);
	sqlite3_bind_int64(statement, 7, change->seen_ms);
	sqlite3_bind_int64(statement, 8, change->number);
	sqlite3_bind_blob(statement, 9, change->hash, sizeof change->hash, SQLITE_STATIC);
	sqlite3_bind_text(statement, 10, change->prefix, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 11, change->owner, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 12, change->of_settings);
	sqlite3_bind_int64(statement, 13, change->expires_ms);
	fault = db_step(db, statement);
	sqlite3_finalize(statement);
	return fault;
}

enum store_fault store_change_run(struct store_db *db, struct store_ask *ask)
{
	struct store_change *change = container_of(ask, struct store_change, ask);
	enum store_fault fault = run(db, change, statements[change->kind]);

	if (!fault && change->kind == STORE_PUT_TOKEN)
		change->number = sqlite3_last_insert_rowid(db->sqlite);
	/* With a user go his tokens and his browsers. */
	if (!fault && change->kind == STORE_DROP_USER) {
		fault = run(db, change, "DELETE FROM tokens WHERE owner = ?1 AND of_settings = 0");
		if (!fault)
			fault = run(db, change, statements[STORE_DROP_SESSIONS]);
	}
	return fault;
}
