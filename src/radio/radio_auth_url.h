/* radio_auth_url: a program elsewhere decides who may listen and who may feed a mount.
 *
 *   join, login ── conn WAITs ──▶ auth_url_ask ── POST ──▶ the station's own program
 *                  then(verdict) ◀───────────────────────  "icecast-auth-user: 1", or JSON
 *
 * As Icecast 2.4 documents it for <authentication type="url">: listener_add, listener_remove,
 * mount_add, mount_remove and stream_auth with the same fields, and the same header in the answer. A
 * mount may name a JSON hook as well, which is asked where no URL of Icecast's kind is set: one POST
 * {"action": …} for all, signed (edge/sign.h), answered {"allow": true, "limit": seconds}.
 *
 * Nobody else waits: the request runs on the loop of the connection's worker. So many may be under way
 * at a time (radio.auth_requests); a "yes" may be remembered for auth_cache. That a listener left is told
 * out of a bounded queue, with the time it listened; what does not fit is counted.
 *
 * Worker's, but for what says otherwise. */
#pragma once

#include "edge/conn.h"
#include "radio/radio_mount.h"

enum auth_answer {
	AUTH_URL_YES,
	AUTH_URL_NO,
	AUTH_URL_BUSY, /* too many are being asked for, or the server stops */
};

/* What is known of a listener who was let in, between its request and its end. */
struct admission {
	uint64_t id;                   /* of the listener to be */
	uint64_t limit_ms;             /* it may stay so long; 0: as the mount says */
	bool tell;                     /* its leaving is to be told */
	char user[64];                 /* who it is; may be "" */
	const struct request *request; /* where the listener is made: who it is */
};

enum auth_what { AUTH_LISTENER, AUTH_SOURCE, AUTH_TITLE };

/* Whether somebody is to be asked. */
bool auth_url_wanted(const struct mount_conf *conf, enum auth_what what);

/* Asks; then() runs on this worker, later or at once. Its admission counts for AUTH_LISTENER, its
 * message (may be "") is the program's own word for a refusal. */
RUNS_ON(on_worker)
void auth_url_ask(struct conn *conn, const char *mount, enum auth_what what, struct bytes user,
		  struct bytes password,
		  void (*then)(struct conn *conn, enum auth_answer answer,
			       const struct admission *admission, const char *message));

/* The listener in this row of the worker's table was admitted with tell set: remembers who it is. */
RUNS_ON(on_worker)
void auth_url_joined(uint32_t row, uint64_t id, const char *mount, const struct request *request);

/* It is gone. */
RUNS_ON(on_worker) void auth_url_left(uint32_t row, uint64_t id, uint64_t seconds);

/* A mount came on the air or went off it. */
RUNS_ON(on_control) void auth_url_mount(const struct mount *mount, bool added);

RUNS_ON(on_worker) int auth_url_worker_start(struct worker *worker);
RUNS_ON(on_worker) void auth_url_worker_stop(struct worker *worker);
