#include "voice/voice_conn.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/lookout.h"
#include "core/metric.h"
#include "edge/edge.h"
#include "edge/tls_handshake.h"
#include "edge/websocket.h"
#include "voice/proto/frame.h"
#include "voice/voice.h"
#include "voice/voice_door.h"
#include "voice/voice_hub.h"
#include "voice/voice_part.h"
#include "voice/voice_rx.h"
#include "voice/voice_tx.h"

#define IN_FIRST        2048u
#define STRANGER_MAX    8192u      /* of a frame of somebody who is not admitted yet */
#define MEMBER_MAX      (2u << 20) /* and of one who is: a list of bans is the longest */
#define SPEECH_OUT_MAX  (64u << 10)
#define SPEECH_LATE_US  100000
#define READS_MAX       16 /* in one event */
#define SWEEP_MS        500
#define CERTIFICATE_MAX 16384u
#define WEB_READ        8192u
#define WEB_MESSAGE_MAX (256u << 10)
#define LIVE_UNSENT     4096u /* bytes that the kernel may hold for one: what is live must not wait */
#define LEFT_MAX        (1u << 20) /* bytes of either direction that are handed to another server */
#define REQUEST_SIZE    4096       /* each so many bytes of a request count as one more */
#define BURST_S         10         /* requests that may come at once, in seconds of the rate */

enum state { HANDSHAKE, OPEN, ENDING, GONE };

struct voice_conn {
	uv_poll_t poll;
	struct voice_conn *prev, *next; /* list */
	struct voice_conn *next_dirty;
	struct worker *worker;
	struct link link;
	struct handshake *handshake;
	struct websocket *web;   /* NULL: he came over a door of ours */
	struct voice_peer *peer; /* NULL before it is OPEN */
	struct tcp_end address;
	enum state state;
	bool dirty, full;
	mono_t full_since, last_heard, began;
	uint8_t *in, *out;
	size_t in_len, in_size;
	size_t out_at, out_len, out_size; /* out_at: sent already */
	int64_t requests;                 /* thousandths that may still come */
	mono_t requests_at;
	int64_t budget; /* of voice through the tunnel */
	mono_t budget_at;
	mono_t tunnelled; /* his last voice through the tunnel */
	uint32_t far_good;
	uint64_t sealed;
};

struct list {
	struct voice_conn *first, *dirty;
	uv_timer_t sweep;
	struct lookout look;
	unsigned open_handles;
	bool stopping;
	bool hushed; /* nothing is read of those who are in */
};

static _Thread_local struct list list;

static void on_ready(uv_poll_t *poll, int status, int events);

/* --- end ------------------------------------------------------------------------------------ */

static void on_closed(uv_handle_t *handle)
{
	struct voice_conn *conn = container_of((uv_poll_t *)handle, struct voice_conn, poll);

	enter_worker();
	handshake_destroy(&conn->handshake);
	websocket_destroy(&conn->web);
	free(conn->in);
	free(conn->out);
	free(conn);
	list.open_handles--;
}

RUNS_ON(on_worker) static void conn_close(struct voice_conn *conn)
{
	if (conn->state == GONE)
		return;
	conn->state = GONE;
	if (conn->prev)
		conn->prev->next = conn->next;
	else
		list.first = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	for (struct voice_conn **at = &list.dirty; *at; at = &(*at)->next_dirty)
		if (*at == conn) {
			*at = conn->next_dirty;
			break;
		}
	uv_close((uv_handle_t *)&conn->poll, on_closed);
	link_close_gently(conn->link);
	edge_left(conn->worker);
	if (conn->peer) {
		conn->peer->conn = NULL;
		voice_hub_post(conn->peer, VOICE_LETTER_GONE, 0, (struct bytes){0});
		conn->peer = NULL;
	}
}

/* --- out ------------------------------------------------------------------------------------ */

RUNS_ON(on_worker) static void watch(struct voice_conn *conn, int events)
{
	if (list.hushed && conn->state != HANDSHAKE)
		events &= ~UV_READABLE;
	uv_poll_start(&conn->poll, events, on_ready);
}

RUNS_ON(on_worker) static void make_dirty(struct voice_conn *conn)
{
	if (conn->dirty)
		return;
	conn->dirty = true;
	conn->next_dirty = list.dirty;
	list.dirty = conn;
}

