#include "radio/radio_publish.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "edge/proto/charset.h"
#include "radio/radio_feed.h"
#include "radio/radio_outlet.h"

static_assert(UNIT_KEY == RECORD_KEY && UNIT_HEADER == RECORD_HEADER &&
		      UNIT_CHAIN == RECORD_CHAIN && UNIT_PART == RECORD_PART,
	      "a unit's flags are its record's");

/* --- the feed ------------------------------------------------------------------------------- */

/* Relaxed: set while all writers are halted. */
static _Atomic bool silent;

void publishers_silence(void)
{
	atomic_store_explicit(&silent, true, memory_order_relaxed);
}

static bool is_silent(void)
{
	return atomic_load_explicit(&silent, memory_order_relaxed);
}

static void feed_let_go(struct feed *feed)
{
	if (is_silent())
		return;
	for (int i = 0; i < FEED_RINGS; i++)
		ring_release(&feed->ring[i]);
}

static int feed_write(struct feed *feed, uint64_t writer, bool force)
{
	int error = 0;

	for (int i = 0; i < FEED_RINGS && !error; i++)
		error = ring_claim(&feed->ring[i], writer, force);
	return error;
}

static const struct ring *records_of(const struct publisher *publisher)
{
	return &publisher->feed->ring[FEED_RECORDS];
}

/* Where the next record goes. Whoever goes on after a crash is told which feed it was. */
static void publisher_at_home(struct publisher *publisher)
{
	publisher->state.first_pos = publisher->state.pos = ring_head_pos(records_of(publisher));
	if (publisher->place) {
		publisher->place->first_pos = publisher->state.first_pos;
		atomic_signal_fence(memory_order_release);
		publisher->place->feed = publisher->feed->id;
		atomic_signal_fence(memory_order_release);
	}
}

/* The feed of this format: the mount's old one, or a new one. */
static int publisher_open(struct publisher *publisher, enum framer_kind kind)
{
	struct publish_plan *plan = &publisher->plan;
	char *said = publisher->state.type;
	struct bytes type = bytes_str(said[0] ? said : framer_type_of_kind(kind));
	struct feed *old = plan->old_feed;
	int error;

	framer_init(&publisher->state.framer, kind);
	publisher->state.framing = true;
	/* It was opened before the crash that made us read the same bytes again. */
	if (publisher->feed)
		return 0;
	if (is_silent())
		return -ECANCELED;
	if (old && old->kind == kind && bytes_equal(bytes_str(old->type), type)) {
		publisher->feed = old;
		publisher->joining = plan->rejoins && (kind == FRAMER_MP3 || kind == FRAMER_ADTS ||
						       kind == FRAMER_OGG);
	} else {
		publisher->feed =
			radio_feed_make(bytes_str(publisher->name), type, kind, &plan->shape);
	}
	if (!publisher->feed)
		return -ENOMEM;
	error = feed_write(publisher->feed, plan->writer, false);
	publisher_at_home(publisher);
	return error;
}

bool publisher_resume(struct publisher *publisher, struct feed *(*find)(uint64_t id))
{
	const struct publish_place *place = publisher->place;

	if (!place || place->feed == 0)
		return !publisher->state.framing;
	publisher->feed = find(place->feed);
	if (!publisher->feed || feed_write(publisher->feed, publisher->plan.writer, true) != 0)
		return false;
	if (!publisher->state.framing)
		publisher->state.first_pos = publisher->state.pos = place->first_pos;
	return publisher->state.pos <= ring_head_pos(records_of(publisher)) &&
	       (!publisher->state.framing || publisher->state.framer.kind == publisher->feed->kind);
}

void publisher_forget(struct publisher *publisher)
{
	if (publisher->feed)
		feed_let_go(publisher->feed);
	publisher->feed = NULL;
}

void publisher_set_type(struct publisher *publisher, struct bytes type)
{
	bytes_to_str(bytes_trim(type), publisher->state.type, sizeof publisher->state.type);
}

