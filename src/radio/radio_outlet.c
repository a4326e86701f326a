#include "radio/radio_outlet.h"

#include <errno.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/tcp.h"
#include "edge/edge.h"
#include "radio/radio.h"
#include "radio/radio_intro.h"
#include "radio/radio_journal.h"
#include "radio/radio_listener.h"
#include "radio/radio_send.h"
#include "radio/radio_tail.h"
#include "radio/radio_wait.h"

#define LOOK_MS    1000
#define IDLE_TURNS 2u /* turns without anything to send before the wheel stops */

/* A tick that has fewer listeners than this takes several slots at once: a wake-up finds the caches
 * cold, and costs more than the sends that it spreads (docs/performance.md). */
#define TICK_LISTENERS 1000u
#define ROWS_MAX       (1u << 20)

/* What one worker has of the radio. */
struct radio_worker {
	struct worker *worker;
	uv_timer_t wheel; /* a tick serves one slot */
	uv_timer_t look;
	uv_async_t bell;
	struct outlet *outlets;
	struct table listeners;
	unsigned slot;
	unsigned together; /* slots that a tick serves: a divisor of TURN_SLOTS */
	unsigned idle_slots;
	bool turning;
	bool stopped; /* orders still arrive, and are for nobody */
	struct journal left;
};

/* Not thread-local: a doorbell may be rung for a worker that has just ended. */
static struct radio_worker radio_workers[WORKERS_MAX];
static _Thread_local struct radio_worker *here;

struct table *outlet_table(void)
{
	return &here->listeners;
}

struct outlet *outlet_find(struct bytes mount)
{
	struct outlet *outlet = here->outlets;

	while (outlet && !bytes_equal(bytes_str(outlet->mount->name), mount))
		outlet = outlet->next;
	return outlet;
}

struct outlet *outlet_first(void)
{
	return here->outlets;
}

/* --- slots ---------------------------------------------------------------------------------- */

/* An outlet with low latency is woken by every publish while somebody listens. */
RUNS_ON(on_worker) static void outlet_arm(const struct outlet *outlet)
{
	const struct ring *ring = outlet->tap ? tap_ring(outlet->tap) : NULL;

	if (ring && outlet->low_latency && outlet->listeners &&
	    !ring_sleep(ring, here->worker->id, ring_head_seq(ring)))
		uv_async_send(&here->bell);
}

bool outlet_add(struct outlet *outlet, uint32_t row)
{
	struct listener *listener = table_row(&here->listeners, row);
	struct outlet_slot *slot = &outlet->slot[outlet->next_slot];

	if (slot->count == slot->size) {
		uint32_t size = slot->size ? slot->size * 2 : 4;
		uint32_t *rows = realloc(slot->rows, size * sizeof *rows);

		if (!rows)
			return false;
		slot->rows = rows;
		slot->size = size;
	}
	listener->slot = (uint16_t)outlet->next_slot;
	slot->rows[slot->count++] = row;
	outlet->next_slot = (outlet->next_slot + 1) % TURN_SLOTS;
	if (outlet->listeners++ == 0)
		outlet_arm(outlet);
	return true;
}

/* The last one takes its place. */
static void slot_drop(struct outlet *outlet, struct outlet_slot *slot, uint32_t at)
{
	slot->rows[at] = slot->rows[--slot->count];
	outlet->listeners--;
}

void outlet_remove(struct outlet *outlet, uint32_t row)
{
	struct listener *listener = table_row(&here->listeners, row);
	struct outlet_slot *slot = &outlet->slot[listener->slot];

	for (uint32_t i = 0; i < slot->count; i++)
		if (slot->rows[i] == row) {
			slot_drop(outlet, slot, i);
			return;
		}
	abort(); /* a listener is in the slot that its row names */
}

void outlet_remove_at(struct outlet *outlet, unsigned slot, uint32_t at)
{
	slot_drop(outlet, &outlet->slot[slot], at);
}

/* --- turns ---------------------------------------------------------------------------------- */

