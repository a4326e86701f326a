/* How an encoder gets in: its request or login line, its password, the hub's word. The header is
 * radio_login.h. */
#include "radio/radio_login.h"

#include <stdlib.h>

#include "core/log.h"
#include "core/metric.h"
#include "edge/access.h"
#include "edge/proto/charset.h"
#include "edge/proto/url.h"
#include "edge/request.h"
#include "radio/proto/hops.h"
#include "radio/proto/playlist.h"
#include "radio/proto/shoutcast.h"
#include "radio/radio.h"
#include "radio/radio_auth_url.h"
#include "radio/radio_event.h"
#include "radio/radio_hub.h"
#include "radio/radio_source.h"

RUNS_ON(on_worker) static void refuse(struct conn *conn, unsigned status, const char *why)
{
	struct reply reply = {.close = true};

	reply_text(&reply, status, why);
	conn_reply(conn, &reply);
}

/* --- HTTP ----------------------------------------------------------------------------------- */

RUNS_ON(on_worker)
static void about_take_headers(struct claim *claim, const struct request *request)
{
	struct mount_source *about = &claim->about;

	for (size_t i = 0; i < request->head.count; i++) {
		struct bytes name = request->head.headers[i].name;
		struct bytes value = request->head.headers[i].value;
		uint64_t metaint;

		if (bytes_equal_nocase(name, BYTES("content-type")))
			charset_to_field(value, CHARSET_UTF8, about->content_type,
					 sizeof about->content_type);
		else if (bytes_equal_nocase(name, BYTES("user-agent")))
			charset_to_field(value, CHARSET_UTF8, about->agent, sizeof about->agent);
		else if (bytes_equal_nocase(name, BYTES("icy-metaint")) &&
			 bytes_to_u64(value, 1u << 24, &metaint))
			claim->icy_metaint = (uint32_t)metaint;
		else
			(void)station_take_header(&about->station, name, value);
	}
}

/* NULL after an answer when there is no memory. */
RUNS_ON(on_worker) static struct claim *claim_make(struct conn *conn, struct bytes mount)
{
	struct claim *claim = calloc(1, sizeof *claim);

	if (!claim || !(claim->farewell = hub_message_make())) {
		free(claim);
		metric_add(METRIC_radio_out_of_memory, 1);
		refuse(conn, 503, "out of memory");
		return NULL;
	}
	claim->worker = conn_worker(conn);
	claim->conn = conn;
	claim->answered = source_claimed;
	claim->about.worker = claim->worker;
	claim->about.address = conn_request(conn)->peer;
	bytes_to_str(mount, claim->mount, sizeof claim->mount);
	return claim;
}

/* The credentials of an encoder were right. */
RUNS_ON(on_worker) static void source_let_in(struct conn *conn)
{
	const struct request *request = conn_request(conn);
	struct claim *claim;

	/* Somebody sends us on what comes from us. */
	if (hops_hold(http1_header_get(&request->head, BYTES("icy-via")), radio_id())) {
		refuse(conn, 508, "this stream comes from here");
		return;
	}
	claim = claim_make(conn, request->path);
	if (!claim)
		return;
	bytes_to_str(BYTES("http"), claim->about.protocol, sizeof claim->about.protocol);
	claim->expects =
		http1_header_has_token(&request->head, BYTES("Expect"), BYTES("100-continue"));
	request_user(conn_request(conn), claim->about.user, sizeof claim->about.user);
	about_take_headers(claim, request);
	conn_wait(conn);
	hub_claim(claim);
}

void login_unauthorized(struct conn *conn)
{
	struct reply reply = {0};

	reply_text(&reply, 401, "You need to authenticate");
	reply_header(&reply, "WWW-Authenticate", BYTES("Basic realm=\"ringmain\""));
	/* libshout asks without credentials first, to read these off the answer. */
	reply_header(&reply, "Allow", BYTES("GET, HEAD, SOURCE, PUT, POST, OPTIONS"));
	reply_header(&reply, "Accept-Encoding", BYTES("chunked"));
	conn_reply(conn, &reply);
}

