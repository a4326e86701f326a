#include "store/store_db.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"
#include "store/store_schema.h"

#define APPLICATION 0x726e676d /* "rngm"; schema/001 sets it */
#define BUSY_MS     500        /* how long another program may have the file */

enum store_fault db_fault_of(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE: return STORE_GOOD;
	case SQLITE_FULL: return STORE_FULL;
	case SQLITE_READONLY:
	case SQLITE_PERM: return STORE_READ_ONLY;
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return STORE_LOCKED;
	case SQLITE_CANTOPEN:
	case SQLITE_AUTH: return STORE_MISSING;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB: return STORE_CORRUPT;
	default: return STORE_BROKEN;
	}
}

static enum store_fault db_failed(struct store_db *db, int code)
{
	db->fault = db_fault_of(code);
	db->code = code;
	/* A full disk shows itself as an error of writing too. */
	if (db->fault == STORE_BROKEN && db->sqlite) {
		switch (sqlite3_system_errno(db->sqlite)) {
		case ENOSPC:
		case EDQUOT:
		case EFBIG: db->fault = STORE_FULL; break;
		case EROFS: db->fault = STORE_READ_ONLY; break;
		default: break;
		}
	}
	return db->fault;
}

enum store_fault db_run(struct store_db *db, const char *sql)
{
	int code = sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? STORE_GOOD : db_failed(db, code);
}

sqlite3_stmt *db_statement(struct store_db *db, unsigned number, const char *sql)
{
	sqlite3_stmt **statement = &db->statement[number];
	int code;

	CHECK(number < STORE_STATEMENTS);
	if (!*statement) {
		code = sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, statement,
					  NULL);
		if (code != SQLITE_OK) {
			db_failed(db, code);
			return NULL;
		}
	}
	sqlite3_reset(*statement);
	sqlite3_clear_bindings(*statement);
	return *statement;
}

enum store_fault db_step(struct store_db *db, sqlite3_stmt *statement)
{
	enum store_fault fault = STORE_GOOD;
	int code;

	do
		code = sqlite3_step(statement);
	while (code == SQLITE_ROW);
	/* What was wrong is asked before the reset, which makes it be forgotten. */
	if (code != SQLITE_DONE)
		fault = db_failed(db, code);
	sqlite3_reset(statement);
	return fault;
}

/* --- opening -------------------------------------------------------------------------------- */

static bool read_number(struct store_db *db, const char *sql, int64_t *number)
{
	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v2(db->sqlite, sql, -1, &statement, NULL);

	if (code == SQLITE_OK) {
		code = sqlite3_step(statement);
		if (code == SQLITE_ROW)
			*number = sqlite3_column_int64(statement, 0);
	}
	if (code != SQLITE_ROW)
		db_failed(db, code);
	sqlite3_finalize(statement);
	return code == SQLITE_ROW;
}

/* One step, whole or not at all. */
static enum store_fault migrate_step(struct store_db *db, int version)
{
	char set[64];
	enum store_fault fault = db_run(db, "BEGIN IMMEDIATE");

	if (fault)
		return fault;
	snprintf(set, sizeof set, "PRAGMA user_version = %d", version + 1);
	fault = db_run(db, store_schema[version].sql);
	if (!fault)
		fault = db_run(db, set);
	if (!fault)
		fault = db_run(db, "COMMIT");
	if (fault)
		sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
	else
		log_info("store", "schema", kv_str("step", store_schema[version].name));
	return fault;
}

/* Looks only, so that what is not ours stays as it is. */
static enum store_fault look(struct store_db *db, int64_t *version)
{
	int64_t application, tables;

	if (!read_number(db, "PRAGMA user_version", version) ||
	    !read_number(db, "PRAGMA application_id", &application) ||
	    !read_number(db, "SELECT count(*) FROM sqlite_schema", &tables))
		return db->fault;
	if (application != APPLICATION && (*version || tables))
		return STORE_FOREIGN;
	return *version > store_schema_version ? STORE_NEWER : STORE_GOOD;
}

