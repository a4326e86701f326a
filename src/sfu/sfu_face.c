#include "sfu/sfu_face.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "edge/document.h"
#include "sfu/sfu_cascade.h"
#include "sfu/sfu_dial.h"
#include "sfu/sfu_peer.h"
#include "sfu/sfu_record.h"
#include "sfu/sfu_room.h"
#include "sfu/sfu_stage.h"

#define LIST_MAX 2000u /* sessions in one answer */

static void put(json_t *tree, const char *name, int64_t value)
{
	json_object_set_new(tree, name, json_integer((json_int_t)value));
}

static const char *kind_name(bool video)
{
	return video ? "video" : "audio";
}

/* --- on workers: peers ----------------------------------------------------------------------------------- */

/* What one call gathers from all. */
struct gathering {
	struct baton baton;
	struct call *call;
	json_t *list; /* sessions, or NULL */
	json_t *sums; /* by room, or NULL */
	char room[ROOM_NAME_MAX + 1];
	char id[SESSION_ID + 1];
	unsigned more; /* that found no place */
};

static json_t *sender_tree(const struct sfu_sender *sender)
{
	static const char *const states[] = {"waiting", "behind", "live"};
	json_t *tree = json_object();

	json_object_set_new(tree, "kind", json_string(kind_name(sender->video)));
	json_object_set_new(tree, "state", json_string(states[sender->state]));
	if (sender->track) {
		json_object_set_new(tree, "codec", json_string(codec_name(sender->track->codec)));
		if (sender->track->rid[0])
			json_object_set_new(tree, "layer", document_text(sender->track->rid));
	}
	put(tree, "packets", (int64_t)sender->packets);
	put(tree, "octets", (int64_t)sender->octets);
	put(tree, "fraction_lost", sender->fraction_lost);
	put(tree, "lost", sender->lost);
	put(tree, "rtt_us", sender->rtt_us);
	put(tree, "nacks", (int64_t)sender->nacks);
	put(tree, "resent", (int64_t)sender->resent);
	put(tree, "not_kept", (int64_t)sender->unknown);
	put(tree, "key_requests", (int64_t)sender->plis);
	put(tree, "freezes", (int64_t)sender->freezes);
	put(tree, "frozen_ms", sender->frozen_us / 1000);
	if (sender_limit(sender))
		put(tree, "bandwidth", (int64_t)sender_limit(sender));
	return tree;
}

static json_t *source_tree(const struct source_track *track)
{
	json_t *tree = json_object();

	json_object_set_new(tree, "kind", json_string(kind_name(track->track->video)));
	json_object_set_new(tree, "state", json_string(track->missing.begun ? "live" : "waiting"));
	json_object_set_new(tree, "codec", json_string(codec_name(track->track->codec)));
	if (track->track->rid[0])
		json_object_set_new(tree, "layer", document_text(track->track->rid));
	put(tree, "packets",
	    (int64_t)atomic_load_explicit(&track->track->packets, memory_order_relaxed));
	put(tree, "octets",
	    (int64_t)atomic_load_explicit(&track->track->octets, memory_order_relaxed));
	put(tree, "keys", (int64_t)atomic_load_explicit(&track->track->keys, memory_order_relaxed));
	put(tree, "lost",
	    track->missing.begun ? track->missing.highest - track->missing.first + 1 -
					   (int64_t)track->missing.received
				 : 0);
	put(tree, "recovered", (int64_t)track->recovered);
	put(tree, "nacks", (int64_t)track->missing.asked);
	return tree;
}