RUNS_ON(on_worker) static void on_source_verdict(struct conn *conn, enum verdict verdict)
{
	char address[ADDRESS_TEXT_MAX + 1], mount[FEED_NAME_MAX + 1];

	switch (verdict) {
	case VERDICT_YES: source_let_in(conn); return;
	case VERDICT_NONE: login_unauthorized(conn); return;
	case VERDICT_BUSY:
	case VERDICT_WAIT:
	case VERDICT_DENIED:
	case VERDICT_FOREIGN: access_refuse(conn, verdict); return;
	case VERDICT_NO: break;
	}
	log_warnx("radio", "source login failed",
		  kv_str("address", address_text(&conn_request(conn)->peer, address)),
		  kv_bytes("mount", conn_request(conn)->path.at, conn_request(conn)->path.len));
	bytes_to_str(conn_request(conn)->path, mount, sizeof mount);
	event_often(EVENT_SOURCE_REFUSED, mount, &conn_request(conn)->peer, "wrong password");
	login_unauthorized(conn);
}

/* The mount's own password, or whoever has a right to it. */
RUNS_ON(on_worker) static void judge_source(struct conn *conn, bool by_password)
{
	const struct request *request = conn_request(conn);
	struct access_need need = {.rank = RANK_DJ, .mount = request->path, .encoder = ""};
	const struct mount_conf *conf;
	char mount[FEED_NAME_MAX + 1];

	bytes_to_str(request->path, mount, sizeof mount);
	conf = radio_mount_conf(mount);
	if (by_password)
		need.encoder = conf->password;
	need.encoder_user = bytes_str(conf->user);
	access_judge(conn, &need, on_source_verdict);
}

/* The station's own program has said whether it may feed the mount. It knows its encoders, and we know
 * our users. */
RUNS_ON(on_worker)
static void on_source_asked(struct conn *conn, enum auth_answer answer,
			    const struct admission *admission, const char *message)
{
	(void)admission;
	(void)message;
	if (answer == AUTH_URL_NO)
		judge_source(conn, false);
	else
		on_source_verdict(conn, answer == AUTH_URL_YES ? VERDICT_YES : VERDICT_BUSY);
}

/* Whether it is what a listener's request for it comes to. */
static bool is_normal(struct bytes path)
{
	char escaped[3 * FEED_NAME_MAX], normal[FEED_NAME_MAX + 1];
	struct writer in = writer_of(escaped, sizeof escaped);
	struct writer out = writer_of(normal, sizeof normal);

	url_encode_path(&in, path);
	return url_normalize_path(writer_done(&in), &out) == URL_OK &&
	       bytes_equal(writer_done(&out), path);
}

bool login_is_mount(struct bytes path)
{
	unsigned allowed;
	const struct route *route = route_find(SITE_MAIN, path, METHOD_GET, &allowed);
	enum playlist_kind kind;
	struct bytes mount;

	return path.len > 1 && path.len <= FEED_NAME_MAX && path.at[0] == '/' &&
	       !bytes_end_with(path, BYTES("/")) && charset_is_utf8(path) && is_normal(path) &&
	       !playlist_of_path(path, &kind, &mount) && (!route || !route->path);
}

void login_serve_source(struct conn *conn)
{
	const struct request *request = conn_request(conn);
	char user[64], mount[FEED_NAME_MAX + 1];

	if (!login_is_mount(request->path)) {
		refuse(conn, 403, "this path cannot be a mount");
		return;
	}
	bytes_to_str(request->path, mount, sizeof mount);
	/* libshout asks without any credentials first: nobody need be asked about that. */
	if (auth_url_wanted(radio_mount_conf(mount), AUTH_SOURCE) &&
	    request_user(conn_request(conn), user, sizeof user))
		auth_url_ask(conn, mount, AUTH_SOURCE, BYTES(""), (struct bytes){0},
			     on_source_asked);
	else
		judge_source(conn, !auth_url_wanted(radio_mount_conf(mount), AUTH_SOURCE));
}