/* False: no memory, or too much waits; the connection is closed. */
RUNS_ON(on_worker) static bool put_wire(struct voice_conn *conn, struct bytes bytes)
{
	size_t need = conn->out_len + bytes.len;

	if (conn->out_at && (need > conn->out_size || conn->out_at == conn->out_len)) {
		memmove(conn->out, conn->out + conn->out_at, conn->out_len - conn->out_at);
		conn->out_len -= conn->out_at;
		conn->out_at = 0;
		need = conn->out_len + bytes.len;
	}
	if (need > conn->out_size) {
		size_t size = conn->out_size ? conn->out_size : 4096;
		uint8_t *larger;

		while (size < need)
			size *= 2;
		larger = need <= voice_conf()->backlog ? realloc(conn->out, size) : NULL;
		if (!larger) {
			metric_add(METRIC_voice_slow, 1);
			conn_close(conn);
			return false;
		}
		conn->out = larger;
		conn->out_size = size;
	}
	memcpy(conn->out + conn->out_len, bytes.at, bytes.len);
	conn->out_len += bytes.len;
	make_dirty(conn);
	return true;
}

static bool put_web(void *user, struct bytes wire)
{
	enter_worker();
	return put_wire(user, wire);
}

/* Whole frames; false: the connection is closed. */
RUNS_ON(on_worker) static bool put(struct voice_conn *conn, struct bytes frames)
{
	if (!conn->web)
		return put_wire(conn, frames);
	if (websocket_send(conn->web, frames, false))
		return true;
	conn_close(conn);
	return false;
}

/* Nothing more is read; it closes when all that was put is out. */
RUNS_ON(on_worker) static void conn_end(struct voice_conn *conn)
{
	if (conn->state != OPEN)
		return;
	conn->state = ENDING;
	watch(conn, UV_WRITABLE);
	make_dirty(conn);
}

RUNS_ON(on_worker) static void flush(struct voice_conn *conn)
{
	int all;

	while (conn->out_at < conn->out_len) {
		ssize_t n = link_send(conn->link, bytes_of(conn->out + conn->out_at,
							   conn->out_len - conn->out_at));

		if (n < 0) {
			conn_close(conn);
			return;
		}
		if (n == 0)
			break;
		conn->out_at += (size_t)n;
	}
	all = link_flush(conn->link);
	if (all < 0) {
		conn_close(conn);
		return;
	}
	if (all == 1 && conn->out_at == conn->out_len) {
		conn->out_at = conn->out_len = 0;
		if (conn->state == ENDING) {
			conn_close(conn);
			return;
		}
		if (conn->full)
			watch(conn, UV_READABLE);
		conn->full = false;
		return;
	}
	if (!conn->full) {
		conn->full = true;
		conn->full_since = mono_now();
		watch(conn, conn->state == OPEN ? UV_READABLE | UV_WRITABLE : UV_WRITABLE);
	}
}

void voice_conn_flush(void)
{
	while (list.dirty) {
		struct voice_conn *conn = list.dirty;

		list.dirty = conn->next_dirty;
		conn->dirty = false;
		flush(conn);
	}
}

void voice_conn_put(struct voice_peer *peer, struct bytes frames)
{
	if (peer->conn && peer->conn->state == OPEN)
		(void)put(peer->conn, frames);
}

void voice_conn_end(struct voice_peer *peer)
{
	if (!peer->conn || peer->conn->state != OPEN)
		return;
	if (peer->conn->web)
		websocket_close(peer->conn->web, WEBSOCKET_NORMAL, "");
	conn_end(peer->conn);
}

void voice_conn_speak(struct voice_peer *peer, struct bytes packet)
{
	struct voice_conn *conn = peer->conn;
	uint8_t room[FRAME_HEAD + VOICE_PACKET_MAX];
	struct writer w = writer_of(room, sizeof room);

	if (!conn || conn->state != OPEN)
		return;
	/* What was said a while ago is of no use any more, and would keep what comes behind it. */
	if (conn->out_len - conn->out_at > SPEECH_OUT_MAX ||
	    (conn->full && mono_since_us(mono_now(), conn->full_since) > SPEECH_LATE_US)) {
		metric_add(METRIC_voice_tunnel_late, 1);
		return;
	}
	frame_write(MUMBLE_UDP_TUNNEL, packet, &w);
	CHECK(writer_ok(&w));
	metric_add(METRIC_voice_tunnel_out, 1);
	(void)put(conn, writer_done(&w));
}