static json_t *peer_tree(const struct sfu_peer *peer)
{
	static const char *const states[] = {"new", "handshake", "up", "gone"};
	const struct sfu_session *session = peer->session;
	char address[ADDRESS_TEXT_MAX + 1];
	json_t *tree = json_object(), *media = json_array();

	json_object_set_new(tree, "id", json_string(session->id));
	json_object_set_new(tree, "role",
			    json_string(peer->role == PEER_VIEWER ? "viewer" : "publisher"));
	json_object_set_new(tree, "room", document_text(peer->room->name));
	json_object_set_new(tree, "address", json_string(address_text(&session->from, address)));
	json_object_set_new(tree, "agent", document_text(session->agent));
	json_object_set_new(tree, "state", json_string(states[peer->state]));
	put(tree, "worker", peer->worker->id);
	put(tree, "since_us", session->since_us);
	put(tree, "bytes_in", (int64_t)peer->bytes_in);
	put(tree, "bytes_out", (int64_t)peer->bytes_out);
	if (peer->dial && peer->dial->kind == DIAL_RTP_OUT)
		put(tree, "unsent",
		    (int64_t)(peer->dial->udp.counts.blocked + peer->dial->udp.counts.refused));
	for (unsigned i = 0; i < peer->sender_count; i++)
		json_array_append_new(media, sender_tree(&peer->senders[i]));
	for (unsigned i = 0; peer->source && i < peer->source->count; i++)
		json_array_append_new(media, source_tree(&peer->source->track[i]));
	json_object_set_new(tree, "media", media);
	return tree;
}

static void add_to(json_t *sums, const char *name, int64_t value)
{
	put(sums, name, json_integer_value(json_object_get(sums, name)) + value);
}

static void sum_up(json_t *sums, const struct sfu_peer *peer)
{
	json_t *room = json_object_get(sums, peer->room->name);

	if (peer->role != PEER_VIEWER)
		return;
	if (!room) {
		room = json_object();
		json_object_set_new(sums, peer->room->name, room);
	}
	add_to(room, "bytes_out", (int64_t)peer->bytes_out);
	for (unsigned i = 0; i < peer->sender_count; i++) {
		const struct sfu_sender *sender = &peer->senders[i];

		add_to(room, "packets", (int64_t)sender->packets);
		add_to(room, "resent", (int64_t)sender->resent);
		add_to(room, "lost", sender->lost > 0 ? sender->lost : 0);
		add_to(room, "key_requests", (int64_t)sender->plis);
		add_to(room, "freezes", (int64_t)sender->freezes);
	}
}

static void gather_peer(struct gathering *all, const struct sfu_peer *peer)
{
	if ((all->room[0] && strcmp(all->room, peer->room->name) != 0) ||
	    (all->id[0] && strcmp(all->id, peer->session->id) != 0))
		return;
	if (all->sums)
		sum_up(all->sums, peer);
	if (!all->list)
		return;
	if (json_array_size(all->list) < LIST_MAX)
		json_array_append_new(all->list, peer_tree(peer));
	else
		all->more++;
}

static void gather_visit(struct baton *baton, struct worker *worker)
{
	struct gathering *all = container_of(baton, struct gathering, baton);

	(void)worker;
	enter_worker();
	for (const struct sfu_peer *peer = stage_peers(); peer; peer = peer->next)
		gather_peer(all, peer);
}

RUNS_ON(on_control)
static struct gathering *gather(struct call *call, void (*home)(struct baton *baton))
{
	struct gathering *all = calloc(1, sizeof *all);

	if (!all) {
		api_answer(call, NULL);
		return NULL;
	}
	all->call = call;
	all->baton.visit = gather_visit;
	all->baton.home = home;
	return all;
}

/* --- rooms ----------------------------------------------------------------------------------------------- */

static json_t *track_tree(const struct sfu_track *track, int64_t now_us)
{
	int64_t last = atomic_load_explicit(&track->last_us, memory_order_relaxed);
	json_t *tree = json_object();

	json_object_set_new(tree, "kind", json_string(kind_name(track->video)));
	json_object_set_new(tree, "codec", json_string(codec_name(track->codec)));
	json_object_set_new(tree, "layer", document_text(track->rid));
	put(tree, "place", track->place);
	put(tree, "packets", (int64_t)atomic_load_explicit(&track->packets, memory_order_relaxed));
	put(tree, "octets", (int64_t)atomic_load_explicit(&track->octets, memory_order_relaxed));
	put(tree, "bitrate", (int64_t)atomic_load_explicit(&track->bitrate, memory_order_relaxed));
	put(tree, "keys", (int64_t)atomic_load_explicit(&track->keys, memory_order_relaxed));
	put(tree, "silent_ms", last ? (now_us - last) / 1000 : -1);
	return tree;
}

