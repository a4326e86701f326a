#include "voice/voice_tx.h"

#include <errno.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/metric.h"
#include "voice/proto/varint.h"
#include "voice/voice.h"
#include "voice/voice_conn.h"
#include "voice/voice_relay.h"
#include "voice/voice_rx.h"

#define PENDING_MAX  32u
#define VARIANTS_MAX 8u
#define SLICE_LEAST  64u    /* hearers: fewer are not worth waking somebody for */
#define WINDOW_US    100000 /* over which it is seen whether waiting is worth it */
#define BUSY         1000u  /* datagrams in that: a worker that sends less has time for each */
#define ROOMS        64u    /* a power of two */

/* One speech as one kind of hearer gets it. */
struct variant {
	enum voice_form form;
	uint8_t why;
	bool with_position;
	float volume;
	size_t len; /* 0: it cannot be said in this form */
	uint8_t bytes[VOICE_PACKET_MAX + 64];
};

struct pending {
	struct voice_speech speech;
	const struct voice_crowd *crowd;
	size_t from, to; /* of its hearers */
	bool whole;      /* may be shared with other workers */
};

/* What is said together. */
struct batch {
	size_t count;
	struct pending pending[PENDING_MAX];
	uint8_t plain[PENDING_MAX][VOICE_PACKET_MAX];
};

/* Who spoke to a crowd of late. Both are compared only, and may be gone. */
struct room {
	const struct voice_crowd *crowd;
	const struct voice_peer *speaker;
	mono_t several; /* when another one than before spoke */
};

struct tx {
	struct batch now;  /* of this turn */
	struct batch held; /* until the timer */
	uv_timer_t timer;
	bool timed;
	mono_t window;
	uint64_t load, load_before; /* datagrams in this window and in the last */
	struct room rooms[ROOMS];
	size_t variant_count[PENDING_MAX]; /* of the batch that is being said */
	struct variant variants[PENDING_MAX][VARIANTS_MAX];
};

static _Thread_local struct tx *tx;

/* --- what waits for more ----------------------------------------------------------------------- */

static void roll_window(mono_t now)
{
	int64_t since = mono_since_us(now, tx->window);

	if (since < WINDOW_US)
		return;
	tx->load_before = since < 2 * WINDOW_US ? tx->load : 0;
	tx->load = 0;
	tx->window = now;
}

/* Whether others have spoken to this crowd in the last moments. */
static bool several_speak(const struct voice_speech *speech, const struct voice_crowd *crowd,
			  mono_t now)
{
	uint64_t hash = (uint64_t)(uintptr_t)crowd * UINT64_C(0x9e3779b97f4a7c15);
	struct room *room = &tx->rooms[hash >> 32 & (ROOMS - 1)];

	if (room->crowd != crowd)
		*room = (struct room){crowd, speech->speaker, mono_add_us(now, -WINDOW_US)};
	if (room->speaker != speech->speaker)
		room->several = now;
	room->speaker = speech->speaker;
	return mono_since_us(now, room->several) < WINDOW_US;
}

static bool has_words_of(const struct batch *batch, const struct voice_peer *speaker)
{
	for (size_t i = 0; i < batch->count; i++)
		if (batch->pending[i].speech.speaker == speaker)
			return true;
	return false;
}

/* A datagram costs a worker's time by the trip through the stack, not by its bytes: where much is
 * said to the same people, it pays to wait for the next one who speaks. */
static bool may_wait(const struct voice_speech *speech, const struct voice_crowd *crowd)
{
	mono_t now = mono_now();

	roll_window(now);
	tx->load += crowd->count;
	return several_speak(speech, crowd, now) && tx->load_before >= BUSY &&
	       voice_conf()->gather > 0;
}

RUNS_ON(on_worker) static void say_batch(struct batch *batch);

/* Takes a copy of the payload, unless that lies there already. */
static void batch_put(struct batch *batch, const struct pending *pending)
{
	struct pending *at = &batch->pending[batch->count];
	struct bytes payload = pending->speech.packet.payload;
	uint8_t *room = batch->plain[batch->count++];

	*at = *pending;
	if (payload.at >= room && payload.at < room + VOICE_PACKET_MAX)
		return;
	memcpy(room, payload.at, payload.len);
	at->speech.packet.payload.at = room;
}

static void on_timer(uv_timer_t *timer)
{
	(void)timer;
	enter_worker();
	voice_tx_flush_all();
}

RUNS_ON(on_worker) static void hold(const struct pending *pending)
{
	if (tx->held.count == PENDING_MAX)
		voice_tx_flush_all();
	if (tx->held.count == 0)
		uv_timer_start(&tx->timer, on_timer, voice_conf()->gather, 0);
	batch_put(&tx->held, pending);
}

