#include "edge/session.h"

#include <jansson.h>
#include <sodium.h>

#include "core/clock.h"
#include "core/log.h"
#include "edge/api_schema.h"
#include "edge/audit.h"
#include "edge/call.h"
#include "edge/document.h"
#include "edge/edge.h"
#include "edge/people.h"
#include "edge/proto/cookie.h"

#define COOKIE_SIZE (2u * 32u + 1u)
#define CSRF_COOKIE "ringmain_csrf"

/* --- answers -------------------------------------------------------------------------------- */

static void set_cookie(struct reply *reply, const char *name, const char *value,
		       const char *attributes, bool secure, uint64_t max_age_s)
{
	char line[256];

	snprintf(line, sizeof line, "%s=%s; Path=/; SameSite=Strict; Max-Age=%llu%s%s", name, value,
		 (unsigned long long)max_age_s, attributes, secure ? "; Secure" : "");
	reply_header(reply, "Set-Cookie", bytes_str(line));
}

static json_t *who_tree(const struct access *access)
{
	json_t *tree = json_object();

	json_object_set_new(tree, "user", document_text(access->name));
	json_object_set_new(tree, "rank", json_string(rank_name(access->rights.rank)));
	json_object_set_new(tree, "mounts",
			    document_text(rights_hold_everywhere(&access->rights)
						  ? "*"
						  : access->rights.mounts));
	return tree;
}

/* --- login ---------------------------------------------------------------------------------- */

RUNS_ON(on_control) static bool session_begin(struct call *call, const char *cookie)
{
	struct session session = {
		.of_settings = call->access.of_settings,
		.created_us = wall_now_us(),
	};
	const struct account *account = account_find(account_book(), bytes_str(call->access.name));
	struct bytes agent = http1_header_get(&call->request.head, BYTES("User-Agent"));
	const char *stored = session.of_settings ? edge_settings()->conf.admin_password
			     : account           ? account->stored
						 : "";

	auth_hash(session.id, "session", bytes_str(cookie));
	access_bind(bytes_str(cookie), stored, session.bound);
	memcpy(session.ip, call->request.peer.ip, sizeof session.ip);
	memcpy(session.name, call->access.name, sizeof session.name);
	bytes_to_str(agent, session.agent, sizeof session.agent);
	if (account_put(ACCOUNT_SESSIONS, &session, session.created_us) != 0)
		return false;
	people_keep_session(&session);
	return true;
}

/* The session of the cookie that came with the request. */
RUNS_ON(on_control) static void session_end(const struct call *call)
{
	uint8_t id[AUTH_DIGEST_SIZE];
	struct bytes cookie;

	if (!cookie_find(http1_header_get(&call->request.head, BYTES("Cookie")),
			 BYTES(ACCESS_COOKIE), &cookie))
		return;
	auth_hash(id, "session", cookie);
	account_drop(ACCOUNT_SESSIONS, id);
	people_forget_session(id);
}

static void answer_login(struct call *call)
{
	uint64_t max_age_s = edge_settings()->conf.auth_session_max / 1000;
	bool secure = call->request.secure;
	char cookie[COOKIE_SIZE], word[ACCESS_WORD_SIZE], address[ADDRESS_TEXT_MAX + 1];
	json_t *tree = who_tree(&call->access);

	enter_control();
	auth_random_hex(cookie, 32);
	access_csrf_word(bytes_str(cookie), word);
	session_end(call);
	if (!session_begin(call, cookie)) {
		json_decref(tree);
		reply_text(&call->reply, 503, "out of memory");
		call_reply(call);
		return;
	}
	log_info("edge", "login", kv_str("user", call->access.name),
		 kv_str("address", address_text(&call->request.peer, address)));
	audit_say(call->access.name, "browser", &call->request.peer, "login", "done");
	json_object_set_new(tree, "csrf", json_string(word));
	document_reply(&call->reply, DOCUMENT_JSON, NULL, tree);
	set_cookie(&call->reply, ACCESS_COOKIE, cookie, "; HttpOnly", secure, max_age_s);
	set_cookie(&call->reply, CSRF_COOKIE, word, "", secure, max_age_s);
	sodium_memzero(cookie, sizeof cookie);
	call_reply(call);
}

