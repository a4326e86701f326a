#include "sfu/sfu_room.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "edge/auth.h"
#include "sfu/proto/bandwidth.h"
#include "sfu/sfu.h"
#include "sfu/sfu_cascade.h"
#include "sfu/sfu_dial.h"
#include "sfu/sfu_door.h"
#include "sfu/sfu_record.h"
#include "sfu/sfu_sse.h"
#include "sfu/sfu_stage.h"

static struct sfu_room *rooms OWNED_BY(on_control);
static struct sfu_session *sessions OWNED_BY(on_control);
static uint64_t rooms_now OWNED_BY(on_control), viewers_now OWNED_BY(on_control);
static uint64_t serial_now OWNED_BY(on_control) = 1; /* 0: nothing known yet */
static bool stopped OWNED_BY(on_control);

/* --- rooms ---------------------------------------------------------------------------------------------- */

struct sfu_room *room_first(void)
{
	return rooms;
}

struct sfu_room *room_find(struct bytes name)
{
	return shelf_find_room(name);
}

bool room_has_layers(struct bytes name)
{
	const struct sfu_room *room = room_find(name);
	bool layers = false;

	for (unsigned i = 0; room && i < room->track_count; i++)
		layers |= room->tracks[i]->rid[0] != '\0';
	return layers;
}

uint64_t room_count(void)
{
	return rooms_now;
}

uint64_t room_serial(void)
{
	return serial_now;
}

void room_changed(void)
{
	serial_now++;
}

RUNS_ON(on_control) static struct sfu_room *room_make(struct bytes name)
{
	struct sfu_room *room;

	if (rooms_now >= sfu_conf()->max_rooms)
		return NULL;
	room = calloc(1, sizeof *room + workers_count() * sizeof room->here[0]);
	if (!room)
		return NULL;
	bytes_to_str(name, room->name, sizeof room->name);
	room->since_us = wall_now_us();
	room->next = rooms;
	if (rooms)
		rooms->prev = room;
	rooms = room;
	shelf_put_room(room);
	rooms_now++;
	serial_now++;
	metric_add(METRIC_sfu_rooms, 1);
	return room;
}

/* When nobody is in it and no worker still hears of it. */
RUNS_ON(on_control) static void room_drop(struct sfu_room *room)
{
	if (room->sessions || room->batons)
		return;
	if (room->prev)
		room->prev->next = room->next;
	else
		rooms = room->next;
	if (room->next)
		room->next->prev = room->prev;
	shelf_take_room(room);
	rooms_now--;
	serial_now++;
	metric_add(METRIC_sfu_rooms, -1);
	free(room);
}

void room_tracks(const struct sfu_room *room, unsigned *audios, unsigned *videos)
{
	*audios = *videos = 0;
	for (unsigned i = 0; i < room->track_count; i++)
		++*(room->tracks[i]->video ? videos : audios);
}

const struct sfu_track *room_track(const struct sfu_room *room, bool video, unsigned n)
{
	for (unsigned i = 0; i < room->track_count; i++)
		if (room->tracks[i]->video == video && n-- == 0)
			return room->tracks[i];
	return NULL;
}

/* --- tunings -------------------------------------------------------------------------------------------- */

/* What a room's tracks are now; and those that are over, which no worker knows any more when it is
 * home. */
struct tuning {
	struct baton baton;
	struct sfu_room *room;
	struct sfu_track *tracks[ROOM_TRACKS_MAX];
	unsigned count;
	struct sfu_track *over[ROOM_TRACKS_MAX];
	unsigned over_count;
};

static void tuning_visit(struct baton *baton, struct worker *worker)
{
	struct tuning *tuning = container_of(baton, struct tuning, baton);

	(void)worker;
	enter_worker();
	stage_tune(tuning->room, tuning->tracks, tuning->count);
	for (unsigned i = 0; i < tuning->over_count; i++)
		stage_forget(tuning->over[i]);
}

