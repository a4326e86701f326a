#include "sfu/sfu_whep.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "edge/proto/url.h"
#include "edge/request.h"
#include "edge/route.h"
#include "sfu/sfu_door.h"
#include "sfu/sfu_gate.h"
#include "sfu/sfu_reply.h"
#include "sfu/sfu_room.h"
#include "sfu/sfu_sse.h"

#define JSON_TYPE "application/json"
#define BODY_MAX  2048u

enum part { PART_NONE, PART_LAYER, PART_EVENTS, PART_STREAM };

/* "/whep/ROOM/ID/sse/STREAM" taken apart. */
struct place {
	enum part part;
	struct bytes room, id, stream;
};

/* --- paths -------------------------------------------------------------------------------------------------- */

/* Takes what is behind the last slash. */
static struct bytes cut_last(struct bytes *path)
{
	size_t at = path->len;
	struct bytes last;

	while (at > 0 && path->at[at - 1] != '/')
		at--;
	last = bytes_skip(*path, at);
	*path = bytes_first(*path, at ? at - 1 : 0);
	return last;
}

static bool is_id(struct bytes word)
{
	for (size_t i = 0; i < word.len; i++)
		if (!((word.at[i] >= '0' && word.at[i] <= '9') ||
		      (word.at[i] >= 'a' && word.at[i] <= 'f')))
			return false;
	return word.len == SESSION_ID;
}

static enum part place_of(struct bytes path, struct place *out)
{
	struct bytes last;

	*out = (struct place){0};
	if (!bytes_start_with(path, BYTES("/whep/")))
		return PART_NONE;
	path = bytes_skip(path, sizeof "/whep/" - 1);
	last = cut_last(&path);
	if (bytes_equal(last, BYTES("layer"))) {
		out->part = PART_LAYER;
	} else if (bytes_equal(last, BYTES("sse"))) {
		out->part = PART_EVENTS;
	} else if (is_id(last) && bytes_equal(cut_last(&path), BYTES("sse"))) {
		out->part = PART_STREAM;
		out->stream = last;
	}
	out->id = cut_last(&path);
	out->room = path;
	/* A room may be called so. */
	return out->room.len && is_id(out->id) ? out->part : PART_NONE;
}

/* The viewer that a request is about; NULL: it was answered. */
RUNS_ON(on_control) static struct sfu_session *viewer_of(struct call *call, struct place *place)
{
	struct sfu_session *session;

	(void)place_of(call->request.path, place);
	session = session_find(place->id);
	if (session && !session->ending && session->role == PEER_VIEWER && !session->edge)
		return session;
	reply_fail(call, 404, "there is no such session (any more)");
	return NULL;
}

/* NULL: it is none, or too long. */
static json_t *body_tree(const struct request *request)
{
	return request->body.len > BODY_MAX
		       ? NULL
		       : json_loadb((const char *)request->body.at, request->body.len,
				    JSON_REJECT_DUPLICATES, NULL);
}

/* --- layers ------------------------------------------------------------------------------------------------- */

/* By its place in the offer, which is written as text; the first of pictures when none is named. */
RUNS_ON(on_control)
static bool medium_of(const struct sfu_session *session, const json_t *named, unsigned *out)
{
	const struct sfu_peer *peer = session->peer;
	uint64_t place = 0;

	if (named && !bytes_to_u64(bytes_str(json_string_value(named)), UINT32_MAX, &place))
		return false;
	while (!named && place < peer->sender_count && !peer->senders[place].video)
		place++;
	*out = (unsigned)place;
	return place < peer->sender_count && peer->senders[place].video;
}

/* Which the tracks here have no numbers for. */
static bool wants_other(const json_t *tree)
{
	static const char *const names[] = {"spatialLayerId",    "temporalLayerId",
					    "maxSpatialLayerId", "maxTemporalLayerId",
					    "maxWidth",          "maxHeight"};

	for (unsigned i = 0; i < COUNT_OF(names); i++)
		if (json_object_get(tree, names[i]))
			return true;
	return false;
}

RUNS_ON(on_control)
static void choose(struct call *call, struct sfu_session *session, const json_t *tree)
{
	const json_t *rid = json_object_get(tree, "rid");
	const char *layer;
	unsigned medium;

	if (!rid)
		rid = json_object_get(tree, "encodingId"); /* as earlier drafts call it */
	layer = rid ? json_string_value(rid) : "";
	if (!json_is_object(tree) || !layer)
		reply_fail(call, 400, "expected an object with mediaId and rid");
	else if (!medium_of(session, json_object_get(tree, "mediaId"), &medium))
		reply_fail(call, 422, "mediaId names no video of the offer");
	else if (wants_other(tree))
		reply_fail(call, 422, "layers are chosen by rid here");
	else if (layer[0] && !session_has_layer(session, medium, layer))
		reply_fail(call, 422, "no layer of that rid is published");
	else if (!session_layer(session, medium, layer))
		reply_fail(call, 503, "out of memory");
	else
		reply_done(call, 200);
}

