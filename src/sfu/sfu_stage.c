#include "sfu/sfu_stage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/metric.h"
#include "sfu/sfu.h"
#include "sfu/sfu_door.h"
#include "sfu/sfu_idle.h"
#include "sfu/sfu_peer.h"
#include "sfu/sfu_room.h"
#include "sfu/sfu_sse.h"
#include "sfu/sfu_stream.h"

#define BATCH_MAX    256u  /* packets of a track in one turn */
#define BATCH_SIZE   2048u /* bytes kept for each */
#define TICK_MS      20u
#define TICKS        50u      /* of a round: each peer is looked at once in it */
#define BEHIND_BURST 48u      /* packets of the past for one viewer in one turn */
#define LIVE_RATE    8000000u /* bytes of a track a second, at least, and ... */
#define LIVE_TIMES   4u       /* ... so many times as fast as it is by itself */
#define LIVE_BATCH   16u      /* packets that may always leave in one turn */
#define MEAN_PACKET  1200u
#define RUN_MAX      65000u  /* bytes of a run (core/udp.h) */
#define TRY_US       8000000 /* a try that holds so long has not failed */
#define SHORT_US     500000  /* so long less must fit than is sent, where each packet is known of */

struct stage {
	struct worker *worker;
	uv_timer_t turn, tick;
	bool turning;
	unsigned ticks;
	unsigned open; /* handles that are closing */
	uint64_t turn_ms;
	struct track_here *tracks; /* that somebody here is shown or waits for */
	struct sfu_peer *peers;
	struct sfu_peer *busy; /* publishers, and who is in its handshake */
	struct sfu_peer *look; /* the next whose deadlines are looked at */
	uint64_t peer_count;
	struct sender_packet packet[BATCH_MAX];
	uint8_t bytes[BATCH_MAX][BATCH_SIZE + SENDER_PAD];
};

/* Rung by any worker, also by one that stops later than its own: they lie here for ever. */
static uv_async_t bells[WORKERS_MAX];
static _Thread_local struct stage *here;
static _Thread_local int owed;

bool stage_is_on(void)
{
	return here;
}

void stage_owes(int count)
{
	owed += count;
}

/* --- lists ------------------------------------------------------------------------------------------------- */

static void list_add(struct sfu_sender **list, struct sfu_sender *sender)
{
	sender->prev = NULL;
	sender->next = *list;
	if (*list)
		(*list)->prev = sender;
	*list = sender;
}

static void list_remove(struct sfu_sender **list, struct sfu_sender *sender)
{
	if (sender->prev)
		sender->prev->next = sender->next;
	else
		*list = sender->next;
	if (sender->next)
		sender->next->prev = sender->prev;
	sender->prev = sender->next = NULL;
}

static struct track_here *here_of(struct sfu_track *track)
{
	return &track->here[here->worker->id];
}

static void track_list(struct track_here *track)
{
	if (track->listed)
		return;
	track->listed = true;
	track->cursor = (struct ring_cursor){ring_head_seq(track_ring(track->track)),
					     ring_head_pos(track_ring(track->track))};
	track->prev = NULL;
	track->next = here->tracks;
	if (here->tracks)
		here->tracks->prev = track;
	here->tracks = track;
}

static void track_unlist(struct track_here *track)
{
	if (!track->listed || track->live || track->behind || track->pending)
		return;
	track->listed = false;
	if (track->prev)
		track->prev->next = track->next;
	else
		here->tracks = track->next;
	if (track->next)
		track->next->prev = track->prev;
}

static void pending_remove(struct sfu_sender *sender)
{
	struct track_here *track;

	if (!sender->pending)
		return;
	track = here_of(sender->pending);
	if (sender->prev_pending)
		sender->prev_pending->next_pending = sender->next_pending;
	else
		track->pending = sender->next_pending;
	if (sender->next_pending)
		sender->next_pending->prev_pending = sender->prev_pending;
	sender->prev_pending = sender->next_pending = NULL;
	sender->pending = NULL;
	track_unlist(track);
}

static void pending_add(struct sfu_sender *sender, struct sfu_track *to)
{
	struct track_here *track = here_of(to);

	track_list(track);
	sender->pending = to;
	sender->prev_pending = NULL;
	sender->next_pending = track->pending;
	if (track->pending)
		track->pending->prev_pending = sender;
	track->pending = sender;
}

