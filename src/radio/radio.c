#include "radio/radio.h"

#include "core/clock.h"
#include "edge/page.h"
#include "radio/radio_api.h"
#include "radio/radio_auth_url.h"
#include "radio/radio_directory.h"
#include "radio/radio_event.h"
#include "radio/radio_face.h"
#include "radio/radio_login.h"
#include "radio/radio_mount.h"
#include "radio/radio_outlet.h"
#include "radio/radio_pull.h"
#include "radio/radio_push.h"
#include "radio/radio_relay.h"
#include "radio/radio_source.h"
#include "radio/radio_status.h"
#include "radio/radio_wait.h"

static _Atomic(const struct conf *) settings;
static bool (*reload_all)(void);

static char id[20];

static void id_make(void)
{
	uint64_t number = (uint64_t)wall_now_us();

	(void)!uv_random(NULL, NULL, &number, sizeof number, 0, NULL);
	snprintf(id, sizeof id, "rm-%016llx", (unsigned long long)number);
}

struct bytes radio_id(void)
{
	return bytes_str(id);
}

void radio_configure(const struct conf *conf, bool (*reload)(void))
{
	atomic_store_explicit(&settings, conf, memory_order_release);
	reload_all = reload;
	id_make();
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

	if (mount_hub_reload(conf) && relays_reload(conf) && pushes_reload(conf))
		return true;
	atomic_store_explicit(&settings, before, memory_order_release);
	return false;
}

const struct conf *radio_settings(void)
{
	return atomic_load_explicit(&settings, memory_order_acquire);
}

const struct relays_conf *radio_relays_conf(void)
{
	return relays_conf_of(radio_settings());
}

const struct relay_conf *radio_relay_conf(const char *name)
{
	return conf_entry_for(radio_settings(), &relay_conf_section, name);
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
	if (!error)
		error = source_worker_start(worker);
	if (!error)
		error = wait_worker_start(worker);
	if (!error)
		error = auth_url_worker_start(worker);
	if (!error)
		error = push_worker_start(worker);
	return error ? error : pull_worker_start(worker);
}

static void worker_stop(struct worker *worker)
{
	enter_worker();
	pull_worker_stop(worker);
	push_worker_stop(worker);
	source_worker_stop(worker);
	wait_worker_stop(worker);
	outlet_worker_stop(worker);
	auth_url_worker_stop(worker);
}

const struct worker_hooks radio_hooks = {.start = worker_start, .stop = worker_stop};

int radio_start(uv_loop_t *loop, const struct conf *conf)
{
	int error;

	event_start(loop);
	directory_start(loop);
	error = mount_hub_start(loop, conf);

	status_started(wall_now_us());
	if (!error)
		error = relays_start(loop, conf);
	return error || pushes_reload(conf) ? error : UV_ENOMEM;
}

void radio_stop(void)
{
	directory_stop();
	relays_stop();
	mount_hub_stop();
}

void radio_fini(void)
{
	event_fini();
	pushes_fini();
	relays_fini();
	mount_hub_fini();
}
