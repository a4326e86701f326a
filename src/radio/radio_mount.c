#include "radio/radio_mount.h"

#include <errno.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "edge/proto/charset.h"
#include "radio/radio.h"
#include "radio/radio_hub.h"
#include "radio/radio_outlet.h"
#include "radio/radio_player.h"
#include "radio/radio_publish.h"

#define FALLBACK_DEPTH_MAX 16
#define HEALTH_MS          1000
#define TAKEOVER_MS        2000
#define STALLED_US         3000000
#define MEAN_RECORD        256u

static struct mount *mounts OWNED_BY(on_control);
static uv_loop_t *loop OWNED_BY(on_control);
static uv_timer_t health;
static bool stopping OWNED_BY(on_control);
static unsigned source_count OWNED_BY(on_control);

static void on_linger_over(uv_timer_t *timer);

/* --- mounts --------------------------------------------------------------------------------- */

struct mount *mount_first(void)
{
	return mounts;
}

struct mount *mount_find(struct bytes name)
{
	struct mount *mount = mounts;

	while (mount && !bytes_equal(bytes_str(mount->name), name))
		mount = mount->next;
	return mount;
}

unsigned mount_sources(void)
{
	return source_count;
}

/* The texts were checked when the file was read. */
static bool parse_networks(const struct conf_list *texts, struct cidr_list *list)
{
	struct cidr *networks = calloc(texts->count + 1, sizeof *networks);

	*list = (struct cidr_list){networks, 0};
	for (size_t i = 0; networks && i < texts->count; i++)
		list->count += cidr_parse(bytes_str(texts->at[i]), &networks[list->count]);
	return networks;
}

static void rules_free(struct mount_rules *rules)
{
	if (!rules)
		return;
	free((void *)(uintptr_t)rules->allow.at);
	free((void *)(uintptr_t)rules->deny.at);
	free(rules);
}

/* NULL when there is no memory. */
static struct mount_rules *rules_make(const struct mount_conf *conf)
{
	struct mount_rules *rules = calloc(1, sizeof *rules);

	if (!rules)
		return NULL;
	rules->conf = *conf;
	if (!parse_networks(&conf->allow, &rules->allow) ||
	    !parse_networks(&conf->deny, &rules->deny)) {
		rules_free(rules);
		return NULL;
	}
	return rules;
}

static void rules_home(struct baton *baton)
{
	rules_free(container_of(baton, struct mount_rules, farewell));
}

/* In force from now on; the old ones go when nobody reads them any more. */
RUNS_ON(on_control) static void rules_put(struct mount *mount, struct mount_rules *rules)
{
	struct mount_rules *old =
		atomic_exchange_explicit(&mount->rules, rules, memory_order_acq_rel);

	if (!old)
		return;
	old->farewell.visit = baton_pass;
	old->farewell.home = rules_home;
	baton_send(&old->farewell);
}

RUNS_ON(on_control) static struct mount *mount_make(struct bytes name, bool configured)
{
	struct mount *mount = calloc(1, sizeof *mount);
	struct mount **last = &mounts;
	struct mount_rules *rules;

	if (!mount)
		return NULL;
	bytes_to_str(name, mount->name, sizeof mount->name);
	rules = rules_make(radio_mount_conf(mount->name));
	if (!rules) {
		free(mount);
		return NULL;
	}
	rules_put(mount, rules);
	mount->configured = configured;
	uv_timer_init(loop, &mount->linger);
	while (*last)
		last = &(*last)->next;
	*last = mount;
	return mount;
}

static void on_mount_closed(uv_handle_t *handle)
{
	struct mount *mount = container_of(handle, struct mount, linger);

	rules_free(atomic_load_explicit(&mount->rules, memory_order_relaxed));
	free(mount->fallback_said);
	free(mount);
}

/* No worker knows the mount any more. */
static void on_mount_gone(struct mount *mount)
{
	enter_control();
	if (mount->feed)
		outlet_feed_drop(mount->feed);
	uv_close((uv_handle_t *)&mount->linger, on_mount_closed);
}

RUNS_ON(on_control) static void mount_drop(struct mount *mount)
{
	struct mount **link = &mounts;

	while (*link != mount)
		link = &(*link)->next;
	*link = mount->next;
	if (mount->player)
		player_stop(mount->player);
	mount->player = NULL;
	uv_timer_stop(&mount->linger);
	outlet_mount_drop(mount, on_mount_gone);
}

static void word_over(char *out, size_t size, const char *setting)
{
	if (setting && setting[0])
		charset_to_field(bytes_str(setting), CHARSET_UTF8, out, size);
}

