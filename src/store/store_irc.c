#include "store/store_irc.h"

#include <string.h>

#include "store/store_db.h"
#include "store/store_port.h"
#include "store/store_search.h"

static_assert(STORE_IRC_TEXT_MAX == STORE_TEXT_MAX, "as a port has it");

/* --- reporting: numbers and texts in the order in which store_write.c binds them -------------- */

bool store_irc_line(const struct store_irc_line *line)
{
	const char *texts[] = {line->tags, line->line};
	struct store_event event = {.kind = STORE_IRC_LINE,
				    .number = {(int64_t)line->buffer, (int64_t)line->seq,
					       line->at_ms, line->kind}};

	if (!port_is_open())
		return true;
	if (!port_has_room(line->len))
		return false;
	port_put(&event, texts, 2);
	return true;
}

void store_irc_user(const char *name, const char *settings)
{
	const char *texts[] = {name, settings};
	struct store_event event = {.kind = STORE_IRC_USER};

	port_put(&event, texts, 2);
}

void store_irc_user_drop(const char *name)
{
	struct store_event event = {.kind = STORE_IRC_USER_DROP};

	port_put(&event, &name, 1);
}

void store_irc_network(const struct store_irc_network *network)
{
	const char *texts[] = {network->user, network->name, network->settings,
			       network->certificate, network->key};
	struct store_event event = {.kind = STORE_IRC_NETWORK, .number = {(int64_t)network->id}};

	port_put(&event, texts, 5);
}

static void put_number(enum store_kind kind, uint64_t id, int64_t value)
{
	struct store_event event = {.kind = (uint8_t)kind, .number = {(int64_t)id, value}};

	port_put(&event, NULL, 0);
}

void store_irc_network_drop(uint64_t id)
{
	put_number(STORE_IRC_BUFFERS_DROP, id, 0);
	put_number(STORE_IRC_NETWORK_DROP, id, 0);
}

void store_irc_buffer(uint64_t id, uint64_t network, const char *name, const char *settings,
		      int64_t marker_ms)
{
	const char *texts[] = {name, settings};
	struct store_event event = {.kind = STORE_IRC_BUFFER,
				    .number = {(int64_t)id, (int64_t)network, marker_ms}};

	port_put(&event, texts, 2);
}

void store_irc_buffer_drop(uint64_t id)
{
	put_number(STORE_IRC_BUFFER_DROP, id, 0);
}

void store_irc_marker(uint64_t id, int64_t ms)
{
	put_number(STORE_IRC_MARKER, id, ms);
}

void store_irc_prune(uint64_t id, int64_t before_ms)
{
	put_number(STORE_IRC_PRUNE, id, before_ms);
}

void store_irc_device(uint64_t id, const char *user, const char *name, int64_t seen_ms)
{
	const char *texts[] = {user, name};
	struct store_event event = {.kind = STORE_IRC_DEVICE, .number = {(int64_t)id, seen_ms}};

	port_put(&event, texts, 2);
}

void store_irc_device_drop(uint64_t id)
{
	put_number(STORE_IRC_DEVICE_DROP, id, 0);
}

void store_irc_password(const struct store_irc_password *password)
{
	const char *texts[] = {(const char *)password->hash, password->user, password->label,
			       password->kind, password->fingerprint};
	struct store_event event = {.kind = STORE_IRC_PASSWORD,
				    .blobs = 1,
				    .number = {(int64_t)password->id, password->created_ms}};

	port_put(&event, texts, 5);
}

void store_irc_password_used(uint64_t id, int64_t at_ms, const uint8_t *ip)
{
	struct store_event event = {
		.kind = STORE_IRC_PASSWORD_USED, .has_ip = 1, .number = {(int64_t)id, at_ms}};

	memcpy(event.ip, ip, sizeof event.ip);
	port_put(&event, NULL, 0);
}

void store_irc_password_drop(uint64_t id)
{
	put_number(STORE_IRC_PASSWORD_DROP, id, 0);
}

void store_irc_push(const struct store_irc_push *push)
{
	const char *texts[] = {push->user, push->endpoint, push->p256dh, push->auth};
	struct store_event event = {.kind = STORE_IRC_PUSH,
				    .number = {(int64_t)push->id, (int64_t)push->network,
					       push->created_ms}};

	port_put(&event, texts, 4);
}

void store_irc_push_drop(uint64_t id)
{
	put_number(STORE_IRC_PUSH_DROP, id, 0);
}