/* What the bytes show goes before what the Content-Type says: encoders call everything audio/mpeg.
 * A type that belongs to another format than the bytes is not passed on. */
static enum framer_kind publisher_kind(struct publisher *publisher, enum framer_kind shown)
{
	enum framer_kind said = framer_kind_of_type(bytes_str(publisher->state.type));

	if (shown == FRAMER_RAW || shown == said)
		return said;
	if (said != FRAMER_RAW)
		publisher->state.type[0] = '\0';
	return shown;
}

int publisher_init(struct publisher *publisher, const struct publish_plan *plan)
{
	*publisher = (struct publisher){.plan = *plan};
	bytes_to_str(plan->name, publisher->name, sizeof publisher->name);
	memcpy(publisher->state.type, plan->type, sizeof publisher->state.type);
	publisher->buffer = malloc(PUBLISH_BUFFER);
	publisher->headers = malloc(HEADERS_MAX);
	if (!publisher->buffer || !publisher->headers)
		return -ENOMEM;
	return 0;
}

/* --- publishing ----------------------------------------------------------------------------- */

static void publish(struct publisher *publisher, enum feed_ring which, struct record *record,
		    struct bytes payload)
{
	uint64_t wake = 0;

	if (is_silent())
		return;
	record->wall_us = wall_now_us();
	if (ring_publish(&publisher->feed->ring[which], record, payload, &wake) != 0) {
		metric_add(METRIC_radio_oversized, 1);
		return;
	}
	metric_add(METRIC_core_ring_records, 1);
	metric_add(METRIC_core_ring_bytes, (int64_t)payload.len);
	if (wake) {
		metric_add(METRIC_core_doorbells, 1);
		outlet_ring(wake);
	}
}

/* A unit of the stream. One that the server before this one published, just before it crashed, is
 * there already. */
static void publish_unit(struct publisher *publisher, struct record *record, struct bytes payload)
{
	const struct ring *ring = records_of(publisher);

	if (publisher->state.pos < ring_head_pos(ring)) {
		if (payload.len <= (ring->data_mask + 1) / 2)
			publisher->state.pos += payload.len;
		return;
	}
	publish(publisher, FEED_RECORDS, record, payload);
	publisher->state.pos = ring_head_pos(ring);
}

/* Whether this record of a side ring is there already, of the server before. */
static bool is_published(const struct publisher *publisher, enum feed_ring which,
			 const struct record *record, struct bytes payload)
{
	const struct ring *ring = &publisher->feed->ring[which];
	struct record last;

	for (uint64_t seq = ring_head_seq(ring) - 1; ring_peek(ring, seq, &last); seq--) {
		if (last.word[0] < record->word[0])
			break;
		if (last.len == payload.len && last.word[0] == record->word[0] &&
		    last.word[1] == record->word[1] &&
		    bytes_equal(ring_bytes(ring, last.pos, last.pos + last.len), payload))
			return true;
	}
	return false;
}

void publisher_set_title(struct publisher *publisher, struct bytes title, struct bytes url)
{
	char text[FEED_NOTE_MAX];
	struct writer w = writer_of(text, sizeof text);
	struct record note = {0};

	if (!publisher->feed)
		return;
	writer_put(&w, charset_cut(title, 4096));
	writer_u8(&w, 0);
	writer_put(&w, bytes_first(url, 2048));
	/* Some encoders repeat it with each block. */
	if (bytes_equal(writer_done(&w),
			bytes_of(publisher->state.note, publisher->state.note_len)))
		return;
	publisher->state.note_len = writer_done(&w).len;
	memcpy(publisher->state.note, text, publisher->state.note_len);
	note.word[0] = publisher->state.pos;
	if (!is_published(publisher, FEED_NOTES, &note, writer_done(&w)))
		publish(publisher, FEED_NOTES, &note, writer_done(&w));
}

/* The headers of a chain are whole when its first other unit comes. They are published before it, so
 * that nobody can start in the chain without them. */