/* Off the track that is shown. */
static void leave(struct sfu_sender *sender)
{
	struct track_here *track;

	if (!sender->track)
		return;
	track = here_of(sender->track);
	list_remove(sender->state == SENDER_LIVE ? &track->live : &track->behind, sender);
	sender->track = NULL;
	sender->state = SENDER_IDLE;
	track_unlist(track);
}

/* --- what is shown ----------------------------------------------------------------------------------------- */

RUNS_ON(on_worker) static void turn_on(void);

/* From the key picture that is kept, if one is young enough: at once. */
RUNS_ON(on_worker) static bool begin_in_past(struct sfu_sender *sender, mono_t now)
{
	struct sfu_track *track = sender->pending;
	const struct ring *ring = track_ring(track);
	struct record key, last;

	if (!track->video || !track_find_key(track, (int64_t)sfu_conf()->gop_limit * 1000, &key) ||
	    !ring_peek(ring, ring_head_seq(ring) - 1, &last))
		return false;
	leave(sender);
	/* First in this list and then out of that one: so the track stays among those that are read. */
	list_add(&here_of(track)->behind, sender);
	pending_remove(sender);
	sender_begin(sender, track, (int64_t)key.word[0], (int64_t)key.word[1],
		     (int64_t)last.word[1], now);
	sender->cursor = ring_cursor_of(&key);
	sender->state = SENDER_BEHIND;
	return true;
}

/* past: from the last key picture, where there is one, rather than from the next. */
RUNS_ON(on_worker)
static void show(struct sfu_sender *sender, struct sfu_track *track, bool past)
{
	mono_t now = mono_now();

	if (sender->pending == track || (!sender->pending && sender->track == track))
		return;
	pending_remove(sender);
	if (!track || sender->track == track)
		return;
	pending_add(sender, track);
	turn_on();
	if (past && begin_in_past(sender, now))
		return;
	if (track->video)
		atomic_store_explicit(&track->wants_key, true, memory_order_relaxed);
}

static bool fits(const struct sfu_sender *sender, const struct sfu_track *track)
{
	return track->video == sender->video && track->place == sender->place &&
	       (!sender->only || strcmp(sender->layer, track->rid) == 0) &&
	       sender_format_for(sender, track);
}

static uint64_t bits_of(const struct sfu_track *track)
{
	return atomic_load_explicit(&track->bitrate, memory_order_relaxed);
}

/* Of the room's tracks that are of its kind and place, one that the viewer has a codec for: the layer
 * that it wants, or the best of those that take no more than so many bits; of layers that move, where
 * any does. */
static struct sfu_track *choose(const struct sfu_sender *sender, const struct room_here *room,
				uint64_t bits)
{
	struct sfu_track *best = NULL, *least = NULL, *first = NULL;

	for (unsigned i = 0; i < room->count; i++) {
		struct sfu_track *track = room->tracks[i];
		uint64_t takes = bits_of(track);

		if (!fits(sender, track))
			continue;
		if (sender->layer[0] && strcmp(sender->layer, track->rid) == 0)
			return track;
		if (!first || track->layer < first->layer)
			first = track;
		if (!takes)
			continue;
		if (!least || takes < bits_of(least))
			least = track;
		if (takes <= bits && (!best || takes > bits_of(best)))
			best = track;
	}
	return best ? best : least ? least : first;
}

/* Nothing has come of it for so long that the idle picture is shown. */
static bool is_silent(const struct sfu_track *track, mono_t now)
{
	int64_t last = atomic_load_explicit(&track->last_us, memory_order_relaxed);

	return !last || now.us - last > (int64_t)sfu_conf()->idle_after * 1000;
}

/* Silence is for empty rooms: a publisher may have no sound, or sends none while nobody speaks. */
static struct sfu_track *stand_in(const struct sfu_sender *sender, const struct room_here *room)
{
	return sender->video || room->count == 0 ? idle_track(sender) : NULL;
}

