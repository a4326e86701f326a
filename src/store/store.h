/* store: what is kept beyond the process: history, users, tokens, sessions, who changed what.
 *
 *   any loop ── store_song(), … ──▶ its own port: a bounded buffer ──▶ store thread ──▶ SQLite
 *                                   full: dropped and counted            one transaction a moment
 *   control ─── store_ask() ──────────────────────────────────────────▶ run(db) ──▶ done(), on control
 *
 * Nobody ever waits for the disk: reporting something is a copy into memory of the thread's own. A
 * full disk, a read-only, locked, corrupt or missing file costs history and nothing else: it is said
 * once, tried again at growing intervals, and what lies in the ports meanwhile is written when that
 * succeeds. A corrupt file is moved aside, never deleted, and a new one begun. A file of a newer
 * version or of another program is left alone. store_status() says how it is.
 *
 * Start: store_start, worker hooks, …, store_stop after the workers. Without store_start, or with
 * store.enabled off, reporting does nothing and asking fails. */
#pragma once

#include "core/worker.h"
#include "store/store_conf.h"

/* Why nothing can be kept now. */
enum store_fault {
	STORE_GOOD,
	STORE_OFF,       /* store.enabled, or the server has only begun to start */
	STORE_FULL,      /* the disk is */
	STORE_READ_ONLY, /* the file or its file system */
	STORE_LOCKED,    /* another program has it */
	STORE_MISSING,   /* it cannot be opened: no such directory, no permission */
	STORE_CORRUPT,   /* and could not be moved aside */
	STORE_NEWER,     /* of a ringmain that is newer than this one */
	STORE_FOREIGN,   /* another program's database */
	STORE_BROKEN,    /* the disk fails, or anything else */
};

struct store_status {
	enum store_fault fault;
	const char *word; /* "good" "off" "full" …; a constant */
	const char *what; /* in words, for people; a constant */
	uint64_t lost;    /* events that were not kept since the start */
	uint64_t kept;
	bool moved_aside; /* a corrupt file was, since the start */
};

extern const struct worker_hooks store_hooks;

/* Begins to open the database. data: the data directory. 0 or -errno. */
RUNS_ON(on_control)
MUST_CHECK int store_start(uv_loop_t *loop, const struct store_conf *conf, const char *data);

/* The data directory; "" before store_start. Any thread. */
const char *store_directory(void);

/* Other settings are in force; another file, or none, from the next start on. */
RUNS_ON(on_control) void store_reload(const struct store_conf *conf);

/* Writes what there is and closes. After the workers have stopped. */
RUNS_ON(on_control) void store_stop(void);

struct store_status store_status(void); /* any thread */
const char *store_fault_text(enum store_fault fault);

/* Forms of the room's own numbers, for /metrics. */
void store_metrics(FILE *out);

/* --- reporting: on a worker or on control --------------------------------------------------- */

/* Times are wall microseconds; addresses as in edge/proto/address.h; texts are cut where they are
 * longer than sense. */

/* A title begins on a mount, and the one before ends; "": nothing is on any more. */
void store_song(const char *mount, const char *title, int64_t at_us, uint32_t listeners);

struct store_source {
	uint64_t number;
	const char *mount, *agent, *user, *protocol, *type;
	const uint8_t *ip;
	int64_t began_us;
};

void store_source_came(const struct store_source *source);
void store_source_gone(uint64_t number, int64_t at_us, uint64_t bytes, const char *why);

struct store_listener {
	const char *mount, *agent, *why;
	const uint8_t *ip;
	int64_t began_us, ended_us;
	uint64_t bytes;
};

void store_listener_gone(const struct store_listener *listener);

/* One minute (at_us: its beginning) of a mount, or of all together when mount is "". */
struct store_minute {
	const char *mount;
	int64_t at_us;
	uint64_t listener_ms; /* milliseconds of listening in it */
	uint32_t peak;
	uint64_t joins, bytes_in, bytes_out;
};

void store_minute(const struct store_minute *minute);

struct store_act {
	const char *who, *how, *action, *target, *result;
	const uint8_t *ip;
	int64_t at_us;
};

/* Who did what: of the audit log. */
void store_act(const struct store_act *act);

/* Somebody was seen; a token was used. */
void store_user_seen(const char *name, int64_t at_us);
void store_token_used(int64_t number, int64_t at_us, const uint8_t *ip);

struct store_session {
	uint8_t hash[32], bound[32], ip[16];
	const char *user, *agent;
	bool of_settings;
	int64_t created_us, seen_us;
};

void store_session_put(const struct store_session *session);
void store_session_seen(const uint8_t *hash, int64_t at_us);
void store_session_drop(const uint8_t *hash);

/* --- asking: from control ------------------------------------------------------------------- */

struct store_db;

/* Embedded in whatever is asked. What was reported on control before is written first. */
struct store_ask {
	struct message message;
	/* On the store's thread, in a transaction that is kept when it says STORE_GOOD. */
	enum store_fault (*run)(struct store_db *db, struct store_ask *ask);
	/* On control, always; it frees what it lies in. */
	void (*done)(struct store_ask *ask);
	enum store_fault fault;
	/* Set by run(): there is more to do than one turn should: it is run once more, behind what waits. */
	bool again;
};

RUNS_ON(on_control) void store_ask(struct store_ask *ask);