RUNS_ON(on_worker) static void on_login(struct conn *conn, enum verdict verdict)
{
	if (verdict == VERDICT_YES)
		conn_call(conn, answer_login);
	else
		access_refuse(conn, verdict);
}

/* {"user": …, "password": …}; RFC 8259. */
static bool login_read(struct bytes body, char user[ACCOUNT_NAME_SIZE],
		       char password[AUTH_PASSWORD_MAX], char fault[API_FAULT_MAX])
{
	json_t *tree = json_loadb((const char *)body.at, body.len, JSON_REJECT_DUPLICATES, NULL);
	const char *name = json_string_value(json_object_get(tree, "user"));
	const char *secret = json_string_value(json_object_get(tree, "password"));
	const char *stranger = tree ? api_schema_stranger("Login", tree) : NULL;
	bool good = !stranger && name && secret && strlen(name) < ACCOUNT_NAME_SIZE &&
		    strlen(secret) < AUTH_PASSWORD_MAX;

	fault[0] = '\0';
	if (stranger)
		snprintf(fault, API_FAULT_MAX, API_STRANGER, stranger);
	if (good) {
		bytes_to_str(bytes_str(name), user, ACCOUNT_NAME_SIZE);
		bytes_to_str(bytes_str(secret), password, AUTH_PASSWORD_MAX);
	}
	json_decref(tree);
	return good;
}

/* What the browser sends with it (a cookie, Basic credentials) does not count: only the body does. */
RUNS_ON(on_worker) static void serve_login(struct conn *conn)
{
	char user[ACCOUNT_NAME_SIZE], password[AUTH_PASSWORD_MAX], fault[API_FAULT_MAX];

	if (conn_body(conn))
		return;
	if (!login_read(conn_request(conn)->body, user, password, fault)) {
		api_refuse(conn, 400, fault[0] ? "bad_body" : "bad_login",
			   fault[0] ? fault : "expected {\"user\": …, \"password\": …}");
		return;
	}
	access_judge_login(conn, bytes_str(user), bytes_str(password), on_login);
	sodium_memzero(password, sizeof password);
}

/* --- logout, me ----------------------------------------------------------------------------- */

static void answer_logout(struct call *call)
{
	enter_control();
	session_end(call);
	audit_say(call->access.name, "browser", &call->request.peer, "logout", "done");
	call->reply.status = 204;
	call->reply.type = "text/plain";
	set_cookie(&call->reply, ACCESS_COOKIE, "", "; HttpOnly", call->request.secure, 0);
	set_cookie(&call->reply, CSRF_COOKIE, "", "", call->request.secure, 0);
	call_reply(call);
}

static void answer_me(struct call *call)
{
	json_t *tree = who_tree(&call->access);
	char word[ACCESS_WORD_SIZE];
	struct bytes cookie;

	enter_control();
	if (call->access.how == ACCESS_SESSION &&
	    cookie_find(http1_header_get(&call->request.head, BYTES("Cookie")),
			BYTES(ACCESS_COOKIE), &cookie)) {
		access_csrf_word(cookie, word);
		json_object_set_new(tree, "csrf", json_string(word));
	}
	document_reply(&call->reply, DOCUMENT_JSON, NULL, tree);
	call_reply(call);
}

RUNS_ON(on_worker) static void logout_let_in(struct conn *conn)
{
	conn_call(conn, answer_logout);
}

RUNS_ON(on_worker) static void me_let_in(struct conn *conn)
{
	conn_call(conn, answer_me);
}

RUNS_ON(on_worker) static void serve_logout(struct conn *conn)
{
	access_require(conn, RANK_NONE, BYTES(""), logout_let_in);
}

RUNS_ON(on_worker) static void serve_me(struct conn *conn)
{
	access_require(conn, RANK_NONE, BYTES(""), me_let_in);
}

/* They let in by themselves: rank NONE is nobody's gate. */
const struct api_operation session_operations[] = {
	{"POST", API_ROOT "/login", RANK_NONE, NULL,
	 "Begins a session of a browser: sets its cookies.", "Login", "Me", serve_login},
	{"POST", API_ROOT "/logout", RANK_NONE, NULL, "Ends the session of this browser.", NULL,
	 NULL, serve_logout},
	{"GET", API_ROOT "/me", RANK_NONE, NULL, "Who asks, and what he may.", NULL, "Me",
	 serve_me},
	{0},
};
