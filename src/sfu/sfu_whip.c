#include "sfu/sfu_whip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "edge/call.h"
#include "edge/proto/url.h"
#include "edge/request.h"
#include "sfu/dtls.h"
#include "sfu/proto/answer.h"
#include "sfu/sfu.h"
#include "sfu/sfu_cascade.h"
#include "sfu/sfu_door.h"
#include "sfu/sfu_face.h"
#include "sfu/sfu_gate.h"
#include "sfu/sfu_reply.h"
#include "sfu/sfu_room.h"
#include "sfu/sfu_token.h"
#include "sfu/sfu_whep.h"

#define SDP_TYPE      "application/sdp"
#define FRAGMENT_TYPE "application/trickle-ice-sdpfrag"
#define SEEN_TYPE     "application/json"
#define SEEN_EVERY_US 500000             /* and timers are not exact */
#define STATS_HEADER  "X-Ringmain-Stats" /* milliseconds */

#define LIST_WAIT_US 20000000

/* --- paths --------------------------------------------------------------------------------------------------- */

/* What lies behind "/whip" or "/whep", without slashes around it. */
static struct bytes rest_of(struct bytes path)
{
	struct bytes rest = bytes_skip(path, 5);

	while (rest.len && rest.at[0] == '/')
		rest = bytes_skip(rest, 1);
	while (rest.len && rest.at[rest.len - 1] == '/')
		rest.len--;
	return rest;
}

static enum peer_role role_of(struct bytes path)
{
	return bytes_start_with(path, BYTES("/whip")) ? PEER_PUBLISHER : PEER_VIEWER;
}

/* By path or by ?room=; deadsfu's name for the room of who names none. */
static struct bytes room_of(const struct request *request, char buf[ROOM_NAME_MAX + 2])
{
	struct bytes rest = rest_of(request->path);

	if (rest.len && !bytes_equal(request->path, BYTES("/whap")) &&
	    bytes_start_with(request->path, BYTES("/wh")))
		return rest;
	if (!request_param(request, "room", buf, ROOM_NAME_MAX + 2) || !buf[0])
		return BYTES("main");
	return bytes_str(buf);
}

/* The last part of a path. */
static struct bytes id_of(struct bytes path)
{
	while (bytes_find(path, '/') < path.len)
		path = bytes_skip(path, bytes_find(path, '/') + 1);
	return path;
}

/* --- offers that come to nothing ------------------------------------------------------------------------------- */

RUNS_ON(on_worker) static void refuse_offer(struct conn *conn, unsigned status, const char *detail)
{
	metric_add(METRIC_sfu_refused_offers, 1);
	reply_refuse(conn, status, detail);
}

RUNS_ON(on_control) static void fail_offer(struct call *call, unsigned status, const char *detail)
{
	metric_add(METRIC_sfu_refused_offers, 1);
	reply_fail(call, status, detail);
}

/* --- who may ------------------------------------------------------------------------------------------------- */

RUNS_ON(on_worker)
static void let_in_or(struct conn *conn, void (*then)(struct conn *conn),
		      void (*refuse)(struct conn *conn, unsigned status, const char *why))
{
	const struct request *request = conn_request(conn);
	bool of_session = method_of(request->method) & (METHOD_PATCH | METHOD_DELETE);
	char buf[ROOM_NAME_MAX + 2];
	struct bytes room = room_of(request, buf);

	/* /whip/ROOM/ID */
	if (of_session && bytes_find(room, '/') < room.len)
		room.len -= id_of(room).len + 1;
	if (!door_is_open())
		refuse(conn, 404, "WebRTC is off here: sfu.udp is not set");
	else
		gate_let_in(conn, role_of(request->path) == PEER_PUBLISHER, room, then, refuse);
}

RUNS_ON(on_worker) static void let_in(struct conn *conn, void (*then)(struct conn *conn))
{
	let_in_or(conn, then, reply_refuse);
}

