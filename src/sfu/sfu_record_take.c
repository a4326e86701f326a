#include "sfu/sfu_record_take.h"

#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/reader.h"

#define PAST_US 5000000 /* a key picture that is older is not gone back to */

static const struct ring *ring_of(const struct take *take)
{
	return &take->of->feed.ring[FEED_RECORDS];
}

/* --- where it begins ------------------------------------------------------------------------- */

/* Nothing is known of what lies before. */
static void begin_at(struct take *take, struct ring_cursor cursor)
{
	take->cursor = cursor;
	take->order.begun = false;
	take->order.next = 1;
	take->order.highest = 0;
	take->packet_len = 0;
	take->held = false;
	take->needs_key = take->of->video;
	unpack_clear(&take->unpack);
}

static struct ring_cursor oldest(const struct ring *ring)
{
	struct record record;

	for (unsigned i = 0; i < 3; i++)
		if (ring_peek(ring, ring_kept_seq(ring), &record))
			return ring_cursor_of(&record);
	return (struct ring_cursor){ring_head_seq(ring), ring_head_pos(ring)};
}

void take_again(struct take *take)
{
	const struct ring *ring = ring_of(take);
	struct record key;

	if (ring_find_start(ring, 1, 0, &key) && wall_now_us() - key.wall_us < PAST_US)
		begin_at(take, ring_cursor_of(&key));
	else
		begin_at(take, (struct ring_cursor){ring_head_seq(ring), ring_head_pos(ring)});
}

bool take_begin(struct take *take, const struct record_track *of, bool fresh)
{
	memset(take, 0, sizeof *take);
	take->of = of;
	take->number = -1;
	take->room = malloc(of->video ? TAKE_FRAME_MAX : sizeof take->packet);
	if (!take->room)
		return false;
	unpack_init(&take->unpack, of->codec, take->room,
		    of->video ? TAKE_FRAME_MAX : sizeof take->packet);
	take->notes = (struct ring_cursor){1, 0};
	if (fresh)
		begin_at(take, oldest(ring_of(take)));
	else
		take_again(take);
	return true;
}

void take_end(struct take *take)
{
	free(take->room);
	take->room = NULL;
}

/* --- packets --------------------------------------------------------------------------------- */

static void lose(struct take *take, uint64_t count)
{
	take->lost += count;
	take->packet_len = 0;
	unpack_clear(&take->unpack);
	take->needs_key = take->of->video;
}

/* What came since the last look, by number. */
static void look(struct take *take)
{
	const struct ring *ring = ring_of(take);
	struct record record;

	while (take->cursor.seq < ring_head_seq(ring)) {
		if (!ring_peek(ring, take->cursor.seq, &record)) {
			/* It was overwritten: the disk is too slow. */
			struct ring_cursor kept = oldest(ring);

			lose(take, kept.seq - take->cursor.seq);
			begin_at(take, kept);
			continue;
		}
		if (!order_came(&take->order, (int64_t)record.word[0], record.seq, record.wall_us))
			break;
		take->cursor.seq = record.seq + 1;
	}
}

/* Copies a packet out; false: it is not there any more. */
static bool fetch(struct take *take, uint64_t place)
{
	struct ring_cursor cursor;
	struct record record;

	if (!ring_peek(ring_of(take), place, &record))
		return false;
	cursor = ring_cursor_of(&record);
	if (ring_read(ring_of(take), &cursor, &record, take->packet, sizeof take->packet, NULL) !=
		    RING_RECORD ||
	    record.len < RTP_HEADER)
		return false;
	take->packet_len = record.len;
	take->packet_ts = (int64_t)record.word[1];
	take->packet_wall_us = record.wall_us;
	take->packet_marker = record.flags & RECORD_MARKER;
	take->packet_turn = record.flags & RECORD_ROTATED ? RECORD_TURN(record.flags) & 3 : -1;
	return true;
}

/* The next packet in order lies in packet. */
static bool next_packet(struct take *take, int64_t wall_us, bool all)
{
	int64_t lost, wait_us = all ? 0 : TAKE_WAIT_US;
	uint64_t place;

	if (take->packet_len)
		return true;
	for (;;) {
		look(take);
		switch (order_take(&take->order, wall_us, wait_us, &place, &lost)) {
		case ORDER_WAIT:
			/* What is there is not given up for what is not. */
			if (!wait_us || !take_is_late(take))
				return false;
			wait_us = 0;
			break;
		case ORDER_LOST: lose(take, (uint64_t)lost); break;
		case ORDER_PLACE:
			if (fetch(take, place))
				return true;
			lose(take, 1);
			break;
		}
	}
}

