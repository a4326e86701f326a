#include "radio/radio.h"

#include "core/clock.h"
#include "edge/page.h"
#include "radio/radio_api.h"
#include "radio/radio_face.h"
#include "radio/radio_login.h"
#include "radio/radio_mount.h"
#include "radio/radio_outlet.h"
#include "radio/radio_source.h"
#include "radio/radio_status.h"

static _Atomic(const struct conf *) settings;
static bool (*reload_all)(void);

void radio_configure(const struct conf *conf, bool (*reload)(void))
{
	atomic_store_explicit(&settings, conf, memory_order_release);
	reload_all = reload;
	route_add(radio_routes);
	protocol_add(&login_protocol);
	page_add_metrics(status_metrics);
	radio_api_configure();
}

const struct radio_conf *radio_conf(void)
{
	return radio_conf_of(atomic_load_explicit(&settings, memory_order_acquire));
}

bool radio_reload(const struct conf *conf)
{
	const struct conf *before = atomic_exchange_explicit(&settings, conf, memory_order_acq_rel);

	if (mount_hub_reload(conf))
		return true;
	atomic_store_explicit(&settings, before, memory_order_release);
	return false;
}

bool radio_ask_reload(void)
{
	return reload_all();
}

const struct mount_conf *radio_mount_conf(const char *name)
{
	return mount_conf_for(atomic_load_explicit(&settings, memory_order_acquire), name);
}

enum charset radio_charset_of(unsigned choice)
{
	/* What is not valid UTF-8 is read as windows-1252 anyway. */
	return choice == RADIO_CHARSET_LATIN1 ? CHARSET_LATIN1 : CHARSET_UTF8;
}

static int worker_start(struct worker *worker)
{
	int error;

	enter_worker();
	error = outlet_worker_start(worker);
	return error ? error : source_worker_start(worker);
}

static void worker_stop(struct worker *worker)
{
	enter_worker();
	source_worker_stop(worker);
	outlet_worker_stop(worker);
}

const struct worker_hooks radio_hooks = {.start = worker_start, .stop = worker_stop};

int radio_start(uv_loop_t *loop, const struct conf *conf)
{
	status_started(wall_now_us());
	return mount_hub_start(loop, conf);
}

void radio_stop(void)
{
	mount_hub_stop();
}

void radio_fini(void)
{
	mount_hub_fini();
}
