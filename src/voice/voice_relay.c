#include "voice/voice_relay.h"

#include <errno.h>
#include <stdlib.h>

#include "core/metric.h"
#include "voice/voice_conn.h"
#include "voice/voice_tx.h"

#define LANE_SIZE (256u << 10) /* bytes: a power of two */

enum kind { PAD, TUNNEL, SLICE };

struct record {
	uint32_t size; /* with what follows, rounded up to 8 */
	uint32_t kind;
	uint32_t len; /* of the bytes that follow */
	uint32_t from, to;
	struct voice_peer *peer; /* who hears, or who speaks */
	const struct voice_crowd *crowd;
	struct voice_packet packet; /* payload: the bytes that follow */
};

static_assert(sizeof(struct record) % 8 == 0, "records lie at multiples of 8");

struct lane {
	_Alignas(64) _Atomic uint64_t head; /* bytes written; release by the writer */
	_Alignas(64) _Atomic uint64_t tail; /* bytes done; release by the reader */
	_Alignas(64) uint8_t bytes[LANE_SIZE];
};

struct inbox {
	uv_async_t bell;
	unsigned count;
	_Atomic bool closed;
	struct lane lanes[]; /* by who writes */
};

/* Release by the owner when it starts, acquire by the others. */
static _Atomic(struct inbox *) inboxes[WORKERS_MAX];

/* --- writing -------------------------------------------------------------------------------- */

/* A place for a record with len bytes behind it; NULL: full. */
static struct record *lane_reserve(struct lane *lane, size_t len, uint64_t *head)
{
	size_t size = (sizeof(struct record) + len + 7) & ~(size_t)7;
	uint64_t tail = atomic_load_explicit(&lane->tail, memory_order_acquire);
	size_t at, left;
	struct record *record;

	*head = atomic_load_explicit(&lane->head, memory_order_relaxed);
	at = *head % LANE_SIZE;
	left = LANE_SIZE - at;
	if (left < size) {
		if (*head + left + size - tail > LANE_SIZE)
			return NULL;
		record = (struct record *)(void *)(lane->bytes + at);
		record->size = (uint32_t)left;
		record->kind = PAD;
		*head += left;
		at = 0;
	} else if (*head + size - tail > LANE_SIZE) {
		return NULL;
	}
	record = (struct record *)(void *)(lane->bytes + at);
	*record = (struct record){.size = (uint32_t)size, .len = (uint32_t)len};
	*head += size;
	return record;
}

RUNS_ON(on_worker)
static void relay(unsigned to, const struct record *what, struct bytes bytes)
{
	struct inbox *inbox = atomic_load_explicit(&inboxes[to], memory_order_acquire);
	struct record *record = NULL;
	struct lane *lane;
	uint64_t head;
	uint32_t size;

	if (inbox && !atomic_load_explicit(&inbox->closed, memory_order_relaxed)) {
		lane = &inbox->lanes[worker_here()->id];
		record = lane_reserve(lane, bytes.len, &head);
	}
	if (!record) {
		metric_add(METRIC_voice_relay_full, 1);
		return;
	}
	size = record->size;
	*record = *what;
	record->size = size;
	record->len = (uint32_t)bytes.len;
	if (bytes.len)
		memcpy(record + 1, bytes.at, bytes.len);
	atomic_store_explicit(&lane->head, head, memory_order_release);
	uv_async_send(&inbox->bell);
}

void voice_relay_tunnel(struct voice_peer *peer, struct bytes packet)
{
	relay(peer->worker->id, &(struct record){.kind = TUNNEL, .peer = peer}, packet);
}

void voice_relay_slice(unsigned to_worker, const struct voice_speech *speech,
		       const struct voice_crowd *crowd, size_t from, size_t to)
{
	relay(to_worker,
	      &(struct record){.kind = SLICE,
			       .from = (uint32_t)from,
			       .to = (uint32_t)to,
			       .peer = speech->speaker,
			       .crowd = crowd,
			       .packet = speech->packet},
	      speech->packet.payload);
}

/* --- reading -------------------------------------------------------------------------------- */

RUNS_ON(on_worker) static void do_record(const struct record *record)
{
	struct voice_speech speech;

	if (record->kind == PAD)
		return; /* it may have no more than its size and its kind */
	if (record->kind == TUNNEL) {
		voice_conn_speak(record->peer, bytes_of(record + 1, record->len));
		return;
	}
	speech = (struct voice_speech){record->packet, record->peer};
	speech.packet.payload = bytes_of(record + 1, record->len);
	voice_tx_slice(&speech, record->crowd, record->from, record->to);
}

RUNS_ON(on_worker) static void lane_drain(struct lane *lane)
{
	uint64_t tail = atomic_load_explicit(&lane->tail, memory_order_relaxed);

	/* What comes meanwhile rings again. */
	for (uint64_t head = atomic_load_explicit(&lane->head, memory_order_acquire);
	     tail != head;) {
		const struct record *record = (const void *)(lane->bytes + tail % LANE_SIZE);

		do_record(record);
		tail += record->size;
		atomic_store_explicit(&lane->tail, tail, memory_order_release);
	}
}

void voice_relay_drain(void)
{
	struct inbox *inbox =
		atomic_load_explicit(&inboxes[worker_here()->id], memory_order_relaxed);

	if (!inbox)
		return;
	for (unsigned i = 0; i < inbox->count; i++)
		lane_drain(&inbox->lanes[i]);
	voice_tx_flush();
}

static void on_bell(uv_async_t *bell)
{
	(void)bell;
	enter_worker();
	voice_relay_drain();
}

/* --- life ----------------------------------------------------------------------------------- */

int voice_relay_start(struct worker *worker)
{
	unsigned count = workers_count();
	struct inbox *inbox =
		aligned_alloc(64, (sizeof *inbox + count * sizeof(struct lane) + 63) & ~(size_t)63);
	int error;

	if (!inbox)
		return -ENOMEM;
	memset(inbox, 0, sizeof *inbox);
	inbox->count = count;
	for (unsigned i = 0; i < count; i++) {
		atomic_init(&inbox->lanes[i].head, 0);
		atomic_init(&inbox->lanes[i].tail, 0);
	}
	error = uv_async_init(&worker->loop, &inbox->bell, on_bell);
	if (error) {
		free(inbox);
		return error;
	}
	atomic_store_explicit(&inboxes[worker->id], inbox, memory_order_release);
	return 0;
}

void voice_relay_stop(struct worker *worker)
{
	struct inbox *inbox = atomic_load_explicit(&inboxes[worker->id], memory_order_relaxed);

	if (!inbox)
		return;
	atomic_store_explicit(&inbox->closed, true, memory_order_relaxed);
	uv_close((uv_handle_t *)&inbox->bell, NULL);
}

void voice_relay_free(void)
{
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		free(atomic_exchange_explicit(&inboxes[i], NULL, memory_order_relaxed));
}
