#include "store/store_write.h"

#include <arpa/inet.h>
#include <string.h>

#include "core/metric.h"
#include "store/store_index.h"

#define PRUNE_ROWS 500
#define DAY_MS     86400000

/* What is in the index goes out of it later, a little at a time (store_index.c). */
#define UNINDEX                                                                                \
	"INSERT INTO irc_gone (id, text) SELECT l.buffer << 40 | l.seq, " INDEX_TEXT(          \
		"l.line") " FROM irc_buffers b CROSS JOIN irc_lines l ON l.buffer = b.id AND " \
			  "l.seq <= b.indexed "                                                \
			  "WHERE " INDEX_SAID("l.kind") " AND "

/* Statements by kind; ?1 … are the event's numbers, then its texts from ?10 on, its address at ?20.
 * SQLite numbers parameters, so that a statement uses what it needs. Up to two further ones have the same
 * parameters. */
static const char *const statements[STORE_KINDS][3] = {
	[STORE_SONG] = {"UPDATE songs SET ended = ?1, peak = max(peak, ?2) WHERE mount = ?10 AND "
			"ended IS NULL",
			"INSERT INTO songs (mount, title, began, listeners, peak) "
			"SELECT ?10, ?11, ?1, ?2, ?2 WHERE ?11 <> ''"},
	[STORE_SOURCE_CAME] =
		{"INSERT INTO sources (number, mount, address, agent, user, protocol, "
		 "type, began, bytes, why) VALUES (?1, ?10, ?20, ?11, ?12, ?13, ?14, "
		 "?2, 0, '')",
		 NULL},
	[STORE_SOURCE_GONE] = {"UPDATE sources SET ended = ?2, bytes = ?3, why = ?10 "
			       "WHERE number = ?1 AND ended IS NULL",
			       NULL},
	[STORE_LISTENER] =
		{"INSERT INTO listeners (mount, address, agent, began, ended, bytes, why) "
		 "VALUES (?10, ?20, ?11, ?1, ?2, ?3, ?12)",
		 NULL},
	[STORE_MINUTE] = {"INSERT INTO minutes (mount, at, listeners, peak, joins, bytes_in, "
			  "bytes_out) VALUES (?10, ?1, ?2 / 60000.0, ?3, ?4, ?5, ?6) "
			  "ON CONFLICT DO UPDATE SET listeners = listeners + excluded.listeners, "
			  "peak = max(peak, excluded.peak), joins = joins + excluded.joins, "
			  "bytes_in = bytes_in + excluded.bytes_in, "
			  "bytes_out = bytes_out + excluded.bytes_out",
			  "UPDATE songs SET peak = ?3 WHERE mount = ?10 AND ended IS NULL AND "
			  "peak < ?3"},
	[STORE_ACT] = {"INSERT INTO audit (at, who, how, address, action, target, result) "
		       "VALUES (?1, ?10, ?11, ?20, ?12, ?13, ?14)",
		       NULL},
	[STORE_USER_SEEN] = {"UPDATE users SET seen = max(seen, ?1) WHERE name = ?10", NULL},
	[STORE_TOKEN_USED] = {"UPDATE tokens SET used = ?1, used_address = ?20 WHERE id = ?2",
			      NULL},
	[STORE_SESSION_PUT] = {"INSERT OR REPLACE INTO sessions (hash, user, of_settings, bound, "
			       "address, agent, created, seen) "
			       "VALUES (?10, ?12, ?3, ?11, ?21, ?13, ?1, ?2)",
			       NULL},
	[STORE_SESSION_SEEN] = {"UPDATE sessions SET seen = max(seen, ?1) WHERE hash = ?10", NULL},
	[STORE_SESSION_DROP] = {"DELETE FROM sessions WHERE hash = ?10", NULL},
	[STORE_IRC_LINE] = {"INSERT OR REPLACE INTO irc_lines (buffer, seq, at, kind, tags, line) "
			    "VALUES (?1, ?2, ?3, ?4, ?10, ?11)",
			    NULL},
	[STORE_IRC_USER] = {"INSERT OR REPLACE INTO irc_users (name, settings) VALUES (?10, ?11)",
			    NULL},
	[STORE_IRC_USER_DROP] = {"DELETE FROM irc_devices WHERE user = ?10",
				 "DELETE FROM irc_users WHERE name = ?10"},
	[STORE_IRC_NETWORK] =
		{"INSERT OR REPLACE INTO irc_networks (id, user, name, settings, certificate, "
		 "private_key) VALUES (?1, ?10, ?11, ?12, ?13, ?14)",
		 NULL},
	[STORE_IRC_NETWORK_DROP] = {"DELETE FROM irc_networks WHERE id = ?1", NULL},
	[STORE_IRC_BUFFER] = {"INSERT INTO irc_buffers (id, network, name, settings, marker) "
			      "VALUES (?1, ?2, ?10, ?11, ?3) ON CONFLICT (id) DO UPDATE SET name = "
			      "excluded.name, settings = excluded.settings",
			      NULL},
	[STORE_IRC_BUFFER_DROP] = {UNINDEX "l.buffer = ?1",
				   "DELETE FROM irc_lines WHERE buffer = ?1",
				   "DELETE FROM irc_buffers WHERE id = ?1"},
	[STORE_IRC_BUFFERS_DROP] = {UNINDEX "b.network = ?1",
				    "DELETE FROM irc_lines WHERE buffer IN (SELECT id FROM "
				    "irc_buffers WHERE network = ?1)",
				    "DELETE FROM irc_buffers WHERE network = ?1"},
	[STORE_IRC_MARKER] = {"UPDATE irc_buffers SET marker = max(marker, ?2) WHERE id = ?1",
			      NULL},
	/* Where nothing is left, numbers begin anew at the next start: they are not in the index. */
	[STORE_IRC_PRUNE] = {UNINDEX "l.buffer = ?1 AND l.at < ?2",
			     "DELETE FROM irc_lines WHERE buffer = ?1 AND at < ?2",
			     "UPDATE irc_buffers SET indexed = min(indexed, coalesce((SELECT "
			     "max(seq) FROM irc_lines WHERE buffer = ?1), 0)) WHERE id = ?1"},
	[STORE_IRC_DEVICE] = {"INSERT OR REPLACE INTO irc_devices (id, user, name, seen) VALUES "
			      "(?1, ?10, ?11, ?2)",
			      NULL},
	[STORE_IRC_DEVICE_DROP] = {"DELETE FROM irc_devices WHERE id = ?1", NULL},
	[STORE_IRC_PASSWORD] =
		{"INSERT OR REPLACE INTO irc_passwords (id, user, label, kind, hash, created, "
		 "used, address, fingerprint) VALUES (?1, ?11, ?12, ?13, ?10, ?2, 0, '', ?14)",
		 NULL},
	[STORE_IRC_PASSWORD_USED] = {"UPDATE irc_passwords SET used = ?2, address = ?20 WHERE "
				     "id = ?1",
				     NULL},
	[STORE_IRC_PUSH] =
		{"INSERT OR REPLACE INTO irc_pushes (id, user, network, endpoint, p256dh, "
		 "auth, created) VALUES (?1, ?10, ?2, ?11, ?12, ?13, ?3)",
		 NULL},
	[STORE_IRC_PUSH_DROP] = {"DELETE FROM irc_pushes WHERE id = ?1", NULL},
	[STORE_IRC_PASSWORD_DROP] = {"DELETE FROM irc_passwords WHERE id = ?1", NULL},
};