/* --- in ------------------------------------------------------------------------------------- */

RUNS_ON(on_worker)
static void put_message(struct voice_conn *conn, const struct mumble_message *message)
{
	uint8_t room[512];
	struct writer w = writer_of(room, sizeof room);

	frame_write_message(message, &w);
	CHECK(writer_ok(&w));
	(void)put(conn, writer_done(&w));
}

static uint32_t float_bits(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof bits);
	return bits;
}

/* What he says of our datagrams decides how he is sent them: a firewall may let one direction
 * through and not the other. */
RUNS_ON(on_worker)
static void judge_way(struct voice_conn *conn, const struct mumble_ping *ping)
{
	struct voice_peer *peer = conn->peer;
	uint64_t sealed = atomic_load_explicit(&peer->sealed, memory_order_relaxed);
	bool tunnelled = conn->tunnelled.us != 0 &&
			 mono_since_us(conn->last_heard, conn->tunnelled) < 10000000;

	if (!(ping->has & MUMBLE_HAS(ping, good)))
		return;
	if (ping->good != conn->far_good) {
		if (!tunnelled)
			atomic_store_explicit(&peer->tunnels, false, memory_order_relaxed);
	} else if (sealed >= conn->sealed + 2) {
		if (!atomic_exchange_explicit(&peer->tunnels, true, memory_order_relaxed))
			metric_add(METRIC_voice_udp_lost, 1);
	}
	conn->far_good = ping->good;
	conn->sealed = sealed;
}

RUNS_ON(on_worker) static void on_ping(struct voice_conn *conn, struct bytes body)
{
	struct voice_counts *counts = &conn->peer->counts;
	struct message_room room = message_room_of(NULL, 0);
	struct mumble_message message, answer;
	const struct mumble_ping *ping = &message.ping;

	if (message_decode(MUMBLE_PING, body, &room, &message) != MESSAGE_OK) {
		metric_add(METRIC_voice_bad_messages, 1);
		return;
	}
	judge_way(conn, ping);
#define KEEP(field, value) atomic_store_explicit(&counts->field, value, memory_order_relaxed)
	KEEP(far_good, ping->good);
	KEEP(far_late, ping->late);
	KEEP(far_lost, ping->lost);
	KEEP(far_resync, ping->resync);
	KEEP(udp_packets, ping->udp_packets);
	KEEP(tcp_packets, ping->tcp_packets);
	KEEP(udp_average, float_bits(ping->udp_ping_avg));
	KEEP(udp_variance, float_bits(ping->udp_ping_var));
	KEEP(tcp_average, float_bits(ping->tcp_ping_avg));
	KEEP(tcp_variance, float_bits(ping->tcp_ping_var));
#undef KEEP
#define SAID(field) atomic_load_explicit(&counts->field, memory_order_relaxed)
	message_init(&answer, MUMBLE_PING);
	MUMBLE_SET(&answer.ping, ping, timestamp, ping->timestamp);
	/* Without these a client takes UDP for dead. */
	MUMBLE_SET(&answer.ping, ping, good, SAID(good));
	MUMBLE_SET(&answer.ping, ping, late, SAID(late));
	MUMBLE_SET(&answer.ping, ping, lost, SAID(lost));
	MUMBLE_SET(&answer.ping, ping, resync, SAID(resync));
#undef SAID
	put_message(conn, &answer);
}

RUNS_ON(on_worker) static void on_tunnel(struct voice_conn *conn, struct bytes body)
{
	struct voice_peer *peer = conn->peer;

	if (body.len == 0 || body.len > VOICE_PACKET_MAX ||
	    voice_packet_kind(body, peer->form) != VOICE_IS_AUDIO) {
		metric_add(METRIC_voice_junk, 1);
		return;
	}
	if (!voice_budget_take(&conn->budget, &conn->budget_at, body.len, conn->last_heard)) {
		metric_add(METRIC_voice_over_bandwidth, 1);
		return;
	}
	conn->tunnelled = conn->last_heard;
	atomic_store_explicit(&peer->tunnels, true, memory_order_relaxed);
	memcpy(voice_tx_room(), body.at, body.len);
	if (voice_heard(peer, bytes_of(voice_tx_room(), body.len), NULL))
		metric_add(METRIC_voice_tunnel_in, 1);
}

