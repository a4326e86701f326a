#include "radio/radio.h"

#include "core/clock.h"
#include "core/estate.h"
#include "core/log.h"
#include "edge/page.h"
#include "radio/radio_api.h"
#include "radio/radio_auth_url.h"
#include "radio/radio_directory.h"
#include "radio/radio_event.h"
#include "radio/radio_face.h"
#include "radio/radio_feed.h"
#include "radio/radio_htpasswd.h"
#include "radio/radio_journal.h"
#include "radio/radio_ledger.h"
#include "radio/radio_limit.h"
#include "radio/radio_listener.h"
#include "radio/radio_login.h"
#include "radio/radio_mount.h"
#include "radio/radio_outlet.h"
#include "radio/radio_player.h"
#include "radio/radio_publish.h"
#include "radio/radio_pull.h"
#include "radio/radio_push.h"
#include "radio/radio_relay.h"
#include "radio/radio_source.h"
#include "radio/radio_status.h"
#include "radio/radio_tail.h"
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

void radio_reload_by(bool (*reload)(void))
{
	reload_all = reload;
}

static void configure(const struct conf *conf)
{
	atomic_store_explicit(&settings, conf, memory_order_release);
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

RUNS_ON(on_control) static bool put_in_force(const struct conf *conf)
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
	htpasswd_worker_stop(worker);
}

static bool worker_busy(struct worker *worker)
{
	(void)worker;
	enter_worker();
	return pull_worker_busy();
}

static const struct worker_hooks worker_hooks = {
	.start = worker_start,
	.stop = worker_stop,
	.busy = worker_busy,
};

static void know(void)
{
	static const struct estate_kind *const kinds[] = {
		&listener_kind, &tail_short_kind, &tail_long_kind, &journal_kind,
		&source_kind,   &radio_feed_kind, &ledger_kind,    &player_kind,
	};

	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		estate_know(kinds[i]);
}

/* --- what the last server left -------------------------------------------------------------- */

static void tap_left(struct feed *feed, void *what)
{
	(void)what;
	enter_worker();
	(void)tap_open(feed);
}

/* The control thread waits meanwhile: its mounts may be looked at. */
ROLE_ATTRIBUTE(no_thread_safety_analysis)
static struct mount *find_mount(uint64_t number)
{
	return mount_of_id(number);
}

static void adopt_listeners(struct worker *worker)
{
	(void)worker;
	enter_worker();
	radio_feeds_each(tap_left, NULL);
	outlet_adopt();
}

static void adopt_sources(struct worker *worker)
{
	(void)worker;
	enter_worker();
	sources_adopt(find_mount);
}

static void source_was_left(const struct source_left *left, void *what)
{
	struct mount *mount;

	(void)what;
	enter_control();
	mount = mount_of_id(left->mount);
	if (mount)
		mount_has_left(mount, left->id, worker_of(left->worker));
}

static void drop_feed(struct feed *feed)
{
	enter_control();
	outlet_feed_drop(feed);
}

/* Mounts know their feeds, workers their outlets: now those who listen and those who send. */
RUNS_ON(on_control) static void adopt_connections(void)
{
	sources_left(workers_count(), source_was_left, NULL);
	/* All who listen come first: a source that reads what has come meanwhile may write its ring anew
	 * before a worker that is behind has looked in which frame its listeners stand. */
	workers_run(adopt_listeners);
	workers_run(adopt_sources);
	mount_hub_settle();
	radio_feeds_settle(drop_feed);
	log_info("radio", "went on", kv_u64("listeners", limit_listeners()),
		 kv_u64("sources", mount_sources()));
}

RUNS_ON(on_control) static int start(uv_loop_t *loop, const struct conf *conf)
{
	int error = radio_feeds_open();

	event_start(loop);
	directory_start(loop);
	htpasswd_start(loop);
	status_started(wall_now_us());
	if (!error)
		error = ledger_open();
	if (!error)
		error = players_open();
	if (!error && estate_is_adopted())
		error = radio_feeds_adopt();
	if (!error && estate_is_adopted())
		error = mount_hub_adopt(loop);
	if (error)
		return error;
	error = mount_hub_start(loop, conf);
	if (!error && estate_is_adopted())
		adopt_connections();
	if (!error)
		error = relays_start(loop, conf);
	return error || pushes_reload(conf) ? error : UV_ENOMEM;
}

RUNS_ON(on_control) static void part(void)
{
	publishers_silence();
	mount_hub_part();
	ledger_close();
	players_close();
	radio_feeds_close();
}

RUNS_ON(on_worker) static void part_worker(void)
{
	sources_part();
	outlet_part();
}

RUNS_ON(on_control) static bool is_idle(void)
{
	return limit_listeners() == 0 && mount_sources() == 0;
}

RUNS_ON(on_control) static void stop(void)
{
	directory_stop();
	relays_stop();
	mount_hub_stop();
}

RUNS_ON(on_control) static void fini(void)
{
	event_fini();
	pushes_fini();
	relays_fini();
	mount_hub_fini();
	ledger_close();
	players_close();
	radio_feeds_close();
}

static const struct conf_room *const rooms[] = {&radio_conf_room, &relays_conf_room,
						&pushes_conf_room, &directory_conf_room, NULL};

const struct family radio_family = {
	.name = "radio",
	.rooms = rooms,
	.hooks = &worker_hooks,
	.doubt = radio_conf_doubt,
	.know = know,
	.configure = configure,
	.start = start,
	.reload = put_in_force,
	.part = part,
	.part_worker = part_worker,
	.is_idle = is_idle,
	.stop = stop,
	.fini = fini,
};