static_assert(3 * STORE_KINDS <= STORE_STATEMENTS, "each kind has three statements");

/* What is kept of an address, as text. */
static void address_write(char text[INET6_ADDRSTRLEN], const uint8_t *ip, enum store_addresses kept)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	bool v4 = memcmp(ip, mapped, sizeof mapped) == 0;
	uint8_t part[16] = {0};

	text[0] = '\0';
	if (kept == STORE_ADDRESSES_NONE)
		return;
	memcpy(part, ip, sizeof part);
	if (kept == STORE_ADDRESSES_TRUNCATED && v4)
		part[15] = 0;
	else if (kept == STORE_ADDRESSES_TRUNCATED)
		memset(part + 6, 0, sizeof part - 6);
	if (v4)
		inet_ntop(AF_INET, part + 12, text, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, part, text, INET6_ADDRSTRLEN);
}

/* privacy.addresses is about listeners; who changes something is always known. */
static void bind_event(struct store_db *db, sqlite3_stmt *statement,
		       const struct store_event *event)
{
	char address[INET6_ADDRSTRLEN] = "";
	int count = sqlite3_bind_parameter_count(statement);

	if (event->has_ip)
		address_write(address, event->ip,
			      event->kind == STORE_LISTENER ? db->addresses : STORE_ADDRESSES_FULL);
	for (int i = 0; i < (int)STORE_NUMBERS && i < count; i++)
		sqlite3_bind_int64(statement, i + 1, event->number[i]);
	for (int i = 0; i < (int)STORE_TEXTS && event->text_at[i] && 10 + i <= count; i++) {
		const char *text = store_event_text(event, (unsigned)i);

		if (i < event->blobs)
			sqlite3_bind_blob(statement, 10 + i, text, event->text_len[i],
					  SQLITE_STATIC);
		else
			sqlite3_bind_text(statement, 10 + i, text, event->text_len[i],
					  SQLITE_STATIC);
	}
	if (count >= 20)
		sqlite3_bind_text(statement, 20, address, -1, SQLITE_TRANSIENT);
	if (count >= 21)
		sqlite3_bind_blob(statement, 21, event->ip, sizeof event->ip, SQLITE_STATIC);
}

