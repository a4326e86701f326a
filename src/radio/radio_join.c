#include "radio/radio_join.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "edge/edge.h"
#include "edge/files.h"
#include "edge/proto/http_date.h"
#include "edge/proto/url.h"
#include "radio/proto/client_profile.h"
#include "radio/proto/hops.h"
#include "radio/proto/listener_answer.h"
#include "radio/proto/playlist.h"
#include "radio/radio.h"
#include "radio/radio_auth_url.h"
#include "radio/radio_event.h"
#include "radio/radio_htpasswd.h"
#include "radio/radio_limit.h"
#include "radio/radio_listener.h"
#include "radio/radio_login.h"
#include "radio/radio_outlet.h"
#include "radio/radio_status.h"
#include "radio/radio_wait.h"

#define RETRY_AFTER BYTES("10")

/* What was found out about a join, between its answer and its listener. */
struct join {
	struct outlet *outlet;
	bool icy;
	enum listener_range range;
	uint32_t quirks;
	uint32_t metaint;
	bool relay; /* another server asks */
};

RUNS_ON(on_worker)
static void join_refuse(struct conn *conn, unsigned status, const char *why)
{
	struct reply reply = {.close = status == 503};

	reply_text(&reply, status, why);
	reply_header(&reply, "Access-Control-Allow-Origin", BYTES("*"));
	if (status == 503)
		reply_header(&reply, "Retry-After", RETRY_AFTER);
	conn_reply(conn, &reply);
}

/* No mount is called so, nor a file: the page of all rooms was meant. */
RUNS_ON(on_worker) static void join_page(struct conn *conn, struct bytes page)
{
	struct reply reply = {0};

	reply_text(&reply, 302, "the page has a slash behind it");
	reply_header(&reply, "Location", page);
	conn_reply(conn, &reply);
}

RUNS_ON(on_worker) static void join_refuse_missing(struct conn *conn)
{
	struct bytes path = conn_request(conn)->path;

	if (bytes_equal(path, BYTES("/watch"))) {
		join_page(conn, BYTES("/watch/"));
		return;
	}
	if (bytes_equal(path, BYTES("/send"))) {
		join_page(conn, BYTES("/send/"));
		return;
	}
	join_refuse(conn, 404, "The file you requested could not be found");
}

/* No mount of this name is on the air: perhaps there is a file. */
RUNS_ON(on_worker) static void join_file(struct conn *conn)
{
	files_serve(conn, join_refuse_missing);
}

static const char *limit_word(enum limit limit)
{
	switch (limit) {
	case LIMIT_NONE: break;
	case LIMIT_SERVER: return "the server is full: too many listeners";
	case LIMIT_MOUNT: return "this mount is full: too many listeners";
	case LIMIT_ADDRESS: return "too many listeners from your address";
	case LIMIT_BANDWIDTH: return "the server is full: no bandwidth left";
	case LIMIT_MEMORY: return "out of memory";
	}
	return "";
}

static bool may_listen(const struct mount *mount, const struct address *peer)
{
	if (cidr_list_holds(mount_rules(mount)->deny, peer))
		return false;
	return mount_rules(mount)->allow.count == 0 ||
	       cidr_list_holds(mount_rules(mount)->allow, peer);
}

/* Titles go only into streams that have no place of their own for them and bear to be cut. */
static bool kind_takes_icy(uint32_t kind)
{
	return kind == FRAMER_MP3 || kind == FRAMER_ADTS || kind == FRAMER_RAW;
}

/* "Icecast 2.4.4": a relay. A directory's checker calls itself Icecast too, and has no number. */
static bool is_icecast(struct bytes agent)
{
	struct bytes version = bytes_skip(agent, 8);

	return bytes_start_with_nocase(agent, BYTES("icecast ")) && version.len &&
	       version.at[0] >= '0' && version.at[0] <= '9';
}

