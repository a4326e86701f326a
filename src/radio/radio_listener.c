#include "radio/radio_listener.h"

#include <errno.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/tcp.h"
#include "edge/edge.h"
#include "radio/radio.h"
#include "radio/radio_auth_url.h"
#include "radio/radio_event.h"
#include "radio/radio_history.h"
#include "radio/radio_intro.h"
#include "radio/radio_journal.h"
#include "radio/radio_limit.h"
#include "radio/radio_send.h"
#include "radio/radio_tail.h"

/* A listener this close to what the writer overwrites counts as lapped. An encoder sends at most
 * SOURCE_TURN_MAX bytes in one turn of its worker; this is several. */
#define GUARD_MAX (64u << 10)

#define LOOK_IDLE_US 4000000 /* who was sent something more lately is there */

/* However little somebody is behind, an encoder may send a ring full in one turn. A rest of this size
 * is put aside at once; a larger one (pages, pictures) only for who is far behind. */
#define TAIL_EARLY_MAX TAIL_SHORT_MAX

static const char *const leave_names[] = {
	[LEAVE_LEFT] = "left",         [LEAVE_SLOW] = "slow",     [LEAVE_SOURCE] = "source gone",
	[LEAVE_DURATION] = "duration", [LEAVE_KILLED] = "killed", [LEAVE_MOUNT] = "mount gone",
	[LEAVE_STOP] = "server stops",
};

const struct estate_kind listener_kind = {
	.name = "radio.listeners",
	.layout = LISTENER_LAYOUT,
	.row_size = sizeof(struct listener),
	.fds_at = offsetof(struct listener, link.fd),
	.fds = 1,
};

static _Thread_local uint64_t ids_given;

static struct address listener_address(const struct listener *listener)
{
	struct address address = {.port = listener->port};

	memcpy(address.ip, listener->ip, sizeof address.ip);
	return address;
}

/* --- tails ---------------------------------------------------------------------------------- */

/* The listener goes elsewhere: the rest of its frame first. */
RUNS_ON(on_worker)
static void tail_keep_or_count(struct listener *listener, uint32_t row, const struct ring *ring)
{
	if (!tail_keep(listener, row, ring, UINT64_MAX))
		metric_add(METRIC_radio_torn_frames, 1);
}

/* 1: all of it is sent. 0: the socket is full. Or -errno. */
RUNS_ON(on_worker)
static int tail_send(struct listener *listener, uint32_t row, struct tap *tap)
{
	ssize_t sent = radio_send(listener, row, tap, tail_rest(listener),
				  listener->tail_pos + listener->tail_sent);

	if (sent < 0)
		return (int)sent;
	if (listener->tail_sent < listener->tail_len)
		return 0;
	tail_free(listener);
	return 1;
}

/* --- places --------------------------------------------------------------------------------- */

static uint64_t guard_of(const struct ring *ring)
{
	uint64_t eighth = (ring->data_mask + 1) / 8;

	return eighth < GUARD_MAX ? eighth : GUARD_MAX;
}

static void listener_owes_headers(struct listener *listener, uint64_t seq)
{
	listener->flags |= LISTENER_HEADERS;
	listener->headers_seq = seq;
	listener->headers_sent = 0;
}

/* Puts the listener where it starts in a feed: at a KEY record, behind the headers of its chain. */
RUNS_ON(on_worker)
static void listener_place(struct listener *listener, const struct tap *tap, uint64_t back_bytes,
			   int64_t back_us, uint64_t min_pos)
{
	const struct ring *ring = tap_ring(tap);
	struct record start, headers;
	bool found = ring_find_start(ring, back_bytes, back_us, &start);

	/* A time may reach further back than the ring does; who starts at its end is lapped at once. */
	if (found && !ring_keeps(ring, start.pos, 2 * guard_of(ring)))
		found = ring_find_start(ring, (ring_head_pos(ring) - ring_kept_pos(ring)) / 2, 0,
					&start);
	if (found && start.pos < min_pos)
		found = ring_find_key(ring, min_pos, &start);
	listener->feed = tap->id;
	listener->flags = (listener->flags | LISTENER_AT_EDGE) & ~LISTENER_HEADERS;
	if (!found) {
		/* Nothing yet but perhaps the headers: all there is, from where they begin. */
		listener->pos = min_pos ? ring_head_pos(ring) : ring_kept_pos(ring);
		return;
	}
	listener->pos = start.pos;
	if (!feed_headers_at(tap->feed, start.pos, &headers))
		return;
	if (start.pos < headers.word[1])
		listener->pos = headers.word[0];
	else
		listener_owes_headers(listener, headers.seq);
}