/* --- SHOUTcast ------------------------------------------------------------------------------ */

static enum route_first login_look(struct bytes first)
{
	switch (shoutcast_is_handshake(first)) {
	case SHOUTCAST_FIRST_MORE: return ROUTE_FIRST_MORE;
	case SHOUTCAST_FIRST_OTHER: return ROUTE_FIRST_OTHER;
	case SHOUTCAST_FIRST_PASSWORD:
	case SHOUTCAST_FIRST_XAUDIOCAST: break;
	}
	return ROUTE_FIRST_OURS;
}

/* The login line is looked at twice: here for the password, and by the source, which gets all bytes
 * from the first on. */
static bool login_part(struct bytes in, struct shoutcast *shoutcast, struct shoutcast_part *part)
{
	size_t used;

	shoutcast_init(shoutcast);
	return shoutcast_next(shoutcast, in, part, &used) == SHOUTCAST_LOGIN;
}

static struct bytes login_mount(const struct shoutcast_part *part)
{
	return part->mount.len ? part->mount : bytes_str(radio_conf()->shoutcast_mount);
}

RUNS_ON(on_worker) static void on_login_verdict(struct conn *conn, enum verdict verdict)
{
	char address[ADDRESS_TEXT_MAX + 1];
	struct shoutcast shoutcast;
	struct shoutcast_part part;
	struct claim *claim;

	CHECK(login_part(conn_bytes(conn), &shoutcast, &part));
	if (verdict == VERDICT_YES) {
		claim = claim_make(conn, login_mount(&part));
		if (!claim)
			return;
		claim->icy = true;
		claim->xaudiocast = shoutcast.xaudiocast;
		bytes_to_str(BYTES("shoutcast"), claim->about.protocol,
			     sizeof claim->about.protocol);
		conn_wait(conn);
		hub_claim(claim);
		return;
	}
	log_warnx("radio", "source login failed",
		  kv_str("address", address_text(&conn_request(conn)->peer, address)),
		  kv_str("protocol", "shoutcast"));
	(void)!link_send(conn_link(conn), BYTES("invalid password\r\n"));
	conn_drop(conn);
}

RUNS_ON(on_worker)
static void on_login_asked(struct conn *conn, enum auth_answer answer,
			   const struct admission *admission, const char *message)
{
	(void)admission;
	(void)message;
	on_login_verdict(conn, answer == AUTH_URL_YES ? VERDICT_YES : VERDICT_NO);
}

RUNS_ON(on_worker) static void login_serve_shoutcast(struct conn *conn)
{
	struct shoutcast shoutcast;
	struct shoutcast_part part;
	struct access_need need = {.rank = RANK_DJ};
	char mount[FEED_NAME_MAX + 1];

	if (!login_part(conn_bytes(conn), &shoutcast, &part)) {
		conn_drop(conn);
		return;
	}
	bytes_to_str(login_mount(&part), mount, sizeof mount);
	if (!login_is_mount(login_mount(&part))) {
		(void)!link_send(conn_link(conn), BYTES("invalid mount\r\n"));
		conn_drop(conn);
		return;
	}
	if (auth_url_wanted(radio_mount_conf(mount), AUTH_SOURCE)) {
		auth_url_ask(conn, mount, AUTH_SOURCE, BYTES("source"), part.password,
			     on_login_asked);
		return;
	}
	need.mount = bytes_str(mount);
	need.encoder = radio_mount_conf(mount)->password;
	need.given = part.password;
	access_judge(conn, &need, on_login_verdict);
}

const struct protocol login_protocol = {.look = login_look, .serve = login_serve_shoutcast};