RUNS_ON(on_worker)
static void join_look(struct join *join, const struct request *request, struct outlet *outlet)
{
	struct bytes icy = http1_header_get(&request->head, BYTES("Icy-MetaData"));
	struct bytes agent = http1_header_get(&request->head, BYTES("User-Agent"));

	*join = (struct join){.outlet = outlet};
	join->icy = bytes_equal(bytes_trim(icy), BYTES("1"));
	join->quirks = client_profile_of(agent);
	join->relay = http1_header_get(&request->head, BYTES("Via")).len || is_icecast(agent);
	join->range =
		listener_range_policy(http1_header_get(&request->head, BYTES("Range")), join->icy);
	if (join->icy && kind_takes_icy(outlet->tap->feed->kind))
		join->metaint = (uint32_t)mount_conf(outlet->mount)->icy_interval;
}

RUNS_ON(on_worker)
static struct bytes join_answer(const struct join *join, enum listener_answer_kind kind,
				struct writer *w)
{
	char date_room[32];
	struct writer date = writer_of(date_room, sizeof date_room);
	const char *type = mount_conf(join->outlet->mount)->content_type;
	struct listener_answer answer = {
		.kind = kind,
		.quirks = join->quirks,
		.server = BYTES("ringmain/" RINGMAIN_VERSION),
		.content_type = bytes_str(type && type[0] ? type : join->outlet->tap->feed->type),
		.station = &join->outlet->station,
		.self = join->relay ? radio_id() : BYTES(""),
		.metaint = join->metaint,
		.probe = {0xff, 0xfb},
	};

	http_date_write(&date, wall_now_us() / 1000000);
	answer.date = writer_done(&date);
	listener_answer_write(&answer, w);
	return writer_done(w);
}

RUNS_ON(on_worker) static void after_probe(struct conn *conn)
{
	conn_drop(conn);
}

/* Who was let in, and then found no place after all, has left as well. */
RUNS_ON(on_worker)
static void admission_void(const struct request *request, const char *mount,
			   const struct admission *admission)
{
	if (!admission || !admission->tell)
		return;
	auth_url_joined(UINT32_MAX, admission->id, mount, request);
	auth_url_left(UINT32_MAX, admission->id, 0);
}

/* The place is taken: answer, and make a listener of the connection. The answer goes straight to the
 * socket, which is empty: one that does not take it is no player's. */
RUNS_ON(on_worker)
static void join_stream(struct conn *conn, const struct join *join, uint32_t bytes_per_second,
			struct admission *admission)
{
	struct request request = *conn_request(conn);
	struct bytes agent = http1_header_get(&request.head, BYTES("User-Agent"));
	struct address peer = request.peer;
	uint8_t room[LISTENER_ANSWER_MAX];
	struct writer w = writer_of(room, sizeof room);
	struct bytes answer, rest;
	struct link link;

	answer = join_answer(join,
			     join->range == LISTENER_RANGE_STREAM ? LISTENER_ANSWER_RANGE_STREAM
								  : LISTENER_ANSWER_STREAM,
			     &w);
	link = conn_take(conn, &rest);
	metric_add(METRIC_radio_listeners_come, 1);
	/* For the two calls below only. */
	if (admission)
		/* cppcheck-suppress autoVariables */
		admission->request = &request;
	if (link_send(link, answer) == (ssize_t)answer.len &&
	    listener_start(join->outlet, link, join->metaint, &peer, agent, bytes_per_second,
			   admission, !join->relay))
		return;
	limit_give(&join->outlet->mount->count, &peer, bytes_per_second);
	limit_user_give(&join->outlet->mount->count, admission ? admission->user : "");
	link_close(link);
	edge_left(worker_here());
	admission_void(&request, join->outlet->mount->name, admission);
}

/* Who finds the mount full goes to its fallback, where that is wanted. */
RUNS_ON(on_worker)
static enum limit join_take_place(struct join *join, const struct request *request,
				  uint32_t *bytes_per_second)
{
	const struct radio_conf *conf = radio_conf();

	for (unsigned depth = 0;; depth++) {
		struct mount *mount = join->outlet->mount;
		struct limit_rules rules = {conf->max_listeners, conf->max_listeners_per_address,
					    conf->max_bandwidth, mount_conf(mount)};
		struct outlet *next = NULL;
		enum limit limit;

		*bytes_per_second = atomic_load_explicit(&mount->count.cost, memory_order_relaxed);
		limit = limit_take(&rules, &mount->count, &request->peer, *bytes_per_second);
		if (limit == LIMIT_MOUNT && mount_conf(mount)->fallback_when_full && depth < 8)
			next = outlet_find(bytes_str(join->outlet->fallback));
		if (!next || !next->tap || !may_listen(next->mount, &request->peer))
			return limit;
		join_look(join, request, next);
	}
}