/* What a silent publisher last showed is not shown again: the idle picture is, and the publisher's is waited for. */
RUNS_ON(on_worker) static void retune(struct sfu_sender *sender, const struct room_here *room)
{
	struct sfu_track *track = choose(sender, room, UINT64_MAX);
	struct sfu_track *idle = stand_in(sender, room);

	if (!peer_is_up(sender->peer))
		return;
	if (!track || !idle || !is_silent(track, mono_now())) {
		show(sender, track ? track : idle, true);
		return;
	}
	/* A viewer who comes from another room is not left with that one's film. */
	if (sender->track != idle)
		show(sender, idle, true);
	if (sender->track == idle)
		show(sender, track, false);
}

/* What feedback on each packet makes of a burst is gone soon: it counts when it stays. */
static bool is_short(struct sfu_sender *sender, uint64_t takes, mono_t now)
{
	uint64_t limit = sender_limit(sender);

	if (!limit || limit >= takes * 85 / 100) {
		sender->short_since = (mono_t){0};
		return false;
	}
	if (!sender->short_since.us)
		sender->short_since = now;
	return !sender_is_numbered(sender) || mono_since_us(now, sender->short_since) >= SHORT_US;
}

/* Once a second, and with feedback on each packet: a layer that fits through. Down when less fits than is
 * sent, or a tenth is lost; up for a try when nothing speaks against it, which is what a receiver's
 * estimate cannot say, as it grows with what it gets. A try that fails makes the next one later. */
RUNS_ON(on_worker) static void adapt(struct sfu_sender *sender, mono_t now)
{
	const struct room_here *room = &sender->peer->room->here[here->worker->id];
	struct sfu_track *track = sender->track, *other;
	uint64_t takes, limit = sender_limit(sender);
	/* Some loss is no sign of too much for who looks at delays. */
	unsigned few = sender_is_numbered(sender) ? 12 : 5;

	/* What is wanted and not published is as if nothing were. */
	if (!track || !track->rid[0] || sender->pending || strcmp(sender->layer, track->rid) == 0 ||
	    mono_since_us(now, sender->layered) < 1500000)
		return;
	takes = bits_of(track);
	/* The one that holds makes the next one early again. */
	if (sender->tried.us && sender->layered.us == sender->tried.us &&
	    mono_since_us(now, sender->tried) > TRY_US)
		sender->patience_us = SENDER_PATIENCE_US;
	if (!takes || is_short(sender, takes, now) || sender->fraction_lost > 25) {
		other = choose(sender, room, limit ? limit * 9 / 10 : takes * 6 / 10);
		if (other != track && takes && mono_since_us(now, sender->tried) < TRY_US)
			sender->patience_us = sender->patience_us * 2 < 64000000
						      ? sender->patience_us * 2
						      : 64000000;
	} else if (!sender->short_since.us && sender->fraction_lost <= few &&
		   mono_since_us(now, sender->layered) > sender->patience_us) {
		/* The next better one, not the best. */
		other = NULL;
		for (unsigned i = 0; i < room->count; i++)
			if (fits(sender, room->tracks[i]) && bits_of(room->tracks[i]) > takes &&
			    (!other || bits_of(room->tracks[i]) < bits_of(other)))
				other = room->tracks[i];
		if (!other)
			return;
		sender->tried = now;
	} else {
		return;
	}
	if (other == track)
		return;
	sender->layered = now;
	show(sender, other, false);
}

void stage_tune(struct sfu_room *room, struct sfu_track *const *tracks, unsigned count)
{
	struct room_here *part;

	if (!here)
		return;
	part = &room->here[here->worker->id];
	memcpy(part->tracks, tracks, count * sizeof *tracks);
	part->count = count;
	for (struct sfu_sender *s = part->senders; s; s = s->next_room)
		retune(s, part);
}

void stage_forget(struct sfu_track *track)
{
	struct track_here *part;

	if (!here)
		return;
	part = &track->here[here->worker->id];
	while (part->pending)
		pending_remove(part->pending);
	while (part->live)
		leave(part->live);
	while (part->behind)
		leave(part->behind);
}

RUNS_ON(on_worker) static void renew_idle(struct sfu_sender *sender)
{
	bool shown = idle_is(sender->track), awaited = idle_is(sender->pending);

	if (awaited)
		pending_remove(sender);
	if (shown)
		leave(sender);
	if (shown || awaited)
		retune(sender, &sender->peer->room->here[here->worker->id]);
}

void stage_renew_idle(void)
{
	for (struct sfu_peer *peer = stage_peers(); peer; peer = peer->next)
		for (unsigned i = 0; i < peer->sender_count; i++)
			renew_idle(&peer->senders[i]);
}