static void tuning_home(struct baton *baton)
{
	struct tuning *tuning = container_of(baton, struct tuning, baton);
	struct sfu_room *room = tuning->room;

	enter_control();
	for (unsigned i = 0; i < tuning->over_count; i++)
		track_destroy(tuning->over[i]);
	free(tuning);
	room->batons--;
	room_drop(room);
}

/* Made before anything is changed, so that the end needs no memory. */
static struct tuning *tuning_make(struct sfu_room *room)
{
	struct tuning *tuning = calloc(1, sizeof *tuning);

	if (tuning) {
		tuning->room = room;
		tuning->baton.visit = tuning_visit;
		tuning->baton.home = tuning_home;
	}
	return tuning;
}

RUNS_ON(on_control) static void tuning_send(struct tuning *tuning)
{
	struct sfu_room *room = tuning->room;

	memcpy(tuning->tracks, room->tracks, sizeof room->tracks);
	tuning->count = room->track_count;
	room->batons++;
	serial_now++;
	baton_send(&tuning->baton);
}

/* --- sessions ------------------------------------------------------------------------------------------- */

struct sfu_session *session_find(struct bytes id)
{
	struct sfu_session *session = shelf_find(id);

	return session && !session->gone ? session : NULL;
}

struct sfu_session *session_find_subuuid(struct bytes subuuid)
{
	return shelf_find_subuuid(subuuid);
}

/* ICE's letters (RFC 8839 5.4); the first of the ufrag says whose worker's it is. */
static void make_names(struct sfu_session *session)
{
	char hex[ICE_PWD + 1];

	auth_random_hex(hex, ICE_UFRAG / 2);
	memcpy(session->ufrag, hex, ICE_UFRAG);
	session->ufrag[0] = door_letter(session->worker->id);
	session->ufrag[ICE_UFRAG] = '\0';
	auth_random_hex(hex, ICE_PWD / 2);
	memcpy(session->pwd, hex, sizeof session->pwd);
	auth_random_hex(hex, 8);
	memcpy(session->etag, hex, 16);
	session->etag[16] = '\0';
}

void session_names_make(struct session_names *names)
{
	struct sfu_session like = {.worker = worker_place()};

	make_names(&like);
	names->worker = like.worker;
	memcpy(names->ufrag, like.ufrag, sizeof names->ufrag);
	memcpy(names->pwd, like.pwd, sizeof names->pwd);
}

static struct peer_name *name_make(const struct sfu_session *session, struct sfu_peer *peer,
				   struct bytes ufrag, struct bytes pwd)
{
	struct peer_name *name = calloc(1, sizeof *name);

	if (!name)
		return NULL;
	name->peer = peer;
	memcpy(name->names.ufrag, session->ufrag, sizeof name->names.ufrag);
	memcpy(name->names.pwd, session->pwd, sizeof name->names.pwd);
	bytes_to_str(ufrag, name->names.peer_ufrag, sizeof name->names.peer_ufrag);
	bytes_to_str(pwd, name->names.peer_pwd, sizeof name->names.peer_pwd);
	return name;
}

static struct sfu_peer *peer_make(struct sfu_session *session, const struct session_order *order)
{
	struct sdp_transport transport = sdp_transport_of(order->offer, &order->offer->media[0]);
	struct sfu_peer *peer = calloc(1, sizeof *peer);

	if (!peer)
		return NULL;
	peer->session = session;
	peer->worker = session->worker;
	peer->room = session->room;
	peer->role = session->role;
	peer->start = calloc(1, sizeof *peer->start);
	peer->name = name_make(session, peer, transport.ufrag, transport.pwd);
	if (!peer->start || !peer->name) {
		peer_free(peer);
		return NULL;
	}
	bytes_to_str(transport.hash, peer->start->hash, sizeof peer->start->hash);
	bytes_to_str(transport.fingerprint, peer->start->print, sizeof peer->start->print);
	return peer;
}

/* --- what a viewer's media are ----------------------------------------------------------------------------- */