/* --- POST ---------------------------------------------------------------------------------------------------- */

/* RFC 9725 4.6: STUN and TURN servers for the client's own use. A TURN server's password is made for
 * this session where the secret is known. */
static void put_ice_servers(struct reply *reply)
{
	const struct sfu_conf *conf = sfu_conf();
	char user[48], password[48];
	struct writer of_user = writer_of(user, sizeof user);
	struct writer of_password = writer_of(password, sizeof password);

	token_write_turn_user(&of_user, (wall_now_us() / 1000 + (int64_t)conf->turn_life) / 1000);
	token_write_turn_password(&of_password, writer_done(&of_user),
				  bytes_str(conf->turn_secret));
	for (size_t i = 0; i < conf->ice_servers.count; i++) {
		const char *url = conf->ice_servers.at[i];
		char link[512];
		struct writer w = writer_of(link, sizeof link);

		writer_str(&w, "<");
		writer_str(&w, url);
		writer_str(&w, ">; rel=\"ice-server\"");
		if (strncmp(url, "turn", 4) == 0 && conf->turn_secret[0]) {
			writer_str(&w, "; username=\"");
			writer_put(&w, writer_done(&of_user));
			writer_str(&w, "\"; credential=\"");
			writer_put(&w, writer_done(&of_password));
			writer_str(&w, "\"; credential-type=\"password\"");
		}
		if (writer_ok(&w))
			reply_header(reply, "Link", writer_done(&w));
	}
}

RUNS_ON(on_control) static void put_location(struct call *call, const struct sfu_session *session)
{
	char buf[1024];
	struct writer w = writer_of(buf, sizeof buf);

	writer_str(&w, session->role == PEER_PUBLISHER ? "/whip/" : "/whep/");
	url_encode_path(&w, bytes_str(session->room->name));
	writer_str(&w, "/");
	writer_str(&w, session->id);
	reply_header(&call->reply, "Location", writer_done(&w));
	if (session->role == PEER_VIEWER && !session->edge)
		whep_put_links(&call->reply, writer_done(&w));
}

static void put_etag(struct reply *reply, const struct sfu_session *session)
{
	char buf[32];

	snprintf(buf, sizeof buf, "\"%s\"", session->etag);
	reply_header(reply, "ETag", bytes_str(buf));
}

/* How often a page of ours tells what it sees. */
static void put_stats(struct reply *reply)
{
	char text[32];
	struct writer w = writer_of(text, sizeof text);

	writer_dec(&w, sfu_conf()->stats);
	reply_header(reply, STATS_HEADER, writer_done(&w));
}

/* What another server is told of a room. */
RUNS_ON(on_control)
static void put_told(struct call *call, const char *header, const struct sfu_room *room,
		     void (*write)(const struct sfu_room *room, struct writer *w))
{
	char text[1024];
	struct writer w = writer_of(text, sizeof text);

	write(room, &w);
	reply_header(&call->reply, header, writer_done(&w));
}

/* Whether the offer of a server that asks for each track has as many media as there are; else it is told. */
RUNS_ON(on_control)
static bool each_is_asked_for(struct call *call, const struct sfu_room *room,
			      const struct sdp *offer)
{
	unsigned audios, videos, asked = 0;

	if (!room || !room->publisher)
		return true; /* it hears that nobody publishes */
	room_tracks(room, &audios, &videos);
	for (unsigned i = 0; i < offer->media_count; i++)
		asked += offer->media[i].kind == SDP_VIDEO;
	if (asked == videos && offer->media_count - asked == audios)
		return true;
	put_told(call, CASCADE_TRACKS, room, cascade_write_tracks);
	fail_offer(call, 409, "the room has other media than were asked for");
	return false;
}

