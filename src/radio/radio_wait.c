#include "radio/radio_wait.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/metric.h"
#include "radio/proto/hops.h"
#include "radio/radio_join.h"
#include "radio/radio_relay.h"

#define SWEEP_MS    100
#define WAITING_MAX 10000u /* on one worker */

struct waiting {
	struct waiting *next;
	struct conn *conn;
	const struct mount *mount;
	mono_t until;
};

struct demand {
	struct message message;
	struct mount *mount;
	char via[HOPS_SIZE];
};

static _Thread_local struct waiting *first;
static _Thread_local unsigned count;
static _Thread_local uv_timer_t sweep;

RUNS_ON(on_worker) static void refuse(struct conn *conn)
{
	struct reply reply = {.close = true};

	metric_add(METRIC_radio_waits_in_vain, 1);
	reply_text(&reply, 503, "this stream cannot be had at the moment");
	reply_header(&reply, "Retry-After", BYTES("10"));
	reply_header(&reply, "Access-Control-Allow-Origin", BYTES("*"));
	conn_reply(conn, &reply);
}

static void deliver_demand(struct message *message)
{
	struct demand *demand = container_of(message, struct demand, message);

	enter_control();
	relay_demand(demand->mount, bytes_str(demand->via));
	free(demand);
}

/* Takes those out for whom it is over, in the order of their coming. */
RUNS_ON(on_worker)
static struct waiting *take_out(bool (*is_over)(const struct waiting *, const void *),
				const void *with)
{
	struct waiting **link = &first, *out = NULL, **last = &out;

	while (*link) {
		struct waiting *one = *link;

		if (!is_over(one, with)) {
			link = &one->next;
			continue;
		}
		*link = one->next;
		one->next = NULL;
		*last = one;
		last = &one->next;
		count--;
	}
	return out;
}

RUNS_ON(on_worker) static void answer_all(struct waiting *list, bool heard)
{
	while (list) {
		struct waiting *next = list->next;
		struct conn *conn = list->conn;

		free(list);
		if (heard)
			join_serve(conn);
		else
			refuse(conn);
		list = next;
	}
}

static bool is_late(const struct waiting *waiting, const void *now)
{
	return !mono_before(*(const mono_t *)now, waiting->until);
}

static bool is_for(const struct waiting *waiting, const void *mount)
{
	return waiting->mount == mount;
}

static bool is_any(const struct waiting *waiting, const void *nothing)
{
	(void)waiting;
	(void)nothing;
	return true;
}

static void on_sweep(uv_timer_t *timer)
{
	mono_t now = mono_now();

	enter_worker();
	answer_all(take_out(is_late, &now), false);
	if (!first)
		uv_timer_stop(timer);
}

void wait_for(struct conn *conn, struct outlet *outlet)
{
	struct waiting **last = &first;
	struct waiting *waiting = count < WAITING_MAX ? calloc(1, sizeof *waiting) : NULL;
	struct demand *demand = calloc(1, sizeof *demand);

	if (!waiting || !demand) {
		free(waiting);
		free(demand);
		refuse(conn);
		return;
	}
	*waiting = (struct waiting){.conn = conn, .mount = outlet->mount};
	waiting->until = mono_add_ms(mono_now(), (int64_t)outlet->wait_ms);
	while (*last)
		last = &(*last)->next;
	*last = waiting;
	if (count++ == 0)
		uv_timer_start(&sweep, on_sweep, SWEEP_MS, SWEEP_MS);
	metric_add(METRIC_radio_waits, 1);
	conn_wait(conn);
	demand->mount = outlet->mount;
	bytes_to_str(http1_header_get(&conn_request(conn)->head, BYTES("Via")), demand->via,
		     sizeof demand->via);
	demand->message.deliver = deliver_demand;
	control_post(&demand->message);
}

void wait_over(const struct mount *mount, bool heard)
{
	answer_all(take_out(is_for, mount), heard);
}

int wait_worker_start(struct worker *worker)
{
	first = NULL;
	count = 0;
	return uv_timer_init(&worker->loop, &sweep);
}

void wait_worker_stop(struct worker *worker)
{
	(void)worker;
	answer_all(take_out(is_any, NULL), false);
	uv_close((uv_handle_t *)&sweep, NULL);
}