/* --- asking --------------------------------------------------------------------------------- */

/* ?1 … ?5 are the numbers, ?6 … ?9 the texts. */
static const struct {
	unsigned columns;
	const char *sql;
} queries[] = {
	[STORE_IRC_USERS] = {2, "SELECT name, settings FROM irc_users"},
	[STORE_IRC_NETWORKS] = {6, "SELECT id, user, name, settings, certificate, private_key FROM "
				   "irc_networks ORDER BY id"},
	[STORE_IRC_BUFFERS] =
		{7, "SELECT id, network, name, settings, marker, (SELECT max(seq) FROM irc_lines "
		    "WHERE buffer = b.id), (SELECT at FROM irc_lines WHERE buffer = b.id AND kind "
		    "& 256 = 0 ORDER BY at DESC LIMIT 1) "
		    "FROM irc_buffers b ORDER BY id"},
	[STORE_IRC_DEVICES] = {4, "SELECT id, user, name, seen FROM irc_devices ORDER BY id"},
	[STORE_IRC_PASSWORDS] = {9, "SELECT id, user, label, kind, hash, created, used, address, "
				    "fingerprint FROM irc_passwords ORDER BY id"},
	[STORE_IRC_PUSHES] = {7, "SELECT id, user, network, endpoint, p256dh, auth, created FROM "
				 "irc_pushes ORDER BY id"},
	[STORE_IRC_LINES_UP] = {5, "SELECT seq, at, kind, tags, line FROM irc_lines WHERE buffer = "
				   "?1 AND seq >= ?2 AND seq < ?3 AND kind & ?4 = 0 ORDER BY seq "
				   "LIMIT ?5"},
	[STORE_IRC_LINES_DOWN] = {5, "SELECT seq, at, kind, tags, line FROM irc_lines WHERE buffer "
				     "= ?1 AND seq >= ?2 AND seq < ?3 AND kind & ?4 = 0 ORDER BY "
				     "seq DESC LIMIT ?5"},
	[STORE_IRC_SEQ_FROM] = {1, "SELECT seq FROM irc_lines WHERE buffer = ?1 AND at >= ?2 ORDER "
				   "BY at, seq LIMIT 1"},
	[STORE_IRC_SEQ_OF] = {1, "SELECT seq FROM irc_lines WHERE buffer = ?1 AND instr(tags, ?6) "
				 "ORDER BY seq DESC LIMIT 1"},
	[STORE_IRC_EXPORT] = {8,
			      "SELECT b.id, l.seq, n.name, b.name, l.at, l.kind, l.tags, l.line "
			      "FROM irc_buffers b JOIN irc_networks n ON n.id = b.network CROSS "
			      "JOIN irc_lines l ON l.buffer = b.id AND l.seq > iif(b.id = ?1, ?2, "
			      "0) WHERE n.user = ?6 AND b.id >= ?1 AND (?3 = 0 OR n.id = ?3) "
			      "ORDER BY b.id, l.seq LIMIT ?5"},
};

static void bind_ask(sqlite3_stmt *statement, const struct store_irc_ask *ask)
{
	/* Those that a statement does not have are refused, and nothing is lost by that. */
	for (int i = 0; i < 5; i++)
		sqlite3_bind_int64(statement, 1 + i, ask->number[i]);
	for (int i = 0; i < 4; i++)
		sqlite3_bind_text(statement, 6 + i, ask->text[i], -1, SQLITE_STATIC);
}

void store_irc_fini(struct store_irc_ask *ask)
{
	store_rows_fini(&ask->rows);
	search_free(ask->search);
	ask->search = NULL;
}

enum store_fault store_irc_run(struct store_db *db, struct store_ask *base)
{
	struct store_irc_ask *ask = container_of(base, struct store_irc_ask, ask);
	sqlite3_stmt *statement;
	int code;

	if (ask->query == STORE_IRC_SEARCH)
		return search_turn(db, ask);
	code = sqlite3_prepare_v2(db->sqlite, queries[ask->query].sql, -1, &statement, NULL);
	ask->rows.columns = queries[ask->query].columns;
	if (code == SQLITE_OK) {
		bind_ask(statement, ask);
		while ((code = sqlite3_step(statement)) == SQLITE_ROW)
			if (!store_rows_take(&ask->rows, statement)) {
				ask->out_of_memory = true;
				code = SQLITE_DONE;
				break;
			}
	}
	sqlite3_finalize(statement);
	db->code = code;
	return db_fault_of(code);
}