/* --- viewers ------------------------------------------------------------------------------------------------ */

static void join(struct sfu_sender *sender, struct room_here *part)
{
	sender->prev_room = NULL;
	sender->next_room = part->senders;
	if (part->senders)
		part->senders->prev_room = sender;
	part->senders = sender;
}

static void part_from(struct sfu_sender *sender, struct room_here *part)
{
	if (sender->prev_room)
		sender->prev_room->next_room = sender->next_room;
	else
		part->senders = sender->next_room;
	if (sender->next_room)
		sender->next_room->prev_room = sender->prev_room;
}

void stage_viewer_add(struct sfu_peer *peer)
{
	for (unsigned i = 0; i < peer->sender_count; i++)
		join(&peer->senders[i], &peer->room->here[here->worker->id]);
}

void stage_viewer_up(struct sfu_peer *peer)
{
	for (unsigned i = 0; i < peer->sender_count; i++)
		retune(&peer->senders[i], &peer->room->here[here->worker->id]);
}

void stage_viewer_remove(struct sfu_peer *peer)
{
	for (unsigned i = 0; i < peer->sender_count; i++) {
		pending_remove(&peer->senders[i]);
		leave(&peer->senders[i]);
		part_from(&peer->senders[i], &peer->room->here[here->worker->id]);
	}
}

void stage_viewer_move(struct sfu_peer *peer, struct sfu_room *room)
{
	for (unsigned i = 0; i < peer->sender_count; i++)
		part_from(&peer->senders[i], &peer->room->here[here->worker->id]);
	peer->room = room;
	stage_viewer_add(peer);
	stage_viewer_up(peer);
}

void stage_viewer_layer(struct sfu_peer *peer, unsigned medium, const char *layer)
{
	for (unsigned i = 0; i < peer->sender_count && peer->state != PEER_GONE; i++) {
		if (medium != SESSION_ALL_MEDIA && medium != i)
			continue;
		bytes_to_str(bytes_str(layer), peer->senders[i].layer,
			     sizeof peer->senders[i].layer);
		retune(&peer->senders[i], &peer->room->here[here->worker->id]);
	}
}

void stage_viewer_heard(struct sfu_peer *peer, mono_t now)
{
	for (unsigned i = 0; i < peer->sender_count && peer_is_up(peer); i++)
		adapt(&peer->senders[i], now);
}

struct sfu_peer *stage_peers(void)
{
	return here ? here->peers : NULL;
}

static void busy_remove(struct sfu_peer *peer)
{
	if (!peer->busy)
		return;
	peer->busy = false;
	*(peer->prev_busy ? &peer->prev_busy->next_busy : &here->busy) = peer->next_busy;
	if (peer->next_busy)
		peer->next_busy->prev_busy = peer->prev_busy;
}

void stage_peer_add(struct sfu_peer *peer)
{
	peer->busy = true;
	peer->prev_busy = NULL;
	peer->next_busy = here->busy;
	if (here->busy)
		here->busy->prev_busy = peer;
	here->busy = peer;
	peer->prev = NULL;
	peer->next = here->peers;
	if (here->peers)
		here->peers->prev = peer;
	here->peers = peer;
	here->peer_count++;
}

void stage_peer_remove(struct sfu_peer *peer)
{
	busy_remove(peer);
	if (here->look == peer)
		here->look = peer->next;
	if (peer->prev)
		peer->prev->next = peer->next;
	else
		here->peers = peer->next;
	if (peer->next)
		peer->next->prev = peer->prev;
	here->peer_count--;
}

/* --- a turn ------------------------------------------------------------------------------------------------- */

/* Packets of nearly one length are filled up to the longest, so that they leave in one piece: a frame
 * is cut into parts that differ by a byte or two. */
static void make_equal(unsigned count)
{
	for (unsigned first = 0; first < count;) {
		size_t least = here->packet[first].payload.len, most = least;
		unsigned end = first + 1;

		for (; end < count; end++) {
			size_t len = here->packet[end].payload.len;
			size_t low = len < least ? len : least, high = len > most ? len : most;

			if (high - low > SENDER_PAD)
				break;
			least = low;
			most = high;
		}
		for (unsigned i = first; i < end && most > 400; i++) {
			struct bytes *payload = &here->packet[i].payload;
			size_t more = most - payload->len;

			if (!more)
				continue;
			memset(here->bytes[i] + RTP_HEADER + payload->len, 0, more);
			payload->len = most;
			here->bytes[i][RTP_HEADER + most - 1] = (uint8_t)more;
			here->packet[i].padded = true;
		}
		first = end;
	}
}