static enum store_fault migrate(struct store_db *db)
{
	static const char settings[] = "PRAGMA auto_vacuum = INCREMENTAL;"
				       "PRAGMA journal_mode = WAL;"
				       "PRAGMA synchronous = NORMAL;"
				       "PRAGMA journal_size_limit = 4194304;"
				       "PRAGMA trusted_schema = OFF;"
				       "PRAGMA temp_store = MEMORY;";
	int64_t version;
	enum store_fault fault = look(db, &version);

	if (!fault)
		fault = db_run(db, settings);
	/* A file that may not be written is opened all the same, and only then refused. */
	if (!fault && sqlite3_db_readonly(db->sqlite, "main") == 1)
		fault = STORE_READ_ONLY;
	for (; !fault && version < store_schema_version; version++)
		fault = migrate_step(db, (int)version);
	return fault;
}

/* SQLite would make it readable for all. What it keeps beside it gets the same permissions. */
static void make_private(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd != -1)
		close(fd);
}

/* What lies beside the file cannot be made either, and SQLite says only that something could not be
 * opened. */
static bool is_read_only(const char *path)
{
	return access(path, F_OK) == 0 && access(path, W_OK) == -1;
}

enum store_fault db_open(struct store_db *db, const char *path)
{
	enum store_fault fault;
	int code;

	make_private(path);
	code = sqlite3_open_v2(path, &db->sqlite,
			       SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
			       NULL);
	if (code != SQLITE_OK) {
		fault = db_failed(db, code);
	} else {
		sqlite3_busy_timeout(db->sqlite, BUSY_MS);
		code = pieces_open(&db->pieces, db->sqlite);
		fault = code == SQLITE_OK ? migrate(db) : db_failed(db, code);
	}
	if (fault == STORE_MISSING && is_read_only(path))
		fault = STORE_READ_ONLY;
	if (fault)
		db_close(db);
	db->fault = fault;
	return fault;
}

void db_close(struct store_db *db)
{
	for (unsigned i = 0; i < STORE_STATEMENTS; i++) {
		sqlite3_finalize(db->statement[i]);
		db->statement[i] = NULL;
	}
	pieces_close(&db->pieces);
	sqlite3_close(db->sqlite);
	db->sqlite = NULL;
}

/* --- corrupt files -------------------------------------------------------------------------- */

static bool move(const char *path, const char *end, const char *to)
{
	char from_name[4200], to_name[4200];

	snprintf(from_name, sizeof from_name, "%s%s", path, end);
	snprintf(to_name, sizeof to_name, "%s%s", to, end);
	return renameat2(AT_FDCWD, from_name, AT_FDCWD, to_name, RENAME_NOREPLACE) == 0;
}

bool db_move_aside(const char *path, char *to, size_t size)
{
	time_t now = time(NULL);
	struct tm tm;
	char when[32];

	gmtime_r(&now, &tm);
	strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", &tm);
	for (int i = 0; i < 100; i++) {
		if (i)
			snprintf(to, size, "%s.corrupt-%s-%d", path, when, i);
		else
			snprintf(to, size, "%s.corrupt-%s", path, when);
		if (move(path, "", to)) {
			/* They belong to it, and would spoil the next one. */
			(void)move(path, "-wal", to);
			(void)move(path, "-shm", to);
			return true;
		}
		if (errno != EEXIST)
			return false;
	}
	return false;
}

int db_salvage(struct store_db *db, const char *from)
{
	static const char *const copies[] = {
		"INSERT OR IGNORE INTO main.users SELECT * FROM aside.users",
		"INSERT OR IGNORE INTO main.tokens SELECT * FROM aside.tokens",
	};
	sqlite3_stmt *attach = NULL;
	int count = 0;

	if (sqlite3_prepare_v2(db->sqlite, "ATTACH ?1 AS aside", -1, &attach, NULL) != SQLITE_OK)
		return 0;
	sqlite3_bind_text(attach, 1, from, -1, SQLITE_STATIC);
	if (sqlite3_step(attach) == SQLITE_DONE) {
		for (size_t i = 0; i < COUNT_OF(copies); i++)
			if (sqlite3_exec(db->sqlite, copies[i], NULL, NULL, NULL) == SQLITE_OK)
				count += sqlite3_changes(db->sqlite);
	}
	sqlite3_finalize(attach);
	sqlite3_exec(db->sqlite, "DETACH aside", NULL, NULL, NULL);
	return count;
}