static void answer_layer(struct call *call)
{
	struct sfu_session *session;
	struct place place;
	json_t *tree;

	enter_control();
	session = viewer_of(call, &place);
	if (!session)
		return;
	tree = body_tree(&call->request);
	choose(call, session, tree);
	json_decref(tree);
}

/* --- events ------------------------------------------------------------------------------------------------- */

/* Those that we know of the ones that are wanted; 0: it is no list. */
static unsigned wanted_events(const struct request *request)
{
	json_t *tree, *name;
	unsigned events = 0;
	size_t i;

	if (!request->body.len)
		return SSE_ALL;
	tree = body_tree(request);
	json_array_foreach(tree, i, name) if (json_is_string(name)) events |=
		sse_event(json_string_value(name));
	json_decref(tree);
	return events;
}

RUNS_ON(on_control)
static void put_location(struct reply *reply, struct bytes path, const char *name)
{
	char buf[1024];
	struct writer w = writer_of(buf, sizeof buf);

	url_encode_path(&w, path);
	writer_str(&w, "/");
	writer_str(&w, name);
	reply_header(reply, "Location", writer_done(&w));
}

static void answer_open(struct call *call)
{
	struct sfu_session *session;
	struct place place;
	unsigned events = wanted_events(&call->request);
	const char *name;

	enter_control();
	session = viewer_of(call, &place);
	if (!session)
		return;
	if (!events) {
		reply_fail(call, 400, "expected a list of some of " SSE_EVENTS);
		return;
	}
	name = sse_open(session, events);
	if (!name) {
		reply_fail(call, 503, "out of memory");
		return;
	}
	put_location(&call->reply, call->request.path, name);
	reply_done(call, 201);
}

static void answer_close(struct call *call)
{
	struct sfu_session *session;
	struct place place;

	enter_control();
	session = viewer_of(call, &place);
	if (!session)
		return;
	if (sse_close(session, place.stream))
		reply_done(call, 200);
	else
		reply_fail(call, 404, "there is no such stream of events (any more)");
}

/* --- the worker's half -------------------------------------------------------------------------------------- */

RUNS_ON(on_worker) static void layer_let_in(struct conn *conn)
{
	conn_call(conn, answer_layer);
}

RUNS_ON(on_worker) static void open_let_in(struct conn *conn)
{
	conn_call(conn, answer_open);
}

RUNS_ON(on_worker) static void close_let_in(struct conn *conn)
{
	conn_call(conn, answer_close);
}

RUNS_ON(on_worker) static void serve_post(struct conn *conn, const struct place *place)
{
	const struct request *request = conn_request(conn);

	if (!request_type_is(request, JSON_TYPE) &&
	    (place->part == PART_LAYER ||
	     http1_header_get(&request->head, BYTES("Content-Type")).at))
		reply_refuse(conn, 415, "what is wanted is said as application/json");
	else if (!conn_body(conn))
		gate_let_in(conn, false, place->room,
			    place->part == PART_LAYER ? layer_let_in : open_let_in, reply_refuse);
}

RUNS_ON(on_worker) static void refuse_method(struct conn *conn, unsigned allowed)
{
	struct reply reply = {0};
	char allow[64];
	struct writer w = writer_of(allow, sizeof allow);

	reply_put_problem(&reply, 405, "that is not done here");
	methods_write(allowed, &w);
	reply_header(&reply, "Allow", writer_done(&w));
	conn_reply(conn, &reply);
}

bool whep_serve(struct conn *conn)
{
	const struct request *request = conn_request(conn);
	unsigned method = method_of(request->method);
	struct place place;
	enum part part = place_of(request->path, &place);

	if (part == PART_NONE || method == METHOD_OPTIONS)
		return false;
	if (!door_is_open())
		reply_refuse(conn, 404, "WebRTC is off here: sfu.udp is not set");
	else if (part == PART_STREAM && method == METHOD_GET)
		sse_serve(conn, place.id, place.stream);
	else if (part == PART_STREAM && method == METHOD_DELETE)
		gate_let_in(conn, false, place.room, close_let_in, reply_refuse);
	else if (part != PART_STREAM && method == METHOD_POST)
		serve_post(conn, &place);
	else
		refuse_method(conn,
			      METHOD_OPTIONS | (part == PART_STREAM ? METHOD_GET | METHOD_DELETE
								    : METHOD_POST));
	return true;
}

static void put_link(struct reply *reply, struct bytes path, const char *last, const char *more)
{
	char link[1024];
	struct writer w = writer_of(link, sizeof link);

	writer_str(&w, "<");
	writer_put(&w, path);
	writer_str(&w, last);
	writer_str(&w, more);
	if (writer_ok(&w))
		reply_header(reply, "Link", writer_done(&w));
}

void whep_put_links(struct reply *reply, struct bytes path)
{
	put_link(reply, path, "/sse",
		 ">; rel=\"urn:ietf:params:whep:ext:core:server-sent-events\"; events=\"" SSE_EVENTS
		 "\"");
	put_link(reply, path, "/layer", ">; rel=\"urn:ietf:params:whep:ext:core:layer\"");
}