/* False: he asks too much. A long request is more than one: it may go on to everybody. */
static bool may_ask(struct voice_conn *conn, size_t len)
{
	int64_t rate = (int64_t)voice_conf()->message_rate, most = rate * 1000 * BURST_S;
	int64_t since = mono_since_us(conn->last_heard, conn->requests_at);

	since = since > BURST_S * 1000000 ? BURST_S * 1000000 : since;
	if (since >= 1000) {
		conn->requests += since * rate / 1000;
		conn->requests_at = conn->last_heard;
	}
	if (conn->requests > most)
		conn->requests = most;
	conn->requests -= 1000 * (1 + (int64_t)len / REQUEST_SIZE);
	return conn->requests >= 0;
}

/* False: the connection is closed. */
RUNS_ON(on_worker) static bool on_frame(struct voice_conn *conn, const struct frame *frame)
{
	struct voice_peer *peer = conn->peer;
	bool admitted = !atomic_load_explicit(&peer->outside, memory_order_acquire);

	if (frame->type == MUMBLE_UDP_TUNNEL) {
		if (admitted)
			on_tunnel(conn, frame->body);
		else
			metric_add(METRIC_voice_silenced, 1);
		/* What was said before may have been sent, and what cannot be sent ends him. */
		return conn->state == OPEN;
	}
	if (frame->type == MUMBLE_PING) {
		on_ping(conn, frame->body);
		return conn->state == OPEN;
	}
	if (!may_ask(conn, frame->body.len)) {
		metric_add(METRIC_voice_floods, 1);
		conn_close(conn);
		return false;
	}
	voice_hub_post(peer, VOICE_LETTER_FRAME, frame->type, frame->body);
	return true;
}

/* Frames that are whole; false: the connection is closed. */
RUNS_ON(on_worker) static bool take_frames(struct voice_conn *conn)
{
	size_t longest = atomic_load_explicit(&conn->peer->outside, memory_order_acquire)
				 ? STRANGER_MAX
				 : MEMBER_MAX;
	size_t at = 0, used;
	struct frame frame;

	for (;;) {
		enum frame_status status = frame_parse(bytes_of(conn->in + at, conn->in_len - at),
						       longest, &frame, &used);

		if (status == FRAME_TOO_LONG) {
			metric_add(METRIC_voice_bad_messages, 1);
			conn_close(conn);
			return false;
		}
		if (status == FRAME_MORE)
			break;
		at += used;
		if (!on_frame(conn, &frame))
			return false;
	}
	conn->in_len -= at;
	memmove(conn->in, conn->in + at, conn->in_len);
	return true;
}

/* Room for the rest of the frame that has begun. */
static bool make_room(struct voice_conn *conn)
{
	size_t need = frame_len(bytes_of(conn->in, conn->in_len));
	uint8_t *larger;

	if (need <= conn->in_size)
		return true;
	larger = realloc(conn->in, need);
	if (!larger)
		return false;
	conn->in = larger;
	conn->in_size = need;
	return true;
}

/* A message is a run of frames; one may go on in the next message. */
static bool on_message(void *user, struct bytes message, bool text)
{
	struct voice_conn *conn = user;

	enter_worker();
	if (text) {
		websocket_close(conn->web, WEBSOCKET_UNSUPPORTED, "frames are binary");
		return false;
	}
	while (message.len) {
		struct bytes part;

		if (!make_room(conn)) {
			conn_close(conn);
			return false;
		}
		part = bytes_first(message, conn->in_size - conn->in_len);
		memcpy(conn->in + conn->in_len, part.at, part.len);
		conn->in_len += part.len;
		message = bytes_skip(message, part.len);
		if (!take_frames(conn))
			return false;
	}
	return true;
}