/* True when somebody was sent something or waits for his socket. */
RUNS_ON(on_worker)
static bool slot_serve(struct outlet *outlet, struct outlet_slot *slot, mono_t now)
{
	bool busy = false;

	for (uint32_t i = 0; i < slot->count;) {
		struct listener *listener = table_row(&here->listeners, slot->rows[i]);
		uint64_t sent = listener->sent;

		if (i + 1 < slot->count)
			__builtin_prefetch(table_row(&here->listeners, slot->rows[i + 1]));
		switch (listener_serve(outlet, slot->rows[i], now)) {
		case SERVED_GONE: slot_drop(outlet, slot, i); continue;
		case SERVED_FULL: busy = true; break;
		case SERVED_ALL: busy |= listener->sent != sent; break;
		}
		i++;
	}
	if (outlet->bytes_out) {
		metric_add(METRIC_radio_bytes_out, (int64_t)outlet->bytes_out);
		atomic_fetch_add_explicit(&outlet->mount->count.bytes_out, outlet->bytes_out,
					  memory_order_relaxed);
		outlet->bytes_out = 0;
	}
	return busy;
}

/* Asks the rings of all that somebody here hears to wake this worker. False when one of them has
 * moved on meanwhile. */
RUNS_ON(on_worker) static bool sleep_on_rings(void)
{
	for (struct outlet *outlet = here->outlets; outlet; outlet = outlet->next) {
		const struct ring *ring = outlet->tap ? tap_ring(outlet->tap) : NULL;

		if (!ring || outlet->listeners == 0)
			continue;
		if (!ring_sleep(ring, here->worker->id, ring_head_seq(ring)))
			return false;
	}
	return true;
}

static bool anybody_behind(void)
{
	for (struct outlet *outlet = here->outlets; outlet; outlet = outlet->next)
		for (unsigned s = 0; outlet->listeners && s < TURN_SLOTS; s++)
			for (uint32_t i = 0; i < outlet->slot[s].count; i++) {
				struct listener *l =
					table_row(&here->listeners, outlet->slot[s].rows[i]);

				if (!outlet->tap || l->feed != outlet->tap->id ||
				    l->pos != ring_head_pos(tap_ring(outlet->tap)))
					return true;
			}
	return false;
}

/* How many slots a tick is to serve: as few as keep it busy. */
static unsigned slots_together(void)
{
	uint32_t listeners = 0, ticks;

	for (const struct outlet *outlet = here->outlets; outlet; outlet = outlet->next)
		listeners += outlet->listeners;
	ticks = listeners / TICK_LISTENERS;
	return ticks >= 10 ? 1 : ticks >= 5 ? 2 : ticks >= 2 ? 5 : TURN_SLOTS;
}

/* At the end of a turn: ticks may become longer or shorter. Then all are served now, so that nobody
 * waits for longer than a turn. */
RUNS_ON(on_worker) static unsigned slots_now(void)
{
	unsigned together = here->slot == 0 ? slots_together() : here->together;

	if (together == here->together)
		return together;
	here->together = together;
	outlet_wake();
	return TURN_SLOTS;
}

static void on_tick(uv_timer_t *timer)
{
	mono_t now = mono_now();
	bool busy = false;
	unsigned slots;

	(void)timer;
	enter_worker();
	slots = slots_now();
	for (unsigned i = 0; i < slots; i++)
		for (struct outlet *outlet = here->outlets; outlet; outlet = outlet->next)
			busy |= slot_serve(outlet, &outlet->slot[(here->slot + i) % TURN_SLOTS],
					   now);
	here->slot = (here->slot + slots) % TURN_SLOTS;
	here->idle_slots = busy ? 0 : here->idle_slots + slots;
	if (here->idle_slots < IDLE_TURNS * TURN_SLOTS)
		return;
	here->idle_slots = 0;
	/* The bits first, then the look: what is published in between knocks. */
	if (!sleep_on_rings() || anybody_behind())
		return;
	uv_timer_stop(&here->wheel);
	here->turning = false;
}

void outlet_wake(void)
{
	uint64_t tick = radio_conf()->turn * here->together / TURN_SLOTS;

	if (here->stopped)
		return;
	tick = tick ? tick : 1;
	here->idle_slots = 0;
	/* A reload may have changed the turn. */
	if (here->turning && uv_timer_get_repeat(&here->wheel) == tick)
		return;
	here->turning = true;
	uv_timer_start(&here->wheel, on_tick, tick, tick);
}