static enum ring_status read_one(const struct track_here *track, struct ring_cursor *cursor,
				 unsigned at)
{
	struct record record;
	struct ring_loss loss;
	enum ring_status status = ring_read(track_ring(track->track), cursor, &record,
					    here->bytes[at], BATCH_SIZE, &loss);

	if (status == RING_LAPPED)
		metric_add(METRIC_sfu_lapped, (int64_t)loss.records);
	if (status != RING_RECORD)
		return status;
	here->packet[at] = (struct sender_packet){
		.seq = (int64_t)record.word[0],
		.ts = (int64_t)record.word[1],
		.flags = record.flags,
		.payload = bytes_of(here->bytes[at] + RTP_HEADER, record.len - RTP_HEADER),
		.room = here->bytes[at] + RTP_HEADER,
	};
	here->packet[at].picture = picture_read(track->track->codec, here->packet[at].payload);
	return RING_RECORD;
}

/* What is new on a track, up to where a turn ends. */
static unsigned read_batch(struct track_here *track, struct ring_cursor *cursor, unsigned max)
{
	unsigned count = 0;

	while (count < max) {
		enum ring_status status = read_one(track, cursor, count);

		if (status == RING_RECORD)
			count++;
		else if (status != RING_LAPPED)
			break;
	}
	make_equal(count);
	return count;
}

/* Those that wait for a key picture come over, at the first there is. */
RUNS_ON(on_worker) static void take_pending(struct track_here *track, unsigned count, mono_t now)
{
	unsigned key = 0;

	while (key < count && !(here->packet[key].flags & RECORD_KEY))
		key++;
	if (key == count)
		return;
	while (track->pending) {
		struct sfu_sender *sender = track->pending;
		const struct sender_packet *packet = &here->packet[key];

		leave(sender);
		/* Not by pending_remove: the track stays in the list of those that are read. */
		track->pending = sender->next_pending;
		if (track->pending)
			track->pending->prev_pending = NULL;
		sender->next_pending = NULL;
		sender->pending = NULL;
		sender_begin(sender, track->track, packet->seq, packet->ts, packet->ts, now);
		sender->state = SENDER_LIVE;
		sender->from = key;
		list_add(&track->live, sender);
		/* Back to what it should be shown, when that begins again. */
		if (idle_is(track->track))
			retune(sender, &sender->peer->room->here[here->worker->id]);
	}
}

/* What a viewer is sent of a batch, at most. */
static size_t run_size(unsigned count)
{
	size_t size = 0;

	for (unsigned i = 0; i < count; i++)
		size += SENDER_MORE + here->packet[i].payload.len;
	return size < RUN_MAX ? size : RUN_MAX;
}

RUNS_ON(on_worker)
static unsigned serve_live(struct track_here *track, unsigned count, mono_t now)
{
	uint32_t send_time = sender_time(now);
	size_t run = run_size(count);
	unsigned sent = 0;

	for (struct sfu_sender *s = track->live; s; s = s->next) {
		const struct sfu_sender *soon = s->next;

		for (unsigned step = 0; step < SENDER_STEPS && soon; step++, soon = soon->next)
			sender_fetch(soon, step);
		/* All in one piece: what does not fit any more goes before. */
		(void)door_room(run);
		for (unsigned i = s->from; i < count; i++)
			sender_send(s, &here->packet[i], send_time, now);
		sent += count - s->from;
		s->from = 0;
	}
	return sent;
}

/* A key picture that is there at once leaves in pieces: how many packets may go now. The longer the last
 * turn is ago the more, so nobody falls behind. */
static unsigned live_max(struct track_here *track, mono_t now)
{
	int64_t us = mono_since_us(now, track->served);
	uint64_t rate = bits_of(track->track) / 8 * LIVE_TIMES, packets;

	track->served = now;
	if (us > 1000000)
		us = 1000000;
	packets = (rate > LIVE_RATE ? rate : LIVE_RATE) * (uint64_t)us / 1000000 / MEAN_PACKET;
	return packets < LIVE_BATCH  ? LIVE_BATCH
	       : packets > BATCH_MAX ? BATCH_MAX
				     : (unsigned)packets;
}