/* --- frames ---------------------------------------------------------------------------------- */

/* A frame has ended; whether it is one that is kept. */
static bool keep(struct take *take)
{
	struct shape shape;

	switch (unpack_end(&take->unpack, &take->frame)) {
	case UNPACK_NOTHING: return false;
	case UNPACK_BROKEN: lose(take, 1); return false;
	case UNPACK_FRAME: break;
	}
	if (take->needs_key && !take->frame.key)
		return false;
	if (take->frame.key &&
	    shape_read(take->of->codec, take->frame.frame, RECORD_CHANNELS, &shape)) {
		take->shape = shape;
		take->shaped = true;
	}
	/* A key picture without what a decoder needs first is none to begin with. */
	if (!take->shaped)
		return false;
	take->needs_key = false;
	take->held = true;
	return true;
}

static bool put(struct take *take)
{
	struct bytes payload = bytes_skip(bytes_of(take->packet, take->packet_len), RTP_HEADER);

	take->packet_len = 0;
	take->frame_wall_us = take->packet_wall_us;
	/* 3GPP TS 26.114 7.4.5: the last packet of a picture says it, and it holds for those behind it. */
	if (take->packet_turn >= 0)
		take->turn = (unsigned)take->packet_turn;
	if (take->needs_key && !take->unpack.open && !codec_begins_key(take->of->codec, payload))
		return false;
	return unpack_put(&take->unpack, payload, take->packet_ts, take->packet_marker) &&
	       keep(take);
}

bool take_hold(struct take *take, int64_t wall_us, bool all)
{
	while (!take->held && next_packet(take, wall_us, all)) {
		if (unpack_is_other(&take->unpack, take->packet_ts) && keep(take))
			break;
		if (put(take))
			break;
	}
	return take->held;
}

/* --- clocks ---------------------------------------------------------------------------------- */

bool take_is_told(const struct take *take)
{
	return ring_head_seq(&take->of->feed.ring[FEED_NOTES]) > 1;
}

void take_place(struct take *take, struct lipsync_base *base, int64_t us)
{
	const struct ring *ring = &take->of->feed.ring[FEED_NOTES];
	uint64_t head = ring_head_seq(ring);
	struct record record;

	lipsync_begin(&take->sync, take->of->clock, take->frame.ts, us);
	if (head > 1 && ring_peek(ring, head - 1, &record))
		take->notes = ring_cursor_of(&record);
	take_listen(take, base, true);
}

void take_listen(struct take *take, struct lipsync_base *base, bool fresh)
{
	const struct ring *ring = &take->of->feed.ring[FEED_NOTES];
	struct record record;
	uint8_t room[TRACK_NOTE];

	for (;;) {
		switch (ring_read(ring, &take->notes, &record, room, sizeof room, NULL)) {
		case RING_EMPTY: return;
		case RING_LAPPED: continue;
		case RING_SMALL: take->notes.seq++; continue;
		case RING_RECORD: break;
		}
		struct reader r = reader_of(bytes_of(room, record.len));
		int64_t ts = (int64_t)reader_be64(&r);

		if (reader_ok(&r))
			lipsync_report(&take->sync, base, record.word[1], ts, fresh);
	}
}

int64_t take_last_us(const struct take *take)
{
	const struct ring *ring = ring_of(take);
	struct record record;
	uint64_t head = ring_head_seq(ring);

	return head > 1 && ring_peek(ring, head - 1, &record) ? record.wall_us : 0;
}

bool take_is_late(const struct take *take)
{
	const struct ring *ring = ring_of(take);
	struct record record;
	uint64_t place = take->order.begun ? order_first(&take->order) : 0;
	uint64_t seq = place ? place : take->cursor.seq;

	if (seq >= ring_head_seq(ring))
		return false;
	return !ring_peek(ring, seq, &record) ||
	       ring_head_pos(ring) - record.pos > (ring->data_mask + 1) / 2 ||
	       ring_head_seq(ring) - seq > (ring->entry_mask + 1) / 2;
}