/* Serves an outlet with low latency and asks to be woken again. False: more has come meanwhile. */
RUNS_ON(on_worker) static bool outlet_serve_now(struct outlet *outlet, mono_t now)
{
	const struct ring *ring = outlet->tap ? tap_ring(outlet->tap) : NULL;
	uint64_t seq = ring ? ring_head_seq(ring) : 0;

	for (unsigned s = 0; s < TURN_SLOTS; s++)
		slot_serve(outlet, &outlet->slot[s], now);
	return !ring || outlet->listeners == 0 || ring_sleep(ring, here->worker->id, seq);
}

static void on_bell(uv_async_t *bell)
{
	mono_t now = mono_now();
	bool quiet = true;

	(void)bell;
	enter_worker();
	for (struct outlet *outlet = here->outlets; outlet; outlet = outlet->next)
		if (outlet->low_latency)
			quiet &= outlet_serve_now(outlet, now);
	if (!quiet)
		uv_async_send(&here->bell);
	outlet_wake();
}

void outlet_ring(uint64_t workers)
{
	for (unsigned id = 0; workers; id++, workers >>= 1)
		if (workers & 1)
			uv_async_send(&radio_workers[id].bell);
}

static void on_look(uv_timer_t *timer)
{
	mono_t now = mono_now();

	(void)timer;
	enter_worker();
	for (struct outlet *outlet = here->outlets; outlet; outlet = outlet->next)
		for (unsigned s = 0; s < TURN_SLOTS; s++)
			for (uint32_t i = 0; i < outlet->slot[s].count;)
				if (listener_look(outlet, outlet->slot[s].rows[i], now) ==
				    SERVED_GONE)
					slot_drop(outlet, &outlet->slot[s], i);
				else
					i++;
}

/* --- orders from the control thread --------------------------------------------------------- */

struct tune_message {
	struct message message;
	struct tuning tuning;
	uint64_t ended; /* a feed's id, in an order of that kind */
};

/* Who hears the feed that we leave goes on to where it ends now, and moves there. */
RUNS_ON(on_worker) static void outlet_tune(struct outlet *outlet, const struct tuning *tuning)
{
	struct tap *tap = tuning->feed ? tap_open(tuning->feed) : NULL;

	if (outlet->tap && outlet->tap != tap) {
		outlet->from_feed = outlet->tap->id;
		outlet->from_end = ring_head_pos(tap_ring(outlet->tap));
	}
	outlet->tap = tap;
	outlet->expecting = tuning->expecting;
	outlet->relayed = tuning->relayed;
	outlet->wait_ms = tuning->wait_ms;
	outlet->min_pos = tuning->min_pos;
	outlet->sticky = tuning->sticky;
	outlet->station = tuning->station;
	memcpy(outlet->fallback, tuning->fallback, sizeof outlet->fallback);
	outlet->low_latency = mount_conf(outlet->mount)->low_latency;
	if (tap)
		tap->ended = false;
	outlet_arm(outlet);
	outlet_wake();
	if (tap || !outlet->expecting)
		wait_over(outlet->mount, tap);
}

static void deliver_tune(struct message *message)
{
	struct tune_message *tune = container_of(message, struct tune_message, message);
	struct mount *mount = tune->tuning.mount;
	struct outlet *outlet;

	enter_worker();
	/* By pointer: while an old mount of this name is on its way out, there are two. */
	outlet = here->outlets;
	while (outlet && outlet->mount != mount)
		outlet = outlet->next;
	if (!outlet && !here->stopped) {
		outlet = calloc(1, sizeof *outlet);
		if (outlet) {
			outlet->mount = mount;
			outlet->next = here->outlets;
			here->outlets = outlet;
		}
	}
	if (outlet)
		outlet_tune(outlet, &tune->tuning);
	free(tune);
}

void outlet_tune_all(const struct tuning *tuning)
{
	for (unsigned i = 0; i < workers_count(); i++) {
		struct tune_message *tune = malloc(sizeof *tune);

		if (!tune) {
			metric_add(METRIC_radio_out_of_memory, 1);
			return;
		}
		tune->message.deliver = deliver_tune;
		tune->tuning = *tuning;
		worker_post(worker_of(i), &tune->message);
	}
}

