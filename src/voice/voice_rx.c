#include "voice/voice_rx.h"

#include <errno.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/metric.h"
#include "voice/proto/voice_ping.h"
#include "voice/voice.h"
#include "voice/voice_conn.h"
#include "voice/voice_hub.h"
#include "voice/voice_ration.h"
#include "voice/voice_record.h"
#include "voice/voice_tx.h"

#define DOORS_MAX VOICE_DOORS_MAX
#define BUCKETS   4096u /* a power of two */
#define SWEEP_MS  1000
#define SILENT_US 20000000 /* Mumble's clients ping every 5 s */
#define RESYNC_US 5000000
#define LOST_US   7000000
#define IDLE_US   1000000 /* that the place of a way lies idle: a few changes at once, then a pause */
#define GAP_US    500000 /* after which more may be lost than NEAR */
#define WALK_MAX  64u    /* who are looked at for a stranger's datagram */
#define NEAR      64u    /* so many ahead may be lost where a port changes */
#define HEADERS   28u    /* of IP and UDP: bandwidth is counted with them */
#define LIST_NETS 1024u  /* so many classes of networks are rationed answers to lists of servers */

struct port {
	struct udp udp;
	uint64_t trips; /* of udp's, those that are in the metric */
	unsigned door;
	struct rx *rx;
};

struct queue {
	struct voice_peer *first, *last; /* next_host */
};

struct rx {
	struct port *ports[DOORS_MAX];
	uv_timer_t sweep;
	mono_t now; /* of the batch at hand */
	struct ration tries, list;
	struct ration nets[LIST_NETS];
	struct voice_peer *at[BUCKETS]; /* by address and port; next_at */
	struct queue host[BUCKETS];     /* by address */
};

static _Thread_local struct rx *rx;
_Atomic uint32_t voice_users_now;

bool voice_budget_take(int64_t *budget, mono_t *at, size_t len, mono_t now)
{
	int64_t rate = (int64_t)voice_conf()->bandwidth / 8, cost = (int64_t)(len + HEADERS);
	int64_t more = mono_since_us(now, *at);

	more = more > 1000000 ? rate : more * rate / 1000000;
	if (more > 0) {
		*budget = *budget + more > rate ? rate : *budget + more;
		*at = now;
	}
	if (*budget < cost)
		return false;
	*budget -= cost;
	return true;
}

/* --- who is where --------------------------------------------------------------------------- */

static uint32_t hash_of(const uint8_t ip[16], uint32_t more)
{
	uint64_t hash = more * UINT64_C(0x9e3779b97f4a7c15), words[2];

	memcpy(words, ip, sizeof words);
	hash = (hash ^ words[0]) * UINT64_C(0xff51afd7ed558ccd);
	hash = (hash ^ hash >> 32 ^ words[1]) * UINT64_C(0xc4ceb9fe1a85ec53);
	return (uint32_t)(hash >> 40) % BUCKETS;
}

static struct voice_peer **bucket_at(const struct tcp_end *end)
{
	return &rx->at[hash_of(end->ip, end->port + 1u)];
}

static struct queue *bucket_host(const uint8_t ip[16])
{
	return &rx->host[hash_of(ip, 0)];
}