static void sender_formats(struct sfu_sender *sender, const struct sdp_media *media,
			   const struct answer_medium *medium)
{
	for (unsigned i = 0; i < medium->count && sender->format_count < SENDER_FORMATS_MAX; i++) {
		const struct sdp_format *format = &media->format[medium->format[i]];
		const struct sdp_format *rtx = sdp_rtx_of(media, format->pt);

		if (format->rtx)
			continue;
		sender->format[sender->format_count++] = (struct sender_format){
			.codec = format->codec,
			.pt = format->pt,
			.rtx_pt = rtx ? rtx->pt : 0,
			.feedback = format->feedback,
			.profile =
				format->codec == CODEC_H264 ? sender_h264_profile(format->fmtp) : 0,
		};
	}
}

static uint8_t taken_ext(const struct sdp_media *media, const struct answer_medium *medium,
			 enum sdp_ext_kind kind)
{
	uint8_t id = medium->exts & 1u << kind ? sdp_ext_id(media, kind) : 0;

	return id < 15 ? id : 0; /* of the one-byte form (RFC 8285 4.2) */
}

static void sender_init(struct sfu_sender *sender, struct sfu_peer *peer,
			const struct sdp_media *media, struct answer_medium *medium, unsigned place)
{
	uint32_t random[4];

	uv_random(NULL, NULL, random, sizeof random, 0, NULL);
	sender->peer = peer;
	sender->video = media->kind == SDP_VIDEO;
	sender->place = place;
	sender_formats(sender, media, medium);
	sender->ssrc = medium->ssrc = random[0] | 1;
	for (unsigned i = 0; i < sender->format_count; i++)
		if (sender->format[i].rtx_pt)
			sender->rtx_ssrc = medium->rtx_ssrc = (random[1] | 1) ^ 2;
	sender->mid_len = (uint8_t)(media->mid.len <= SENDER_MID_MAX ? media->mid.len : 0);
	memcpy(sender->mid, media->mid.at ? media->mid.at : (const uint8_t *)"", sender->mid_len);
	sender->mid_ext = sender->mid_len ? taken_ext(media, medium, SDP_EXT_MID) : 0;
	sender->time_ext = taken_ext(media, medium, SDP_EXT_SEND_TIME);
	sender->turn_ext = taken_ext(media, medium, SDP_EXT_ORIENTATION);
	sender->twcc_ext = taken_ext(media, medium, SDP_EXT_TWCC);
	/* RFC 3550 5.1: random; of the numbers the lower half, so that none wraps at once. */
	splice_init(&sender->splice, sender->video ? 90000 : 48000, random[2] & 0x7fff, random[3]);
	sender->resend_budget = 300;
	sender->patience_us = SENDER_PATIENCE_US;
}

/* One sequence of numbers for all of them. */
static bool bandwidth_make(struct sfu_peer *peer)
{
	peer->bandwidth = malloc(sizeof *peer->bandwidth);
	if (peer->bandwidth)
		bandwidth_init(peer->bandwidth);
	return peer->bandwidth;
}

static bool senders_make(struct sfu_peer *peer, const struct sdp *offer, struct answer *answer)
{
	unsigned place[2] = {0, 0};
	bool twcc = false;

	peer->senders = calloc(offer->media_count, sizeof *peer->senders);
	if (!peer->senders)
		return false;
	for (unsigned i = 0; i < offer->media_count; i++) {
		bool video = offer->media[i].kind == SDP_VIDEO;

		sender_init(&peer->senders[peer->sender_count++], peer, &offer->media[i],
			    &answer->media[i], place[video]++);
		twcc |= peer->senders[i].twcc_ext != 0;
	}
	return !twcc || bandwidth_make(peer);
}

/* --- what a publisher's media are --------------------------------------------------------------------------- */

static const struct sdp_format *main_format(const struct sdp_media *media,
					    const struct answer_medium *medium)
{
	return &media->format[medium->format[0]];
}