static void deliver_ended(struct message *message)
{
	struct tune_message *tune = container_of(message, struct tune_message, message);
	struct tap *tap;

	enter_worker();
	tap = tap_find(tune->ended);
	if (tap)
		tap->ended = true;
	outlet_wake();
	free(tune);
}

void outlet_feed_ended(const struct feed *feed)
{
	for (unsigned i = 0; i < workers_count(); i++) {
		struct tune_message *tune = calloc(1, sizeof *tune);

		if (!tune) {
			metric_add(METRIC_radio_out_of_memory, 1);
			return;
		}
		tune->message.deliver = deliver_ended;
		tune->ended = feed->id;
		worker_post(worker_of(i), &tune->message);
	}
}

/* Whoever still hears the feed has no more time to: it moves now, or is let go. */
RUNS_ON(on_worker) static void outlet_leave_feed(struct outlet *outlet, uint64_t id)
{
	mono_t now = mono_now();

	if (outlet->tap && outlet->tap->id == id)
		outlet->tap = NULL;
	outlet->from_feed = 0;
	for (unsigned s = 0; s < TURN_SLOTS; s++)
		for (uint32_t i = 0; i < outlet->slot[s].count;) {
			uint32_t row = outlet->slot[s].rows[i];
			struct listener *listener = table_row(&here->listeners, row);

			if (listener->feed == id &&
			    listener_leave_feed(outlet, row, now) == SERVED_GONE)
				slot_drop(outlet, &outlet->slot[s], i);
			else
				i++;
		}
}

static void visit_drop_feed(struct baton *baton, struct worker *worker)
{
	uint64_t id = container_of(baton, struct radio_feed, farewell)->feed.id;

	(void)worker;
	enter_worker();
	for (struct outlet *outlet = here->outlets; outlet; outlet = outlet->next)
		outlet_leave_feed(outlet, id);
	tap_close(id);
}

static void home_drop_feed(struct baton *baton)
{
	radio_feed_free(container_of(baton, struct radio_feed, farewell));
}

void outlet_feed_drop(struct feed *feed)
{
	struct radio_feed *radio = container_of(feed, struct radio_feed, feed);

	radio->farewell.visit = visit_drop_feed;
	radio->farewell.home = home_drop_feed;
	baton_send(&radio->farewell);
}

RUNS_ON(on_worker) static void outlet_destroy(struct outlet *outlet, enum leave why)
{
	struct outlet **link = &here->outlets;

	for (unsigned s = 0; s < TURN_SLOTS; s++) {
		for (uint32_t i = 0; i < outlet->slot[s].count; i++)
			listener_end(outlet, outlet->slot[s].rows[i], why);
		free(outlet->slot[s].rows);
	}
	while (*link != outlet)
		link = &(*link)->next;
	*link = outlet->next;
	wait_over(outlet->mount, false);
	free(outlet);
}

static void visit_drop_mount(struct baton *baton, struct worker *worker)
{
	struct mount *mount = container_of(baton, struct mount, farewell);

	(void)worker;
	enter_worker();
	for (struct outlet *outlet = here->outlets; outlet; outlet = outlet->next)
		if (outlet->mount == mount) {
			outlet_destroy(outlet, LEAVE_MOUNT);
			return;
		}
}

static void home_drop_mount(struct baton *baton)
{
	struct mount *mount = container_of(baton, struct mount, farewell);

	mount->gone(mount);
}

void outlet_mount_drop(struct mount *mount, void (*gone)(struct mount *mount))
{
	mount->gone = gone;
	mount->farewell.visit = visit_drop_mount;
	mount->farewell.home = home_drop_mount;
	baton_send(&mount->farewell);
}

/* --- what the last server left -------------------------------------------------------------- */

const struct journal *outlet_left(void)
{
	return &here->left;
}

RUNS_ON(on_worker) static struct outlet *outlet_of(uint64_t mount)
{
	struct outlet *outlet = here->outlets;

	while (outlet && outlet->mount->id != mount)
		outlet = outlet->next;
	return outlet;
}