static bool same_end(const struct tcp_end *a, const struct tcp_end *b)
{
	return a->port == b->port && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

static struct voice_peer *find(const struct tcp_end *end, unsigned door)
{
	struct voice_peer *peer = *bucket_at(end);

	while (peer && !(peer->rx.way.door == door && same_end(&peer->rx.way.path.peer, end)))
		peer = peer->rx.next_at;
	return peer;
}

static void unbind(struct voice_peer *peer)
{
	struct voice_peer **link = bucket_at(&peer->rx.way.path.peer);

	if (!peer->rx.bound)
		return;
	while (*link != peer)
		link = &(*link)->rx.next_at;
	*link = peer->rx.next_at;
	peer->rx.bound = false;
}

/* Whether there is a place for another way of his. */
static bool may_move(const struct voice_peer *peer)
{
	mono_t left = peer->rx.left[peer->rx.way_next % VOICE_WAYS];

	return mono_since_us(rx->now, left) >= IDLE_US;
}

/* From now on his datagrams are awaited from there, and he is sent his. */
static void bind_to(struct voice_peer *peer, const struct udp_path *path, unsigned door)
{
	struct voice_way *way = &peer->ways[peer->rx.way_next++ % VOICE_WAYS];
	struct voice_peer **bucket;

	if (peer->rx.bound) {
		metric_add(METRIC_voice_rebinds, 1);
		/* The one before it: that of now. */
		peer->rx.left[(peer->rx.way_next + VOICE_WAYS - 2) % VOICE_WAYS] = rx->now;
	}
	unbind(peer);
	peer->rx.way = (struct voice_way){*path, door};
	peer->rx.bound = true;
	bucket = bucket_at(&path->peer);
	peer->rx.next_at = *bucket;
	*bucket = peer;
	*way = peer->rx.way;
	atomic_store_explicit(&peer->way, way, memory_order_release);
}

/* --- what a good datagram holds --------------------------------------------------------------- */

static void publish_counts(struct voice_peer *peer)
{
	const struct crypt_in *in = &peer->rx.in;
	uint32_t lost = atomic_load_explicit(&peer->counts.lost, memory_order_relaxed);
	uint32_t late = atomic_load_explicit(&peer->counts.late, memory_order_relaxed);

	if (in->lost > lost)
		metric_add(METRIC_voice_missed, in->lost - lost);
	if (in->late > late)
		metric_add(METRIC_voice_late, in->late - late);
	atomic_store_explicit(&peer->counts.good, in->good, memory_order_relaxed);
	atomic_store_explicit(&peer->counts.late, in->late, memory_order_relaxed);
	atomic_store_explicit(&peer->counts.lost, in->lost, memory_order_relaxed);
}

RUNS_ON(on_worker) static void answer_ping(struct voice_peer *peer, struct bytes plain)
{
	uint8_t room[VOICE_PING_MAX];
	struct writer w = writer_of(room, sizeof room);
	struct voice_ping ping;

	if (!voice_ping_parse(plain, peer->form, &ping)) {
		metric_add(METRIC_voice_junk, 1);
		return;
	}
	/* Only what comes back: what the server is, the session knows. */
	ping = (struct voice_ping){.form = ping.form, .timestamp = ping.timestamp};
	voice_ping_write(&ping, &w);
	voice_tx_seal(peer, &peer->rx.way, writer_done(&w));
}

/* Within one run of speech: a pause is none. */
static void observe_jitter(struct voice_peer *peer, uint64_t frame)
{
	int64_t due = (int64_t)(frame - peer->rx.frame) * 10000;
	int64_t off = mono_since_us(rx->now, peer->rx.frame_at) - due;

	if (due > 0 && due < 500000)
		metric_observe(METRIC_voice_jitter_milliseconds,
			       (uint64_t)(off < 0 ? -off : off) / 1000);
	peer->rx.frame = frame;
	peer->rx.frame_at = rx->now;
}

RUNS_ON(on_worker) static void on_good(struct voice_peer *peer, struct bytes plain)
{
	uint64_t frame = 0;

	peer->rx.last_good = rx->now;
	peer->rx.bad = 0;
	publish_counts(peer);
	switch (voice_packet_kind(plain, peer->form)) {
	case VOICE_IS_PING: answer_ping(peer, plain); break;
	case VOICE_IS_AUDIO:
		if (!voice_budget_take(&peer->rx.budget, &peer->rx.budget_at,
				       plain.len + CRYPT_HEAD, rx->now)) {
			metric_add(METRIC_voice_over_bandwidth, 1);
			break;
		}
		if (voice_heard(peer, plain, &frame)) {
			atomic_store_explicit(&peer->tunnels, false, memory_order_relaxed);
			observe_jitter(peer, frame);
		}
		break;
	case VOICE_IS_NOTHING: metric_add(METRIC_voice_junk, 1); break;
	}
}

RUNS_ON(on_worker) static void loop_back(const struct voice_speech *speech)
{
	struct voice_peer *peer = speech->speaker;
	uint8_t room[VOICE_PACKET_MAX];
	struct writer w = writer_of(room, sizeof room);
	const struct voice_way *way = atomic_load_explicit(&peer->way, memory_order_acquire);

	if (!voice_packet_forward(&speech->packet, peer->session, VOICE_SPOKEN, true, 0, peer->form,
				  &w))
		return;
	if (way && !atomic_load_explicit(&peer->tunnels, memory_order_relaxed))
		voice_tx_seal(peer, way, writer_done(&w));
	else if (peer->worker == worker_here())
		voice_conn_speak(peer, writer_done(&w));
}

bool voice_heard(struct voice_peer *peer, struct bytes plain, uint64_t *frame)
{
	struct voice_speech speech = {.speaker = peer};
	struct voice_crowd *crowd = NULL;
	struct voice_stage *stage;
	struct voice_aims *aims;

	if (!voice_packet_parse(plain, peer->form, VOICE_FROM_CLIENT, &speech.packet)) {
		metric_add(METRIC_voice_junk, 1);
		return false;
	}
	if (frame)
		*frame = speech.packet.frame;
	if (atomic_load_explicit(&peer->silent, memory_order_relaxed)) {
		metric_add(METRIC_voice_silenced, 1);
		return true;
	}
	metric_add(METRIC_voice_packets_in, 1);
	atomic_fetch_add_explicit(&peer->counts.heard, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&peer->counts.bytes, plain.len + CRYPT_HEAD + HEADERS,
				  memory_order_relaxed);
	atomic_store_explicit(&peer->counts.spoke_us, mono_now().us, memory_order_relaxed);
	if (speech.packet.target == VOICE_TARGET_LOOPBACK) {
		loop_back(&speech);
		return true;
	}
	if (speech.packet.target == VOICE_TARGET_NORMAL) {
		uint32_t record = atomic_load_explicit(&peer->record, memory_order_relaxed);

		if (record)
			voice_record_hear(record, &speech);
		stage = atomic_load_explicit(&peer->stage, memory_order_acquire);
		if (stage)
			crowd = atomic_load_explicit(&stage->crowd, memory_order_acquire);
	} else if (speech.packet.target <= VOICE_AIMS) {
		aims = atomic_load_explicit(&peer->aims, memory_order_acquire);
		if (aims)
			crowd = atomic_load_explicit(&aims->crowd[speech.packet.target - 1],
						     memory_order_acquire);
	}
	if (crowd && !voice_say(&speech, crowd))
		metric_add(METRIC_voice_dropped, 1);
	return true;
}

/* --- strangers ------------------------------------------------------------------------------- */

/* Anybody may ask, with any address for his own: the answer is a few bytes longer than the question,
 * so few are given. */
RUNS_ON(on_worker)
static bool answer_list(struct port *port, const struct udp_packet *packet)
{
	const uint8_t *ip = packet->path.peer.ip;
	int64_t rate = (int64_t)voice_conf()->list_pings_rate;
	int64_t net_rate = (int64_t)voice_conf()->list_pings_network_rate;
	uint8_t net[16] = {0};
	struct voice_ping ping;
	struct writer w;

	if (!list_ping_parse(packet->data, &ping))
		return false;
	memcpy(net, ip, ip[10] == 0xff ? 15 : 7);
	if (!voice_conf()->list_pings ||
	    !ration_take(&rx->nets[hash_of(net, 1) % LIST_NETS], net_rate, 2 * net_rate, rx->now) ||
	    !ration_take(&rx->list, rate, 2 * rate, rx->now)) {
		metric_add(METRIC_voice_list_pings_unanswered, 1);
		return true;
	}
	metric_add(METRIC_voice_list_pings, 1);
	ping.has_info = true;
	ping.version = VOICE_SERVER_VERSION;
	ping.users = atomic_load_explicit(&voice_users_now, memory_order_relaxed);
	ping.max_users = (uint32_t)voice_conf()->users;
	ping.bandwidth = (uint32_t)voice_conf()->bandwidth;
	w = writer_of(udp_room(&port->udp, VOICE_PING_MAX), VOICE_PING_MAX);
	list_ping_write(&ping, &w);
	udp_put(&port->udp, &packet->path, w.len);
	return true;
}

/* Somebody at his address sends what nobody's key opens, and nothing comes of his: perhaps it is he,
 * from another port and behind a gap of more datagrams than their first byte can count. */
RUNS_ON(on_worker) static void ask_if_lost(struct voice_peer *peer)
{
	if (peer->rx.in.good == 0 || mono_since_us(rx->now, peer->rx.last_good) < LOST_US ||
	    mono_since_us(rx->now, peer->rx.last_asked) < RESYNC_US)
		return;
	peer->rx.last_asked = rx->now;
	voice_hub_post(peer, VOICE_LETTER_LOST, 0, (struct bytes){0});
}

/* Whether this is the datagram of that peer, who was elsewhere or nowhere until now. */
RUNS_ON(on_worker)
static bool try_one(struct port *port, const struct udp_packet *packet, struct voice_peer *peer)
{
	int64_t rate = (int64_t)voice_conf()->rebind_rate;
	bool near = peer->rx.bound && mono_since_us(rx->now, peer->rx.last_good) < GAP_US;
	unsigned within = near ? NEAR : 128;
	struct crypt_in before = peer->rx.in;
	uint8_t *room = voice_tx_room();
	struct bytes plain = bytes_of(room, packet->data.len - CRYPT_HEAD);
	struct voice_packet voice;
	struct voice_ping ping;

	if (memcmp(peer->address.ip, packet->path.peer.ip, 16) != 0)
		return false;
	ask_if_lost(peer);
	if (!crypt_may_be(&peer->rx.in, packet->data.at[0], within))
		return false;
	if (!may_move(peer))
		return false;
	if (!ration_take(&rx->tries, rate, rate / 5, rx->now)) {
		metric_add(METRIC_voice_tries_refused, 1);
		return false;
	}
	metric_add(METRIC_voice_tries, 1);
	if (crypt_open(&peer->rx.in, voice_crypt(&peer->key), packet->data, room) != CRYPT_GOOD)
		return false;
	/* Three bytes of a tag are few for so many attempts: what is inside must make sense too. */
	if (!voice_packet_parse(plain, peer->form, VOICE_FROM_CLIENT, &voice) &&
	    !voice_ping_parse(plain, peer->form, &ping)) {
		peer->rx.in = before;
		return false;
	}
	bind_to(peer, &packet->path, port->door);
	on_good(peer, plain);
	return true;
}

/* A few at a time, who then go to the end of their list: all have a turn, whatever comes. */
RUNS_ON(on_worker)
static bool try_some(struct port *port, const struct udp_packet *packet)
{
	struct queue *queue = bucket_host(packet->path.peer.ip);
	struct voice_peer *peer = queue->first, *next;

	if (packet->data.len <= CRYPT_HEAD || packet->data.len > CRYPT_MAX)
		return false;
	for (unsigned i = 0; peer && i < WALK_MAX; i++, peer = next) {
		next = peer->rx.next_host;
		if (try_one(port, packet, peer))
			return true;
	}
	if (peer) {
		struct voice_peer *last = queue->first;

		while (last->rx.next_host != peer)
			last = last->rx.next_host;
		queue->last->rx.next_host = queue->first;
		queue->last = last;
		last->rx.next_host = NULL;
		queue->first = peer;
	}
	return false;
}

/* --- a datagram ------------------------------------------------------------------------------- */

RUNS_ON(on_worker) static void on_bad(struct voice_peer *peer, enum crypt_status status)
{
	metric_add(status == CRYPT_REPLAYED ? METRIC_voice_replayed
		   : status == CRYPT_STALE  ? METRIC_voice_stale
					    : METRIC_voice_forged,
		   1);
	peer->rx.bad++;
	if (status == CRYPT_REPLAYED || mono_since_us(rx->now, peer->rx.last_good) < RESYNC_US ||
	    mono_since_us(rx->now, peer->rx.last_asked) < RESYNC_US)
		return;
	peer->rx.last_asked = rx->now;
	voice_hub_post(peer, VOICE_LETTER_LOST, 0, (struct bytes){0});
}

RUNS_ON(on_worker)
static void take(struct port *port, const struct udp_packet *packet)
{
	struct voice_peer *peer = find(&packet->path.peer, port->door);
	enum crypt_status status = CRYPT_BAD_SIZE;
	uint8_t *room = voice_tx_room();

	if (packet->cut || packet->data.len == 0) {
		metric_add(METRIC_voice_junk, 1);
		return;
	}
	if (peer && packet->data.len > CRYPT_HEAD) {
		status = crypt_open(&peer->rx.in, voice_crypt(&peer->key), packet->data, room);
		if (status == CRYPT_GOOD) {
			/* The address that he reaches us at may be another of ours now. */
			if (memcmp(peer->rx.way.path.local, packet->path.local, 16) != 0 &&
			    may_move(peer))
				bind_to(peer, &packet->path, port->door);
			on_good(peer, bytes_of(room, packet->data.len - CRYPT_HEAD));
			return;
		}
	}
	if (answer_list(port, packet) ||
	    ((!peer || status == CRYPT_FORGED) && try_some(port, packet)))
		return;
	if (peer)
		on_bad(peer, status);
	else
		metric_add(METRIC_voice_strangers, 1);
}

static void on_arrived(struct udp *udp, const struct udp_packet *packets, size_t count)
{
	struct port *port = container_of(udp, struct port, udp);

	enter_worker();
	rx->now = mono_now();
	for (size_t i = 0; i < count; i++)
		take(port, &packets[i]);
	voice_tx_flush();
	metric_observe(METRIC_voice_forward_microseconds,
		       (uint64_t)mono_since_us(mono_now(), rx->now));
}

/* --- control says ------------------------------------------------------------------------------ */

enum note_kind { NOTE_EXPECT, NOTE_RESUME, NOTE_FORGET, NOTE_NONCE };

struct note {
	struct message message;
	enum note_kind kind;
	struct voice_peer *peer;
	struct crypt_nonce nonce;
};

static void forget(struct voice_peer *peer)
{
	struct queue *queue = bucket_host(peer->address.ip);
	struct voice_peer **link = &queue->first, *before = NULL;

	if (!peer->rx.expected)
		return;
	unbind(peer);
	while (*link != peer) {
		before = *link;
		link = &before->rx.next_host;
	}
	*link = peer->rx.next_host;
	if (queue->last == peer)
		queue->last = before;
	peer->rx.expected = false;
}

/* Who has just come is looked for first. */
static void expect(struct voice_peer *peer)
{
	struct queue *queue = bucket_host(peer->address.ip);

	peer->rx.expected = true;
	peer->rx.next_host = queue->first;
	queue->first = peer;
	if (!queue->last)
		queue->last = peer;
}

static void resume(struct voice_peer *peer)
{
	struct voice_way way = peer->rx.way;

	expect(peer);
	rx->now = mono_now();
	if (!peer->rx.bound)
		return;
	peer->rx.bound = false;
	bind_to(peer, &way.path, way.door);
}

static void on_note(struct message *message)
{
	struct note *note = container_of(message, struct note, message);
	struct voice_peer *peer = note->peer;

	enter_worker();
	switch (rx ? note->kind : NOTE_NONCE) {
	case NOTE_EXPECT:
		crypt_in_start(&peer->rx.in, peer->in_base);
		peer->rx.last_good = mono_now();
		expect(peer);
		break;
	case NOTE_RESUME: resume(peer); break;
	case NOTE_FORGET: forget(peer); break;
	case NOTE_NONCE: crypt_in_start(&peer->rx.in, note->nonce); break;
	}
	free(note);
}

RUNS_ON(on_control)
static void post(struct voice_peer *peer, enum note_kind kind, struct crypt_nonce nonce)
{
	struct note *note = malloc(sizeof *note);
	unsigned to = udp_steered_to(peer->address.ip, workers_count());

	/* Without it a forgotten peer would be a dangling one. */
	CHECK(note);
	*note = (struct note){{NULL, on_note}, kind, peer, nonce};
	worker_post(worker_of(to), &note->message);
}

void voice_rx_expect(struct voice_peer *peer)
{
	post(peer, NOTE_EXPECT, peer->in_base);
}

void voice_rx_resume(struct voice_peer *peer)
{
	post(peer, NOTE_RESUME, peer->in_base);
}

void voice_rx_forget(struct voice_peer *peer)
{
	post(peer, NOTE_FORGET, peer->in_base);
}

void voice_rx_nonce(struct voice_peer *peer, struct crypt_nonce last)
{
	post(peer, NOTE_NONCE, last);
}

/* --- life -------------------------------------------------------------------------------------- */

static void on_sweep(uv_timer_t *timer)
{
	mono_t now = mono_now();

	(void)timer;
	enter_worker();
	for (size_t i = 0; i < BUCKETS; i++) {
		struct voice_peer *next;

		for (struct voice_peer *peer = rx->at[i]; peer; peer = next) {
			next = peer->rx.next_at;
			if (mono_since_us(now, peer->rx.last_good) < SILENT_US)
				continue;
			/* His way may lead nowhere by now; he hears through the tunnel. */
			unbind(peer);
			atomic_store_explicit(&peer->way, NULL, memory_order_release);
			metric_add(METRIC_voice_udp_lost, 1);
		}
	}
}

int voice_rx_start(struct worker *worker)
{
	int error;

	rx = calloc(1, sizeof *rx);
	if (!rx)
		return -ENOMEM;
	error = uv_timer_init(&worker->loop, &rx->sweep);
	if (!error)
		error = uv_timer_start(&rx->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
	return error;
}

int voice_rx_open(struct worker *worker, unsigned door, int fd)
{
	struct udp_shape shape = {.segments = true, .in_size = 1500};
	struct port *port = calloc(1, sizeof *port);
	int error;

	if (!port || !rx || door >= DOORS_MAX) {
		free(port);
		close(fd);
		return -ENOMEM;
	}
	port->door = door;
	port->rx = rx;
	error = udp_start(&port->udp, &worker->loop, fd, &shape, on_arrived);
	if (error)
		free(port);
	else
		rx->ports[door] = port;
	return error;
}

static void on_port_stopped(struct udp *udp)
{
	free(container_of(udp, struct port, udp));
}

void voice_rx_close(unsigned door)
{
	struct port *port = rx && door < DOORS_MAX ? rx->ports[door] : NULL;

	if (!port)
		return;
	rx->ports[door] = NULL;
	udp_stop(&port->udp, on_port_stopped);
}

struct udp *voice_rx_socket(unsigned door)
{
	return rx && door < DOORS_MAX && rx->ports[door] ? &rx->ports[door]->udp : NULL;
}

void voice_rx_flush(void)
{
	for (unsigned i = 0; rx && i < DOORS_MAX; i++) {
		struct port *port = rx->ports[i];

		if (!port)
			continue;
		(void)udp_flush(&port->udp);
		metric_add(METRIC_voice_trips, port->udp.counts.trips - port->trips);
		port->trips = port->udp.counts.trips;
	}
}

static void on_sweep_closed(uv_handle_t *handle)
{
	free(container_of((uv_timer_t *)handle, struct rx, sweep));
}

void voice_rx_stop(void)
{
	struct rx *mine = rx;

	if (!mine)
		return;
	for (unsigned i = 0; i < DOORS_MAX; i++)
		voice_rx_close(i);
	rx = NULL;
	uv_close((uv_handle_t *)&mine->sweep, on_sweep_closed);
}