RUNS_ON(on_control)
static struct source_track *track_add(struct sfu_peer *peer, const struct sdp_media *media,
				      const struct answer_medium *medium, unsigned place)
{
	struct source_track *at = &peer->source->track[peer->source->count];
	const struct sdp_format *format = main_format(media, medium);
	const struct sdp_format *rtx = sdp_rtx_of(media, format->pt);
	struct sfu_track *track;
	struct writer fmtp;

	if (peer->source->count == SOURCE_TRACKS_MAX)
		return NULL;
	track = track_create(peer->room, format->codec, sfu_conf()->history, TRACK_MEAN);
	if (!track)
		return NULL;
	peer->source->count++;
	track->clock = format->clock;
	track->place = place;
	track->worker = peer->worker->id;
	fmtp = writer_of(track->fmtp, sizeof track->fmtp - 1);
	sprop_strip(format->fmtp, &fmtp);
	track->fmtp[fmtp.len] = '\0';
	*at = (struct source_track){
		.track = track,
		.pt = format->pt,
		.rtx_pt = rtx ? rtx->pt : 0,
		.feedback = format->feedback,
		.mid_ext = sdp_ext_id(media, SDP_EXT_MID),
		.rid_ext = sdp_ext_id(media, SDP_EXT_RID),
		.repaired_ext = sdp_ext_id(media, SDP_EXT_REPAIRED_RID),
		.turn_ext = sdp_ext_id(media, SDP_EXT_ORIENTATION),
		.twcc_ext = medium->exts & 1u << SDP_EXT_TWCC ? sdp_ext_id(media, SDP_EXT_TWCC) : 0,
		.turn = -1,
	};
	bytes_to_str(media->mid, at->mid, sizeof at->mid);
	if (sprop_are_said(format->codec, format->fmtp) &&
	    !sprop_read(format->codec, format->fmtp, &at->sprop))
		log_warnx("sfu", "parameter sets of a description cannot be used",
			  kv_str("room", peer->room->name));
	return at;
}

/* The sources that the offer names, where there are no layers by RID. */
static void name_ssrcs(struct source_track *at, const struct sdp_media *media)
{
	for (unsigned i = 0; i < media->ssrc_count; i++) {
		const struct sdp_ssrc *ssrc = &media->ssrc[i];

		if (!ssrc->repaired && !at->ssrc)
			at->ssrc = ssrc->ssrc;
		if (ssrc->repaired && ssrc->repaired == at->ssrc)
			at->rtx_ssrc = ssrc->ssrc;
	}
}

RUNS_ON(on_control)
static bool medium_make(struct sfu_peer *peer, const struct sdp_media *media,
			const struct answer_medium *medium, unsigned place)
{
	unsigned layer = 0;

	if (!medium->layers) {
		struct source_track *at = track_add(peer, media, medium, place);

		if (at)
			name_ssrcs(at, media);
		return at;
	}
	for (unsigned i = 0; i < media->rid_count; i++) {
		struct source_track *at;

		if (!media->rid[i].send)
			continue;
		at = track_add(peer, media, medium, place);
		if (!at)
			return false;
		at->track->layer = layer++;
		bytes_to_str(media->rid[i].id, at->rid, sizeof at->rid);
		memcpy(at->track->rid, at->rid, sizeof at->track->rid);
	}
	return layer > 0;
}

/* What another server says of its media: these are layers of one, as they were when they came there. */
static void name_layer(struct sfu_track *track, const struct room_layer *layer)
{
	track->place = layer->place;
	track->layer = layer->layer;
	memcpy(track->rid, layer->rid, sizeof track->rid);
}

RUNS_ON(on_control)
static bool source_make(struct sfu_peer *peer, const struct session_order *order,
			const struct answer *answer)
{
	const struct sdp *offer = order->offer;
	unsigned place[2] = {0, 0};
	bool good = true;

	peer->source = calloc(1, sizeof *peer->source);
	if (!peer->source)
		return false;
	peer->source->peer = peer;
	peer->source->remb_bits = sfu_conf()->bitrate * 1000;
	uv_random(NULL, NULL, &peer->source->ssrc, sizeof peer->source->ssrc, 0, NULL);
	for (unsigned i = 0; i < offer->media_count && good; i++) {
		bool video = offer->media[i].kind == SDP_VIDEO;

		good = medium_make(peer, &offer->media[i], &answer->media[i], place[video]++);
		if (good && order->layers)
			name_layer(peer->source->track[i].track, &order->layers[i]);
	}
	for (unsigned i = 0; i < peer->source->count && !good; i++)
		track_destroy(peer->source->track[i].track);
	return good;
}

