/* radio_htpasswd: a file of users says who may listen to a mount, as Icecast's
 * <authentication type="htpasswd"> does. proto/htpasswd.h has the format.
 *
 *   join, conn WAITs ─▶ htpasswd_ask ─▶ is the worker's copy of the file fresh? ── no ─▶ pool: stat, read
 *                          then(…) ◀── the password: MD5 here, slow hashes on the pool ◀──┘
 *   /admin/manageauth ─▶ htpasswd_manage ─▶ pool: read, change, write beside, rename ─▶ answer
 *
 * Each worker has its own copy and looks at the file again when it is asked and its copy is older than
 * HTPASSWD_FRESH_MS, or when this server has written it since. A file that is missing or cannot be read
 * has no users: nobody new is let in, and the log says so once. Who listens already is not touched by
 * anything here. Changes are made one after the other; comments and what is not understood stay in the
 * file. Guesses are counted (edge/lockout.h) for themselves.
 *
 * Worker's, but for what says otherwise. */
#pragma once

#include "edge/call.h"
#include "radio/radio_auth_url.h"

#define HTPASSWD_FRESH_MS 500

/* Checks the request's Basic credentials; then() runs on this worker, later or at once, unless the
 * request was answered here: guessed too often. */
RUNS_ON(on_worker)
void htpasswd_ask(struct conn *conn, const char *mount, const char *path,
		  void (*then)(struct conn *conn, enum auth_answer answer,
			       const struct admission *admission, const char *message));

RUNS_ON(on_worker) void htpasswd_worker_stop(struct worker *worker);

/* Icecast's /admin/manageauth: action=list, add, delete with username and password. Answers. */
RUNS_ON(on_control) void htpasswd_manage(struct call *call, const char *mount, const char *path);

RUNS_ON(on_control) void htpasswd_start(uv_loop_t *loop);

/* --- between the two files of it ------------------------------------------------------------ */

#define HTPASSWD_FILE_MAX (8u << 20)

/* Tells one state of a file from another. */
struct htpasswd_stamp {
	uint64_t device, inode;
	int64_t size, changed_ns;
};

/* Reads all of it into *text, which is the caller's to free. 0 or -errno. On the pool. */
int htpasswd_load(const char *path, char **text, size_t *len);

/* This server has written a file: all look again. Any thread. */
void htpasswd_changed(void);