static void burst_of(const struct mount *mount, uint64_t *bytes, int64_t *us)
{
	*us = (int64_t)mount_conf(mount)->burst_time * 1000;
	*bytes = *us ? UINT64_MAX : mount_conf(mount)->burst;
}

/* It is on what its outlet plays, or on another feed that it may hear to its end. */
static bool is_at_home(const struct outlet *outlet, const struct listener *listener,
		       const struct tap *tap)
{
	bool sticks = outlet->sticky && !(listener->flags & LISTENER_MOVED);

	return tap == outlet->tap || (sticks && !tap->ended);
}

/* How far in the feed that it is on it may go. Who is to move goes to the end of what there was when
 * the order came; then it is at the end of a frame. */
RUNS_ON(on_worker)
static uint64_t listener_until(const struct outlet *outlet, const struct listener *listener,
			       const struct tap *tap)
{
	struct record record;
	uint64_t head = ring_head_pos(tap_ring(tap));

	if (is_at_home(outlet, listener, tap))
		return head;
	if (listener->feed == outlet->from_feed && listener->pos <= outlet->from_end)
		return outlet->from_end;
	if (listener->pos < head && ring_find_pos(tap_ring(tap), listener->pos, &record) &&
	    record.pos != listener->pos)
		return record.pos + record.len;
	return listener->pos;
}

/* It has heard all that it may of its feed. True: it was moved to another. False: it stays. */
RUNS_ON(on_worker)
static bool listener_move_on(const struct outlet *outlet, struct listener *listener,
			     const struct tap *tap, mono_t now, enum served *served)
{
	int64_t gap = mono_since_us(now, listener->last_sent);

	*served = SERVED_ALL;
	if (tap && is_at_home(outlet, listener, tap)) {
		listener->flags &= ~LISTENER_SLOW;
		return false;
	}
	if (!outlet->tap && outlet->expecting)
		return false;
	if (!outlet->tap || outlet->tap->feed->kind != listener->kind) {
		*served = SERVED_GONE;
		return false;
	}
	/* What it missed while nothing came is made good from the new feed's past, which it has not
	 * heard; after an uninterrupted switch that is nothing. */
	if (gap < (int64_t)radio_conf()->turn * 2000)
		listener_place(listener, outlet->tap, 0, 0, outlet->min_pos);
	else
		listener_place(listener, outlet->tap, UINT64_MAX, gap, outlet->min_pos);
	listener->title_seq = 0;
	listener->flags &= ~LISTENER_MOVED;
	return true;
}

/* The writer is about to overwrite what it wants next. */
static bool is_lapped(const struct listener *listener, const struct tap *tap)
{
	const struct ring *ring = tap_ring(tap);

	return listener->pos < ring_head_pos(ring) &&
	       !ring_keeps(ring, listener->pos, guard_of(ring));
}

/* It is lapped: has it been so for too long? */
static bool is_too_slow(const struct outlet *outlet, struct listener *listener, mono_t now)
{
	if (!(listener->flags & LISTENER_SLOW)) {
		listener->flags |= LISTENER_SLOW;
		listener->slow_since = now;
	}
	return mono_since_us(now, listener->slow_since) >
	       (int64_t)mount_conf(outlet->mount)->lag_limit * 1000;
}