uint8_t *voice_tx_room(void)
{
	if (tx->now.count == PENDING_MAX)
		voice_tx_flush();
	return tx->now.plain[tx->now.count];
}

bool voice_say(const struct voice_speech *speech, const struct voice_crowd *crowd)
{
	struct pending pending = {*speech, crowd, 0, crowd->count, true};

	if (may_wait(speech, crowd)) {
		hold(&pending);
		return true;
	}
	/* What he said before goes before. */
	if (has_words_of(&tx->held, speech->speaker)) {
		hold(&pending);
		voice_tx_flush_all();
		return true;
	}
	if (tx->now.count == PENDING_MAX)
		return false;
	batch_put(&tx->now, &pending);
	return true;
}

/* --- one hearer ----------------------------------------------------------------------------- */

static const struct variant *variant_of(size_t i, const struct voice_speech *speech,
					const struct voice_hearer *hearer)
{
	const struct voice_peer *peer = hearer->peer;
	bool with_position = speech->packet.has_position;
	struct variant *v;
	struct writer w;

	if (with_position) {
		uint64_t place = atomic_load_explicit(&peer->place, memory_order_relaxed);

		with_position = place && place == atomic_load_explicit(&speech->speaker->place,
								       memory_order_relaxed);
	}
	for (size_t n = 0; n < tx->variant_count[i]; n++) {
		v = &tx->variants[i][n];
		if (v->form == peer->form && v->why == hearer->why &&
		    v->with_position == with_position && v->volume == hearer->volume)
			return v;
	}
	/* More than there is room for (many volumes): the last is made anew each time. */
	v = &tx->variants[i][tx->variant_count[i] < VARIANTS_MAX ? tx->variant_count[i]++
								 : VARIANTS_MAX - 1];
	*v = (struct variant){peer->form, hearer->why, with_position, hearer->volume, 0, {0}};
	w = writer_of(v->bytes, VOICE_PACKET_MAX);
	if (voice_packet_forward(&speech->packet, speech->speaker->session,
				 (enum voice_context)hearer->why, with_position, hearer->volume,
				 peer->form, &w))
		v->len = w.len;
	return v;
}

void voice_tx_seal(struct voice_peer *peer, const struct voice_way *way, struct bytes plain)
{
	struct udp *udp = voice_rx_socket(way->door);
	uint64_t n = 1 + atomic_fetch_add_explicit(&peer->sealed, 1, memory_order_relaxed);
	uint8_t *room;

	if (!udp)
		return;
	room = udp_room(udp, CRYPT_HEAD + plain.len);
	udp_put(udp, &way->path,
		crypt_seal(voice_crypt(&peer->key), crypt_nonce_add(peer->out_base, n), plain,
			   room));
}

RUNS_ON(on_worker)
static void say_to(const struct batch *batch, size_t i, const struct voice_hearer *hearer)
{
	struct voice_peer *peer = hearer->peer;
	const struct voice_way *way;
	const struct variant *v;

	if (atomic_load_explicit(&peer->deaf, memory_order_relaxed))
		return;
	v = variant_of(i, &batch->pending[i].speech, hearer);
	if (v->len == 0) {
		metric_add(METRIC_voice_untranslated, 1);
		return;
	}
	metric_add(METRIC_voice_packets_out, 1);
	way = atomic_load_explicit(&peer->way, memory_order_acquire);
	if (way && !atomic_load_explicit(&peer->tunnels, memory_order_relaxed))
		voice_tx_seal(peer, way, bytes_of(v->bytes, v->len));
	else if (peer->worker == worker_here())
		voice_conn_speak(peer, bytes_of(v->bytes, v->len));
	else
		voice_relay_tunnel(peer, bytes_of(v->bytes, v->len));
}

/* --- a crowd -------------------------------------------------------------------------------- */

/* Speeches of which (numbers of pending) to hearers from … to. */
RUNS_ON(on_worker)
static void say_all(const struct batch *batch, const uint8_t *which, size_t count, size_t from,
		    size_t to)
{
	const struct voice_crowd *crowd = batch->pending[which[0]].crowd;

	for (size_t h = from; h < to; h++) {
		const struct voice_hearer *hearer = &crowd->hearers[h];

		for (size_t n = 0; n < count; n++)
			if (hearer->peer != batch->pending[which[n]].speech.speaker)
				say_to(batch, which[n], hearer);
	}
}

void voice_tx_slice(const struct voice_speech *speech, const struct voice_crowd *crowd, size_t from,
		    size_t to)
{
	if (!tx)
		return; /* this worker has stopped */
	if (tx->now.count == PENDING_MAX)
		voice_tx_flush();
	batch_put(&tx->now, &(struct pending){*speech, crowd, from, to, false});
}