RUNS_ON(on_control)
static void answer_offer(struct call *call, const struct sdp *offer, const struct answer *answer,
			 const struct sfu_session *session)
{
	char lines[4096];
	struct writer candidates = writer_of(lines, sizeof lines);
	struct answer_local local = {
		.id = (uint64_t)session->since_us,
		.version = 1,
		.ufrag = session->ufrag,
		.pwd = session->pwd,
		.fingerprint = dtls_fingerprint(),
		.name = "ringmain",
	};
	struct writer w;

	door_write_candidates(&candidates, session->worker->id);
	local.candidates = writer_done(&candidates);
	do {
		w = buffer_writer(&call->reply.body);
		answer_write(offer, answer, &local, &w);
	} while (buffer_again(&call->reply.body, &w));
	call->reply.status = 201;
	call->reply.type = SDP_TYPE;
	put_location(call, session);
	put_etag(&call->reply, session);
	put_ice_servers(&call->reply);
	if (session->edge) {
		put_told(call, CASCADE_PATH, session->room, cascade_write_path);
		if (session->each)
			put_told(call, CASCADE_LAYERS, session->room, cascade_write_layers);
	}
	reply_header(&call->reply, "Accept-Patch", BYTES(FRAGMENT_TYPE));
	if (session->role == PEER_VIEWER && sfu_conf()->stats)
		put_stats(&call->reply);
	reply_put_cors(&call->reply);
	call_reply(call);
}

RUNS_ON(on_control)
static void say_status(struct call *call, enum session_status status, enum peer_role role,
		       void (*fail)(struct call *call, unsigned status, const char *detail))
{
	switch (status) {
	case SESSION_OK: break;
	case SESSION_BUSY: fail(call, 409, "somebody publishes to this room"); break;
	case SESSION_NOBODY: fail(call, 409, "nobody publishes to this room yet"); break;
	case SESSION_CODEC:
		fail(call, 422, "none of the offered codecs is the one that is published");
		break;
	case SESSION_FULL:
		fail(call, 503,
		     role == PEER_VIEWER ? "there are as many viewers as may be"
					 : "there are as many rooms as may be");
		break;
	case SESSION_CROWD: fail(call, 503, "there are as many from this address as may be"); break;
	case SESSION_NO_MEMORY:
	case SESSION_STOPPED: fail(call, 503, "the server cannot take more at the moment"); break;
	}
}

RUNS_ON(on_control)
static void begin(struct call *call, const struct sdp *offer, struct answer *answer)
{
	char room[ROOM_NAME_MAX + 2], subuuid[64] = "";
	const struct request *request = &call->request;
	struct session_order order = {
		.role = role_of(request->path),
		.room = room_of(request, room),
		.offer = offer,
		.from = request->peer,
		.agent = http1_header_get(&request->head, BYTES("User-Agent")),
	};
	struct sfu_session *session;
	enum session_status status;
	struct bytes edge;

	order.subuuid = http1_header_get(&request->head, BYTES("X-deadsfu-subuuid"));
	if (!order.subuuid.at && request_param(request, "subuuid", subuuid, sizeof subuuid))
		order.subuuid = bytes_str(subuuid);
	if (!room_name_is_good(order.room)) {
		fail_offer(
			call, 400,
			"a room's name is 1 to 128 bytes of UTF-8 without blanks, quotes and <>");
		return;
	}
	edge = http1_header_get(&request->head, BYTES(CASCADE_HEADER));
	order.edge = edge.at && order.role == PEER_VIEWER;
	if (order.edge && cascade_is_loop(room_find(order.room), edge)) {
		fail_offer(call, 508, "the media of this room come through the server that asks");
		return;
	}
	order.each = order.edge && http1_header_get(&request->head, BYTES(CASCADE_TRACKS)).at;
	if (order.each && !each_is_asked_for(call, room_find(order.room), offer))
		return;
	status = session_begin(&order, answer, &session);
	/* It will be there when it asks again. */
	if (status == SESSION_NOBODY)
		cascade_want(order.room, edge);
	if (status == SESSION_OK)
		answer_offer(call, offer, answer, session);
	else
		say_status(call, status, order.role, fail_offer);
}

