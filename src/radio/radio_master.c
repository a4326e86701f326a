#include "radio/radio_master.h"

#include "core/log.h"
#include "edge/fetch.h"
#include "radio/radio.h"
#include "radio/radio_relay.h"

#define LIST_MAX   (1u << 20)
#define TIMEOUT_MS 15000

static uv_timer_t timer;
static struct fetch fetch;
static bool failed;
static bool asked; /* the list of some master is relayed */

RUNS_ON(on_control) static void master_later(uint64_t ms);

static void on_done(struct fetch *done)
{
	const struct relays_conf *conf = radio_relays_conf();

	enter_control();
	if (done->result == FETCH_STOPPED)
		return;
	if (done->result == FETCH_OK && done->status == 200) {
		failed = false;
		asked = true;
		relays_of_master(conf->master, fetch_body(done), conf->master_on_demand);
	} else {
		if (!failed)
			log_warnx("radio", "master not readable", kv_u64("status", done->status),
				  kv_str("why", done->error));
		failed = true;
	}
	master_later(conf->master_interval);
}

static void on_time(uv_timer_t *handle)
{
	const struct relays_conf *conf = radio_relays_conf();
	char url[FETCH_URL_MAX];
	struct bytes base = bytes_str(conf->master);
	struct fetch_request request = {
		.method = "GET",
		.url = url,
		.user = conf->master_user,
		.password = conf->master_password,
		.timeout_ms = TIMEOUT_MS,
		.body_max = LIST_MAX,
		.done = on_done,
	};

	(void)handle;
	enter_control();
	while (bytes_end_with(base, BYTES("/")))
		base.len--;
	snprintf(url, sizeof url, "%.*s/admin/streamlist.txt", (int)base.len,
		 (const char *)base.at);
	if (fetch_start(&fetch, &request) != 0)
		master_later(conf->master_interval);
}

static void master_later(uint64_t ms)
{
	uv_timer_start(&timer, on_time, ms, 0);
}

void master_reload(void)
{
	uv_timer_stop(&timer);
	fetch_cancel(&fetch);
	if (radio_relays_conf()->master[0]) {
		master_later(0);
	} else if (asked) {
		asked = false;
		relays_of_master("", (struct bytes){0}, false);
	}
}

void master_start(uv_loop_t *loop)
{
	uv_timer_init(loop, &timer);
	master_reload();
}

void master_stop(void)
{
	fetch_fini(&fetch);
	uv_close((uv_handle_t *)&timer, NULL);
}
