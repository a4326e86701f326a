#include "upgrade.h"

#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/estate.h"
#include "core/handover.h"
#include "core/keeper.h"
#include "core/log.h"
#include "core/stow.h"
#include "core/worker.h"
#include "edge/edge.h"
#include "edge/events.h"
#include "families.h"

#define LOOK_MS  5
#define QUIET_MS 500   /* that requests have to end before the moment */
#define HUSH_MS  250   /* and that families have to come to rest */
#define HELLO_MS 15000 /* that the new server has to start */
#define LAST_MS  30000 /* that answers have to get out afterwards */
#define FLUSH_MS 300   /* at least: for files that are being written */
#define DRAIN_MS 1000  /* between two looks whether anybody is left */
#define STOW_MS  1000  /* as LAST_MS, when no server runs meanwhile */

enum stage { IDLE, ASKED, AWAITED, QUIETING, HUSHING, PARTED, DRAINING };

static const struct upgrade_hooks *hooks;
static uv_poll_t channel;
static uv_poll_t greeting;
static uv_timer_t timer;
static enum stage stage;
static int peer = -1;
static bool stowing; /* for systemd, and not to another server */
static mono_t since;

static void on_look(uv_timer_t *handle);

RUNS_ON(on_control) static void go(enum stage next, uint64_t ms, uint64_t repeat)
{
	stage = next;
	since = mono_now();
	uv_timer_start(&timer, on_look, ms, repeat);
}

RUNS_ON(on_control) static void failed(const char *why)
{
	log_error("core", "upgrade failed: this server goes on", kv_str("why", why));
	if (peer >= 0) {
		uv_poll_stop(&greeting);
		close(peer);
	}
	peer = -1;
	stage = IDLE;
	uv_timer_stop(&timer);
	hooks->outcome(false, why);
}

static void part_worker(struct worker *worker)
{
	enter_worker();
	/* Who looks on comes again, and finds the other server. */
	events_hooks.stop(worker);
	families_part_worker();
	edge_part_worker();
}

static void leave_worker(struct worker *worker)
{
	(void)worker;
	enter_worker();
	families_leave_worker();
	edge_leave_worker();
}

static void stay_worker(struct worker *worker)
{
	(void)worker;
	enter_worker();
	families_stay_worker();
	edge_stay_worker();
}

/* The moment itself: nobody else runs here. */
RUNS_ON(on_control) static void give(void)
{
	mono_t began = mono_now();
	const char *why = "";
	enum handover_given given;

	workers_halt(leave_worker);
	families_leave();
	given = handover_give(peer, &why);
	if (given == HANDOVER_KEPT) {
		workers_go_on(stay_worker);
		families_stay();
		edge_resume();
		failed(why);
		return;
	}
	keeper_handed_over();
	uv_poll_stop(&greeting);
	close(peer);
	peer = -1;
	edge_part();
	if (given == HANDOVER_GIVEN) {
		families_part();
		workers_go_on(part_worker);
		log_info("core", "handed over",
			 kv_ms("took", mono_since_us(mono_now(), began) / 1000));
		go(PARTED, LOOK_MS, LOOK_MS);
	} else {
		workers_go_on(stay_worker);
		families_stay();
		log_warnx("core",
			  "the new server knows other tables: this one serves those it has");
		go(DRAINING, DRAIN_MS, DRAIN_MS);
	}
	hooks->given();
	hooks->outcome(true, given == HANDOVER_GIVEN ? "" : "the old server drains");
}

/* The same with systemd in the place of the new server. */
RUNS_ON(on_control) static void stow(void)
{
	int *fds, count, error;

	workers_halt(leave_worker);
	families_leave();
	count = estate_descriptors(&fds);
	error = count < 0 ? count : stow_put(estate_fd(), fds, (size_t)count);
	if (count >= 0)
		free(fds);
	if (error) {
		workers_go_on(stay_worker);
		families_stay();
		log_warn_code(error, "core", "systemd does not keep the connections: they end");
		stage = IDLE;
		uv_timer_stop(&timer);
		hooks->ended();
		return;
	}
	handover_say_given();
	edge_part();
	families_part();
	workers_go_on(part_worker);
	log_info("core", "systemd keeps the connections", kv_i64("descriptors", count));
	go(PARTED, LOOK_MS, LOOK_MS);
	hooks->given();
}