/* RFC 9725 4.2: what is an endpoint to one request is not a session to another. */
RUNS_ON(on_control) static bool is_session(struct call *call)
{
	const struct sfu_session *session = session_find(id_of(call->request.path));
	char allow[64];
	struct writer w = writer_of(allow, sizeof allow);

	if (!session || session->role != role_of(call->request.path))
		return false;
	methods_write(METHOD_PATCH | METHOD_DELETE | METHOD_OPTIONS, &w);
	reply_header(&call->reply, "Allow", writer_done(&w));
	reply_fail(call, 405, "this is a session: it takes PATCH and DELETE");
	return true;
}

static void answer_post(struct call *call)
{
	struct answer_limits limits = {
		.audio = 4,
		.video = 8,
		.tracks = role_of(call->request.path) == PEER_PUBLISHER ? SOURCE_TRACKS_MAX : 0,
	};
	char room[ROOM_NAME_MAX + 2];
	struct sdp *offer;
	struct answer *answer;
	char why[160];

	enter_control();
	if (is_session(call))
		return;
	offer = malloc(sizeof *offer);
	answer = malloc(sizeof *answer);
	/* Another server may ask for each layer of each video. */
	if (http1_header_get(&call->request.head, BYTES(CASCADE_TRACKS)).at)
		limits.audio = limits.video = ROOM_TRACKS_MAX;
	if (!offer || !answer) {
		fail_offer(call, 503, "out of memory");
	} else if (sdp_parse(call->request.body, offer) != SDP_OK) {
		snprintf(why, sizeof why, "the offer cannot be read: line %u: %s", offer->line,
			 offer->fault);
		fail_offer(call, 400, why);
	} else {
		enum answer_role role = role_of(call->request.path) == PEER_PUBLISHER
						? ANSWER_PUBLISHER
						: ANSWER_VIEWER;

		/* Viewers say what fits through by REMB, which is a quarter of the datagrams,
		 * unless there is something to choose. */
		limits.twcc =
			role == ANSWER_PUBLISHER || room_has_layers(room_of(&call->request, room));
		switch (answer_choose(offer, role, &limits, answer)) {
		case ANSWER_OK: begin(call, offer, answer); break;
		case ANSWER_BAD: fail_offer(call, 400, answer->fault); break;
		case ANSWER_REFUSED: fail_offer(call, 422, answer->fault); break;
		}
	}
	free(offer);
	free(answer);
}

RUNS_ON(on_worker) static void post_let_in(struct conn *conn)
{
	conn_call(conn, answer_post);
}

RUNS_ON(on_worker) static void serve_post(struct conn *conn)
{
	if (!request_type_is(conn_request(conn), SDP_TYPE))
		refuse_offer(conn, 415, "an offer is application/sdp");
	else if (!conn_body(conn))
		let_in_or(conn, post_let_in, refuse_offer);
}

/* --- PATCH --------------------------------------------------------------------------------------------------- */

/* Whatever there is. RFC 9725's own example has it in quotes, which makes it an ETag that nothing has. */
static bool is_any(struct bytes match)
{
	return bytes_equal(match, BYTES("*")) || bytes_equal(match, BYTES("\"*\""));
}

/* Whether If-Match names this ETag, or any. */
static bool matches(struct bytes header, const char *etag)
{
	char wanted[32];

	snprintf(wanted, sizeof wanted, "\"%s\"", etag);
	while (header.len) {
		struct bytes one = bytes_trim(bytes_cut(&header, ','));

		if (is_any(one) || bytes_equal(one, bytes_str(wanted)))
			return true;
	}
	return false;
}