struct station mount_station(const struct mount *mount)
{
	struct station station = mount->source.station;

	word_over(station.name, sizeof station.name, mount_conf(mount)->name);
	word_over(station.description, sizeof station.description, mount_conf(mount)->description);
	word_over(station.genre, sizeof station.genre, mount_conf(mount)->genre);
	word_over(station.url, sizeof station.url, mount_conf(mount)->url);
	if (mount_conf(mount)->public_ != MOUNT_PUBLIC_ENCODER)
		station.is_public = mount_conf(mount)->public_ == MOUNT_PUBLIC_YES;
	return station;
}

const char *mount_state_name(const struct mount *mount)
{
	if (mount->state == MOUNT_LIVE)
		return mount->stalled ? "stalled" : "live";
	if (mount->state == MOUNT_LINGERING)
		return "lingering";
	return mount->heard ? "fallback" : "off";
}

const struct mount *mount_heard_from(const struct mount *mount)
{
	const struct mount *from = mounts;

	if (mount->state != MOUNT_OFF)
		return mount;
	while (from && (!mount->heard || from->feed != mount->heard))
		from = from->next;
	return from ? from : mount;
}

/* --- what is heard -------------------------------------------------------------------------- */

/* A mount's own feed while it is on the air or may come back, else what the chain of fallbacks has.
 * depth ends what an administrator's call could make a loop of; the file's loops are refused. */
RUNS_ON(on_control) static struct feed *feed_to_hear(const struct mount *mount, unsigned depth)
{
	const struct mount *fallback;
	struct feed *feed = NULL;

	if (mount->state != MOUNT_OFF && mount->feed)
		return mount->feed;
	fallback = mount_find(bytes_str(mount_fallback(mount)));
	if (depth < FALLBACK_DEPTH_MAX && fallback && fallback != mount)
		feed = feed_to_hear(fallback, depth + 1);
	if (!feed && mount->player)
		feed = player_feed(mount->player);
	return feed;
}

/* The file is being opened: who listens waits for it. */
RUNS_ON(on_control) static bool is_expecting(const struct mount *mount, const struct feed *feed)
{
	return !feed && mount->player && player_is_starting(mount->player);
}

RUNS_ON(on_control) static void mount_tune(struct mount *mount, struct feed *feed)
{
	bool home = feed && feed == mount->feed;
	struct tuning tuning = {
		.mount = mount,
		.feed = feed,
		.expecting = is_expecting(mount, feed),
		.min_pos = home ? mount->first_pos : 0,
		.sticky = home && !mount_conf(mount)->fallback_override,
		.station = mount_station(mount),
	};

	if (mount->heard != feed && mount->heard && feed)
		metric_add(METRIC_radio_fallbacks, 1);
	mount->heard = feed;
	mount->expecting = tuning.expecting;
	outlet_tune_all(&tuning);
}

/* The file plays only while nothing else is there to be heard. */
RUNS_ON(on_control) static void player_begin(struct mount *mount)
{
	const char *file = mount_conf(mount)->fallback_file;

	if (file && file[0] && !mount->player && !stopping)
		mount->player = player_start(mount, loop);
}

RUNS_ON(on_control) static void player_end(struct mount *mount)
{
	player_stop(mount->player);
	mount->player = NULL;
}

/* Something changed: tells the workers of each mount that is to hear something else now. */
RUNS_ON(on_control) static void retune(void)
{
	for (struct mount *mount = mounts; mount; mount = mount->next) {
		struct feed *feed = feed_to_hear(mount, 0);

		if (!feed)
			player_begin(mount);
		if (feed != mount->heard || is_expecting(mount, feed) != mount->expecting)
			mount_tune(mount, feed);
		/* Not before its listeners know where to go instead. */
		if (mount->player && feed && feed != player_feed(mount->player))
			player_end(mount);
	}
}

void mount_player_changed(struct mount *mount)
{
	(void)mount;
	if (!stopping)
		retune();
}

/* The mount that this one falls back to: an administrator's word before the file's. */
RUNS_ON(on_control) const char *mount_fallback(const struct mount *mount)
{
	return mount->fallback_said ? mount->fallback_said : mount_conf(mount)->fallback;
}

bool mount_set_fallback(struct mount *mount, struct bytes fallback)
{
	const struct mount *at = mount_find(fallback);
	char *name;

	for (unsigned depth = 0; at; depth++) {
		if (at == mount || depth == FALLBACK_DEPTH_MAX)
			return false;
		at = mount_find(bytes_str(mount_fallback(at)));
	}
	name = malloc(fallback.len + 1);
	if (!name)
		return false;
	bytes_to_str(fallback, name, fallback.len + 1);
	free(mount->fallback_said);
	mount->fallback_said = name;
	retune();
	return true;
}

