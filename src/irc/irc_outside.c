#include "irc/irc_outside.h"

#include <sodium.h>
#include <stdlib.h>

#include "core/clock.h"
#include "edge/access.h"
#include "edge/account.h"
#include "edge/conn.h"
#include "irc/irc_auth.h"
#include "irc/irc_user.h"

/* Of a worker: who is not remembered is asked for again. */
#define KNOWN_COUNT 64u
#define KNOWN_MS    60000

/* A question on its way. The connection waits for it, whatever its client does. */
struct asking {
	struct message message;
	struct irc_auth auth;
	struct conn *conn;
	struct worker *home;
	uint8_t ip[16];
	bool fits;
	uint8_t digest[AUTH_DIGEST_SIZE];
	char user[IRC_USER_SIZE];
	char given[AUTH_PASSWORD_MAX];
};

struct known {
	uint8_t digest[AUTH_DIGEST_SIZE];
	char user[IRC_USER_SIZE];
	mono_t until;
};

static _Thread_local struct known known[KNOWN_COUNT];
static _Thread_local unsigned known_next, asking_count;

/* --- what was right a moment ago ---------------------------------------------------------------- */

/* With where it was asked: other settings, other answers. */
static void digest_of(uint8_t digest[AUTH_DIGEST_SIZE], const char *user, struct bytes given)
{
	const struct irc_conf *conf = irc_conf_now();
	struct bytes parts[] = {BYTES("irc outside"),      bytes_str(conf->auth_url),
				bytes_str(conf->auth_pam), bytes_str(conf->oauth_url),
				bytes_str(user),           given};

	auth_digest(digest, parts, COUNT_OF(parts));
}

static const char *known_user(const uint8_t digest[AUTH_DIGEST_SIZE])
{
	mono_t now = mono_now();

	for (unsigned i = 0; i < KNOWN_COUNT; i++)
		if (known[i].user[0] && auth_same(known[i].digest, digest) &&
		    mono_before(now, known[i].until))
			return known[i].user;
	return NULL;
}

static void know(const struct asking *asking)
{
	struct known *one = &known[known_next++ % KNOWN_COUNT];

	memcpy(one->digest, asking->digest, sizeof one->digest);
	memcpy(one->user, asking->auth.user, sizeof one->user);
	one->until = mono_add_ms(mono_now(), KNOWN_MS);
}

/* --- asking ----------------------------------------------------------------------------------- */

RUNS_ON(on_worker)
static void asking_end(struct asking *asking, enum auth_result result, const char *user)
{
	struct conn *conn = asking->conn;
	char name[IRC_USER_SIZE];

	snprintf(name, sizeof name, "%s", user);
	sodium_memzero(asking->given, sizeof asking->given);
	free(asking);
	asking_count--;
	access_answer(conn, result, name);
}

static void on_answered(struct irc_auth *auth, enum auth_result result)
{
	struct asking *asking = container_of(auth, struct asking, auth);

	enter_worker();
	if (result == AUTH_YES)
		know(asking);
	asking_end(asking, result, auth->user);
}

static void deliver_home(struct message *message)
{
	struct asking *asking = container_of(message, struct asking, message);
	const char *user;

	enter_worker();
	if (asking->fits) {
		asking_end(asking, AUTH_YES, asking->user);
		return;
	}
	if (!irc_auth_wanted(asking->user)) {
		asking_end(asking, AUTH_NO, asking->user);
		return;
	}
	digest_of(asking->digest, asking->user, bytes_str(asking->given));
	user = known_user(asking->digest);
	if (user) {
		asking_end(asking, AUTH_YES, user);
		return;
	}
	asking->auth.done = on_answered;
	if (!irc_auth_password(&asking->auth, asking->user, asking->given,
			       &conn_request(asking->conn)->peer))
		asking_end(asking, AUTH_BUSY, asking->user);
}

static void deliver_there(struct message *message)
{
	struct asking *asking = container_of(message, struct asking, message);
	const struct account *account = account_find(account_book(), bytes_str(asking->user));
	const struct irc_user *user = irc_user_find(bytes_str(asking->user));
	struct irc_password *password =
		user && irc_here.runs && !(account && account->disabled)
			? irc_password_find(user, bytes_str(asking->given), false)
			: NULL;

	enter_worker();
	if (password)
		irc_password_used(password, asking->ip);
	asking->fits = password != NULL;
	message->deliver = deliver_home;
	worker_post(asking->home, message);
}

RUNS_ON(on_worker) static bool ask_token(struct asking *asking, struct bytes token)
{
	const char *user;

	if (!irc_auth_takes_tokens())
		return false;
	digest_of(asking->digest, "", token);
	user = known_user(asking->digest);
	if (user && irc_auth_may_be(user)) {
		asking_end(asking, AUTH_YES, user);
		return true;
	}
	asking->auth.done = on_answered;
	return irc_auth_token(&asking->auth, token);
}

RUNS_ON(on_worker) static bool ask(struct conn *conn, const char *user, struct bytes given)
{
	struct asking *asking;

	if (!irc_here.runs || irc_here.stopping || strlen(user) >= IRC_USER_SIZE ||
	    (user[0] && given.len >= AUTH_PASSWORD_MAX))
		return false;
	asking = calloc(1, sizeof *asking);
	if (!asking)
		return false;
	asking->conn = conn;
	asking->home = conn_worker(conn);
	asking_count++;
	if (!user[0]) {
		if (ask_token(asking, given))
			return true;
		asking_count--;
		free(asking);
		return false;
	}
	memcpy(asking->ip, conn_request(conn)->peer.ip, sizeof asking->ip);
	snprintf(asking->user, sizeof asking->user, "%s", user);
	bytes_to_str(given, asking->given, sizeof asking->given);
	asking->message.deliver = deliver_there;
	worker_post(irc_worker_of(bytes_str(user)), &asking->message);
	return true;
}

bool irc_outside_busy(void)
{
	return asking_count;
}

void irc_outside_prepare(void)
{
	static const char *const paths[] = {"/irc/uploads",        "/api/v1/irc/me",
					    "/api/v1/irc/command", "/api/v1/irc/search",
					    "/api/v1/irc/export",  NULL};
	static const struct access_others others = {paths, ask};

	access_others_are(&others);
}
