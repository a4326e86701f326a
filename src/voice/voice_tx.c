#include "voice/voice_tx.h"

#include <errno.h>
#include <stdlib.h>

#include "core/metric.h"
#include "voice/voice.h"
#include "voice/voice_conn.h"
#include "voice/voice_relay.h"
#include "voice/voice_rx.h"

#define PENDING_MAX  32u
#define VARIANTS_MAX 8u
#define SLICE_LEAST  64u /* hearers: fewer are not worth waking somebody for */

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
	struct voice_crowd *crowd; /* NULL: said already */
};

struct tx {
	size_t count;
	struct pending pending[PENDING_MAX];
	uint8_t plain[PENDING_MAX][VOICE_PACKET_MAX];
	size_t variant_count[PENDING_MAX];
	struct variant variants[PENDING_MAX][VARIANTS_MAX];
};

static _Thread_local struct tx *tx;

int voice_tx_start(void)
{
	tx = calloc(1, sizeof *tx);
	return tx ? 0 : -ENOMEM;
}

void voice_tx_stop(void)
{
	free(tx);
	tx = NULL;
}

uint8_t *voice_tx_room(void)
{
	if (tx->count == PENDING_MAX)
		voice_tx_flush();
	return tx->plain[tx->count];
}

bool voice_say(const struct voice_speech *speech, struct voice_crowd *crowd)
{
	if (tx->count == PENDING_MAX)
		return false;
	tx->pending[tx->count++] = (struct pending){*speech, crowd};
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

RUNS_ON(on_worker) static void say_to(size_t i, const struct voice_hearer *hearer)
{
	struct voice_peer *peer = hearer->peer;
	const struct voice_way *way;
	const struct variant *v;

	if (atomic_load_explicit(&peer->deaf, memory_order_relaxed))
		return;
	v = variant_of(i, &tx->pending[i].speech, hearer);
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
static void say_all(const uint8_t *which, size_t count, const struct voice_crowd *crowd,
		    size_t from, size_t to)
{
	for (size_t h = from; h < to; h++) {
		const struct voice_hearer *hearer = &crowd->hearers[h];

		for (size_t n = 0; n < count; n++)
			if (hearer->peer != tx->pending[which[n]].speech.speaker)
				say_to(which[n], hearer);
	}
}

void voice_tx_slice(const struct voice_speech *speech, const struct voice_crowd *crowd, size_t from,
		    size_t to)
{
	uint8_t which;

	if (!tx)
		return; /* this worker has stopped */
	which = (uint8_t)tx->count;
	if (tx->count == PENDING_MAX) {
		voice_tx_flush();
		which = 0;
	}
	tx->pending[which].speech = *speech;
	tx->variant_count[which] = 0;
	say_all(&which, 1, crowd, from, to);
}

/* Longer ones first, so that they can be segments of one send, unless that would change the order of
 * what one speaker has said. */
static void sort_by_length(uint8_t *which, size_t count)
{
	for (size_t a = 0; a < count; a++)
		for (size_t b = a + 1; b < count; b++)
			if (tx->pending[which[a]].speech.speaker ==
			    tx->pending[which[b]].speech.speaker)
				return;
	for (size_t a = 1; a < count; a++)
		for (size_t b = a;
		     b > 0 && tx->pending[which[b]].speech.packet.payload.len >
				      tx->pending[which[b - 1]].speech.packet.payload.len;
		     b--) {
			uint8_t swap = which[b];

			which[b] = which[b - 1];
			which[b - 1] = swap;
		}
}

/* The first part is ours, each other one another worker's. */
RUNS_ON(on_worker)
static void say_in_slices(const uint8_t *which, size_t count, struct voice_crowd *crowd,
			  unsigned slices)
{
	size_t each = (crowd->count + slices - 1) / slices;
	unsigned here = worker_here()->id;

	for (unsigned s = 1; s < slices; s++) {
		size_t from = s * each,
		       to = from + each < crowd->count ? from + each : crowd->count;

		for (size_t n = 0; n < count && from < to; n++)
			voice_relay_slice((here + s) % workers_count(),
					  &tx->pending[which[n]].speech, crowd, from, to);
	}
	say_all(which, count, crowd, 0, each);
}

RUNS_ON(on_worker)
static void say_group(uint8_t *which, size_t count, struct voice_crowd *crowd)
{
	unsigned workers = workers_count();
	size_t slices = 1;

	if (workers > 1 && crowd->count > voice_conf()->slice)
		slices = crowd->count / SLICE_LEAST;
	if (slices > workers)
		slices = workers;
	sort_by_length(which, count);
	if (slices > 1)
		say_in_slices(which, count, crowd, (unsigned)slices);
	else
		say_all(which, count, crowd, 0, crowd->count);
}

void voice_tx_flush(void)
{
	uint8_t which[PENDING_MAX];

	if (!tx)
		return;
	for (size_t i = 0; i < tx->count; i++)
		tx->variant_count[i] = 0;
	for (size_t i = 0; i < tx->count; i++) {
		struct voice_crowd *crowd = tx->pending[i].crowd;
		size_t count = 0;

		if (!crowd)
			continue;
		for (size_t n = i; n < tx->count; n++) {
			if (tx->pending[n].crowd != crowd)
				continue;
			tx->pending[n].crowd = NULL;
			which[count++] = (uint8_t)n;
		}
		say_group(which, count, crowd);
	}
	tx->count = 0;
	voice_rx_flush();
	voice_conn_flush();
}