/* --- states --------------------------------------------------------------------------------- */

/* A mount that stands in no file lasts as long as its encoder, and then as long as somebody hears
 * its fallback: where that came from a pattern of the file or from an administrator's call. */
RUNS_ON(on_control) static void mount_drop_unused(struct mount *mount)
{
	bool heard = (mount->heard || mount->expecting) &&
		     atomic_load_explicit(&mount->count.listeners, memory_order_relaxed) > 0;

	if (!mount->configured && !mount->has_source && mount->state == MOUNT_OFF && !heard &&
	    !stopping)
		mount_drop(mount);
}

/* The time to come back is over. */
RUNS_ON(on_control) static void mount_off(struct mount *mount)
{
	mount->state = MOUNT_OFF;
	mount->title[0] = '\0';
	if (mount->feed)
		outlet_feed_ended(mount->feed);
	retune();
	mount_drop_unused(mount);
}

static void on_linger_over(uv_timer_t *timer)
{
	enter_control();
	mount_off(container_of(timer, struct mount, linger));
}

RUNS_ON(on_control)
static void mount_live(struct mount *mount, struct feed *feed, uint64_t first_pos)
{
	struct feed *old = mount->feed;

	uv_timer_stop(&mount->linger);
	mount->state = MOUNT_LIVE;
	mount->feed = feed;
	mount->first_pos = first_pos;
	mount->stalled = false;
	/* Also when nothing changes but the station's words. */
	mount_tune(mount, feed);
	retune();
	if (old && old != feed)
		outlet_feed_drop(old);
	if (mount->title[0])
		source_title(mount->source.worker, mount->source.id, bytes_str(mount->title),
			     bytes_str(mount->title_url));
}

RUNS_ON(on_control) static void claim_answer(struct claim *claim);

RUNS_ON(on_control) static void mount_lost_source(struct mount *mount)
{
	struct claim *next = mount->waiting;
	uint64_t linger = mount_conf(mount)->linger;

	mount->has_source = false;
	mount->waiting = NULL;
	source_count--;
	if (next)
		hub_claim(next);
	if (mount->state == MOUNT_LIVE)
		mount->state = MOUNT_LINGERING;
	/* Who takes over is at the door already: nobody is sent away for the moment in between. */
	if (next && linger < TAKEOVER_MS)
		linger = TAKEOVER_MS;
	if (mount->state == MOUNT_LINGERING)
		uv_timer_start(&mount->linger, on_linger_over, linger, 0);
	else if (!next)
		mount_drop_unused(mount);
}

void mount_kill_source(struct mount *mount)
{
	if (mount->has_source)
		source_stop(mount->source.worker, mount->source.id, "killed");
}

bool mount_set_title(struct mount *mount, struct bytes title, struct bytes url)
{
	bytes_to_str(charset_cut(title, sizeof mount->title - 1), mount->title,
		     sizeof mount->title);
	bytes_to_str(charset_cut(url, sizeof mount->title_url - 1), mount->title_url,
		     sizeof mount->title_url);
	mount->title_since_us = wall_now_us();
	log_info("radio", "title", kv_str("mount", mount->name), kv_str("title", mount->title));
	return !mount->has_source ||
	       source_title(mount->source.worker, mount->source.id, bytes_str(mount->title),
			    bytes_str(mount->title_url));
}

/* --- messages of sources -------------------------------------------------------------------- */

struct hub_message {
	struct message message;
	struct mount *mount;
	struct feed *feed;
	uint64_t id;
	uint64_t first_pos;
	const char *why;
	struct mount_source about;
	char title[TITLE_SIZE];
	char url[512];
};

struct hub_message *hub_message_make(void)
{
	struct hub_message *message = calloc(1, sizeof *message);

	if (!message)
		metric_add(METRIC_radio_out_of_memory, 1);
	return message;
}

static void hub_post(struct hub_message *message, void (*deliver)(struct message *message))
{
	message->message.deliver = deliver;
	control_post(&message->message);
}

static bool is_current(const struct mount *mount, uint64_t id)
{
	return mount->has_source && mount->source.id == id;
}

static void deliver_live(struct message *message)
{
	struct hub_message *hub = container_of(message, struct hub_message, message);
	char address[ADDRESS_TEXT_MAX + 1];

	enter_control();
	if (is_current(hub->mount, hub->about.id)) {
		hub->mount->source = hub->about;
		log_info("radio", "source live", kv_str("mount", hub->mount->name),
			 kv_str("address", address_text(&hub->about.address, address)),
			 kv_str("agent", hub->about.agent), kv_str("type", hub->feed->type),
			 kv_str("codec", hub->about.about.codec),
			 kv_u64("rate", hub->about.about.sample_rate));
		mount_live(hub->mount, hub->feed, hub->first_pos);
	}
	free(hub);
}