static enum store_fault write_statement(struct store_db *db, unsigned number, const char *sql,
					const struct store_event *event)
{
	sqlite3_stmt *statement = db_statement(db, number, sql);
	enum store_fault fault;

	if (!statement)
		return db->fault;
	bind_event(db, statement, event);
	fault = db_step(db, statement);
	sqlite3_clear_bindings(statement);
	return fault;
}

/* Whether the event is at fault and not the file. */
static bool is_events_fault(const struct store_db *db)
{
	int code = db->code & 0xff;

	return code == SQLITE_CONSTRAINT || code == SQLITE_MISMATCH || code == SQLITE_TOOBIG ||
	       code == SQLITE_RANGE;
}

static enum store_fault write_event(struct store_db *db, const struct store_event *event)
{
	unsigned number = 3u * event->kind;
	enum store_fault fault = write_statement(db, number, statements[event->kind][0], event);

	for (unsigned i = 1; i < 3 && !fault && statements[event->kind][i]; i++)
		fault = write_statement(db, number + i, statements[event->kind][i], event);
	if (!fault && event->kind == STORE_MINUTE && event->number[0] < db->oldest_minute)
		db->oldest_minute = event->number[0];
	if (fault && is_events_fault(db)) {
		metric_add(METRIC_store_events_lost, 1);
		return STORE_GOOD;
	}
	return fault;
}

enum store_fault write_batch(struct store_db *db, const struct store_batch *batch)
{
	enum store_fault fault = STORE_GOOD;

	for (uint32_t at = 0; at < batch->len && !fault;) {
		const struct store_event *event =
			(const struct store_event *)(const void *)(batch->bytes + at);

		fault = write_event(db, event);
		at += event->size;
	}
	return fault;
}

/* --- housekeeping --------------------------------------------------------------------------- */

enum store_fault write_end_of_earlier_run(struct store_db *db)
{
	return db_run(db,
		      "UPDATE songs SET ended = max(began, coalesce((SELECT max(at) + 60000 FROM "
		      "minutes), 0)) WHERE ended IS NULL;"
		      "UPDATE sources SET ended = max(began, coalesce((SELECT max(at) + 60000 FROM "
		      "minutes), 0)), why = 'server ended' WHERE ended IS NULL;");
}