/* --- begin ------------------------------------------------------------------------------------------------- */

static void deliver_begin(struct message *message)
{
	struct sfu_peer *peer = container_of(message, struct sfu_peer, message);

	enter_worker();
	if (stage_is_on()) {
		peer_begin(peer);
		return;
	}
	peer->state = PEER_GONE;
	stage_owes(1);
	room_peer_gone(peer->session, "the server stops");
}

/* The room's tracks go; the tuning tells all, and frees them. */
RUNS_ON(on_control) static void unpublish(struct sfu_room *room, struct tuning *tuning)
{
	memcpy(tuning->over, room->tracks, sizeof room->tracks);
	tuning->over_count = room->track_count;
	room->track_count = 0;
	room->publisher = NULL;
	/* They ask again, here or elsewhere, in the codec of whoever comes next. */
	for (struct sfu_session *s = room->edges; s; s = s->next_edge)
		session_end(s, "the publisher has left");
}

RUNS_ON(on_control)
static bool publish(struct sfu_session *session, const struct session_order *order,
		    const struct answer *answer)
{
	struct sfu_room *room = session->room;
	struct tuning *tuning = tuning_make(room);
	/* For the day when it goes. */
	struct tuning *end = tuning_make(room);

	if (!tuning || !end || !source_make(session->peer, order, answer)) {
		free(tuning);
		free(end);
		return false;
	}
	session->end = end;
	room->publisher = session;
	for (unsigned i = 0; i < session->peer->source->count; i++)
		room->tracks[room->track_count++] = session->peer->source->track[i].track;
	tuning_send(tuning);
	return true;
}

/* By so many more: who is sent something. */
RUNS_ON(on_control) static void count_viewer(const struct sfu_session *session, int more)
{
	if (session->role != PEER_VIEWER)
		return;
	if (session->dialled) {
		session->room->ways += (uint64_t)more;
		return;
	}
	session->room->viewers += (uint64_t)more;
	viewers_now += (uint64_t)more;
}

RUNS_ON(on_control) static void edge_list(struct sfu_session *session)
{
	session->next_edge = session->room->edges;
	session->at_edge = &session->room->edges;
	if (session->next_edge)
		session->next_edge->at_edge = &session->next_edge;
	session->room->edges = session;
}

RUNS_ON(on_control) static void edge_unlist(struct sfu_session *session)
{
	*session->at_edge = session->next_edge;
	if (session->next_edge)
		session->next_edge->at_edge = session->at_edge;
}

RUNS_ON(on_control)
static void session_list(struct sfu_session *session)
{
	session->next = sessions;
	if (sessions)
		sessions->prev = session;
	sessions = session;
	shelf_put(session);
	if (session->edge)
		edge_list(session);
	session->room->sessions++;
	count_viewer(session, 1);
	atomic_fetch_add_explicit(&session->worker->load, 1, memory_order_relaxed);
}

RUNS_ON(on_control) static void session_unlist(struct sfu_session *session)
{
	if (session->prev)
		session->prev->next = session->next;
	else
		sessions = session->next;
	if (session->next)
		session->next->prev = session->prev;
	shelf_take(session);
	if (session->edge)
		edge_unlist(session);
	session->room->sessions--;
	count_viewer(session, -1);
	atomic_fetch_sub_explicit(&session->worker->load, 1, memory_order_relaxed);
}

/* Whether one of the viewer's codecs is that of each of the room's kinds of media. */
static bool codecs_fit(const struct sfu_room *room, const struct sfu_peer *peer)
{
	for (unsigned s = 0; s < peer->sender_count; s++) {
		bool any = false, fits = false;

		for (unsigned i = 0; i < room->track_count; i++) {
			if (room->tracks[i]->video != peer->senders[s].video ||
			    room->tracks[i]->place != peer->senders[s].place)
				continue;
			any = true;
			fits |= sender_format_for(&peer->senders[s], room->tracks[i]) != NULL;
		}
		if (any && !fits)
			return false;
	}
	return true;
}

