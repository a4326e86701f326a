#include "store/store_voice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_db.h"

static enum store_fault prepare(struct store_db *db, const char *sql, sqlite3_stmt **statement)
{
	db->code = sqlite3_prepare_v2(db->sqlite, sql, -1, statement, NULL);
	return db->code == SQLITE_OK ? STORE_GOOD : db_fault_of(db->code);
}

static bool add_row(struct store_voice *voice, sqlite3_stmt *statement)
{
	struct store_voice_row *larger, *row;

	if ((voice->count & (voice->count - 1)) == 0) {
		size_t room = voice->count ? voice->count * 2 : 1;

		larger = realloc(voice->rows, room * sizeof *larger);
		if (!larger)
			return false;
		voice->rows = larger;
	}
	row = &voice->rows[voice->count];
	snprintf(row->kind, sizeof row->kind, "%s",
		 (const char *)sqlite3_column_text(statement, 0));
	row->id = sqlite3_column_int64(statement, 1);
	row->body = strdup((const char *)sqlite3_column_text(statement, 2));
	voice->count += row->body != NULL;
	return row->body != NULL;
}

enum store_fault store_voice_load(struct store_db *db, struct store_ask *ask)
{
	struct store_voice *voice = container_of(ask, struct store_voice, ask);
	sqlite3_stmt *statement;
	enum store_fault fault =
		prepare(db, "SELECT kind, id, body FROM voice ORDER BY kind, id", &statement);

	if (fault)
		return fault;
	while ((db->code = sqlite3_step(statement)) == SQLITE_ROW && !voice->out_of_memory)
		voice->out_of_memory = !add_row(voice, statement);
	fault = db->code == SQLITE_DONE || db->code == SQLITE_ROW ? STORE_GOOD
								  : db_fault_of(db->code);
	sqlite3_finalize(statement);
	return fault;
}

static enum store_fault save(struct store_db *db, const struct store_voice_row *row)
{
	sqlite3_stmt *statement;
	enum store_fault fault = prepare(
		db,
		row->body ? "INSERT OR REPLACE INTO voice (kind, id, body) VALUES (?1, ?2, ?3)"
			  : "DELETE FROM voice WHERE kind = ?1 AND id = ?2",
		&statement);

	if (fault)
		return fault;
	sqlite3_bind_text(statement, 1, row->kind, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, row->id);
	if (row->body)
		sqlite3_bind_text(statement, 3, row->body, -1, SQLITE_STATIC);
	fault = db_step(db, statement);
	sqlite3_finalize(statement);
	return fault;
}

enum store_fault store_voice_save(struct store_db *db, struct store_ask *ask)
{
	struct store_voice *voice = container_of(ask, struct store_voice, ask);
	enum store_fault fault = STORE_GOOD;

	for (size_t i = 0; i < voice->count && !fault; i++)
		fault = save(db, &voice->rows[i]);
	return fault;
}

void store_voice_fini(struct store_voice *voice)
{
	for (size_t i = 0; i < voice->count; i++)
		free(voice->rows[i].body);
	free(voice->rows);
	voice->rows = NULL;
	voice->count = 0;
}
