#include "sfu/sfu_peer.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/metric.h"
#include "sfu/sfu.h"
#include "sfu/sfu_dial.h"
#include "sfu/sfu_door.h"
#include "sfu/sfu_room.h"
#include "sfu/sfu_stage.h"
#include "sfu/sfu_stream.h"

#define SILENCE_US 30000000 /* RFC 7675 5.1 */

/* --- begin and end ---------------------------------------------------------------------------------- */

/* Of DTLS, as it is. */
static void send_handshake(void *owner, struct bytes datagram)
{
	struct sfu_peer *peer = owner;
	uint8_t *room;

	enter_worker();
	room = peer->active ? door_room(datagram.len) : NULL;
	if (!room)
		return;
	memcpy(room, datagram.at, datagram.len);
	door_put(peer->active, room, datagram.len);
}

/* Without keys there is nothing to wait for. */
RUNS_ON(on_worker) static void begin_plain(struct sfu_peer *peer)
{
	free(peer->start);
	peer->start = NULL;
	peer->state = PEER_UP;
	room_peer_up(peer->session);
	if (peer->role != PEER_VIEWER)
		return;
	for (unsigned i = 0; i < peer->sender_count; i++) {
		peer->senders[i].out = &peer->paths[2 * i];
		for (unsigned n = 2 * i; n < 2 * i + 2; n++)
			peer->paths[n] = (struct peer_path){
				.path = {.peer = peer->dial->out[n]},
				.peer = peer,
				.landed = peer->worker->id,
				.dial = peer->dial,
			};
	}
	peer->path_count = 2 * peer->sender_count;
	peer->active = &peer->paths[0];
	stage_viewer_up(peer);
}

/* A way of plain RTP out is no viewer. */
static void count(const struct sfu_peer *peer, int64_t more)
{
	if (peer->role == PEER_PUBLISHER)
		metric_add(METRIC_sfu_publishers, more);
	else if (!peer->session->dialled)
		metric_add(METRIC_sfu_viewers, more);
}

void peer_begin(struct sfu_peer *peer)
{
	mono_t now = mono_now();

	peer->born = peer->heard = now;
	stage_peer_add(peer);
	door_name_add(peer->name);
	if (peer->role == PEER_VIEWER)
		stage_viewer_add(peer);
	count(peer, 1);
	if (peer->dial && dial_begin(peer->dial, peer) != 0) {
		peer->dial = NULL;
		peer_end(peer, "no socket");
	} else if (peer->dial && peer->dial->kind != DIAL_CALL) {
		begin_plain(peer);
	}
}

static void start_free(struct sfu_peer *peer)
{
	if (!peer->start)
		return;
	dtls_destroy(peer->start->dtls);
	free(peer->start);
	peer->start = NULL;
}

void peer_end(struct sfu_peer *peer, const char *why)
{
	if (peer->state == PEER_GONE)
		return;
	start_free(peer);
	/* The peer hears of it at once, not by silence. */
	if (peer_is_up(peer) && peer->rest.farewell_len)
		send_handshake(peer, bytes_of(peer->rest.farewell, peer->rest.farewell_len));
	for (unsigned i = 0; i < peer->sender_count; i++)
		sender_end(&peer->senders[i]);
	if (peer->role == PEER_VIEWER)
		stage_viewer_remove(peer);
	else
		source_end(peer->source);
	peer->state = PEER_GONE;
	if (peer->dial)
		dial_end(peer->dial);
	peer->dial = NULL;
	for (unsigned i = 0; i < peer->path_count; i++)
		if (!peer->paths[i].lost && !peer->paths[i].dial)
			door_path_remove(&peer->paths[i]);
	door_name_remove(peer->name);
	if (peer->next_name)
		door_name_remove(peer->next_name);
	stage_peer_remove(peer);
	count(peer, -1);
	stage_owes(1);
	room_peer_gone(peer->session, why);
}

void peer_free(struct sfu_peer *peer)
{
	if (!peer)
		return;
	start_free(peer);
	srtp_close(&peer->in);
	srtp_close(&peer->out);
	dial_free(peer->dial);
	free(peer->name);
	free(peer->next_name);
	free(peer->source);
	free(peer->senders);
	free(peer->bandwidth);
	free(peer);
}