/* A server that takes each track: its media are these and nothing else, also when one falls silent. */
RUNS_ON(on_control)
static bool assign_each(const struct sfu_room *room, struct sfu_peer *peer, const struct sdp *offer,
			struct answer *answer)
{
	unsigned next[2] = {0, 0};

	for (unsigned i = 0; i < peer->sender_count; i++) {
		struct sfu_sender *sender = &peer->senders[i];
		const struct sfu_track *track =
			room_track(room, sender->video, next[sender->video]++);
		const struct sender_format *format =
			track ? sender_format_for(sender, track) : NULL;

		if (!format)
			return false;
		sender->place = track->place;
		sender->only = true;
		memcpy(sender->layer, track->rid, sizeof sender->layer);
		answer_narrow(offer, answer, i, format->pt);
	}
	return true;
}

/* A server that carries the room on has to know in which codec before the first packet. */
static void answer_what_there_is(const struct sfu_room *room, const struct sfu_peer *peer,
				 const struct sdp *offer, struct answer *answer)
{
	for (unsigned s = 0; s < peer->sender_count; s++)
		for (unsigned i = 0; i < room->track_count; i++) {
			const struct sfu_track *track = room->tracks[i];
			const struct sender_format *format;

			if (track->video != peer->senders[s].video ||
			    track->place != peer->senders[s].place)
				continue;
			format = sender_format_for(&peer->senders[s], track);
			if (format)
				answer_narrow(offer, answer, s, format->pt);
			break;
		}
}

/* Besides the one that it takes the place of; NULL: of none. */
RUNS_ON(on_control)
static bool is_crowded(const struct address *from, const struct sfu_session *leaves)
{
	uint64_t most = sfu_conf()->max_per_address;

	return most && shelf_count_from(from, leaves, most) >= most;
}

RUNS_ON(on_control)
static enum session_status may_begin(const struct session_order *order)
{
	const struct sfu_conf *conf = sfu_conf();
	struct sfu_room *room = room_find(order->room);
	const struct sfu_session *leaves =
		room && conf->takeover && order->role == PEER_PUBLISHER ? room->publisher : NULL;

	if (stopped)
		return SESSION_STOPPED;
	if (!room && rooms_now >= conf->max_rooms)
		return SESSION_FULL;
	if (!order->dial && is_crowded(&order->from, leaves))
		return SESSION_CROWD;
	if (order->role == PEER_PUBLISHER) {
		if (!room || !room->publisher)
			return SESSION_OK;
		/* Our own come before those of others. */
		if (order->cascade || (!conf->takeover && !room->publisher->cascade))
			return SESSION_BUSY;
		session_end(room->publisher, "taken over");
		return SESSION_OK;
	}
	if (order->dial)
		return SESSION_OK;
	if (conf->max_viewers && viewers_now >= conf->max_viewers)
		return SESSION_FULL;
	return (conf->wait && !order->edge) || (room && room->publisher) ? SESSION_OK
									 : SESSION_NOBODY;
}

RUNS_ON(on_control)
static enum session_status session_fill(struct sfu_session *session,
					const struct session_order *order, struct answer *answer)
{
	session->peer = peer_make(session, order);
	if (!session->peer)
		return SESSION_NO_MEMORY;
	if (order->role == PEER_PUBLISHER)
		return publish(session, order, answer) ? SESSION_OK : SESSION_NO_MEMORY;
	if (!senders_make(session->peer, order->offer, answer))
		return SESSION_NO_MEMORY;
	if (order->each)
		return assign_each(session->room, session->peer, order->offer, answer)
			       ? SESSION_OK
			       : SESSION_CODEC;
	if (!order->dial && !codecs_fit(session->room, session->peer))
		return SESSION_CODEC;
	if (order->edge)
		answer_what_there_is(session->room, session->peer, order->offer, answer);
	return SESSION_OK;
}

enum session_status session_begin(const struct session_order *order, struct answer *answer,
				  struct sfu_session **out)
{
	enum session_status status = may_begin(order);
	struct sfu_session *session;