static const struct websocket_use web_use = {WEB_MESSAGE_MAX, on_message, put_web};

RUNS_ON(on_worker) static void read_web(struct voice_conn *conn)
{
	uint8_t room[WEB_READ];

	conn->last_heard = mono_now();
	for (int i = 0; i < READS_MAX || link_ready(conn->link); i++) {
		ssize_t n = link_recv(conn->link, room, sizeof room);

		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			conn_close(conn);
			return;
		}
		if (!websocket_take(conn->web, bytes_of(room, (size_t)n)))
			conn_end(conn); /* with a goodbye, unless it is closed already */
		if (conn->state != OPEN)
			return;
	}
}

RUNS_ON(on_worker) static void read_some(struct voice_conn *conn)
{
	if (conn->web) {
		read_web(conn);
		return;
	}
	conn->last_heard = mono_now();
	for (int i = 0; i < READS_MAX || link_ready(conn->link); i++) {
		ssize_t n = make_room(conn) ? link_recv(conn->link, conn->in + conn->in_len,
							conn->in_size - conn->in_len)
					    : -ENOMEM;

		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			conn_close(conn);
			return;
		}
		conn->in_len += (size_t)n;
		if (!take_frames(conn))
			return;
	}
}

/* --- beginning ------------------------------------------------------------------------------ */

/* Mumble knows people by this: the SHA-1 of the certificate, in hexadecimal digits. */
static void hash_certificate(struct voice_peer *peer)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (peer->certificate_len == 0 || EVP_Digest(peer->certificate, peer->certificate_len,
						     digest, &len, EVP_sha1(), NULL) != 1)
		return;
	for (unsigned i = 0; i < len && 2 * i + 2 < sizeof peer->hash; i++)
		snprintf(peer->hash + 2 * i, 3, "%02x", digest[i]);
}

RUNS_ON(on_worker) static struct voice_peer *peer_make(struct voice_conn *conn)
{
	struct voice_peer *peer = voice_peer_make(conn->worker);
	uint8_t der[CERTIFICATE_MAX];
	size_t len;

	if (!peer)
		return NULL;
	peer->address = conn->address;
	peer->conn = conn;
	atomic_init(&peer->outside, true);
	len = conn->handshake ? handshake_certificate(conn->handshake, der, sizeof der) : 0;
	peer->certificate = len ? malloc(len) : NULL;
	if (peer->certificate) {
		memcpy(peer->certificate, der, len);
		peer->certificate_len = len;
	}
	hash_certificate(peer);
	return peer;
}

/* early: what came behind the head of a page's request. */
RUNS_ON(on_worker) static void open_conn(struct voice_conn *conn, struct bytes early)
{
	conn->peer = peer_make(conn);
	conn->in = malloc(IN_FIRST);
	conn->in_size = IN_FIRST;
	handshake_destroy(&conn->handshake);
	if (!conn->peer || !conn->in) {
		metric_add(METRIC_voice_out_of_memory, 1);
		/* Nobody knows this peer. */
		if (conn->peer)
			free(conn->peer->certificate);
		free(conn->peer);
		conn->peer = NULL;
		conn_close(conn);
		return;
	}
	conn->state = OPEN;
	conn->requests = (int64_t)voice_conf()->message_rate * 1000 * BURST_S;
	conn->requests_at = mono_now();
	voice_hub_post(conn->peer, VOICE_LETTER_CAME, 0, (struct bytes){0});
	watch(conn, UV_READABLE);
	if (early.len && !websocket_take(conn->web, early))
		conn_end(conn);
	if (conn->state == OPEN)
		read_some(conn);
}

RUNS_ON(on_worker) static void step_handshake(struct voice_conn *conn)
{
	if (!handshake_has_time())
		return;
	switch (handshake_step(conn->handshake, &conn->link)) {
	case HANDSHAKE_READS: watch(conn, UV_READABLE); break;
	case HANDSHAKE_WRITES: watch(conn, UV_WRITABLE); break;
	case HANDSHAKE_DONE: open_conn(conn, (struct bytes){0}); break;
	case HANDSHAKE_FAILED: conn_close(conn); break;
	}
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct voice_conn *conn = container_of(poll, struct voice_conn, poll);

	enter_worker();
	if (status < 0) {
		conn_close(conn);
	} else if (conn->state == HANDSHAKE) {
		step_handshake(conn);
	} else {
		if (events & UV_WRITABLE)
			flush(conn);
		if (events & UV_READABLE && conn->state == OPEN)
			read_some(conn);
	}
	voice_tx_flush();
}