RUNS_ON(on_control) static void answer_restart(struct call *call, struct sfu_session *session)
{
	char text[4400];
	struct writer w = writer_of(text, sizeof text);

	writer_str(&w, "a=ice-lite\r\na=ice-ufrag:");
	writer_str(&w, session->ufrag);
	writer_str(&w, "\r\na=ice-pwd:");
	writer_str(&w, session->pwd);
	writer_str(&w, "\r\n");
	door_write_candidates(&w, session->worker->id);
	writer_str(&w, "a=end-of-candidates\r\n");
	buffer_put(&call->reply.body, writer_done(&w));
	call->reply.status = 200;
	call->reply.type = FRAGMENT_TYPE;
	put_etag(&call->reply, session);
	reply_put_cors(&call->reply);
	call_reply(call);
}

static void answer_patch(struct call *call)
{
	struct bytes match = http1_header_get(&call->request.head, BYTES("If-Match"));
	struct sfu_session *session;
	struct sdp_fragment fragment;

	enter_control();
	session = session_find(id_of(call->request.path));
	if (!session || session->ending || session->role != role_of(call->request.path)) {
		reply_fail(call, 404, "there is no such session (any more)");
	} else if (sdp_parse_fragment(call->request.body, &fragment) != SDP_OK) {
		reply_fail(call, 400, "the fragment cannot be read");
	} else if (!match.at) {
		reply_fail(call, 428,
			   "If-Match is needed: the ETag of the session, or * for a restart");
	} else if (!matches(match, session->etag)) {
		reply_fail(call, 412, "the session has another ETag by now");
	} else if (is_any(bytes_trim(match))) {
		/* RFC 9725 4.4.2: a restart is for whatever there is. */
		if (!fragment.ufrag.at || !fragment.pwd.at)
			reply_fail(call, 400, "a restart names ice-ufrag and ice-pwd");
		else if (!session_restart(session, fragment.ufrag, fragment.pwd))
			reply_fail(call, 503, "out of memory");
		else
			answer_restart(call, session);
	} else {
		/* A lite agent answers whoever asks with the right password: candidates are good to
		 * know and not needed. */
		reply_done(call, 204);
	}
}

/* What a viewer says of itself. */
static void answer_seen(struct call *call)
{
	struct sfu_session *session;
	int64_t now_us = wall_now_us();

	enter_control();
	session = session_find(id_of(call->request.path));
	if (!session || session->ending || session->role != PEER_VIEWER) {
		reply_fail(call, 404, "there is no such session (any more)");
	} else if (call->request.body.len > SEEN_MAX) {
		reply_fail(call, 413, "that is more than is listened to");
	} else if (now_us - session->seen.at_us < SEEN_EVERY_US) {
		reply_fail(call, 429, "once a second is enough");
	} else if (!seen_read(call->request.body, now_us, &session->seen)) {
		reply_fail(call, 400, "expected an object of numbers");
	} else {
		reply_done(call, 204);
	}
}

RUNS_ON(on_worker) static void seen_let_in(struct conn *conn)
{
	conn_call(conn, answer_seen);
}

RUNS_ON(on_worker) static void patch_let_in(struct conn *conn)
{
	conn_call(conn, answer_patch);
}

RUNS_ON(on_worker) static void serve_patch(struct conn *conn)
{
	if (request_type_is(conn_request(conn), SDP_TYPE))
		reply_refuse(conn, 422,
			     "this server makes no counter-offers: there is nothing to answer");
	else if (request_type_is(conn_request(conn), SEEN_TYPE) &&
		 role_of(conn_request(conn)->path) == PEER_VIEWER) {
		if (!conn_body(conn))
			let_in(conn, seen_let_in);
	} else if (!request_type_is(conn_request(conn), FRAGMENT_TYPE))
		reply_refuse(conn, 415, "a patch is application/trickle-ice-sdpfrag");
	else if (!conn_body(conn))
		let_in(conn, patch_let_in);
}

/* --- DELETE -------------------------------------------------------------------------------------------------- */