void hub_source_live(struct mount *mount, const struct mount_source *about, struct feed *feed,
		     uint64_t first_pos)
{
	struct hub_message *hub = hub_message_make();

	if (!hub)
		return;
	hub->mount = mount;
	hub->about = *about;
	hub->feed = feed;
	hub->first_pos = first_pos;
	hub_post(hub, deliver_live);
}

static void deliver_station(struct message *message)
{
	struct hub_message *hub = container_of(message, struct hub_message, message);

	enter_control();
	if (is_current(hub->mount, hub->about.id))
		hub->mount->source = hub->about;
	free(hub);
}

void hub_source_station(struct mount *mount, const struct mount_source *about)
{
	struct hub_message *hub = hub_message_make();

	if (!hub)
		return;
	hub->mount = mount;
	hub->about = *about;
	hub_post(hub, deliver_station);
}

static void deliver_title(struct message *message)
{
	struct hub_message *hub = container_of(message, struct hub_message, message);
	struct mount *mount = hub->mount;

	enter_control();
	if (is_current(mount, hub->id)) {
		bytes_to_str(bytes_str(hub->title), mount->title, sizeof mount->title);
		bytes_to_str(bytes_str(hub->url), mount->title_url, sizeof mount->title_url);
		mount->title_since_us = wall_now_us();
		log_info("radio", "title", kv_str("mount", mount->name),
			 kv_str("title", mount->title));
	}
	free(hub);
}

void hub_source_title(struct mount *mount, uint64_t id, struct bytes title, struct bytes url)
{
	struct hub_message *hub = hub_message_make();

	if (!hub)
		return;
	hub->mount = mount;
	hub->id = id;
	bytes_to_str(charset_cut(title, sizeof hub->title - 1), hub->title, sizeof hub->title);
	bytes_to_str(charset_cut(url, sizeof hub->url - 1), hub->url, sizeof hub->url);
	hub_post(hub, deliver_title);
}

static void deliver_gone(struct message *message)
{
	struct hub_message *hub = container_of(message, struct hub_message, message);

	enter_control();
	if (is_current(hub->mount, hub->id)) {
		log_info("radio", "source gone", kv_str("mount", hub->mount->name),
			 kv_str("why", hub->why),
			 kv_u64("bytes", atomic_load_explicit(&hub->mount->count.bytes_in,
							      memory_order_relaxed)));
		mount_lost_source(hub->mount);
	}
	free(hub);
}

void hub_source_gone(struct hub_message *hub, struct mount *mount, uint64_t id, const char *why)
{
	if (!hub)
		return;
	hub->mount = mount;
	hub->id = id;
	hub->why = why;
	hub_post(hub, deliver_gone);
}

/* --- claims --------------------------------------------------------------------------------- */

static void deliver_answer(struct message *message)
{
	enter_worker();
	source_claimed(container_of(message, struct claim, message));
}

static void claim_answer(struct claim *claim)
{
	claim->message.deliver = deliver_answer;
	worker_post(claim->worker, &claim->message);
}

RUNS_ON(on_control)
static void claim_refuse(struct claim *claim, unsigned status, const char *why)
{
	log_info("radio", "source refused", kv_str("mount", claim->mount), kv_str("why", why));
	claim->refuse_status = status;
	claim->refuse_why = why;
	claim_answer(claim);
}

RUNS_ON(on_control) static void claim_grant(struct claim *claim, struct mount *mount)
{
	static uint64_t ids;

	claim->about.id = ++ids;
	claim->about.since_wall_us = wall_now_us();
	claim->granted = mount;
	claim->feed = mount->feed;
	claim->shape = feed_shape_for(mount_conf(mount)->ring, MEAN_RECORD, HEADERS_MAX);
	mount->has_source = true;
	mount->source = claim->about;
	mount->title[0] = '\0';
	source_count++;
	claim_answer(claim);
}