RUNS_ON(on_control)
static json_t *room_tree(const struct sfu_room *room, const json_t *sums, int64_t now_us)
{
	static const char *const names[] = {"bytes_out", "packets",      "resent",
					    "lost",      "key_requests", "freezes"};
	const json_t *sum = json_object_get(sums, room->name);
	json_t *tree = json_object(), *tracks = json_array();
	const char *shown;

	json_object_set_new(tree, "room", document_text(room->name));
	put(tree, "since_us", room->since_us);
	put(tree, "viewers", (int64_t)room->viewers);
	json_object_set_new(tree, "publisher",
			    room->publisher ? json_string(room->publisher->id) : json_null());
	shown = room->publisher ? cascade_shown(room->publisher) : NULL;
	json_object_set_new(tree, "origin", shown ? document_text(shown) : json_null());
	for (unsigned i = 0; i < room->track_count; i++)
		json_array_append_new(tracks, track_tree(room->tracks[i], now_us));
	json_object_set_new(tree, "tracks", tracks);
	for (unsigned i = 0; i < COUNT_OF(names); i++)
		put(tree, names[i], json_integer_value(json_object_get(sum, names[i])));
	return tree;
}

static void rooms_home(struct baton *baton)
{
	struct gathering *all = container_of(baton, struct gathering, baton);
	json_t *list = json_array(), *tree;
	int64_t now_us = mono_now().us;

	enter_control();
	for (const struct sfu_room *room = room_first(); room; room = room->next)
		json_array_append_new(list, room_tree(room, all->sums, now_us));
	tree = json_pack("{s:I, s:I, s:o}", "serial", (json_int_t)room_serial(), "now_us",
			 (json_int_t)wall_now_us(), "rooms", list);
	json_decref(all->sums);
	api_answer(all->call, tree);
	free(all);
}

RUNS_ON(on_control)
static void answer_rooms(struct call *call, const struct api_input *input)
{
	struct gathering *all = gather(call, rooms_home);

	(void)input;
	if (!all)
		return;
	all->sums = json_object();
	baton_send(&all->baton);
}

json_t *face_room_list(void)
{
	json_t *list = json_array(), *recorded = json_array();

	for (const struct sfu_room *room = room_first(); room; room = room->next) {
		if (room->publisher)
			json_array_append_new(list, document_text(room->name));
		if (sfu_record_is_on(room))
			json_array_append_new(recorded, document_text(room->name));
	}
	return json_pack("{s:I, s:o, s:o}", "serial", (json_int_t)room_serial(), "rooms", list,
			 "recorded", recorded);
}

/* --- sessions -------------------------------------------------------------------------------------------- */

/* What viewers say of themselves is the control thread's. */
RUNS_ON(on_control) static void add_seen(json_t *list)
{
	json_t *tree, *seen;
	size_t i;

	json_array_foreach(list, i, tree)
	{
		const char *id = json_string_value(json_object_get(tree, "id"));
		const struct sfu_session *session = session_find(bytes_str(id));

		seen = session ? seen_tree(&session->seen) : NULL;
		if (seen)
			json_object_set_new(tree, "seen", seen);
	}
}

static void sessions_home(struct baton *baton)
{
	struct gathering *all = container_of(baton, struct gathering, baton);

	enter_control();
	add_seen(all->list);
	api_answer(all->call, json_pack("{s:I, s:I, s:o}", "now_us", (json_int_t)wall_now_us(),
					"more", (json_int_t)all->more, "sessions", all->list));
	free(all);
}

RUNS_ON(on_control)
static void answer_sessions(struct call *call, const struct api_input *input)
{
	struct gathering *all = gather(call, sessions_home);

	(void)input;
	if (!all)
		return;
	if (!call_param(call, "room", all->room, sizeof all->room))
		all->room[0] = '\0';
	all->list = json_array();
	baton_send(&all->baton);
}

static void session_home(struct baton *baton)
{
	struct gathering *all = container_of(baton, struct gathering, baton);
	json_t *tree = json_incref(json_array_get(all->list, 0));

	enter_control();
	add_seen(all->list);
	if (tree)
		api_answer(all->call, tree);
	else
		api_fault(all->call, 404, "no_such_session", "there is no such session");
	json_decref(all->list);
	free(all);
}