RUNS_ON(on_worker)
static bool join_take_name(const struct join *join, const struct admission *admission)
{
	struct mount *mount = join->outlet->mount;

	return !admission || limit_user_take(&mount->count, admission->user,
					     !mount_conf(mount)->allow_duplicate_users);
}

RUNS_ON(on_worker)
static void join_redirect(struct conn *conn, const char *base, const char *mount)
{
	struct reply reply = {.close = true};
	char room[2048];
	struct writer w = writer_of(room, sizeof room);

	writer_str(&w, base);
	url_encode_path(&w, bytes_str(mount));
	reply_text(&reply, 302, "this server is full, another is not");
	reply_header(&reply, "Location", writer_done(&w));
	reply_header(&reply, "Access-Control-Allow-Origin", BYTES("*"));
	conn_reply(conn, &reply);
}

RUNS_ON(on_worker)
static void join_get(struct conn *conn, struct join *join, struct admission *admission)
{
	const struct request *request = conn_request(conn);
	const struct mount *mount = join->outlet->mount;
	uint32_t bytes_per_second;
	enum limit limit;

	limit = join_take_place(join, request, &bytes_per_second);
	if (limit == LIMIT_NONE && !join_take_name(join, admission)) {
		limit_give(&join->outlet->mount->count, &request->peer, bytes_per_second);
		log_info("radio", "listener refused", kv_str("mount", mount->name),
			 kv_str("user", admission->user), kv_str("why", "listens already"));
		admission_void(request, mount->name, admission);
		login_unauthorized(conn);
		return;
	}
	if (limit == LIMIT_NONE) {
		join_stream(conn, join, bytes_per_second, admission);
		return;
	}
	metric_add(METRIC_radio_listeners_full, 1);
	event_often(EVENT_LISTENER_LIMIT, mount->name, &request->peer, limit_word(limit));
	admission_void(request, mount->name, admission);
	if (mount_conf(mount)->redirect[0])
		join_redirect(conn, mount_conf(mount)->redirect, mount->name);
	else
		join_refuse(conn, 503, limit_word(limit));
}

/* --- play lists ----------------------------------------------------------------------------- */

RUNS_ON(on_worker)
static void join_playlist(struct conn *conn, enum playlist_kind kind, const struct outlet *outlet)
{
	const struct request *request = conn_request(conn);
	struct reply reply = {.status = 200, .type = playlist_content_type(kind)};
	uint8_t room[2048];
	struct writer url = writer_of(room, sizeof room);
	struct playlist_entry entry = {
		.url = status_listen_url(request_site(request), bytes_str(outlet->mount->name),
					 &url),
		.name = bytes_str(outlet->station.name),
		.description = bytes_str(outlet->station.description),
		.genre = bytes_str(outlet->station.genre),
		.info = bytes_str(outlet->station.url),
		.content_type = bytes_str(outlet->tap ? outlet->tap->feed->type : ""),
		.bitrate = outlet->station.bitrate,
	};
	struct writer w;

	do {
		w = buffer_writer(&reply.body);
		playlist_write(kind, BYTES("ringmain"), &entry, 1, &w);
	} while (buffer_again(&reply.body, &w));
	reply_header(&reply, "Content-Disposition", BYTES("attachment"));
	reply_header(&reply, "Access-Control-Allow-Origin", BYTES("*"));
	conn_reply(conn, &reply);
}

/* --- the request ---------------------------------------------------------------------------- */

