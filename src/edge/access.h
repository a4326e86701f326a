/* access: who asks, and may they? The one gate in front of everything that is not for all.
 *
 *   request ─▶ Basic │ Bearer token │ session cookie ─▶ who ─▶ rights ─▶ then(conn)
 *                │                                       └─ not enough: 403
 *                └─ none or wrong: 401, guessed too often: 429 (lockout.h)
 *
 * Known are the administrator of the settings (admin.user, admin.password: always let in), the
 * users, their tokens and the browsers that are logged in (account.h). Where a mount's encoders may
 * do something too, their password is handed in.
 *
 * Against other sites in the visitor's browser (CSRF): what changes something needs, with a cookie,
 * the header X-CSRF-Token with the word that belongs to the session; with Basic, which browsers
 * send by themselves as well, no sign of coming from elsewhere (Origin, Sec-Fetch-Site, Referer).
 * Requests that are not GET or HEAD change something; GETs that do say so.
 *
 * A script of our pages says X-Requested-With and gets a 401 without WWW-Authenticate, so that no
 * browser asks for a password behind its back.
 *
 * Thread: the connection's worker. then() runs there, perhaps before the call returns. */
#pragma once

#include "edge/account.h"
#include "edge/auth.h"
#include "edge/lockout.h"

#define ACCESS_MOUNT_SIZE 256u
#define ACCESS_COOKIE     "ringmain_session"

struct conn;
struct reply;
struct request;

enum access_how {
	ACCESS_NOBODY,
	ACCESS_BASIC,
	ACCESS_TOKEN,
	ACCESS_SESSION,
	ACCESS_ENCODER, /* by the password of the mount's encoders */
};

/* Who was let in. */
struct access {
	struct rights rights;
	enum access_how how;
	bool of_settings; /* the administrator of the settings */
	char name[ACCOUNT_NAME_SIZE];
	uint8_t id[ACCOUNT_ID_SIZE]; /* of the session or the token */
};

/* How a request was judged. */
enum verdict {
	VERDICT_YES,
	VERDICT_NO,
	VERDICT_NONE,    /* there were no credentials: not a failed attempt */
	VERDICT_BUSY,    /* too many checks are under way; say 503 */
	VERDICT_WAIT,    /* guessed too often; say 429, access_refuse() does */
	VERDICT_DENIED,  /* known, but may not */
	VERDICT_FOREIGN, /* another site made the browser send this */
};

struct access_need {
	enum rank rank;
	bool changes;              /* even though the method may be GET */
	struct bytes mount;        /* empty: the server as a whole */
	const char *encoder;       /* encoders with this password may too; NULL: they may not */
	struct bytes encoder_user; /* the name that they must say; empty: any */
	struct bytes given;        /* a password of encoders that came otherwise; or at is NULL */
	bool preflighted; /* no browser sends this for another site without having asked (CORS) */
};

/* What a connection keeps of the question under way; all fields are access.c's but access. */
struct access_work {
	struct access access;
	enum rank need;
	bool changes, preflighted;
	unsigned stage;
	unsigned wait_s;
	bool encoder_fits;
	size_t given_len;
	/* Secrets, wiped when it is judged. */
	char given[AUTH_PASSWORD_MAX];
	char encoder[AUTH_STORED_MAX];
	char mount[ACCESS_MOUNT_SIZE];
	struct lockout_try attempt;
	void (*judged)(struct conn *conn, enum verdict verdict);
	void (*then)(struct conn *conn);
};

/* Calls then() when who asks has this rank, for this mount or, when it is empty, for the server as a
 * whole; answers the request itself when not. */
RUNS_ON(on_worker)
void access_require(struct conn *conn, enum rank rank, struct bytes mount,
		    void (*then)(struct conn *conn));

/* The same for a request that changes something, whatever its method. */
RUNS_ON(on_worker)
void access_require_change(struct conn *conn, enum rank rank, struct bytes mount,
			   void (*then)(struct conn *conn));

/* The question alone: the answer is the caller's. need is used during the call only. */
RUNS_ON(on_worker)
void access_judge(struct conn *conn, const struct access_need *need,
		  void (*judged)(struct conn *conn, enum verdict verdict));

/* The same for a user and a password that came otherwise than by Basic: who is it? */
RUNS_ON(on_worker)
void access_judge_login(struct conn *conn, struct bytes user, struct bytes given,
			void (*judged)(struct conn *conn, enum verdict verdict));

/* Others who know people and their tokens, for some paths: asked when nobody here does. Who is let in by
 * them has the rank of a DJ without mounts. The name is without what IRC puts behind it (ann/net@phone). */
struct access_others {
	const char *const *paths; /* what these begin with; ends with NULL */
	/* False: they know nobody. Otherwise access_answer() is called, perhaps at once. user is empty with a token. */
	bool (*ask)(struct conn *conn, const char *user, struct bytes given);
};

/* One family's, before doors open. */
void access_others_are(const struct access_others *others);

/* The connection has waited for this; name is copied. */
RUNS_ON(on_worker)
void access_answer(struct conn *conn, enum auth_result result, const char *name);

/* Answers a request that was judged anything but VERDICT_YES. */
RUNS_ON(on_worker) void access_refuse(struct conn *conn, enum verdict verdict);

/* Who was let in; ACCESS_NOBODY before somebody was. */
RUNS_ON(on_worker) const struct access *access_of(struct conn *conn);

/* What somebody was let in by: for who stays. */
struct access_stay {
	struct access access;
	enum rank need;
	uint8_t stored[AUTH_DIGEST_SIZE]; /* of the password that he had then */
};

/* Who was let in just now, for the server as a whole, as one of those above. */
RUNS_ON(on_worker) struct access_stay access_stay_of(struct conn *conn, enum rank need);

/* Whether he would be let in still: he is there, with that rank, by that password, session or token. It
 * costs no hashing of passwords, and counts for nothing: a session that nobody uses runs out. */
RUNS_ON(on_worker) bool access_stays(const struct access_stay *stay);

/* A wrong password was given, in whatever way: counts it, and says so when a wait begins. Any thread. */
void access_count_wrong(const struct request *request, const char *user,
			const struct lockout_try *attempt);

/* The rules of lockout that are in force. */
struct lockout_rules access_lockout_rules(void);

/* Whether a browser says that another site made it send this request. */
bool access_is_foreign(const struct request *request);

/* Whether a proxy on this machine (which says so in a header), or a browser for another site, brings it. */
bool access_is_brought(const struct request *request);

/* Whether a program on this machine asks, for what is open to those: from a loopback address, through
 * no proxy on it (which would say so in a header), by an address or as localhost (a page of another site
 * may have a name of its own that leads here), and not sent by another site. */
bool access_is_local(const struct request *request);

/* The word that goes into X-CSRF-Token, as hexadecimal digits, for a session's cookie. */
#define ACCESS_WORD_SIZE (2u * AUTH_DIGEST_SIZE + 1u)
void access_csrf_word(struct bytes cookie, char word[ACCESS_WORD_SIZE]);

/* What binds a session to the password it began with. */
void access_bind(struct bytes cookie, const char *stored, uint8_t bound[AUTH_DIGEST_SIZE]);