RUNS_ON(on_worker) static void list_put(struct voice_conn *conn)
{
	list.open_handles++;
	conn->began = conn->last_heard = mono_now();
	conn->next = list.first;
	if (conn->next)
		conn->next->prev = conn;
	list.first = conn;
}

void voice_conn_start_web(struct worker *worker, struct link link, const struct address *peer,
			  struct bytes early)
{
	struct voice_conn *conn = list.stopping ? NULL : calloc(1, sizeof *conn);

	if (conn)
		conn->web = websocket_create(&web_use, conn);
	if (!conn || !conn->web || uv_poll_init(&worker->loop, &conn->poll, link.fd) != 0) {
		if (conn)
			websocket_destroy(&conn->web);
		free(conn);
		link_close(link);
		edge_left(worker);
		return;
	}
	tcp_tune_stream(link.fd, 0);
	tcp_tune_live(link.fd, LIVE_UNSENT);
	conn->worker = worker;
	conn->link = link;
	memcpy(conn->address.ip, peer->ip, sizeof conn->address.ip);
	conn->address.port = peer->port;
	list_put(conn);
	metric_add(METRIC_voice_web, 1);
	open_conn(conn, early);
	voice_tx_flush();
}

void voice_conn_start(struct worker *worker, int fd, const struct tcp_end *peer)
{
	struct voice_conn *conn = list.stopping ? NULL : calloc(1, sizeof *conn);

	if (conn)
		conn->handshake = handshake_create_asking((struct bytes){0}, voice_door_identity());
	if (!conn || !conn->handshake || uv_poll_init(&worker->loop, &conn->poll, fd) != 0) {
		if (conn)
			handshake_destroy(&conn->handshake);
		free(conn);
		close(fd);
		edge_left(worker);
		return;
	}
	tcp_tune_stream(fd, 0);
	tcp_tune_live(fd, LIVE_UNSENT);
	conn->worker = worker;
	conn->link = link_plain(fd);
	conn->address = *peer;
	list_put(conn);
	watch(conn, UV_READABLE);
}

/* --- another server takes over ----------------------------------------------------------------- */

static int events_of(const struct voice_conn *conn)
{
	int events = conn->state == ENDING ? UV_WRITABLE : UV_READABLE;

	return conn->full ? events | UV_WRITABLE : events;
}

void voice_conn_worker_hush(bool hushed)
{
	list.hushed = hushed;
	for (struct voice_conn *conn = list.first; conn; conn = conn->next)
		if (conn->state == OPEN || conn->state == ENDING)
			watch(conn, events_of(conn));
}

/* The worker is halted: what is its own stands still. */
ROLE_ATTRIBUTE(no_thread_safety_analysis)
bool voice_conn_left(const struct voice_peer *peer, struct voice_conn_left *left)
{
	const struct voice_conn *conn = peer->conn;

	/* A page's websocket may be in the middle of a message, and does not say so: it comes again. */
	if (!conn || conn->state != OPEN || conn->web || conn->out_len - conn->out_at > LEFT_MAX ||
	    conn->in_len > LEFT_MAX)
		return false;
	*left = (struct voice_conn_left){
		.link = conn->link,
		.in = bytes_of(conn->in, conn->in_len),
		.out = bytes_of(conn->out + conn->out_at, conn->out_len - conn->out_at),
		.began_us = conn->began.us,
		.tunnelled_us = conn->tunnelled.us,
		.sealed = conn->sealed,
		.far_good = conn->far_good,
	};
	return true;
}

RUNS_ON(on_worker) static void part(struct voice_conn *conn)
{
	/* The record layers are the other server's: not a word more from this one. */
	if (conn->state == HANDSHAKE || conn->link.tls == 0)
		conn_close(conn);
	if (conn->state == GONE)
		return;
	conn->state = GONE;
	uv_close((uv_handle_t *)&conn->poll, on_closed);
	close(conn->link.fd);
	edge_left(conn->worker);
	conn->peer->conn = NULL;
	conn->peer = NULL;
}

