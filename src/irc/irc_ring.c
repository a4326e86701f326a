#include "irc/irc_ring.h"

#include <stdlib.h>

/* Most channels of most users are told little: the first room is small, and a quarter more each time. */
#define FIRST_SIZE  128u
#define FIRST_COUNT 4u

struct irc_entry {
	int64_t at_ms;
	uint32_t off; /* of the data */
	uint32_t kind;
	uint32_t origin;
	uint16_t len;
	uint16_t tags_len;
};

void irc_ring_init(struct irc_ring *ring, uint64_t first)
{
	*ring = (struct irc_ring){.head = first, .kept = first};
}

void irc_ring_fini(struct irc_ring *ring)
{
	free(ring->data);
	free(ring->index);
	ring->data = NULL;
	ring->index = NULL;
	ring->size = ring->count = 0;
	ring->kept = ring->head;
	ring->kept_pos = ring->head_pos = 0;
}

static struct irc_entry *entry_of(const struct irc_ring *ring, uint64_t seq)
{
	return &ring->index[seq % ring->count];
}

static void drop_oldest(struct irc_ring *ring)
{
	uint32_t off = (uint32_t)(ring->kept_pos % ring->size), next;

	if (++ring->kept == ring->head) {
		ring->kept_pos = ring->head_pos;
		return;
	}
	next = entry_of(ring, ring->kept)->off;
	ring->kept_pos += next >= off ? next - off : ring->size - off + next;
}

/* Where a run of len bytes goes that may not be cut by the end. */
static uint64_t place(const struct irc_ring *ring, uint32_t len)
{
	uint64_t off = ring->head_pos % ring->size;

	return off + len <= ring->size ? ring->head_pos : ring->head_pos + (ring->size - off);
}

static bool fits(const struct irc_ring *ring, uint32_t len)
{
	return ring->size && len <= ring->size &&
	       place(ring, len) + len - ring->kept_pos <= ring->size;
}

/* Larger data, with all lines one behind the other. */
static bool grow_data(struct irc_ring *ring, uint32_t size)
{
	uint8_t *data = malloc(size);
	uint32_t pos = 0;

	if (!data)
		return false;
	for (uint64_t seq = ring->kept; seq < ring->head; seq++) {
		struct irc_entry *entry = entry_of(ring, seq);

		memcpy(data + pos, ring->data + entry->off, entry->len);
		entry->off = pos;
		pos += entry->len;
	}
	free(ring->data);
	ring->data = data;
	ring->size = size;
	ring->kept_pos = 0;
	ring->head_pos = pos;
	return true;
}

static bool grow_index(struct irc_ring *ring, uint32_t count)
{
	struct irc_entry *index = malloc(count * sizeof *index);

	if (!index)
		return false;
	for (uint64_t seq = ring->kept; seq < ring->head; seq++)
		index[seq % count] = *entry_of(ring, seq);
	free(ring->index);
	ring->index = index;
	ring->count = count;
	return true;
}

/* Room for len bytes: by growing, or else by letting go of the oldest. */
static bool make_room(struct irc_ring *ring, uint32_t len, uint32_t limit)
{
	uint32_t size = ring->size ? ring->size + ring->size / 4 : FIRST_SIZE;

	if (!fits(ring, len) && ring->size < limit) {
		uint32_t all = (uint32_t)(ring->head_pos - ring->kept_pos) + len;

		/* All that is there and this; and twice a line fits wherever the last one ended. */
		size = size < all ? all : size;
		size = size < 2 * len ? 2 * len : size;
		(void)grow_data(ring, size < limit ? size : limit);
	}
	/* Lines of three bytes would have an index of eight times their room. */
	if (ring->head - ring->kept == ring->count &&
	    (ring->count + (ring->count + 3) / 4) * sizeof(struct irc_entry) <= limit)
		(void)grow_index(ring,
				 ring->count ? ring->count + (ring->count + 3) / 4 : FIRST_COUNT);
	if (!ring->size || !ring->count || len > ring->size)
		return false;
	while (ring->kept < ring->head &&
	       (!fits(ring, len) || ring->head - ring->kept == ring->count))
		drop_oldest(ring);
	return fits(ring, len);
}

bool irc_ring_put(struct irc_ring *ring, struct irc_record *record, uint32_t limit)
{
	size_t len = record->tags.len + record->line.len;
	struct irc_entry *entry;
	uint64_t pos;
	uint8_t *to;

	if (len > limit / 2 || len > UINT16_MAX || !make_room(ring, (uint32_t)len, limit))
		return false;
	record->seq = ring->head;
	entry = entry_of(ring, ring->head);
	pos = place(ring, (uint32_t)len);
	*entry = (struct irc_entry){
		.off = (uint32_t)(pos % ring->size),
		.at_ms = record->at_ms,
		.kind = record->kind,
		.origin = record->origin,
		.len = (uint16_t)len,
		.tags_len = (uint16_t)record->tags.len,
	};
	to = ring->data + entry->off;
	if (record->tags.len)
		memcpy(to, record->tags.at, record->tags.len);
	if (record->line.len)
		memcpy(to + record->tags.len, record->line.at, record->line.len);
	ring->head_pos = pos + len;
	if (ring->kept == ring->head)
		ring->kept_pos = pos;
	ring->head++;
	return true;
}

bool irc_ring_get(const struct irc_ring *ring, uint64_t seq, struct irc_record *record)
{
	const struct irc_entry *entry;
	const uint8_t *at;

	if (seq < ring->kept || seq >= ring->head)
		return false;
	entry = entry_of(ring, seq);
	at = ring->data + entry->off;
	*record = (struct irc_record){
		.seq = seq,
		.at_ms = entry->at_ms,
		.kind = entry->kind,
		.origin = entry->origin,
		.tags = bytes_of(at, entry->tags_len),
		.line = bytes_of(at + entry->tags_len, entry->len - entry->tags_len),
	};
	return true;
}

uint64_t irc_ring_bytes_from(const struct irc_ring *ring, uint64_t seq)
{
	uint32_t from, to;

	if (seq >= ring->head)
		return 0;
	if (seq <= ring->kept)
		return ring->head_pos - ring->kept_pos;
	from = entry_of(ring, seq)->off;
	to = (uint32_t)(ring->head_pos % ring->size);
	return to >= from ? to - from : ring->size - from + to;
}

void irc_ring_forget(struct irc_ring *ring, uint64_t before)
{
	while (ring->kept < before && ring->kept < ring->head)
		drop_oldest(ring);
}

size_t irc_ring_memory(const struct irc_ring *ring)
{
	return ring->size + ring->count * sizeof(struct irc_entry);
}