RUNS_ON(on_control) static void end(void)
{
	if (stowing)
		log_info("core", "ended for a restart");
	else
		log_info("core", "ended after an upgrade");
	_exit(0);
}

static void on_look(uv_timer_t *handle)
{
	int64_t ms = mono_since_us(mono_now(), since) / 1000;

	(void)handle;
	enter_control();
	switch (stage) {
	case IDLE: uv_timer_stop(&timer); break;
	case ASKED: failed("the keeper does not answer"); break;
	case AWAITED: failed("the new server does not start"); break;
	case QUIETING:
		if (edge_busy() == 0 || ms > QUIET_MS) {
			families_hush();
			go(HUSHING, 0, LOOK_MS);
		}
		break;
	case HUSHING:
		if (families_are_hushed() || ms > HUSH_MS)
			stowing ? stow() : give();
		break;
	case PARTED:
		if ((edge_busy() == 0 && ms > FLUSH_MS) || ms > (stowing ? STOW_MS : LAST_MS))
			end();
		break;
	case DRAINING:
		if (families_are_idle())
			end();
		break;
	}
}

static void on_greeting(uv_poll_t *poll, int status, int events)
{
	(void)poll;
	(void)events;
	enter_control();
	uv_poll_stop(&greeting);
	if (status < 0 || !handover_greeted(peer)) {
		failed("the new server ended, or speaks another language");
		return;
	}
	edge_pause();
	go(QUIETING, 0, LOOK_MS);
}

RUNS_ON(on_control) static void begin(int fd)
{
	if (peer >= 0 || stage == PARTED || stage == DRAINING) {
		close(fd);
		return;
	}
	log_info("core", "upgrade begins");
	peer = fd;
	if (uv_poll_init(timer.loop, &greeting, fd) != 0 ||
	    uv_poll_start(&greeting, UV_READABLE | UV_DISCONNECT, on_greeting) != 0) {
		failed("no watch on the new server");
		return;
	}
	go(AWAITED, HELLO_MS, 0);
}

static void on_channel(uv_poll_t *poll, int status, int events)
{
	int fd = -1, letter = status < 0 ? 0 : keeper_hear(&fd);

	(void)events;
	enter_control();
	if (letter == KEEPER_UPGRADE && fd >= 0) {
		begin(fd);
	} else if (letter == 0) {
		uv_poll_stop(poll);
		log_warnx("core", "the keeper is gone");
		hooks->ended();
	}
}

int upgrade_start(uv_loop_t *loop, const struct upgrade_hooks *table)
{
	int error = uv_poll_init(loop, &channel, KEEPER_CHANNEL_FD);

	hooks = table;
	if (error)
		return error;
	uv_timer_init(loop, &timer);
	return uv_poll_start(&channel, UV_READABLE | UV_DISCONNECT, on_channel);
}

void upgrade_stop(void)
{
	if (!hooks)
		return;
	uv_close((uv_handle_t *)&channel, NULL);
	uv_close((uv_handle_t *)&timer, NULL);
	hooks = NULL;
}

bool upgrade_is_given(void)
{
	return stage == PARTED;
}

bool upgrade_ask(void)
{
	if (!hooks || stage != IDLE || keeper_say(KEEPER_UPGRADE) != 0)
		return false;
	go(ASKED, HELLO_MS, 0);
	return true;
}

bool upgrade_stow(void)
{
	if (!hooks || stage != IDLE || !stow_offered())
		return false;
	stowing = true;
	edge_pause();
	go(QUIETING, 0, LOOK_MS);
	return true;
}
