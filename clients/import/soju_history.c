/* soju's database: what was said, how far it was read, how far each client was told. */
#include "soju.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MSGID_DB 3 /* soju's kind of an id that is a row of Message */

/* --- rows ------------------------------------------------------------------------------------- */

const char *soju_text_of(const struct soju_row *row, const char *name)
{
	for (int i = 0; i < sqlite3_column_count(row->statement); i++)
		if (strcmp(sqlite3_column_name(row->statement, i), name) == 0) {
			const char *text = (const char *)sqlite3_column_text(row->statement, i);

			return text ? text : "";
		}
	return "";
}

sqlite3_int64 soju_number_of(const struct soju_row *row, const char *name)
{
	return strtoll(soju_text_of(row, name), NULL, 10);
}

int soju_each(sqlite3 *db, const char *sql, sqlite3_int64 id, struct import *import,
	      const char *user, soju_take *take)
{
	struct soju_row row;
	int code;

	if (sqlite3_prepare_v2(db, sql, -1, &row.statement, NULL) != SQLITE_OK)
		return -1;
	sqlite3_bind_int64(row.statement, 1, id);
	while ((code = sqlite3_step(row.statement)) == SQLITE_ROW)
		take(db, &row, import, user);
	sqlite3_finalize(row.statement);
	return code == SQLITE_DONE ? 0 : -1;
}

/* Names here are without blanks and slashes; so are soju's, but for hosts with a port. */
void soju_network_name(const struct soju_row *row, char *out, size_t size)
{
	const char *name = soju_text_of(row, "name"), *host;
	size_t len = 0;

	if (!name[0]) {
		name = soju_text_of(row, "addr");
		host = strstr(name, "://");
		name = host ? host + 3 : name;
	}
	for (; *name && len + 1 < size && *name != ':'; name++)
		out[len++] =
			*name == '/' || *name == '@' || *name == ' ' || *name == ',' ? '-' : *name;
	out[len] = '\0';
}

/* --- what was said ---------------------------------------------------------------------------- */

static const char *word_behind(const char *text)
{
	text += strcspn(text, " ");
	return text + strspn(text, " ");
}

/* Reactions, typing and questions to programs have no place among what is kept here. */
static bool is_kept(const char *raw)
{
	static const char *const verbs[] = {"PRIVMSG ", "NOTICE ", "JOIN ", "PART ", "QUIT",
					    "KICK ",    "NICK ",   "MODE ", "TOPIC "};
	const char *text;

	raw = raw[0] == '@' ? word_behind(raw) : raw;
	raw = raw[0] == ':' ? word_behind(raw) : raw;
	text = strstr(raw, " :\001");
	if (text && strncmp(text, " :\001ACTION", 9) != 0)
		return false;
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (strncmp(raw, verbs[i], strlen(verbs[i])) == 0)
			return true;
	return false;
}

/* Of one network, target by target. */
struct told {
	struct import_lines lines;
	sqlite3_int64 at; /* the target at hand */
	char *target;     /* NULL: none yet */
	unsigned passed_over;
};

static void target_end(struct told *told)
{
	import_lines_end(&told->lines);
	free(told->target);
	told->target = NULL;
	told->lines.target = NULL;
}

static void take_message(struct told *told, const struct soju_row *row)
{
	const char *raw, *when;
	char *line = NULL;

	if (!told->target || soju_number_of(row, "target_id") != told->at) {
		target_end(told);
		told->at = soju_number_of(row, "target_id");
		told->lines.target = told->target = strdup(soju_text_of(row, "target_name"));
	}
	raw = soju_text_of(row, "raw");
	when = soju_text_of(row, "time");
	if (!is_kept(raw)) {
		told->passed_over++;
		return;
	}
	if (told->target && asprintf(&line, "@time=%s%s%s", when, raw[0] == '@' ? ";" : " ",
				     raw + (raw[0] == '@')) != -1) {
		import_line(&told->lines, line);
		free(line);
	}
}