RUNS_ON(on_control)
static void answer_session(struct call *call, const struct api_input *input)
{
	struct gathering *all;

	if (!session_find(bytes_str(input->arg))) {
		api_fault(call, 404, "no_such_session", "there is no such session");
		return;
	}
	all = gather(call, session_home);
	if (!all)
		return;
	bytes_to_str(bytes_str(input->arg), all->id, sizeof all->id);
	all->list = json_array();
	baton_send(&all->baton);
}

RUNS_ON(on_control)
static void answer_end(struct call *call, const struct api_input *input)
{
	struct sfu_session *session = session_find(bytes_str(input->arg));

	if (!session) {
		api_fault(call, 404, "no_such_session", "there is no such session");
		return;
	}
	api_log_order(call, session->room->name);
	session_end(session, "sent away");
	api_done(call);
}

RUNS_ON(on_control)
static void answer_switch(struct call *call, const struct api_input *input)
{
	struct sfu_session *session = session_find(bytes_str(input->arg));
	const char *room = api_text(input, "room");

	/* What goes to programs by plain RTP is the room that the settings name: of others nobody has looked
	 * whether it comes back. */
	if (!session || session->role != PEER_VIEWER || session->edge || session->dialled) {
		api_fault(call, 404, "no_such_session", "there is no such viewer");
		return;
	}
	if (!room || !room_name_is_good(bytes_str(room))) {
		api_fault(call, 400, "bad_room", "expected room, a name that one can have");
		return;
	}
	switch (session_switch(session, bytes_str(room))) {
	case SESSION_OK: api_done(call); break;
	case SESSION_NOBODY:
		api_fault(call, 409, "nobody_publishes", "nobody publishes there");
		break;
	case SESSION_CODEC:
		api_fault(call, 422, "no_codec", "the viewer has none of that room's codecs");
		break;
	case SESSION_BUSY:
	case SESSION_FULL:
	case SESSION_CROWD:
	case SESSION_NO_MEMORY:
	case SESSION_STOPPED: api_fault(call, 503, "not_now", "not now"); break;
	}
}

RUNS_ON(on_control)
static void answer_layer(struct call *call, const struct api_input *input)
{
	struct sfu_session *session = session_find(bytes_str(input->arg));
	const char *layer = api_text(input, "layer");

	if (!session || session->role != PEER_VIEWER || session->edge)
		api_fault(call, 404, "no_such_session", "there is no such viewer");
	else if (!layer || strlen(layer) > TRACK_RID_MAX)
		api_fault(call, 400, "bad_layer",
			  "expected layer, one of the publisher's or empty for what fits best");
	else if (layer[0] && !session_has_layer(session, SESSION_ALL_MEDIA, layer))
		api_fault(call, 422, "no_such_layer", "no layer of that rid is published");
	else if (!session_layer(session, SESSION_ALL_MEDIA, layer))
		api_fault(call, 503, "not_now", "not now");
	else
		api_done(call);
}

const struct api_operation sfu_operations[] = {
	{"GET", API_ROOT "/sfu/rooms", RANK_OPERATOR, answer_rooms,
	 "WebRTC rooms, their tracks and how they reach the viewers.", NULL, "SfuRooms", NULL},
	{"GET", API_ROOT "/sfu/sessions", RANK_OPERATOR, answer_sessions,
	 "Publishers and viewers; ?room= for those of one room.", NULL, "SfuSessions", NULL},
	{"GET", API_ROOT "/sfu/sessions/{id}", RANK_OPERATOR, answer_session,
	 "A publisher or viewer.", NULL, "SfuSession", NULL},
	{"DELETE", API_ROOT "/sfu/sessions/{id}", RANK_OPERATOR, answer_end,
	 "Sends a publisher or viewer away.", NULL, NULL, NULL},
	{"POST", API_ROOT "/sfu/sessions/{id}/switch", RANK_OPERATOR, answer_switch,
	 "Lets a viewer watch another room.", "SfuSwitch", NULL, NULL},
	{"POST", API_ROOT "/sfu/sessions/{id}/layer", RANK_OPERATOR, answer_layer,
	 "Says which layer of a simulcast a viewer is shown.", "SfuLayer", NULL, NULL},
	{0},
};