static void headers_publish(struct publisher *publisher)
{
	struct record record = {.word = {publisher->state.chain_pos, publisher->state.pos}};
	struct bytes headers = bytes_of(publisher->headers, publisher->state.headers_len);

	publisher->state.headers_open = false;
	if (!is_published(publisher, FEED_HEADERS, &record, headers))
		publish(publisher, FEED_HEADERS, &record, headers);
}

static void headers_add(struct publisher *publisher, const struct unit *unit)
{
	if (unit->flags & UNIT_CHAIN) {
		publisher->state.headers_len = 0;
		publisher->state.chain_pos = publisher->state.pos;
	}
	publisher->state.headers_open = true;
	publisher->state.headers_version++;
	if (unit->data.len > HEADERS_MAX - publisher->state.headers_len) {
		/* Pictures of this size do not belong into a live stream; who joins late does not
		 * hear this chain. */
		metric_add(METRIC_radio_oversized, 1);
		return;
	}
	memcpy(publisher->headers + publisher->state.headers_len, unit->data.at, unit->data.len);
	publisher->state.headers_len += unit->data.len;
}

/* --- going on where it broke off ------------------------------------------------------------ */

static bool is_record(const struct ring *ring, uint64_t seq, struct bytes unit, uint64_t *pos)
{
	struct record record;

	if (!ring_peek(ring, seq, &record) || record.len != unit.len)
		return false;
	*pos = record.pos;
	return bytes_equal(ring_bytes(ring, record.pos, record.pos + record.len), unit);
}

/* An upstream that was lost and is back begins with its past, which is ours as well: as long as each
 * unit is the one that followed, nobody is to hear it again. We are the writer, so the ring stands
 * still meanwhile. */
static bool is_known(struct publisher *publisher, struct bytes unit)
{
	const struct ring *ring = &publisher->feed->ring[FEED_RECORDS];
	uint64_t head = ring_head_seq(ring), kept = ring_kept_seq(ring), pos;

	if (publisher->join_seq)
		return publisher->join_seq < head &&
		       is_record(ring, publisher->join_seq++, unit, &pos);
	for (uint64_t seq = head; seq-- > kept;)
		if (is_record(ring, seq, unit, &pos)) {
			publisher->join_seq = seq + 1;
			/* Who comes now may hear what was before the break. */
			publisher->state.first_pos = pos;
			return true;
		}
	return false;
}

/* A chain begins with its headers wherever one joins it: they are put aside until a unit behind them
 * says whether the chain is ours. False: there is no room. */
static bool header_hold(struct publisher *publisher, const struct unit *unit)
{
	uint32_t count = publisher->held_count;

	if (count == PUBLISH_HELD || (count && unit->flags & UNIT_CHAIN) ||
	    unit->data.len > HEADERS_MAX - (count ? publisher->state.headers_len : 0))
		return false;
	headers_add(publisher, unit);
	publisher->held[count].len = (uint32_t)unit->data.len;
	publisher->held[count].flags = unit->flags;
	publisher->held_count++;
	return true;
}

/* It is another chain: what was put aside is its beginning. */
static void held_publish(struct publisher *publisher)
{
	struct bytes rest = bytes_of(publisher->headers, publisher->state.headers_len);

	for (uint32_t i = 0; i < publisher->held_count; i++) {
		struct record record = {.flags = publisher->held[i].flags,
					.media_us = publisher->state.media_us};

		publish_unit(publisher, &record, bytes_first(rest, publisher->held[i].len));
		rest = bytes_skip(rest, publisher->held[i].len);
	}
	publisher->held_count = 0;
}

/* Whether nobody is to hear this unit: it was published before the break, or may have been. */
static bool is_joining(struct publisher *publisher, const struct unit *unit, mono_t now)
{
	if (!publisher->joining)
		return false;
	publisher->state.last_unit = now;
	publisher->state.rubbish = 0;
	if (publisher->join_seq == 0 && unit->flags & UNIT_HEADER && header_hold(publisher, unit))
		return true;
	publisher->joining = is_known(publisher, unit->data);
	if (publisher->joining && publisher->held_count) {
		publisher->held_count = 0;
		publisher->state.headers_open = false;
	} else if (!publisher->joining) {
		held_publish(publisher);
	}
	return publisher->joining;
}