/* Of what a hearer gets, as far as speakers differ in it. */
static size_t length_of(const struct pending *pending)
{
	const struct voice_packet *packet = &pending->speech.packet;
	uint8_t room[2 * VARINT_MAX];
	struct writer w = writer_of(room, sizeof room);

	varint_write(&w, pending->speech.speaker->session);
	varint_write(&w, packet->frame);
	return packet->payload.len + w.len;
}

/* Longer ones first, so that they can be segments of one send, unless that would change the order of
 * what one speaker has said. */
static void sort_by_length(const struct batch *batch, uint8_t *which, size_t count)
{
	size_t lengths[PENDING_MAX];

	for (size_t a = 0; a < count; a++) {
		lengths[which[a]] = length_of(&batch->pending[which[a]]);
		for (size_t b = 0; b < a; b++)
			if (batch->pending[which[a]].speech.speaker ==
				    batch->pending[which[b]].speech.speaker &&
			    lengths[which[a]] > lengths[which[b]])
				return;
	}
	for (size_t a = 1; a < count; a++)
		for (size_t b = a; b > 0 && lengths[which[b]] > lengths[which[b - 1]]; b--) {
			uint8_t swap = which[b];

			which[b] = which[b - 1];
			which[b - 1] = swap;
		}
}

/* The first part is ours, each other one another worker's. */
RUNS_ON(on_worker)
static void say_in_slices(const struct batch *batch, const uint8_t *which, size_t count,
			  unsigned slices)
{
	const struct voice_crowd *crowd = batch->pending[which[0]].crowd;
	size_t each = (crowd->count + slices - 1) / slices;
	unsigned here = worker_here()->id;

	for (unsigned s = 1; s < slices; s++) {
		size_t from = s * each,
		       to = from + each < crowd->count ? from + each : crowd->count;

		for (size_t n = 0; n < count && from < to; n++)
			voice_relay_slice((here + s) % workers_count(),
					  &batch->pending[which[n]].speech, crowd, from, to);
	}
	say_all(batch, which, count, 0, each);
}

RUNS_ON(on_worker) static void say_group(const struct batch *batch, uint8_t *which, size_t count)
{
	const struct pending *first = &batch->pending[which[0]];
	unsigned workers = workers_count();
	size_t slices = 1, hearers = first->crowd->count;

	if (first->whole && workers > 1 && hearers > voice_conf()->slice)
		slices = hearers / SLICE_LEAST;
	if (slices > workers)
		slices = workers;
	sort_by_length(batch, which, count);
	if (slices > 1)
		say_in_slices(batch, which, count, (unsigned)slices);
	else
		say_all(batch, which, count, first->from, first->to);
}

static bool goes_with(const struct pending *a, const struct pending *b)
{
	return a->crowd == b->crowd && a->from == b->from && a->to == b->to && a->whole == b->whole;
}

static void say_batch(struct batch *batch)
{
	uint64_t done = 0;

	static_assert(PENDING_MAX <= 64, "a bit each");
	memset(tx->variant_count, 0, batch->count * sizeof tx->variant_count[0]);
	for (size_t i = 0; i < batch->count; i++) {
		uint8_t which[PENDING_MAX];
		size_t count = 0;

		for (size_t n = i; n < batch->count; n++) {
			if (done >> n & 1 || !goes_with(&batch->pending[i], &batch->pending[n]))
				continue;
			done |= UINT64_C(1) << n;
			which[count++] = (uint8_t)n;
		}
		if (count)
			say_group(batch, which, count);
	}
	batch->count = 0;
}

void voice_tx_flush(void)
{
	if (!tx)
		return;
	say_batch(&tx->now);
	voice_rx_flush();
	voice_conn_flush();
}

void voice_tx_flush_all(void)
{
	if (!tx)
		return;
	uv_timer_stop(&tx->timer);
	say_batch(&tx->held);
	voice_tx_flush();
}

/* --- life ----------------------------------------------------------------------------------- */

int voice_tx_start(struct worker *worker)
{
	int error;

	tx = calloc(1, sizeof *tx);
	if (!tx)
		return -ENOMEM;
	error = uv_timer_init(&worker->loop, &tx->timer);
	tx->timed = !error;
	return error;
}

static void on_timer_closed(uv_handle_t *handle)
{
	free(container_of((uv_timer_t *)handle, struct tx, timer));
}

void voice_tx_stop(void)
{
	if (tx && tx->timed)
		uv_close((uv_handle_t *)&tx->timer, on_timer_closed);
	else
		free(tx);
	tx = NULL;
}