	if (status != SESSION_OK)
		return status;
	session = calloc(1, sizeof *session);
	if (!session)
		return SESSION_NO_MEMORY;
	session->role = order->role;
	session->room = room_find(order->room);
	if (!session->room)
		session->room = room_make(order->room);
	if (!session->room) {
		free(session);
		return SESSION_NO_MEMORY;
	}
	session->worker = order->names ? order->names->worker : worker_place();
	session->edge = order->edge;
	session->each = order->each;
	session->dialled = order->dial;
	session->cascade = order->cascade;
	session->from = order->from;
	session->since_us = wall_now_us();
	bytes_to_str(order->agent, session->agent, sizeof session->agent);
	bytes_to_str(order->subuuid, session->subuuid, sizeof session->subuuid);
	auth_random_hex(session->id, SESSION_ID / 2);
	make_names(session);
	if (order->names) {
		memcpy(session->ufrag, order->names->ufrag, sizeof session->ufrag);
		memcpy(session->pwd, order->names->pwd, sizeof session->pwd);
	}
	status = session_fill(session, order, answer);
	if (status != SESSION_OK) {
		peer_free(session->peer);
		room_drop(session->room);
		free(session);
		return status;
	}
	session_list(session);
	session->peer->dial = order->dial;
	session->peer->message.deliver = deliver_begin;
	worker_post(session->worker, &session->peer->message);
	if (order->role == PEER_PUBLISHER)
		sfu_record_publishes(session);
	*out = session;
	return SESSION_OK;
}

/* --- end --------------------------------------------------------------------------------------------------- */

static void deliver_farewell(struct message *message)
{
	struct sfu_session *session = container_of(message, struct sfu_session, farewell);

	enter_worker();
	stage_owes(-1);
	peer_free(session->peer);
	free(session);
}

static const char *role_name(const struct sfu_session *session)
{
	return session->role == PEER_VIEWER ? "viewer" : "publisher";
}

static void deliver_gone(struct message *message)
{
	struct sfu_session *session = container_of(message, struct sfu_session, message);
	struct sfu_room *room = session->room;

	enter_control();
	session->gone = true;
	sse_forget(session);
	if (session->cascade)
		cascade_gone(session->cascade);
	log_info("sfu", "peer gone", kv_str("role", role_name(session)), kv_str("room", room->name),
		 kv_str("id", session->id), kv_str("why", session->why));
	session_unlist(session);
	if (room->publisher == session)
		unpublish(room, session->end);
	if (session->end)
		sfu_record_gone(session);
	if (session->end)
		tuning_send(session->end);
	room_drop(room);
	session->farewell.deliver = deliver_farewell;
	worker_post(session->worker, &session->farewell);
}

void room_peer_gone(struct sfu_session *session, const char *why)
{
	session->why = why;
	session->message.deliver = deliver_gone;
	control_post(&session->message);
}

static void deliver_up(struct message *message)
{
	struct sfu_session *session = container_of(message, struct sfu_session, news);

	enter_control();
	session->up = true;
	log_info("sfu", "peer up", kv_str("role", role_name(session)),
		 kv_str("room", session->room->name), kv_str("id", session->id));
}

void room_peer_up(struct sfu_session *session)
{
	session->news.deliver = deliver_up;
	control_post(&session->news);
}

/* An order to a peer that its worker still has: the farewell comes behind it. */
struct order {
	struct message message;
	struct sfu_peer *peer;
	struct sfu_room *room, *from;
	struct peer_name *name;
	unsigned medium;
	char layer[TRACK_RID_MAX + 1];
};

static void deliver_end(struct message *message)
{
	struct sfu_session *session = container_of(message, struct sfu_session, last);

	enter_worker();
	peer_end(session->peer, session->because);
}

static void deliver_name(struct message *message)
{
	struct order *order = container_of(message, struct order, message);

	enter_worker();
	peer_restart(order->peer, order->name);
	free(order);
}