static void answer_delete(struct call *call)
{
	struct sfu_session *session;

	enter_control();
	session = session_find(id_of(call->request.path));
	if (!session || session->ending || session->role != role_of(call->request.path)) {
		reply_fail(call, 404, "there is no such session (any more)");
		return;
	}
	session_end(session, "left");
	reply_done(call, 200);
}

RUNS_ON(on_worker) static void delete_let_in(struct conn *conn)
{
	conn_call(conn, answer_delete);
}

/* --- the rest ------------------------------------------------------------------------------------------------- */

RUNS_ON(on_worker) static void serve_options(struct conn *conn)
{
	struct reply reply = {.status = 204};

	reply_put_cors(&reply);
	reply_header(&reply, "Access-Control-Allow-Methods",
		     BYTES("GET, HEAD, POST, PATCH, DELETE, OPTIONS"));
	reply_header(&reply, "Access-Control-Allow-Headers",
		     BYTES("Authorization, Content-Type, If-Match, X-deadsfu-subuuid"));
	reply_header(&reply, "Access-Control-Max-Age", BYTES("86400"));
	reply_header(&reply, "Accept-Post", BYTES(SDP_TYPE));
	reply_header(&reply, "Accept-Patch", BYTES(FRAGMENT_TYPE));
	conn_reply(conn, &reply);
}

static void answer_look(struct call *call)
{
	enter_control();
	if (is_session(call))
		return;
	call->reply.type = SDP_TYPE;
	reply_header(&call->reply, "Accept-Post", BYTES(SDP_TYPE));
	reply_done(call, 204);
}

#define ENDPOINT \
	(METHOD_GET | METHOD_HEAD | METHOD_POST | METHOD_PATCH | METHOD_DELETE | METHOD_OPTIONS)

static void answer_other(struct call *call)
{
	char allow[128];
	struct writer w = writer_of(allow, sizeof allow);

	enter_control();
	if (is_session(call))
		return;
	methods_write(ENDPOINT, &w);
	reply_header(&call->reply, "Allow", writer_done(&w));
	reply_fail(call, 405, "offers are POSTed here");
}

/* All methods: what is left to others would be taken for an encoder's. */
#define ANY (METHOD_ALL & ~METHOD_SOURCE)

RUNS_ON(on_worker) static void serve_endpoint(struct conn *conn)
{
	if (whep_serve(conn))
		return;
	switch (method_of(conn_request(conn)->method)) {
	case METHOD_POST: serve_post(conn); break;
	case METHOD_PATCH: serve_patch(conn); break;
	case METHOD_DELETE: let_in(conn, delete_let_in); break;
	case METHOD_OPTIONS: serve_options(conn); break;
	case METHOD_GET:
	case METHOD_HEAD: conn_call(conn, answer_look); break;
	default: conn_call(conn, answer_other);
	}
}

/* --- deadsfu's ------------------------------------------------------------------------------------------------ */

static void answer_switch(struct call *call)
{
	char room[ROOM_NAME_MAX + 2], subuuid[64] = "";
	struct sfu_session *session;
	enum session_status status;

	enter_control();
	(void)call_param(call, "subuuid", subuuid, sizeof subuuid);
	session = session_find_subuuid(bytes_str(subuuid));
	if (!session) {
		reply_fail(call, 404, "there is no viewer of that subuuid");
	} else if (!call_param(call, "room", room, sizeof room) ||
		   !room_name_is_good(bytes_str(room))) {
		reply_fail(call, 400, "room is needed");
	} else {
		status = session_switch(session, bytes_str(room));
		if (status != SESSION_OK) {
			say_status(call, status, PEER_VIEWER, reply_fail);
			return;
		}
		reply_done(call, 200);
	}
}

RUNS_ON(on_worker) static void switch_let_in(struct conn *conn)
{
	conn_call(conn, answer_switch);
}