/* On to the burst point, after the rest of the frame it is in. */
RUNS_ON(on_worker)
static void listener_skip(const struct outlet *outlet, struct listener *listener, uint32_t row,
			  const struct tap *tap)
{
	uint64_t was = listener->pos, bytes;
	struct record headers;
	bool known;
	int64_t us;

	tail_keep_or_count(listener, row, tap_ring(tap));
	known = feed_headers_at(tap->feed, was, &headers);
	burst_of(outlet->mount, &bytes, &us);
	listener_place(listener, tap, bytes, us, 0);
	/* In the same chain the player has its headers already, and would stumble over a second
	 * beginning. */
	if (known && headers.seq == listener->headers_seq)
		listener->flags &= ~LISTENER_HEADERS;
	if (listener->pos > was)
		listener->lost += listener->pos - was;
	listener->skips++;
	metric_add(METRIC_radio_skips, 1);
	atomic_fetch_add_explicit(&outlet->mount->count.skips, 1, memory_order_relaxed);
}

/* --- serving -------------------------------------------------------------------------------- */

/* The headers of the chain, out of their ring. 1: all sent. 0: the socket is full. Or -errno. */
RUNS_ON(on_worker)
static int headers_send(struct listener *listener, uint32_t row, const struct tap *tap)
{
	const struct ring *ring = &tap->feed->ring[FEED_HEADERS];
	struct record headers;
	struct bytes rest;
	ssize_t sent;

	if (!ring_peek(ring, listener->headers_seq, &headers))
		return -ESTALE;
	rest = bytes_skip(ring_bytes(ring, headers.pos, headers.pos + headers.len),
			  listener->headers_sent);
	journal_listener(listener, row);
	sent = link_send(listener->link, rest);
	if (sent < 0)
		return (int)sent;
	if (!ring_peek(ring, listener->headers_seq, &headers))
		return -ESTALE;
	(void)radio_went(listener, (size_t)sent);
	if ((size_t)sent < rest.len)
		return 0;
	listener->flags &= ~LISTENER_HEADERS;
	return 1;
}

/* What must go out before the bytes at pos. As headers_send. */
RUNS_ON(on_worker)
static int listener_prelude(struct listener *listener, uint32_t row, struct tap *tap)
{
	int went = link_flush(listener->link);

	if (went == 1 && (listener->flags & LISTENER_TAIL))
		went = tail_send(listener, row, tap);
	if (went == 1 && (listener->flags & LISTENER_HEADERS))
		went = headers_send(listener, row, tap);
	return went;
}

/* Sends from pos to until. 1: all sent. 0: the socket is full. Or -errno. */
RUNS_ON(on_worker)
static int listener_send(struct outlet *outlet, uint32_t row, struct tap *tap, uint64_t until)
{
	struct listener *listener = table_row(outlet_table(), row);
	const struct ring *ring = tap_ring(tap);
	uint64_t pos = listener->pos;
	bool far;
	ssize_t sent = radio_send(listener, row, tap, ring_bytes(ring, pos, until), pos);

	if (sent < 0)
		return (int)sent;
	if (listener->pos == until)
		listener->flags |= LISTENER_AT_EDGE;
	/* The kernel has copied by now. If the writer came this far while it did, some of it was
	 * wrong: the guard distance is there so that this is never seen. */
	if (!ring_keeps(ring, pos, 0))
		metric_add(METRIC_radio_torn_frames, 1);
	outlet->bytes_out += (uint64_t)sent;
	if (listener->pos == until)
		return 1;
	/* The writer may come here before the next turn: what is begun can then still be ended. */
	far = !ring_keeps(ring, listener->pos, (ring->data_mask + 1) / 2);
	(void)tail_keep(listener, row, ring, far ? UINT64_MAX : TAIL_EARLY_MAX);
	return 0;
}

static enum leave why_gone(int error)
{
	return error == -ESTALE ? LEAVE_SLOW : LEAVE_LEFT;
}

RUNS_ON(on_worker)
static enum served listener_gone(struct outlet *outlet, uint32_t row, enum leave why)
{
	listener_end(outlet, row, why);
	return SERVED_GONE;
}

/* The intro comes before all that is of a feed; who has heard it joins as who has just come. It is
 * behind nobody, so only silence makes it slow. */