/* The one listener that was being served: as it was before, and then what its socket took since. */
RUNS_ON(on_worker) static void repair(void)
{
	const struct journal *left = &here->left;
	struct listener *listener =
		left->kind == JOURNAL_LISTENER && left->row < here->listeners.high
			? table_settled(&here->listeners, left->row)
			: NULL;
	uint64_t taken;

	if (!listener)
		return;
	memcpy(listener, left->listener, LISTENER_CHANGES);
	if (left->faulted && ++listener->faults >= LISTENER_FAULTS_MAX) {
		listener_abandon(left->row, "the server crashed over it twice");
		return;
	}
	if (link_taken(listener->link, &taken) != 0 || taken < listener->taken + listener->sent) {
		listener_abandon(left->row, "its place is not known");
		return;
	}
	taken -= listener->taken + listener->sent;
	if (taken) {
		(void)radio_went(listener, (size_t)taken);
		metric_add(METRIC_radio_repaired, 1);
	}
}

/* First the record layers, for what was being sent counts as sent by them. */
RUNS_ON(on_worker) static void links_adopt(void)
{
	for (uint32_t row = 0; row < here->listeners.high; row++) {
		const struct listener *listener = table_settled(&here->listeners, row);

		if (listener && !link_adopt(listener->link, estate_of_crashed()))
			listener_abandon(row, "its record layer is not known");
	}
}

void outlet_adopt(void)
{
	links_adopt();
	repair();
	journal_end();
	tails_adopt(&here->listeners);
	for (uint32_t row = 0; row < here->listeners.high; row++) {
		const struct listener *listener = table_settled(&here->listeners, row);
		struct outlet *outlet = listener ? outlet_of(listener->mount) : NULL;

		if (!listener)
			continue;
		if (outlet)
			(void)listener_adopt(outlet, row);
		else
			listener_abandon(row, "its mount is gone");
	}
	/* Nobody waits for his slot to come round in a new count. */
	for (struct outlet *outlet = here->outlets; outlet; outlet = outlet->next)
		for (unsigned s = 0; s < TURN_SLOTS; s++)
			slot_serve(outlet, &outlet->slot[s], mono_now());
	outlet_wake();
}

void outlet_part(void)
{
	uv_timer_stop(&here->wheel);
	uv_timer_stop(&here->look);
	while (here->outlets) {
		struct outlet *outlet = here->outlets;

		here->outlets = outlet->next;
		for (unsigned s = 0; s < TURN_SLOTS; s++)
			free(outlet->slot[s].rows);
		free(outlet);
	}
	here->stopped = true;
}

/* --- life ----------------------------------------------------------------------------------- */

/* The tables that outlive the process. */
RUNS_ON(on_worker) static int tables_open(struct worker *worker)
{
	uint64_t rows = edge_settings()->conf.http_connections;
	int error = estate_table(&here->listeners, &listener_kind, worker->id,
				 (uint32_t)(rows < ROWS_MAX ? rows : ROWS_MAX));

	if (error)
		return error;
	error = tail_worker_start(worker, here->listeners.capacity);
	if (error) {
		estate_close(&here->listeners);
		return error;
	}
	error = journal_worker_start(worker, &here->left);
	if (error) {
		tail_worker_stop();
		estate_close(&here->listeners);
	}
	return error;
}

RUNS_ON(on_worker) static void tables_close(void)
{
	journal_worker_stop();
	tail_worker_stop();
	estate_close(&here->listeners);
}

int outlet_worker_start(struct worker *worker)
{
	int error;

	here = &radio_workers[worker->id];
	*here = (struct radio_worker){.worker = worker, .together = TURN_SLOTS};
	error = tables_open(worker);
	if (error)
		return error;
	error = uv_async_init(&worker->loop, &here->bell, on_bell);
	if (error) {
		tables_close();
		return error;
	}
	uv_timer_init(&worker->loop, &here->wheel);
	uv_timer_init(&worker->loop, &here->look);
	uv_timer_start(&here->look, on_look, LOOK_MS, LOOK_MS);
	return 0;
}

void outlet_worker_stop(struct worker *worker)
{
	(void)worker;
	here->stopped = true;
	while (here->outlets)
		outlet_destroy(here->outlets, LEAVE_STOP);
	intro_worker_stop();
	tap_close_all();
	tables_close();
	uv_close((uv_handle_t *)&here->wheel, NULL);
	uv_close((uv_handle_t *)&here->look, NULL);
	uv_close((uv_handle_t *)&here->bell, NULL);
}