/* message-store fs: LOGS/USER/NETWORK/TARGET/DAY.log */
static void take_files(const struct soju_row *row, struct import *import, const char *user,
		       const char *network)
{
	const char *name = soju_text_of(row, "name"), *nick = soju_text_of(row, "nick");
	char path[4096], folder[300];
	size_t len = 0;

	if (!import->logs)
		return;
	for (name = name[0] ? name : soju_text_of(row, "addr"); *name && len + 1 < sizeof folder;
	     name++)
		folder[len++] = *name == '/' || *name == '\\' ? '-' : *name;
	folder[len] = '\0';
	snprintf(path, sizeof path, "%s/%s/%s", import->logs, user, folder);
	if (!import_logs(import, user, network, nick[0] ? nick : user, path))
		import_note(import, 0, "%s: %s: no lines are in %s", user, network, path);
}

static void take_history(sqlite3 *db, const struct soju_row *network_row, struct import *import,
			 const char *user)
{
	char network[80];
	struct told told = {.lines = {.import = import, .user = user, .network = network}};
	struct soju_row row;

	soju_network_name(network_row, network, sizeof network);
	if (sqlite3_prepare_v2(db,
			       "SELECT t.id AS target_id, t.target AS target_name, m.raw, m.time "
			       "FROM Message m JOIN MessageTarget t ON t.id = m.target "
			       "WHERE t.network = ?1 ORDER BY t.id, m.time, m.id",
			       -1, &row.statement, NULL) == SQLITE_OK) {
		sqlite3_bind_int64(row.statement, 1, soju_number_of(network_row, "id"));
		while (sqlite3_step(row.statement) == SQLITE_ROW)
			take_message(&told, &row);
		target_end(&told);
	}
	sqlite3_finalize(row.statement);
	if (told.passed_over)
		import_note(
			import, 0,
			"%s: %s: %u reactions and the like, that are no words, are not taken over",
			user, network, told.passed_over);
	if (told.lines.too_long)
		import_note(import, 0, "%s: %s: %u lines are too long", user, network,
			    told.lines.too_long);
	take_files(network_row, import, user, network);
}

/* --- how far it was read and told --------------------------------------------------------------- */

static void begin(const struct soju_row *row, struct import *import, const char *user,
		  const char *words)
{
	char network[80];

	soju_network_name(row, network, sizeof network);
	import_order(import, user, words);
	import_option(import, "in", soju_text_of(row, "target_name"));
	import_option(import, "network", network);
}

static void take_read(sqlite3 *db, const struct soju_row *row, struct import *import,
		      const char *user)
{
	(void)db;
	begin(row, import, user, "data mark");
	import_option(import, "read", soju_text_of(row, "read_at"));
	import_order_end(import);
}

static void take_flags(sqlite3 *db, const struct soju_row *row, struct import *import,
		       const char *user)
{
	static const char *const flags[] = {"pinned", "muted", "blocked"};

	(void)db;
	begin(row, import, user, "data mark");
	for (size_t i = 0; i < 3; i++)
		if (soju_number_of(row, flags[i]))
			import_option(import, flags[i], "true");
	import_order_end(import);
}