RUNS_ON(on_worker)
static int listener_introduce(struct outlet *outlet, uint32_t row, mono_t now)
{
	struct listener *listener = table_row(outlet_table(), row);
	uint64_t sent = listener->sent, bytes;
	int went = intro_send(outlet, row, now);
	struct tap *tap;
	int64_t us;

	if (listener->sent != sent)
		listener->last_sent = now;
	if (went == 0 && mono_since_us(now, listener->last_sent) >
				 (int64_t)mount_conf(outlet->mount)->lag_limit * 1000)
		return -ESTALE;
	if (went != 1)
		return went;
	intro_end(listener);
	/* What is heard may be another feed than when it came. */
	tap = outlet->tap && outlet->tap->feed->kind == listener->kind ? outlet->tap
								       : tap_find(listener->feed);
	listener->flags &= ~LISTENER_MOVED;
	burst_of(outlet->mount, &bytes, &us);
	if (tap)
		listener_place(listener, tap, bytes, us, 0);
	return 1;
}

/* The quality of delivery: how long it waited for this, and how far behind it still is. */
static void listener_was_sent(struct listener *listener, const struct tap *tap, mono_t now)
{
	uint64_t behind = ring_head_pos(tap_ring(tap)) - listener->pos;
	uint64_t rate = listener->bytes_per_second;

	metric_observe(METRIC_radio_gap_milliseconds,
		       (uint64_t)mono_since_us(now, listener->last_sent) / 1000);
	metric_observe(METRIC_radio_lag_milliseconds, rate ? behind * 1000 / rate : 0);
	listener->last_sent = now;
}

RUNS_ON(on_worker)
static enum served leave_feed(struct outlet *outlet, uint32_t row, mono_t now);

RUNS_ON(on_worker) static enum served serve(struct outlet *outlet, uint32_t row, mono_t now)
{
	struct listener *listener = table_row(outlet_table(), row);

	/* Each round sends, moves, skips or ends; a listener does each but once a turn. */
	for (;;) {
		struct tap *tap = outlet->tap && listener->feed == outlet->tap->id
					  ? outlet->tap
					  : tap_find(listener->feed);
		enum served served;
		uint64_t until, sent = listener->sent;
		bool headers = listener->flags & LISTENER_HEADERS;
		int went;

		if (listener->flags & LISTENER_INTRO) {
			went = listener_introduce(outlet, row, now);
			if (went < 0)
				return listener_gone(outlet, row, why_gone(went));
			if (went == 0)
				return SERVED_FULL;
			continue;
		}
		if (!tap)
			return leave_feed(outlet, row, now);
		/* First of all: who takes nothing, not even the rest of a frame, is lapped too. */
		if (is_lapped(listener, tap)) {
			if (is_too_slow(outlet, listener, now))
				return listener_gone(outlet, row, LEAVE_SLOW);
			if (!headers)
				listener_skip(outlet, listener, row, tap);
			if (!headers && is_lapped(listener, tap))
				return SERVED_FULL;
		}
		went = listener_prelude(listener, row, tap);
		if (went == 1) {
			until = listener_until(outlet, listener, tap);
			if (listener->pos >= until) {
				if (listener_move_on(outlet, listener, tap, now, &served))
					continue;
				if (served == SERVED_GONE)
					return listener_gone(outlet, row, LEAVE_SOURCE);
				return served;
			}
			/* Again, behind the look at head: an encoder that sends a ring full in
			 * between has made of "until" what no ring holds. */
			if (is_lapped(listener, tap))
				return SERVED_FULL;
			went = listener_send(outlet, row, tap, until);
		}
		if (listener->sent != sent)
			listener_was_sent(listener, tap, now);
		if (went < 0)
			return listener_gone(outlet, row, why_gone(went));
		if (went == 0)
			return SERVED_FULL;
	}
}

enum served listener_serve(struct outlet *outlet, uint32_t row, mono_t now)
{
	enum served served;

	journal_listener(table_row(outlet_table(), row), row);
	served = serve(outlet, row, now);
	journal_end();
	return served;
}

static enum served leave_feed(struct outlet *outlet, uint32_t row, mono_t now)
{
	struct listener *listener = table_row(outlet_table(), row);
	const struct tap *tap = tap_find(listener->feed);
	enum served served;

	if (tap)
		tail_keep_or_count(listener, row, tap_ring(tap));
	listener->flags &= ~LISTENER_HEADERS;
	if (listener->block_len)
		listener->block_seq = BLOCK_LOST; /* the title goes with the feed */
	(void)listener_move_on(outlet, listener, NULL, now, &served);
	return served == SERVED_GONE ? listener_gone(outlet, row, LEAVE_SOURCE) : SERVED_FULL;
}