/* The station's own program has said whether it may listen. The mount may be another by now. */
RUNS_ON(on_worker)
static void on_admitted(struct conn *conn, enum auth_answer answer,
			const struct admission *admission, const char *message)
{
	const struct request *request = conn_request(conn);
	struct outlet *outlet = outlet_find(request->path);
	struct admission mine = *admission;
	char address[ADDRESS_TEXT_MAX + 1];
	struct join join;

	if (answer == AUTH_URL_NO) {
		log_info("radio", "listener refused",
			 kv_bytes("mount", request->path.at, request->path.len),
			 kv_str("address", address_text(&request->peer, address)),
			 kv_str("message", message));
		login_unauthorized(conn);
	} else if (answer == AUTH_URL_BUSY) {
		join_refuse(conn, 503, "too many listeners are being asked for");
	} else if (!outlet || !outlet->tap) {
		if (outlet)
			admission_void(request, outlet->mount->name, admission);
		join_refuse_missing(conn);
	} else {
		join_look(&join, request, outlet);
		join_get(conn, &join, &mine);
	}
}

/* A server that waits for this stream waits for it here too. */
static bool is_circle(struct bytes via)
{
	return hops_hold(via, radio_id()) || hops_count(via) > HOPS_MAX;
}

RUNS_ON(on_worker) static void join_mount(struct conn *conn, struct outlet *outlet)
{
	const struct request *request = conn_request(conn);
	bool head = bytes_equal(request->method, BYTES("HEAD"));
	uint8_t room[LISTENER_ANSWER_MAX];
	struct writer w = writer_of(room, sizeof room);
	struct join join;

	if (is_circle(http1_header_get(&request->head, BYTES("Via")))) {
		join_refuse(conn, 508, "this relay leads back to where it begins");
		return;
	}
	if (!may_listen(outlet->mount, &request->peer)) {
		join_refuse(conn, 403, "you may not listen to this mount");
		return;
	}
	if (!outlet->tap) {
		if (outlet->expecting)
			wait_for(conn, outlet);
		else if (outlet->relayed)
			join_refuse(conn, 503, "this stream cannot be had at the moment");
		else
			join_file(conn);
		return;
	}
	join_look(&join, request, outlet);
	if (join.range == LISTENER_RANGE_PROBE) {
		conn_send(conn,
			  join_answer(&join,
				      head ? LISTENER_ANSWER_PROBE_HEAD : LISTENER_ANSWER_PROBE,
				      &w),
			  after_probe);
	} else if (head) {
		conn_send(conn, join_answer(&join, LISTENER_ANSWER_STREAM, &w), after_probe);
	} else if (mount_conf(outlet->mount)->htpasswd[0]) {
		htpasswd_ask(conn, outlet->mount->name, mount_conf(outlet->mount)->htpasswd,
			     on_admitted);
	} else if (auth_url_wanted(mount_conf(outlet->mount), AUTH_LISTENER)) {
		auth_url_ask(conn, outlet->mount->name, AUTH_LISTENER, BYTES(""), (struct bytes){0},
			     on_admitted);
	} else {
		join_get(conn, &join, NULL);
	}
}

RUNS_ON(on_worker) static void join_preflight(struct conn *conn)
{
	uint8_t room[LISTENER_ANSWER_MAX];
	struct writer w = writer_of(room, sizeof room);
	struct listener_answer answer = {
		.kind = LISTENER_ANSWER_PREFLIGHT,
		.server = BYTES("ringmain/" RINGMAIN_VERSION),
	};

	listener_answer_write(&answer, &w);
	conn_send(conn, writer_done(&w), after_probe);
}

void join_serve(struct conn *conn)
{
	const struct request *request = conn_request(conn);
	struct outlet *outlet = outlet_find(request->path);
	enum playlist_kind kind;
	struct bytes mount;

	if (bytes_equal(request->method, BYTES("OPTIONS"))) {
		join_preflight(conn);
	} else if (outlet) {
		join_mount(conn, outlet);
	} else if (playlist_of_path(request->path, &kind, &mount) &&
		   (outlet = outlet_find(mount)) != NULL) {
		join_playlist(conn, kind, outlet);
	} else {
		join_file(conn);
	}
}