/* A number of BARE: seven bits a byte, the low ones first. */
static bool read_number(const unsigned char **at, const unsigned char *end, uint64_t *value)
{
	*value = 0;
	for (unsigned shift = 0; *at < end && shift < 64; shift += 7) {
		unsigned char byte = *(*at)++;

		*value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

/* Which row of Message an id of soju's is: base64 of version, network, target, kind and row. */
static bool message_of(const char *text, sqlite3_int64 *id)
{
	unsigned char room[600];
	const unsigned char *at = room, *end;
	uint64_t number;
	size_t size;

	if (!import_base64_take(text, room, sizeof room, &size))
		return false;
	end = room + size;
	if (!read_number(&at, end, &number) || number != 0 || !read_number(&at, end, &number) ||
	    !read_number(&at, end, &number) || number > (uint64_t)(end - at))
		return false;
	at += number;
	if (!read_number(&at, end, &number) || number != MSGID_DB ||
	    !read_number(&at, end, &number))
		return false;
	*id = (sqlite3_int64)number;
	return true;
}

static unsigned count_behind(sqlite3 *db, const struct soju_row *row, sqlite3_int64 id)
{
	struct soju_row line;
	unsigned count = 0;

	if (sqlite3_prepare_v2(
		    db,
		    "SELECT m.raw FROM Message m JOIN MessageTarget t ON t.id = m.target "
		    "WHERE t.network = ?1 AND t.target = ?2 AND m.id > ?3",
		    -1, &line.statement, NULL) == SQLITE_OK) {
		sqlite3_bind_int64(line.statement, 1, soju_number_of(row, "network_id"));
		sqlite3_bind_text(line.statement, 2, soju_text_of(row, "target_name"), -1,
				  SQLITE_TRANSIENT);
		sqlite3_bind_int64(line.statement, 3, id);
		while (sqlite3_step(line.statement) == SQLITE_ROW)
			count += is_kept(soju_text_of(&line, "raw"));
	}
	sqlite3_finalize(line.statement);
	return count;
}

static void take_receipt(sqlite3 *db, const struct soju_row *row, struct import *import,
			 const char *user)
{
	char unread[24];
	sqlite3_int64 id;

	/* Places in files, or in soju's memory. */
	if (!message_of(soju_text_of(row, "internal_msgid"), &id)) {
		import_note(import, 0,
			    "%s: how much of %s its client \"%s\" has been told is not known: it "
			    "begins with what is new",
			    user, soju_text_of(row, "target_name"), soju_text_of(row, "client"));
		id = INT64_MAX;
	}
	snprintf(unread, sizeof unread, "%u", count_behind(db, row, id));
	begin(row, import, user, "data place");
	import_option(import, "client", soju_text_of(row, "client"));
	import_option(import, "unread", unread);
	import_order_end(import);
}

static void take_start(sqlite3 *db, const struct soju_row *row, struct import *import,
		       const char *user)
{
	char network[80];

	(void)db;
	if (strcmp(soju_text_of(row, "enabled"), "0") == 0)
		return;
	soju_network_name(row, network, sizeof network);
	import_order(import, user, "network update");
	import_word(import, network);
	import_option(import, "enabled", "true");
	import_order_end(import);
}

/* Older versions do not have all of these tables. */
void soju_history(sqlite3 *db, sqlite3_int64 id, struct import *import, const char *user)
{
	(void)soju_each(db, "SELECT * FROM Network WHERE user = ?1 ORDER BY id", id, import, user,
			take_history);
	(void)soju_each(
		db,
		"SELECT n.name, n.addr, t.target AS target_name, t.pinned, t.muted, t.blocked "
		"FROM MessageTarget t JOIN Network n ON n.id = t.network "
		"WHERE n.user = ?1 AND (t.pinned OR t.muted OR t.blocked) ORDER BY t.id",
		id, import, user, take_flags);
	(void)soju_each(db,
			"SELECT n.name, n.addr, r.target AS target_name, r.timestamp AS read_at "
			"FROM ReadReceipt r JOIN Network n ON n.id = r.network WHERE n.user = ?1 "
			"ORDER BY r.id",
			id, import, user, take_read);
	(void)soju_each(
		db,
		"SELECT n.name, n.addr, n.id AS network_id, d.target AS target_name, d.client, "
		"d.internal_msgid FROM DeliveryReceipt d JOIN Network n ON n.id = d.network "
		"WHERE n.user = ?1 ORDER BY d.id",
		id, import, user, take_receipt);
	(void)soju_each(db, "SELECT * FROM Network WHERE user = ?1 ORDER BY id", id, import, user,
			take_start);
}