enum served listener_leave_feed(struct outlet *outlet, uint32_t row, mono_t now)
{
	enum served served;

	journal_listener(table_row(outlet_table(), row), row);
	served = leave_feed(outlet, row, now);
	journal_end();
	return served;
}

enum served listener_look(struct outlet *outlet, uint32_t row, mono_t now)
{
	struct listener *listener = table_row(outlet_table(), row);
	bool idle;

	if (!mono_before(now, listener->leaves))
		return listener_gone(outlet, row, LEAVE_DURATION);
	idle = mono_since_us(now, listener->last_sent) > LOOK_IDLE_US;
	/* Over TLS a player that listens may have something to say all the same: new keys. */
	if ((idle || listener->link.tls) && !link_alive(listener->link) && idle)
		return listener_gone(outlet, row, LEAVE_LEFT);
	return SERVED_ALL;
}

/* --- life ----------------------------------------------------------------------------------- */

/* Unique over all workers and for ever: the worker in the low bits. */
uint64_t listener_next_id(void)
{
	return ++ids_given * WORKERS_MAX + worker_here()->id;
}

/* What the one who was asked has said of it. */
RUNS_ON(on_worker)
static void listener_admit(struct listener *listener, uint32_t row, const char *mount,
			   const struct admission *admission, mono_t now)
{
	if (admission->limit_ms)
		listener->leaves =
			mono_min(listener->leaves, mono_add_ms(now, (int64_t)admission->limit_ms));
	if (!admission->tell)
		return;
	listener->flags |= LISTENER_GUEST;
	auth_url_joined(row, listener->id, mount, admission->request);
}

bool listener_start(struct outlet *outlet, struct link link, uint32_t icy_interval,
		    const struct address *peer, struct bytes agent, uint32_t bytes_per_second,
		    const struct admission *admission, bool intro)
{
	const struct mount_conf *conf = mount_conf(outlet->mount);
	mono_t now = mono_now();
	struct listener *listener;
	uint64_t bytes;
	uint32_t row;
	int64_t us;

	listener = table_take(outlet_table(), &row);
	if (!listener)
		return false;
	if (link_taken(link, &listener->taken) != 0) {
		table_give(outlet_table(), row);
		return false;
	}
	listener->id = admission ? admission->id : listener_next_id();
	listener->mount = outlet->mount->id;
	listener->link = link;
	listener->icy = icy_phase_of(icy_interval);
	listener->kind = outlet->tap->feed->kind;
	listener->bytes_per_second = bytes_per_second;
	listener->last_sent = now;
	listener->since_wall_us = wall_now_us();
	listener->leaves =
		conf->max_duration ? mono_add_ms(now, (int64_t)conf->max_duration) : MONO_NEVER;
	listener->port = peer->port;
	memcpy(listener->ip, peer->ip, sizeof listener->ip);
	bytes_to_str(agent, listener->agent, sizeof listener->agent);
	if (!outlet_add(outlet, row)) {
		table_give(outlet_table(), row);
		return false;
	}
	if (admission)
		memcpy(listener->user, admission->user, sizeof listener->user);
	if (admission)
		listener_admit(listener, row, outlet->mount->name, admission, now);
	tcp_tune_stream(link.fd, radio_conf()->send_buffer);
	burst_of(outlet->mount, &bytes, &us);
	listener_place(listener, outlet->tap, bytes, us, 0);
	if (intro)
		intro_begin(outlet, listener);
	table_settle(outlet_table(), row);
	metric_add(METRIC_radio_listeners, 1);
	atomic_fetch_add_explicit(&outlet->mount->count.joins, 1, memory_order_relaxed);
	if (listener_serve(outlet, row, now) == SERVED_GONE)
		outlet_remove(outlet, row);
	outlet_wake();
	return true;
}