void session_end(struct sfu_session *session, const char *why)
{
	if (session->ending)
		return;
	session->ending = true;
	/* No memory is asked for: who takes over relies on it that the place is free. */
	session->because = why;
	session->last.deliver = deliver_end;
	/* Its place is free at once; its tracks go when it has stopped to write. */
	if (session->room->publisher == session)
		unpublish(session->room, session->end);
	worker_post(session->worker, &session->last);
}

static void deliver_layer(struct message *message)
{
	struct order *order = container_of(message, struct order, message);

	enter_worker();
	stage_viewer_layer(order->peer, order->medium, order->layer);
	free(order);
}

bool session_fits(const struct sfu_session *session)
{
	return codecs_fit(session->room, session->peer);
}

bool session_has_layer(const struct sfu_session *session, unsigned medium, const char *layer)
{
	const struct sfu_room *room = session->room;

	for (unsigned i = 0; i < room->track_count; i++)
		if (room->tracks[i]->video && strcmp(room->tracks[i]->rid, layer) == 0 &&
		    (medium == SESSION_ALL_MEDIA ||
		     room->tracks[i]->place == session->peer->senders[medium].place))
			return true;
	return false;
}

bool session_layer(struct sfu_session *session, unsigned medium, const char *layer)
{
	struct order *order = calloc(1, sizeof *order);

	if (!order)
		return false;
	order->peer = session->peer;
	order->medium = medium;
	bytes_to_str(bytes_str(layer), order->layer, sizeof order->layer);
	order->message.deliver = deliver_layer;
	worker_post(session->worker, &order->message);
	return true;
}

bool session_restart(struct sfu_session *session, struct bytes ufrag, struct bytes pwd)
{
	struct order *order = calloc(1, sizeof *order);
	struct sfu_session names = {.worker = session->worker};

	make_names(&names);
	if (order)
		order->name = name_make(&names, session->peer, ufrag, pwd);
	if (!order || !order->name) {
		free(order);
		return false;
	}
	memcpy(session->ufrag, names.ufrag, sizeof session->ufrag);
	memcpy(session->pwd, names.pwd, sizeof session->pwd);
	memcpy(session->etag, names.etag, sizeof session->etag);
	order->peer = session->peer;
	order->message.deliver = deliver_name;
	worker_post(session->worker, &order->message);
	return true;
}

/* --- from room to room ------------------------------------------------------------------------------------- */

static void deliver_moved(struct message *message)
{
	struct order *order = container_of(message, struct order, message);

	enter_control();
	order->room->sessions--;
	room_drop(order->room);
	free(order);
}

static void deliver_move(struct message *message)
{
	struct order *order = container_of(message, struct order, message);

	enter_worker();
	if (order->peer->state != PEER_GONE)
		stage_viewer_move(order->peer, order->room);
	/* No list of the old room's names it any more. */
	order->room = order->from;
	order->message.deliver = deliver_moved;
	control_post(&order->message);
}

enum session_status session_switch(struct sfu_session *session, struct bytes name)
{
	struct sfu_room *to = room_find(name), *from = session->room;
	struct order *order;

	if (stopped || session->ending)
		return SESSION_STOPPED;
	if (to == from)
		return SESSION_OK;
	if (!sfu_conf()->wait && (!to || !to->publisher))
		return SESSION_NOBODY;
	if (to && !codecs_fit(to, session->peer))
		return SESSION_CODEC;
	order = calloc(1, sizeof *order);
	if (!order)
		return SESSION_NO_MEMORY;
	if (!to)
		to = room_make(name);
	if (!to) {
		free(order);
		return SESSION_FULL;
	}
	/* It is in both until its worker has left the old one. */
	to->sessions++;
	to->viewers++;
	from->viewers--;
	session->room = to;
	order->peer = session->peer;
	order->room = to;
	order->from = from;
	order->message.deliver = deliver_move;
	worker_post(session->worker, &order->message);
	return SESSION_OK;
}

/* --- the end ------------------------------------------------------------------------------------------------ */

void rooms_start(void)
{
	stopped = false;
}

void rooms_stop(void)
{
	stopped = true;
	for (struct sfu_session *s = sessions; s; s = s->next)
		session_end(s, "the server stops");
}