/* --- paths ------------------------------------------------------------------------------------------ */

static bool is_end(const struct tcp_end *a, const struct tcp_end *b)
{
	return a->port == b->port && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

/* A stream alone says what path it is. */
static struct peer_path *path_of(struct sfu_peer *peer, const struct udp_path *path,
				 const struct sfu_stream *stream)
{
	for (unsigned i = 0; i < peer->path_count; i++) {
		struct peer_path *at = &peer->paths[i];

		if (!at->lost && at->stream == stream &&
		    (stream || is_end(&at->path.peer, &path->peer)))
			return at;
	}
	return NULL;
}

/* Of too many, one that is not used goes. */
RUNS_ON(on_worker) static struct peer_path *path_place(struct sfu_peer *peer)
{
	struct peer_path *at;

	for (unsigned i = 0; i < peer->path_count; i++)
		if (peer->paths[i].lost)
			return &peer->paths[i];
	if (peer->path_count < PEER_PATHS_MAX)
		return &peer->paths[peer->path_count++];
	at = peer->active == &peer->paths[0] ? &peer->paths[1] : &peer->paths[0];
	door_path_remove(at);
	return at;
}

RUNS_ON(on_worker)
static struct peer_path *path_add(struct sfu_peer *peer, const struct udp_path *path,
				  unsigned landed, struct sfu_stream *stream)
{
	struct peer_path *at = path_place(peer);

	*at = (struct peer_path){.path = *path, .peer = peer, .landed = landed, .stream = stream};
	door_path_add(at);
	return at;
}

static void path_lost(struct sfu_peer *peer, struct peer_path *at)
{
	*at = (struct peer_path){.lost = true};
	if (peer->active != at)
		return;
	peer->active = NULL;
	for (unsigned i = 0; i < peer->path_count && !peer->active; i++)
		if (!peer->paths[i].lost)
			peer->active = &peer->paths[i];
}

void peer_path_lost(struct sfu_peer *peer, const struct sfu_stream *stream)
{
	for (unsigned i = 0; i < peer->path_count; i++)
		if (!peer->paths[i].lost && peer->paths[i].stream == stream) {
			path_lost(peer, &peer->paths[i]);
			return;
		}
}

void peer_path_taken(struct peer_path *path)
{
	door_path_remove(path);
	path_lost(path->peer, path);
}

RUNS_ON(on_worker)
static const struct peer_path *checked(struct sfu_peer *peer, const struct ice_check *check,
				       const struct udp_path *path, unsigned landed,
				       struct sfu_stream *stream)
{
	struct peer_path *at = path_of(peer, path, stream);

	peer->heard = mono_now();
	if (!at)
		at = path_add(peer, path, landed, stream);
	at->path = *path;
	at->landed = landed;
	door_path_renew(at);
	/* RFC 8445 8.2: the pair that was nominated last; before any was, one that is valid. */
	if (!peer->active || check->nominated)
		peer->active = at;
	if (peer->state == PEER_NEW) {
		peer->state = PEER_CHECKED;
		peer->checked = peer->heard;
	}
	return at;
}

/* RFC 8445 9: the names of before are good until the first check with the new ones. */
RUNS_ON(on_worker) static void renamed(struct sfu_peer *peer)
{
	door_name_remove(peer->name);
	free(peer->name);
	peer->name = peer->next_name;
	peer->next_name = NULL;
}

void peer_restart(struct sfu_peer *peer, struct peer_name *name)
{
	if (peer->state == PEER_GONE) {
		free(name);
		return;
	}
	if (peer->next_name) {
		door_name_remove(peer->next_name);
		free(peer->next_name);
	}
	name->peer = peer;
	peer->next_name = name;
	door_name_add(name);
}

void peer_stun(struct peer_name *name, const struct stun *stun, const struct udp_path *path,
	       unsigned landed, struct sfu_stream *stream)
{
	struct address from = {.port = path->peer.port};
	struct ice_check check;
	uint8_t answer[256];
	struct writer w = writer_of(answer, sizeof answer);
	struct peer_path stranger = {.path = *path, .landed = worker_here()->id, .stream = stream};
	const struct peer_path *at = &stranger;

	memcpy(from.ip, path->peer.ip, sizeof from.ip);
	ice_answer(name ? &name->names : NULL, stun, &from, door_hmac, &w, &check);
	if (check.authentic) {
		struct sfu_peer *peer = name->peer;

		if (name == peer->next_name)
			renamed(peer);
		at = checked(peer, &check, path, landed, stream);
	} else {
		metric_add(METRIC_sfu_refused, 1);
	}
	if (writer_ok(&w) && w.len)
		door_answer(at, writer_done(&w));
}

/* --- keys ------------------------------------------------------------------------------------------- */

RUNS_ON(on_worker) static void up(struct sfu_peer *peer)
{
	if (dtls_keys(peer->start->dtls, &peer->in, &peer->out) != 0) {
		peer_end(peer, "out of memory");
		return;
	}
	dtls_finish(peer->start->dtls, &peer->rest);
	free(peer->start);
	peer->start = NULL;
	peer->state = PEER_UP;
	metric_add(METRIC_sfu_handshakes, 1);
	room_peer_up(peer->session);
	if (peer->role == PEER_VIEWER)
		stage_viewer_up(peer);
}

RUNS_ON(on_worker) static void handshake(struct sfu_peer *peer, enum dtls_state state)
{
	switch (state) {
	case DTLS_RUNNING: break;
	case DTLS_DONE:
		if (peer->state == PEER_CHECKED)
			up(peer);
		break;
	case DTLS_CLOSED: peer_end(peer, "closed"); break;
	case DTLS_FAILED:
		metric_add(METRIC_sfu_handshakes_failed, 1);
		peer_end(peer, dtls_fault(peer->start->dtls));
		break;
	}
}

/* What comes when the keys are there. */
RUNS_ON(on_worker) static void arrived_late(struct sfu_peer *peer, struct bytes datagram)
{
	switch (dtls_rest_read(&peer->rest, datagram)) {
	case DTLS_SAID_NOTHING: break;
	case DTLS_SAID_AGAIN: /* RFC 6347 4.2.4 */
		if (peer->rest.flight_len)
			send_handshake(peer, bytes_of(peer->rest.flight, peer->rest.flight_len));
		break;
	case DTLS_SAID_FAREWELL: peer_end(peer, "closed"); break;
	}
}

void peer_dtls(struct sfu_peer *peer, struct bytes datagram)
{
	struct peer_start *start = peer->start;

	if (peer_is_up(peer))
		arrived_late(peer, datagram);
	if (!start)
		return;
	if (!start->dtls)
		start->dtls = dtls_create(false, bytes_str(start->hash), bytes_str(start->print),
					  send_handshake, peer);
	if (!start->dtls) {
		peer_end(peer, "the fingerprint's hash is not known");
		return;
	}
	handshake(peer, dtls_input(start->dtls, datagram));
}

/* RFC 8842 5.5: who is active speaks first. */
void peer_answered(struct sfu_peer *peer)
{
	struct peer_start *start = peer->start;

	peer->heard = mono_now();
	if (peer->state != PEER_NEW)
		return;
	peer->state = PEER_CHECKED;
	peer->checked = peer->heard;
	peer->paths[0] = (struct peer_path){.path = peer->dial->to,
					    .peer = peer,
					    .landed = peer->worker->id,
					    .dial = peer->dial};
	peer->path_count = 1;
	peer->active = &peer->paths[0];
	if (!peer->dial->client)
		return;
	start->dtls = dtls_create(true, bytes_str(start->hash), bytes_str(start->print),
				  send_handshake, peer);
	if (start->dtls)
		handshake(peer, dtls_start(start->dtls));
	else
		peer_end(peer, "the fingerprint's hash is not known");
}

RUNS_ON(on_worker) static void start_tick(struct sfu_peer *peer)
{
	enum dtls_state state;

	if (!peer->start->dtls)
		return;
	(void)dtls_tick(peer->start->dtls, &state);
	handshake(peer, state);
}

void peer_tick(struct sfu_peer *peer, mono_t now)
{
	/* Until there is a path, and keys after that. */
	int64_t most_us = (int64_t)sfu_conf()->connect_timeout * 1000;

	if (peer->start)
		start_tick(peer);
	if (peer->dial && peer->state != PEER_GONE && !dial_tick(peer->dial, now))
		peer_end(peer, "silent");
	if (peer->dial && peer->dial->kind != DIAL_CALL)
		return; /* nobody says how long */
	if (peer->state == PEER_NEW && mono_since_us(now, peer->born) > most_us)
		peer_end(peer, "no path");
	else if (peer->state == PEER_CHECKED && mono_since_us(now, peer->checked) > most_us)
		peer_end(peer, "no keys");
	else if (peer->state != PEER_GONE && mono_since_us(now, peer->heard) > SILENCE_US)
		peer_end(peer, "silent");
}

/* --- media ------------------------------------------------------------------------------------------- */

RUNS_ON(on_worker) static void take_rtcp(struct sfu_peer *peer, struct bytes compound)
{
	struct rtcp rtcp;
	bool broken;

	while (rtcp_next(&compound, &rtcp, &broken)) {
		if (peer->role == PEER_PUBLISHER)
			source_rtcp(peer->source, &rtcp);
		else
			sender_rtcp(peer, &rtcp);
	}
	if (broken)
		metric_add(METRIC_sfu_refused, 1);
}

RUNS_ON(on_worker) static void arrived_rtcp(struct sfu_peer *peer, struct bytes datagram)
{
	uint8_t packet[2048 + SRTCP_MORE];
	size_t len;

	if (datagram.len > 2048 || srtcp_unseal(&peer->in, datagram, packet, &len) != SRTP_OK) {
		metric_add(METRIC_sfu_refused, 1);
		return;
	}
	take_rtcp(peer, bytes_of(packet, len));
}

void peer_media(struct sfu_peer *peer, struct bytes datagram)
{
	uint8_t packet[2048];
	size_t len;

	if (peer->state != PEER_UP)
		return;
	peer->bytes_in += datagram.len;
	if (rtp_is_rtcp(datagram)) {
		arrived_rtcp(peer, datagram);
		return;
	}
	/* What a viewer sends is nobody's. */
	if (peer->role != PEER_PUBLISHER || datagram.len > sizeof packet)
		return;
	if (srtp_unseal(&peer->in, datagram, packet, &len) != SRTP_OK) {
		metric_add(METRIC_sfu_refused, 1);
		return;
	}
	source_rtp(peer->source, bytes_of(packet, len));
}

void peer_plain(struct sfu_peer *peer, struct bytes datagram)
{
	if (!peer_is_up(peer) || datagram.len == 0)
		return;
	peer->bytes_in += datagram.len;
	if (!peer->active) {
		peer->paths[0] = (struct peer_path){.peer = peer, .dial = peer->dial};
		peer->path_count = 1;
		peer->active = &peer->paths[0];
	}
	if (rtp_is_rtcp(datagram))
		take_rtcp(peer, datagram);
	else if (peer->role == PEER_PUBLISHER)
		source_rtp(peer->source, datagram);
	else
		metric_add(METRIC_sfu_refused, 1);
}

static size_t rtcp_out(struct sfu_peer *peer, struct bytes compound, uint8_t *room)
{
	if (!peer->dial || peer->dial->kind == DIAL_CALL)
		return srtcp_seal(&peer->out, compound, room);
	memcpy(room, compound.at, compound.len);
	return compound.len;
}

/* Without keys each medium's goes its own way: by the source that it is of. */
static const struct peer_path *rtcp_path(const struct sfu_peer *peer, struct bytes compound)
{
	struct reader r = reader_of(bytes_skip(compound, 4));
	uint32_t ssrc = reader_be32(&r);

	if (!peer->dial || peer->dial->kind != DIAL_RTP_OUT)
		return peer->active;
	for (unsigned i = 0; i < peer->sender_count; i++)
		if (peer->senders[i].ssrc == ssrc)
			return peer->senders[i].out + 1;
	return NULL;
}

void peer_send_rtcp(struct sfu_peer *peer, struct bytes compound)
{
	const struct peer_path *to = peer_is_up(peer) ? rtcp_path(peer, compound) : NULL;
	uint8_t *room = to ? door_room(compound.len + SRTCP_MORE) : NULL;
	size_t len = room ? rtcp_out(peer, compound, room) : 0;

	if (!len)
		return;
	peer->bytes_out += len;
	door_put(to, room, len);
}