/* As much of the past as may leave now: as fast as sfu.burst says, and faster than more comes. */
static unsigned behind_max(const struct track_here *track, struct sfu_sender *sender, mono_t now)
{
	uint64_t rate = (uint64_t)sfu_conf()->burst * 1000, least = bits_of(track->track) * 2;
	int64_t bytes = pace_left(&sender->pace, now, rate > least ? rate : least);

	return bytes <= 0                            ? 0
	       : bytes / MEAN_PACKET >= BEHIND_BURST ? BEHIND_BURST
						     : (unsigned)(bytes / MEAN_PACKET) + 1;
}

/* A piece of the past; who has no more of it is live. */
RUNS_ON(on_worker)
static unsigned serve_behind(struct track_here *track, struct sfu_sender *sender, mono_t now)
{
	struct ring_cursor cursor = sender->cursor;
	uint64_t left = track->cursor.seq > cursor.seq ? track->cursor.seq - cursor.seq : 0;
	unsigned max = behind_max(track, sender, now);
	unsigned count = read_batch(track, &cursor, left < max ? (unsigned)left : max);
	uint32_t send_time = sender_time(now);

	for (unsigned i = 0; i < count; i++) {
		sender_send(sender, &here->packet[i], send_time, now);
		pace_spend(&sender->pace, here->packet[i].payload.len);
	}
	sender->cursor = cursor;
	if (cursor.seq >= track->cursor.seq) {
		list_remove(&track->behind, sender);
		sender->state = SENDER_LIVE;
		sender->from = 0;
		list_add(&track->live, sender);
	}
	return count;
}

RUNS_ON(on_worker) static unsigned serve(struct track_here *track, mono_t now)
{
	unsigned count = read_batch(track, &track->cursor, live_max(track, now)), sent = 0;

	if (count) {
		if (track->pending)
			take_pending(track, count, now);
		sent += serve_live(track, count, now);
	}
	for (struct sfu_sender *s = track->behind, *next; s; s = next) {
		next = s->next;
		sent += serve_behind(track, s, now);
	}
	metric_add(METRIC_sfu_packets_out, sent);
	return count + sent;
}

/* False when there is something already. */
static bool sleep_on_rings(void)
{
	for (struct track_here *track = here->tracks; track; track = track->next)
		if (track->behind ||
		    !ring_sleep(track_ring(track->track), here->worker->id, track->cursor.seq))
			return false;
	return true;
}

static void on_turn(uv_timer_t *timer)
{
	mono_t now = mono_now();
	unsigned done = 0;

	(void)timer;
	enter_worker();
	for (struct track_here *track = here->tracks, *next; track; track = next) {
		next = track->next;
		done += serve(track, now);
	}
	if (done)
		door_flush();
	/* From the next packet it is a turn's time again: a frame that comes at once leaves in one piece, and
	 * nobody looks at nothing five hundred times a second. */
	if (done || !sleep_on_rings())
		return;
	uv_timer_stop(&here->turn);
	here->turning = false;
}

static void turn_on(void)
{
	if (here->turning)
		return;
	here->turning = true;
	/* The first waits as long as one in the midst of many would, on the average. */
	uv_timer_start(&here->turn, on_turn, (here->turn_ms + 1) / 2, here->turn_ms);
}

static void on_bell(uv_async_t *bell)
{
	(void)bell;
	enter_worker();
	if (here)
		turn_on();
}

void stage_wake(uint64_t workers)
{
	while (workers) {
		unsigned id = (unsigned)__builtin_ctzll(workers);

		workers &= workers - 1;
		uv_async_send(&bells[id]);
	}
}

/* --- who is silent ---------------------------------------------------------------------------------------------- */

/* Viewers of a track that has stopped are shown the idle picture, and wait for the track. */
RUNS_ON(on_worker) static void to_idle(struct sfu_sender *list)
{
	for (struct sfu_sender *s = list, *next; s; s = next) {
		struct sfu_track *idle = idle_track(s);

		next = s->next;
		if (!idle || s->pending == idle)
			continue;
		pending_remove(s);
		pending_add(s, idle);
		turn_on();
	}
}