/* A mean over the whole hour or day, so that listening is neither lost nor made up. */
static const char roll_hours[] =
	"INSERT OR REPLACE INTO hours SELECT mount, at / 3600000 * 3600000 AS hour, "
	"sum(listeners) / 60, max(peak), sum(joins), sum(bytes_in), sum(bytes_out) FROM minutes "
	"WHERE at >= ?1 / 3600000 * 3600000 GROUP BY mount, hour";
static const char roll_days[] =
	"INSERT OR REPLACE INTO days SELECT mount, at / 86400000 * 86400000 AS day, "
	"sum(listeners) / 24, max(peak), sum(joins), sum(bytes_in), sum(bytes_out) FROM hours "
	"WHERE at >= ?1 / 86400000 * 86400000 GROUP BY mount, day";

static enum store_fault run_with(struct store_db *db, const char *sql, int64_t number, int *changed)
{
	sqlite3_stmt *statement;
	enum store_fault fault;

	if (sqlite3_prepare_v2(db->sqlite, sql, -1, &statement, NULL) != SQLITE_OK) {
		db->code = sqlite3_extended_errcode(db->sqlite);
		return db_fault_of(db->code);
	}
	sqlite3_bind_int64(statement, 1, number);
	fault = db_step(db, statement);
	*changed = sqlite3_changes(db->sqlite);
	sqlite3_finalize(statement);
	return fault;
}

enum store_fault write_roll_up(struct store_db *db)
{
	enum store_fault fault;
	int changed = 0;

	if (db->oldest_minute == INT64_MAX)
		return STORE_GOOD;
	fault = run_with(db, roll_hours, db->oldest_minute, &changed);
	if (!fault)
		fault = run_with(db, roll_days, db->oldest_minute, &changed);
	if (!fault)
		db->oldest_minute = INT64_MAX;
	return fault;
}

enum store_fault write_prune(struct store_db *db, const struct store_conf *conf, int64_t now_ms,
			     bool *more)
{
	/* Small steps, so that no transaction keeps what comes in waiting for long. The rows of an
	 * hour that is not over stay until it is rolled up. */
	const struct {
		const char *sql;
		uint64_t days;
	} steps[] = {
		{"DELETE FROM songs WHERE id IN (SELECT id FROM songs WHERE began < ?1 AND ended "
		 "IS "
		 "NOT NULL LIMIT 500)",
		 conf->history_days},
		{"DELETE FROM sources WHERE id IN (SELECT id FROM sources WHERE began < ?1 AND "
		 "ended "
		 "IS NOT NULL LIMIT 500)",
		 conf->history_days},
		{"DELETE FROM listeners WHERE id IN (SELECT id FROM listeners WHERE ended < ?1 "
		 "LIMIT "
		 "500)",
		 conf->history_days},
		{"DELETE FROM minutes WHERE (at, mount) IN (SELECT at, mount FROM minutes WHERE at "
		 "< "
		 "?1 LIMIT 500)",
		 conf->minute_days},
		{"DELETE FROM hours WHERE (at, mount) IN (SELECT at, mount FROM hours WHERE at < "
		 "?1 "
		 "LIMIT 500)",
		 conf->hour_days},
		{"DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < ?1 LIMIT 500)",
		 conf->audit_days},
	};
	enum store_fault fault = STORE_GOOD;
	int changed = 0;

	*more = false;
	for (size_t i = 0; i < COUNT_OF(steps) && !fault; i++) {
		/* Whole days, so that no day is rolled up from a part of its hours. */
		int64_t before = (now_ms / DAY_MS - (int64_t)steps[i].days) * DAY_MS;

		fault = run_with(db, steps[i].sql, before, &changed);
		*more |= changed == PRUNE_ROWS;
	}
	return fault ? fault : db_run(db, "PRAGMA incremental_vacuum(256)");
}
