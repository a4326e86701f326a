#include "sfu/sfu_gate.h"

#include <jansson.h>
#include <stdlib.h>

#include "core/clock.h"
#include "edge/access.h"
#include "edge/document.h"
#include "edge/fetch.h"
#include "edge/request.h"
#include "sfu/sfu.h"
#include "sfu/sfu_token.h"

#define ASK_MS     5000u
#define ANSWER_MAX 4096u
#define TOKEN_MAX  8192u /* in the address */

/* The hook, asked for one connection, which waits. */
struct ask {
	struct fetch fetch;
	struct conn *conn;
	void (*then)(struct conn *conn);
	void (*refuse)(struct conn *conn, unsigned status, const char *why);
};

static struct bytes bearer_of(const struct request *request, char *buf, size_t size)
{
	struct bytes value = http1_header_get(&request->head, BYTES("Authorization"));

	if (bytes_start_with_nocase(value, BYTES("Bearer ")))
		return bytes_trim(bytes_skip(value, 7));
	if (!value.at && request_param(request, "access_token", buf, size))
		return bytes_str(buf);
	return (struct bytes){NULL, 0};
}

static bool same_secret(struct bytes a, struct bytes b)
{
	uint8_t of_a[AUTH_DIGEST_SIZE], of_b[AUTH_DIGEST_SIZE];

	auth_digest(of_a, &a, 1);
	auth_digest(of_b, &b, 1);
	return auth_same(of_a, of_b);
}

/* --- the hook ----------------------------------------------------------------------------------------------- */

static void on_asked(struct fetch *fetch)
{
	struct ask *ask = container_of(fetch, struct ask, fetch);
	unsigned status = fetch->result == FETCH_OK ? fetch->status : 0;
	void (*then)(struct conn * conn) = ask->then;
	void (*refuse)(struct conn * conn, unsigned status, const char *why) = ask->refuse;
	struct conn *conn = ask->conn;

	enter_worker();
	fetch_fini(&ask->fetch);
	free(ask);
	if (status >= 200 && status <= 299)
		then(conn);
	else if (status == 401 || status == 403)
		refuse(conn, status, "this is not allowed");
	else
		refuse(conn, 503, "who may could not be asked");
}

/* Whole, however long a head may be: half a token is none. */
static json_t *text_of(struct bytes in)
{
	json_t *text = json_stringn(in.at ? (const char *)in.at : "", in.len);

	return text ? text : document_text("\xff");
}

static char *question(const struct request *request, bool publishes, struct bytes room,
		      struct bytes token)
{
	char address[ADDRESS_TEXT_MAX + 1];
	json_t *tree =
		json_pack("{s:s, s:o, s:o, s:s, s:o, s:o}", "action",
			  publishes ? "publish" : "watch", "room", text_of(room), "token",
			  text_of(token), "address", address_text(&request->peer, address), "agent",
			  text_of(http1_header_get(&request->head, BYTES("User-Agent"))), "query",
			  text_of(request->query));
	char *text = tree ? json_dumps(tree, JSON_COMPACT) : NULL;

	json_decref(tree);
	return text;
}

RUNS_ON(on_worker)
static bool ask_hook(struct ask *ask, const char *body)
{
	struct fetch_request request = {
		.method = "POST",
		.url = sfu_conf()->auth_url,
		.headers = {"Content-Type: application/json"},
		.body = bytes_str(body),
		.timeout_ms = ASK_MS,
		.body_max = ANSWER_MAX,
		.reach = FETCH_ANYWHERE,
		.done = on_asked,
	};

	return fetch_start(&ask->fetch, &request) == 0;
}

/* --- the gate ------------------------------------------------------------------------------------------------ */

RUNS_ON(on_worker) static void judged(struct conn *conn, enum verdict verdict)
{
	if (verdict == VERDICT_YES)
		conn_access(conn)->then(conn);
	else
		access_refuse(conn, verdict);
}

static bool token_fits(struct bytes given, bool publishes, struct bytes room, const char **why)
{
	const struct sfu_conf *conf = sfu_conf();
	const char *wanted = publishes ? conf->publish_token : conf->watch_token;

	*why = given.at ? "the bearer token is wrong" : "a bearer token is needed";
	if (!given.at)
		return false;
	if (wanted[0] && same_secret(given, bytes_str(wanted)))
		return true;
	if (!conf->jwt_secret[0])
		return false;
	switch (token_check(given, bytes_str(conf->jwt_secret), room, publishes,
			    wall_now_us() / 1000000)) {
	case TOKEN_GOOD: return true;
	case TOKEN_NONE:
	case TOKEN_FORGED: break;
	case TOKEN_OLD: *why = "the token is not good any more, or not yet"; break;
	case TOKEN_OTHER: *why = "the token is for another room, or not for this"; break;
	}
	return false;
}

void gate_let_in(struct conn *conn, bool publishes, struct bytes room,
		 void (*then)(struct conn *conn),
		 void (*refuse)(struct conn *conn, unsigned status, const char *why))
{
	const struct sfu_conf *conf = sfu_conf();
	const struct request *request = conn_request(conn);
	struct access_need need = {.rank = RANK_OPERATOR, .changes = true};
	bool open = !conf->auth_url[0] && !conf->jwt_secret[0] &&
		    !(publishes ? conf->publish_token : conf->watch_token)[0];
	char buf[TOKEN_MAX], *body;
	struct bytes given = bearer_of(request, buf, sizeof buf);
	const char *why;
	struct ask *ask;

	if (token_fits(given, publishes, room, &why) || (open && !publishes)) {
		then(conn);
	} else if (conf->auth_url[0]) {
		body = question(request, publishes, room, given);
		ask = body ? calloc(1, sizeof *ask) : NULL;
		if (ask) {
			*ask = (struct ask){.conn = conn, .then = then, .refuse = refuse};
			conn_wait(conn);
		}
		if (!ask || !ask_hook(ask, body)) {
			free(ask);
			refuse(conn, 503, "who may cannot be asked");
		}
		free(body);
	} else if (open) {
		conn_access(conn)->then = then;
		access_judge(conn, &need, judged);
	} else {
		refuse(conn, 401, why);
	}
}