RUNS_ON(on_worker) static void serve_switch(struct conn *conn)
{
	if (method_of(conn_request(conn)->method) == METHOD_OPTIONS)
		serve_options(conn);
	else
		let_in(conn, switch_let_in);
}

/* /getRoomList?serial=N: at once when the serial is another, else when it has become one, or after a
 * while all the same. */
struct waiting {
	struct waiting *next;
	struct call *call;
	uint64_t known;
	int64_t until_us;
};

static struct waiting *waiting OWNED_BY(on_control);
static bool stopped OWNED_BY(on_control);
static uv_timer_t waiting_timer OWNED_BY(on_control);

/* NULL: no memory. To be freed. */
RUNS_ON(on_control) static char *room_list(void)
{
	json_t *tree = face_room_list();
	char *text = tree ? json_dumps(tree, 0) : NULL;

	json_decref(tree);
	return text;
}

RUNS_ON(on_control) static void answer_room_list(struct call *call, const char *text)
{
	call->reply.status = text ? 200 : 503;
	call->reply.type = "application/json";
	buffer_put(&call->reply.body, bytes_str(text ? text : "{}"));
	reply_put_cors(&call->reply);
	call_reply(call);
}

/* Thousands may wait: the list is made once for all. */
RUNS_ON(on_control) static void answer_waiting(bool all)
{
	int64_t now_us = mono_now().us;
	char *text = NULL;

	for (struct waiting **at = &waiting; *at;) {
		struct waiting *one = *at;

		if (!all && one->known == room_serial() && one->until_us > now_us) {
			at = &one->next;
			continue;
		}
		*at = one->next;
		if (!text)
			text = room_list();
		answer_room_list(one->call, text);
		free(one);
	}
	free(text);
}

static void on_waiting(uv_timer_t *timer)
{
	(void)timer;
	enter_control();
	answer_waiting(false);
}

void whip_start(uv_loop_t *loop)
{
	stopped = false;
	uv_timer_init(loop, &waiting_timer);
	uv_timer_start(&waiting_timer, on_waiting, 200, 200);
	uv_unref((uv_handle_t *)&waiting_timer);
}

void whip_stop(void)
{
	stopped = true; /* nobody would wake who waits from now on */
	answer_waiting(true);
	uv_close((uv_handle_t *)&waiting_timer, NULL);
}

static void look_at_room_list(struct call *call)
{
	char serial[24] = "", *text;
	uint64_t known = UINT64_MAX;
	struct waiting *one;

	enter_control();
	(void)call_param(call, "serial", serial, sizeof serial);
	if (!bytes_to_u64(bytes_str(serial), UINT64_MAX, &known) || known != room_serial() ||
	    stopped || !(one = malloc(sizeof *one))) {
		text = room_list();
		answer_room_list(call, text);
		free(text);
		return;
	}
	*one = (struct waiting){waiting, call, known, mono_now().us + LIST_WAIT_US};
	waiting = one;
}

RUNS_ON(on_worker) static void room_list_let_in(struct conn *conn)
{
	conn_call(conn, look_at_room_list);
}

RUNS_ON(on_worker) static void serve_room_list(struct conn *conn)
{
	if (method_of(conn_request(conn)->method) == METHOD_OPTIONS)
		serve_options(conn);
	else
		let_in(conn, room_list_let_in);
}

const struct route whip_routes[] = {
	{"/whip", ANY, serve_endpoint, NULL},
	{"/whip/", ANY, serve_endpoint, NULL},
	{"/whep", ANY, serve_endpoint, NULL},
	{"/whep/", ANY, serve_endpoint, NULL},
	{"/whap", ANY, serve_endpoint, NULL},
	{"/getRoomList", METHOD_GET | METHOD_OPTIONS, serve_room_list, NULL},
	{"/switchRoom", METHOD_GET | METHOD_POST | METHOD_OPTIONS, serve_switch, NULL},
	{NULL, 0, NULL, NULL},
};