/* Ten times a second. Where a key picture is waited for it is asked for until it comes, as a question
 * may be lost; the publisher's worker sees to it that it is not asked too often. */
RUNS_ON(on_worker) static void look_at_tracks(mono_t now)
{
	for (struct track_here *t = here->tracks, *next; t; t = next) {
		next = t->next;
		if (!t->track->video || idle_is(t->track))
			continue;
		if (is_silent(t->track, now)) {
			to_idle(t->live);
			to_idle(t->behind);
		} else if (t->pending) {
			atomic_store_explicit(&t->track->wants_key, true, memory_order_relaxed);
		}
	}
}

/* --- deadlines ------------------------------------------------------------------------------------------------ */

RUNS_ON(on_worker) static void look_after(struct sfu_peer *peer, mono_t now)
{
	for (unsigned i = 0; i < peer->sender_count; i++)
		sender_tick(&peer->senders[i], now);
	for (unsigned i = 0; i < peer->sender_count && peer_is_up(peer); i++)
		adapt(&peer->senders[i], now);
	peer_tick(peer, now);
}

/* Publishers and who is in its handshake at each tick, the others once in a round. */
static void on_tick(uv_timer_t *timer)
{
	mono_t now = mono_now();
	int64_t key_wait_us = (int64_t)sfu_conf()->key_wait * 1000;
	uint64_t share = here->peer_count / TICKS + 1;

	(void)timer;
	enter_worker();
	for (struct sfu_peer *peer = here->busy, *next; peer; peer = next) {
		next = peer->next_busy;
		if (peer->role == PEER_PUBLISHER)
			source_tick(peer->source, now, key_wait_us);
		if (peer->start)
			peer_tick(peer, now);
		else if (peer->role == PEER_VIEWER)
			busy_remove(peer);
	}
	if (++here->ticks % 5 == 0)
		look_at_tracks(now);
	for (; share > 0 && here->peer_count; share--) {
		struct sfu_peer *peer = here->look ? here->look : here->peers;

		here->look = peer->next;
		look_after(peer, now);
	}
	if (here->ticks % TICKS == 0)
		stream_tick(now);
	door_flush();
}

/* --- a worker's part ------------------------------------------------------------------------------------------ */

int stage_start(struct worker *worker)
{
	int error = door_worker_start(worker);

	if (error)
		return error;
	here = calloc(1, sizeof *here);
	if (!here) {
		door_worker_stop(worker);
		return -ENOMEM;
	}
	here->worker = worker;
	here->turn_ms = sfu_conf()->turn;
	error = uv_async_init(&worker->loop, &bells[worker->id], on_bell);
	if (error) {
		free(here);
		here = NULL;
		door_worker_stop(worker);
		return error;
	}
	uv_timer_init(&worker->loop, &here->turn);
	uv_timer_init(&worker->loop, &here->tick);
	uv_timer_start(&here->tick, on_tick, TICK_MS, TICK_MS);
	idle_worker_start(worker);
	return 0;
}

/* The doors are opened when all workers run: stage_start comes then. */
static int worker_start(struct worker *worker)
{
	(void)worker;
	enter_worker();
	sse_worker_start();
	return 0;
}

/* Of two handles, in whichever order. */
static void on_closed(uv_handle_t *handle)
{
	struct stage *stage = handle->data;

	if (--stage->open == 0)
		free(stage);
}

static void close_one(uv_handle_t *handle)
{
	handle->data = here;
	here->open++;
	uv_close(handle, on_closed);
}

static void worker_stop(struct worker *worker)
{
	enter_worker();
	if (here) {
		while (here->peers)
			peer_end(here->peers, "the server stops");
		door_flush();
		idle_worker_stop(worker);
		uv_close((uv_handle_t *)&bells[worker->id], NULL);
		close_one((uv_handle_t *)&here->turn);
		close_one((uv_handle_t *)&here->tick);
		here = NULL;
		srtp_thread_end();
	}
	door_worker_stop(worker);
	sse_worker_stop();
}

static bool worker_busy(struct worker *worker)
{
	(void)worker;
	return owed > 0;
}

const struct worker_hooks stage_hooks = {
	.start = worker_start, .stop = worker_stop, .busy = worker_busy};