static void unit_title(struct publisher *publisher)
{
	struct bytes title;

	if (!framer_title(&publisher->state.framer, &title))
		return;
	bytes_to_str(charset_cut(title, sizeof publisher->title - 1), publisher->title,
		     sizeof publisher->title);
	publisher_set_title(publisher, title, BYTES(""));
	publisher->news |= PUBLISH_TITLE;
}

static void unit_publish(struct publisher *publisher, const struct unit *unit, mono_t now)
{
	struct record record = {.flags = unit->flags, .media_us = publisher->state.media_us};

	if (is_joining(publisher, unit, now))
		return;
	if (unit->flags & UNIT_HEADER)
		headers_add(publisher, unit);
	else if (publisher->state.headers_open)
		headers_publish(publisher);
	unit_title(publisher);
	publish_unit(publisher, &record, unit->data);
	publisher->state.media_us += unit->duration_us;
	publisher->state.last_unit = now;
	publisher->state.rubbish = 0;
	if (!publisher->state.live && !(unit->flags & UNIT_HEADER)) {
		publisher->state.live = true;
		publisher->news |= PUBLISH_LIVE;
	}
}

static enum publish_status cut(struct publisher *publisher, bool end, mono_t now)
{
	struct bytes in = bytes_of(publisher->buffer, publisher->state.len);
	enum framer_status status;
	struct unit unit;

	while (in.len &&
	       (status = framer_next(&publisher->state.framer, in, end, &unit)) != FRAMER_MORE) {
		if (status == FRAMER_UNIT)
			unit_publish(publisher, &unit, now);
		else
			publisher->state.rubbish += unit.data.len;
		in = bytes_skip(in, unit.data.len);
	}
	publisher->state.len = in.len;
	/* An encoder may send a large unit byte by byte. */
	if (in.at != publisher->buffer)
		memmove(publisher->buffer, in.at, in.len);
	return publisher->state.rubbish > RUBBISH_MAX ? PUBLISH_RUBBISH : PUBLISH_OK;
}

static enum publish_status look_and_cut(struct publisher *publisher, bool end, mono_t now)
{
	struct bytes in = bytes_of(publisher->buffer, publisher->state.len);
	enum framer_kind kind = FRAMER_RAW;

	if (!publisher->state.framing) {
		if (!framer_kind_of_bytes(in, &kind) && !end)
			return PUBLISH_OK;
		if (publisher_open(publisher, publisher_kind(publisher, kind)) != 0)
			return PUBLISH_FAILED;
	}
	return publisher->feed ? cut(publisher, end, now) : PUBLISH_FAILED;
}

enum publish_status publisher_put(struct publisher *publisher, struct bytes in, mono_t now)
{
	enum publish_status status = PUBLISH_OK;

	while (in.len && status == PUBLISH_OK) {
		struct bytes part = bytes_first(in, PUBLISH_BUFFER - publisher->state.len);

		memcpy(publisher->buffer + publisher->state.len, part.at, part.len);
		publisher->state.len += part.len;
		in = bytes_skip(in, part.len);
		status = look_and_cut(publisher, false, now);
	}
	return status;
}

void publisher_finish(struct publisher *publisher)
{
	if (publisher->state.len)
		(void)look_and_cut(publisher, true, publisher->state.last_unit);
	publisher->state.len = 0;
}

void publisher_fini(struct publisher *publisher)
{
	if (publisher->feed) {
		feed_let_go(publisher->feed);
		if (!publisher->state.live && publisher->feed != publisher->plan.old_feed)
			radio_feed_free(container_of(publisher->feed, struct radio_feed, feed));
	}
	free(publisher->buffer);
	free(publisher->headers);
	*publisher = (struct publisher){0};
}