static void deliver_claim(struct message *message)
{
	struct claim *claim = container_of(message, struct claim, message);
	struct mount *mount;

	enter_control();
	mount = mount_find(bytes_str(claim->mount));
	if (mount && mount->has_source) {
		if (!mount_conf(mount)->takeover) {
			claim_refuse(claim, 403, "Mountpoint in use");
		} else if (mount->waiting) {
			claim_refuse(claim, 403, "Mountpoint in use, and about to be taken over");
		} else {
			mount->waiting = claim;
			source_stop(mount->source.worker, mount->source.id, "taken over");
		}
		return;
	}
	if (source_count >= radio_conf()->max_sources || stopping) {
		claim_refuse(claim, 403, "too many sources connected");
		return;
	}
	if (!mount)
		mount = mount_make(bytes_str(claim->mount), false);
	if (mount)
		claim_grant(claim, mount);
	else
		claim_refuse(claim, 503, "out of memory");
}

void hub_claim(struct claim *claim)
{
	claim->message.deliver = deliver_claim;
	control_post(&claim->message);
}

/* --- health --------------------------------------------------------------------------------- */

RUNS_ON(on_control) static void mount_health(struct mount *mount, mono_t now)
{
	uint64_t bytes = atomic_load_explicit(&mount->count.bytes_in, memory_order_relaxed);
	uint64_t rate = (bytes - mount->bytes_in_before) * 8000 / HEALTH_MS;
	uint64_t before = atomic_load_explicit(&mount->count.bitrate, memory_order_relaxed);
	int64_t last = atomic_load_explicit(&mount->count.last_unit_us, memory_order_relaxed);
	bool stalled =
		mount->state == MOUNT_LIVE && mono_since_us(now, (mono_t){last}) > STALLED_US;

	mount->bytes_in_before = bytes;
	atomic_store_explicit(&mount->count.bitrate,
			      (uint32_t)(before ? (before * 7 + rate) / 8 : rate),
			      memory_order_relaxed);
	if (stalled == mount->stalled)
		return;
	mount->stalled = stalled;
	if (stalled)
		log_warnx("radio", "source stalled", kv_str("mount", mount->name));
	else if (mount->state == MOUNT_LIVE)
		log_info("radio", "source recovered", kv_str("mount", mount->name));
}

static void on_health(uv_timer_t *timer)
{
	mono_t now = mono_now();

	(void)timer;
	enter_control();
	for (struct mount *mount = mounts, *next; mount; mount = next) {
		next = mount->next;
		mount_health(mount, now);
		mount_drop_unused(mount);
	}
}

/* --- life ----------------------------------------------------------------------------------- */

/* Makes the mounts that stand in the file and are not there; marks which do. */
RUNS_ON(on_control) static bool mounts_of_file(const struct conf *conf)
{
	for (struct mount *mount = mounts; mount; mount = mount->next)
		mount->configured = false;
	for (size_t i = 0; i < conf_entry_count(conf, &mount_conf_section); i++) {
		const char *name = conf_entry_name(conf, &mount_conf_section, i);
		struct mount *mount = mount_find(bytes_str(name));

		if (conf_entry_is_pattern(name))
			continue;
		if (mount) {
			mount->configured = true;
			continue;
		}
		mount = mount_make(bytes_str(name), true);
		if (!mount)
			return false;
		/* Every worker gets to know it, so that a mount that is off is told from none. */
		mount_tune(mount, NULL);
	}
	return true;
}

int mount_hub_start(uv_loop_t *control_loop, const struct conf *conf)
{
	loop = control_loop;
	if (!mounts_of_file(conf))
		return -ENOMEM;
	uv_timer_init(loop, &health);
	uv_timer_start(&health, on_health, HEALTH_MS, HEALTH_MS);
	retune();
	return 0;
}

bool mount_hub_reload(const struct conf *conf)
{
	struct mount *next;

	if (!mounts_of_file(conf))
		return false;
	for (struct mount *mount = mounts; mount; mount = next) {
		struct mount_rules *rules = rules_make(radio_mount_conf(mount->name));

		next = mount->next;
		if (rules)
			rules_put(mount, rules);
		free(mount->fallback_said);
		mount->fallback_said = NULL;
		/* Another file, or none: the one that plays ends. */
		if (mount->player && rules) {
			player_stop(mount->player);
			mount->player = NULL;
		}
		mount_tune(mount, mount->heard);
		mount_drop_unused(mount);
	}
	retune();
	return true;
}

void mount_hub_stop(void)
{
	stopping = true;
	uv_close((uv_handle_t *)&health, NULL);
	for (struct mount *mount = mounts; mount; mount = mount->next)
		if (mount->player) {
			player_stop(mount->player);
			mount->player = NULL;
		}
}

void mount_hub_fini(void)
{
	while (mounts) {
		struct mount *mount = mounts;

		mounts = mount->next;
		if (mount->feed)
			radio_feed_free(container_of(mount->feed, struct radio_feed, feed));
		uv_close((uv_handle_t *)&mount->linger, on_mount_closed);
	}
}