void voice_conn_worker_part(void)
{
	list.stopping = true;
	list.dirty = NULL;
	while (list.first) {
		struct voice_conn *conn = list.first;

		if (conn->web && conn->link.tls == 0 && conn->state == OPEN) {
			websocket_close(conn->web, WEBSOCKET_GOING_AWAY, "the server is renewed");
			if (conn->state == OPEN)
				flush(conn);
		}
		part(conn);
		if (list.first == conn) {
			list.first = conn->next;
			if (conn->next)
				conn->next->prev = NULL;
		}
	}
}

void voice_conn_resume(struct voice_peer *peer, const struct voice_conn_left *left)
{
	struct voice_conn *conn = list.stopping ? NULL : calloc(1, sizeof *conn);
	size_t in_size = left->in.len > IN_FIRST ? left->in.len : IN_FIRST;

	if (conn)
		conn->in = malloc(in_size);
	if (!conn || !conn->in || uv_poll_init(&peer->worker->loop, &conn->poll, left->link.fd)) {
		metric_add(METRIC_voice_out_of_memory, 1);
		if (conn)
			free(conn->in);
		free(conn);
		link_close(left->link);
		voice_hub_post(peer, VOICE_LETTER_GONE, 0, (struct bytes){0});
		return;
	}
	edge_joined(peer->worker);
	conn->worker = peer->worker;
	conn->link = left->link;
	conn->address = peer->address;
	conn->state = OPEN;
	conn->in_size = in_size;
	conn->in_len = left->in.len;
	if (left->in.len)
		memcpy(conn->in, left->in.at, left->in.len);
	list_put(conn);
	conn->began.us = left->began_us;
	conn->tunnelled.us = left->tunnelled_us;
	conn->sealed = left->sealed;
	conn->far_good = left->far_good;
	conn->requests = (int64_t)voice_conf()->message_rate * 1000 * BURST_S;
	conn->requests_at = mono_now();
	conn->peer = peer;
	peer->conn = conn;
	watch(conn, UV_READABLE);
	if (left->out.len && !put_wire(conn, left->out))
		return;
	if (conn->in_len && !take_frames(conn))
		return;
	read_some(conn);
	if (conn->state == OPEN)
		make_dirty(conn);
	voice_tx_flush();
	voice_conn_flush();
}

/* --- the worker ----------------------------------------------------------------------------- */

static void on_sweep(uv_timer_t *timer)
{
	int64_t timeout = (int64_t)voice_conf()->timeout * 1000;
	int64_t login_time = (int64_t)voice_conf()->login_time * 1000;
	mono_t now = mono_now();
	struct voice_conn *next;

	(void)timer;
	enter_worker();
	if (!lookout_counts(&list.look, now, SWEEP_MS))
		return;
	for (struct voice_conn *conn = list.first; conn; conn = next) {
		bool fresh = conn->state == HANDSHAKE ||
			     (conn->peer &&
			      atomic_load_explicit(&conn->peer->outside, memory_order_relaxed));

		next = conn->next;
		if (fresh ? mono_since_us(now, conn->began) < login_time
			  : mono_since_us(now, conn->last_heard) < timeout)
			continue;
		metric_add(METRIC_voice_timeouts, 1);
		conn_close(conn);
	}
}

int voice_conn_worker_start(struct worker *worker)
{
	int error;

	list = (struct list){0};
	error = uv_timer_init(&worker->loop, &list.sweep);
	if (!error)
		error = uv_timer_start(&list.sweep, on_sweep, SWEEP_MS, SWEEP_MS);
	return error;
}

void voice_conn_worker_stop(void)
{
	list.stopping = true;
	uv_close((uv_handle_t *)&list.sweep, NULL);
	while (list.first) {
		struct voice_conn *conn = list.first;

		if (conn->web && conn->state == OPEN) {
			websocket_close(conn->web, WEBSOCKET_GOING_AWAY, "the server stops");
			if (conn->state == OPEN)
				flush(conn);
		}
		conn_close(conn);
	}
}

bool voice_conn_worker_busy(void)
{
	return list.open_handles > 0;
}