void listener_end(struct outlet *outlet, uint32_t row, enum leave why)
{
	struct listener *listener = table_row(outlet_table(), row);
	struct address peer = listener_address(listener);

	if (listener->flags & LISTENER_TAIL)
		tail_free(listener);
	table_doubt(outlet_table(), row);
	if (listener->flags & LISTENER_INTRO)
		intro_end(listener);
	log_event(why == LEAVE_SLOW ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "radio", "listener gone",
		  kv_str("mount", outlet->mount->name), kv_u64("id", listener->id),
		  kv_str("why", leave_names[why]), kv_u64("sent", listener->sent),
		  kv_u64("lost", listener->lost));
	if (listener->flags & LISTENER_GUEST)
		auth_url_left(row, listener->id,
			      (uint64_t)(wall_now_us() - listener->since_wall_us) / 1000000);
	history_listener_gone(outlet->mount->name, listener, leave_names[why]);
	link_close_gently(listener->link);
	edge_left(worker_here());
	metric_add(METRIC_radio_listeners, -1);
	if (why == LEAVE_SLOW) {
		metric_add(METRIC_radio_listeners_slow, 1);
		event_often(EVENT_LISTENER_SLOW, outlet->mount->name, &peer, "");
		atomic_fetch_add_explicit(&outlet->mount->count.slow_drops, 1,
					  memory_order_relaxed);
	}
	limit_give(&outlet->mount->count, &peer, listener->bytes_per_second);
	limit_user_give(&outlet->mount->count, listener->user);
	table_give(outlet_table(), row);
}

bool listener_move(struct outlet *from, struct outlet *to, uint32_t row)
{
	struct listener *listener = table_row(outlet_table(), row);
	struct address peer = listener_address(listener);

	if (!to->tap || to->tap->feed->kind != listener->kind ||
	    !limit_user_take(&to->mount->count, listener->user, false))
		return false;
	if (!limit_move(&from->mount->count, &to->mount->count, &peer)) {
		limit_user_give(&to->mount->count, listener->user);
		return false;
	}
	if (!outlet_add(to, row)) {
		CHECK(limit_move(&to->mount->count, &from->mount->count, &peer));
		limit_user_give(&to->mount->count, listener->user);
		return false;
	}
	limit_user_give(&from->mount->count, listener->user);
	listener->mount = to->mount->id;
	listener->flags |= LISTENER_MOVED;
	outlet_wake();
	return true;
}

/* --- what the last server left -------------------------------------------------------------- */

/* No listener that this worker makes has a lower number. */
RUNS_ON(on_worker) static void listener_ids_from(uint64_t id)
{
	if (id / WORKERS_MAX > ids_given)
		ids_given = id / WORKERS_MAX;
}

void listener_abandon(uint32_t row, const char *why)
{
	struct listener *listener = table_row(outlet_table(), row);
	struct address peer = listener_address(listener);
	char text[ADDRESS_TEXT_MAX + 1];

	log_warnx("radio", "listener not restored", kv_u64("id", listener->id),
		  kv_str("address", address_text(&peer, text)), kv_str("agent", listener->agent),
		  kv_str("why", why));
	if (listener->flags & LISTENER_TAIL)
		tail_free(listener);
	table_doubt(outlet_table(), row);
	link_close_gently(listener->link);
	table_give(outlet_table(), row);
}

bool listener_adopt(struct outlet *outlet, uint32_t row)
{
	struct listener *listener = table_row(outlet_table(), row);
	struct address peer = listener_address(listener);

	listener_ids_from(listener->id);
	/* Who wanted to know when it leaves was known to the last server alone. */
	listener->flags &= ~(LISTENER_GUEST | LISTENER_INTRO_HELD);
	if (!limit_user_take(&outlet->mount->count, listener->user, false)) {
		listener_abandon(row, "out of memory");
		return false;
	}
	if (!limit_adopt(&outlet->mount->count, &peer, listener->bytes_per_second)) {
		limit_user_give(&outlet->mount->count, listener->user);
		listener_abandon(row, "out of memory");
		return false;
	}
	if (!outlet_add(outlet, row)) {
		limit_user_give(&outlet->mount->count, listener->user);
		limit_give(&outlet->mount->count, &peer, listener->bytes_per_second);
		listener_abandon(row, "out of memory");
		return false;
	}
	edge_joined(worker_here());
	metric_add(METRIC_radio_listeners, 1);
	return true;
}
