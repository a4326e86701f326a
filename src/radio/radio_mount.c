#include "radio/radio_mount.h"

#include <errno.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "edge/proto/charset.h"
#include "radio/radio.h"
#include "radio/radio_dump.h"
#include "radio/radio_event.h"
#include "radio/radio_feed.h"
#include "radio/radio_history.h"
#include "radio/radio_hub.h"
#include "radio/radio_ledger.h"
#include "radio/radio_outlet.h"
#include "radio/radio_player.h"
#include "radio/radio_publish.h"
#include "radio/radio_relay.h"

#define FALLBACK_DEPTH_MAX 16
#define HEALTH_MS          1000
#define TAKEOVER_MS        2000
#define STALLED_US         5000000
#define WAIT_MS            5000 /* for what will be heard at once */

static struct mount *mounts OWNED_BY(on_control);
static uv_loop_t *loop OWNED_BY(on_control);
static uv_timer_t health;
static bool stopping OWNED_BY(on_control);
static unsigned source_count OWNED_BY(on_control);
static uint64_t ids OWNED_BY(on_control);

static void on_linger_over(uv_timer_t *timer);
RUNS_ON(on_control) static void retune(void);

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

bool mount_hub_stopping(void)
{
	return stopping;
}

unsigned mount_sources(void)
{
	return source_count;
}

/* The texts were checked when the file was read. */
static bool parse_networks(const struct conf_list *texts, struct cidr_list *list)
{
	struct cidr *networks = calloc(texts->count + 1, sizeof *networks);

	*list = networks ? cidr_list_of(texts->at, texts->count, networks)
			 : (struct cidr_list){NULL, 0};
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

struct mount *mount_make(struct bytes name, bool configured)
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
	if (!ledger_take(&mount->row)) {
		rules_free(rules);
		free(mount);
		return NULL;
	}
	rules_put(mount, rules);
	mount->id = ++ids;
	mount->configured = configured;
	uv_timer_init(loop, &mount->linger);
	mount_save(mount);
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
	ledger_give(mount->row);
	uv_timer_stop(&mount->linger);
	dump_end(mount);
	/* Other mounts may hear its file: they are told first. */
	if (mount->player) {
		retune();
		player_stop(mount->player);
	}
	mount->player = NULL;
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
	if (mount_conf(mount)->public_ != MOUNT_PUBLIC_ENCODER) {
		station.public_said = true;
		station.is_public = mount_conf(mount)->public_ == MOUNT_PUBLIC_YES;
	}
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

/* The mount that this one falls back to, if there is one now. */
RUNS_ON(on_control) static const struct mount *mount_behind(const struct mount *mount)
{
	const char *name = mount_fallback(mount);
	const struct mount *behind = name[0] ? mount_find(bytes_str(name)) : NULL;

	return behind == mount ? NULL : behind;
}

/* A mount's own feed while it is on the air or may come back, else what the chain of fallbacks has.
 * depth ends what an administrator's call could make a loop of; the file's loops are refused. */
RUNS_ON(on_control) static struct feed *feed_to_hear(const struct mount *mount, unsigned depth)
{
	const struct mount *fallback;
	struct feed *feed = NULL;

	if (mount->state != MOUNT_OFF && mount->feed)
		return mount->feed;
	fallback = mount_behind(mount);
	if (depth < FALLBACK_DEPTH_MAX && fallback)
		feed = feed_to_hear(fallback, depth + 1);
	if (!feed && mount->player)
		feed = player_feed(mount->player);
	return feed;
}

/* Nothing is to be heard, but a file in the chain is being opened or a relay on its way: who listens
 * waits for it. */
RUNS_ON(on_control) static bool is_expecting(const struct mount *mount, const struct feed *feed)
{
	for (unsigned depth = 0; !feed && mount && depth <= FALLBACK_DEPTH_MAX; depth++) {
		if (mount->player && player_is_starting(mount->player))
			return true;
		if (mount->relay && relay_promises(mount->relay))
			return true;
		mount = mount_behind(mount);
	}
	return false;
}

/* The file that is heard on this mount, be it its own or another mount's; NULL for an encoder. */
RUNS_ON(on_control) static const struct player *player_heard(const struct mount *mount)
{
	for (const struct mount *from = mounts; from; from = from->next)
		if (mount->heard && from->player && player_feed(from->player) == mount->heard)
			return from->player;
	return NULL;
}

/* What comes in from the encoder or the file that is heard; while an encoder is new, what it says of
 * itself. */
RUNS_ON(on_control) static void cost_update(struct mount *mount)
{
	const struct mount *from = mount_heard_from(mount);
	const struct player *player = player_heard(mount);
	uint32_t rate = player ? player_bitrate(player)
			       : atomic_load_explicit(&from->count.bitrate, memory_order_relaxed);

	if (!rate)
		rate = from->source.about.bitrate;
	if (!rate)
		rate = from->source.station.bitrate * 1000;
	atomic_store_explicit(&mount->count.cost, rate / 8, memory_order_relaxed);
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
		.wait_ms = mount->relay ? relay_wait_ms(mount->relay) : WAIT_MS,
		.relayed = mount->relay,
	};

	bytes_to_str(bytes_str(mount_fallback(mount)), tuning.fallback, sizeof tuning.fallback);
	if (mount->heard && feed && mount->heard->kind != feed->kind)
		log_info("radio", "another format: listeners are let go",
			 kv_str("mount", mount->name), kv_str("before", mount->heard->type),
			 kv_str("now", feed->type));
	if (mount->heard != feed && mount->heard && feed)
		metric_add(METRIC_radio_fallbacks, 1);
	mount->heard = feed;
	mount->expecting = tuning.expecting;
	cost_update(mount);
	outlet_tune_all(&tuning);
}

/* The file plays only while nothing else is there to be heard. */
RUNS_ON(on_control) static void player_begin(struct mount *mount)
{
	const char *file = mount_conf(mount)->fallback_file;

	if (file && file[0] && !mount->player && !stopping)
		mount->player = player_start(mount, loop);
}

/* Something changed: tells the workers of each mount that is to hear something else now. Files begin
 * before anybody is told what to wait for, and end when all who hear them know where to go instead:
 * one file may be heard on several mounts. */
static void retune(void)
{
	for (struct mount *mount = mounts; mount; mount = mount->next)
		if (!mount->player && !feed_to_hear(mount, 0))
			player_begin(mount);
	for (struct mount *mount = mounts; mount; mount = mount->next) {
		struct feed *feed = feed_to_hear(mount, 0);

		if (feed != mount->heard || is_expecting(mount, feed) != mount->expecting)
			mount_tune(mount, feed);
	}
	for (struct mount *mount = mounts; mount; mount = mount->next)
		if (mount->player && mount->heard && mount->heard != player_feed(mount->player)) {
			player_stop(mount->player);
			mount->player = NULL;
		}
}

void mount_relay_changed(struct mount *mount)
{
	(void)mount;
	if (!stopping)
		retune();
}

void mount_set_relay(struct mount *mount, struct relay *relay)
{
	mount->relay = relay;
	if (!stopping)
		mount_tune(mount, mount->heard);
}

struct mount *mount_hold(struct bytes name)
{
	struct mount *mount = mount_find(name);

	if (mount)
		return mount;
	mount = mount_make(name, false);
	if (mount)
		mount_tune(mount, NULL);
	return mount;
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
	mount_save(mount);
	mount_tune(mount, mount->heard);
	retune();
	return true;
}

bool mount_hidden(const struct mount *mount)
{
	return mount->hidden_is_said ? mount->hidden_said : mount_conf(mount)->hidden;
}

void mount_set_hidden(struct mount *mount, bool hidden)
{
	mount->hidden_is_said = true;
	mount->hidden_said = hidden;
	mount_save(mount);
}

/* --- states --------------------------------------------------------------------------------- */

/* A mount that stands in no file lasts as long as its encoder, and then as long as somebody hears
 * its fallback: where that came from a pattern of the file or from an administrator's call. */
RUNS_ON(on_control) static void mount_drop_unused(struct mount *mount)
{
	bool heard = (mount->heard || mount->expecting) &&
		     atomic_load_explicit(&mount->count.listeners, memory_order_relaxed) > 0;

	if (!mount->configured && !mount->relay && !mount->has_source &&
	    mount->state == MOUNT_OFF && !heard && !stopping)
		mount_drop(mount);
}

RUNS_ON(on_control) static void clear_title(struct mount *mount)
{
	if (!mount->title[0])
		return;
	mount->title[0] = '\0';
	history_title(mount);
}

/* The time to come back is over. */
RUNS_ON(on_control) static void mount_off(struct mount *mount)
{
	mount->state = MOUNT_OFF;
	clear_title(mount);
	mount_save(mount);
	dump_end(mount);
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

void mount_live(struct mount *mount, struct feed *feed, uint64_t first_pos)
{
	struct feed *old = mount->feed;

	uv_timer_stop(&mount->linger);
	mount->state = MOUNT_LIVE;
	mount->feed = feed;
	mount->first_pos = first_pos;
	mount->stalled = false;
	mount_save(mount);
	dump_follow(mount, loop);
	mount->was_live = true;
	/* Also when nothing changes but the station's words. */
	mount_tune(mount, feed);
	retune();
	if (old && old != feed)
		outlet_feed_drop(old);
	if (mount->title[0])
		source_title(mount->source.worker, mount->source.id, bytes_str(mount->title),
			     bytes_str(mount->title_url));
}

void mount_take_source(struct mount *mount, const struct mount_source *source)
{
	mount->has_source = true;
	mount->was_live = false;
	mount->source = *source;
	mount->bytes_in_first = atomic_load_explicit(&mount->count.bytes_in, memory_order_relaxed);
	clear_title(mount);
	source_count++;
	mount_save(mount);
}

void mount_lost_source(struct mount *mount)
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
	mount_save(mount);
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
		(void)source_stop(mount->source.worker, mount->source.id, "killed");
}

bool mount_set_title(struct mount *mount, struct bytes title, struct bytes url)
{
	bytes_to_str(charset_cut(title, sizeof mount->title - 1), mount->title,
		     sizeof mount->title);
	bytes_to_str(charset_cut(url, sizeof mount->title_url - 1), mount->title_url,
		     sizeof mount->title_url);
	mount->title_since_us = wall_now_us();
	mount_save(mount);
	history_title(mount);
	log_info("radio", "title", kv_str("mount", mount->name), kv_str("title", mount->title));
	event_title(mount);
	return !mount->has_source ||
	       source_title(mount->source.worker, mount->source.id, bytes_str(mount->title),
			    bytes_str(mount->title_url));
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
	history_tick();
	for (struct mount *mount = mounts, *next; mount; mount = next) {
		next = mount->next;
		mount_health(mount, now);
		mount_save(mount);
		mount_drop_unused(mount);
	}
	for (struct mount *mount = mounts; mount; mount = mount->next)
		if (mount->heard)
			cost_update(mount);
}

/* --- what outlives the process -------------------------------------------------------------- */

static uint64_t counted(const _Atomic uint64_t *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

void mount_save(const struct mount *mount)
{
	static struct mount_words words;

	memset(&words, 0, sizeof words);
	memcpy(words.name, mount->name, sizeof words.name);
	words.id = mount->id;
	words.state = mount->state;
	words.has_source = mount->has_source;
	words.fallback_is_said = mount->fallback_said;
	if (mount->fallback_said)
		bytes_to_str(bytes_str(mount->fallback_said), words.fallback_said,
			     sizeof words.fallback_said);
	words.hidden_is_said = mount->hidden_is_said;
	words.hidden_said = mount->hidden_said;
	words.bytes_in_first = mount->bytes_in_first;
	words.feed = mount->feed ? mount->feed->id : 0;
	words.first_pos = mount->first_pos;
	memcpy(words.title, mount->title, sizeof words.title);
	memcpy(words.title_url, mount->title_url, sizeof words.title_url);
	words.title_since_us = mount->title_since_us;
	words.source = mount->source;
	words.source.worker = NULL;
	words.peak = atomic_load_explicit(&mount->count.peak, memory_order_relaxed);
	words.bytes_in = counted(&mount->count.bytes_in);
	words.bytes_out = counted(&mount->count.bytes_out);
	words.joins = counted(&mount->count.joins);
	words.skips = counted(&mount->count.skips);
	words.slow_drops = counted(&mount->count.slow_drops);
	ledger_save(mount->row, &words);
}

RUNS_ON(on_control)
static void words_take(struct mount *mount, const struct mount_words *words)
{
	bytes_to_str(bytes_str(words->name), mount->name, sizeof mount->name);
	mount->id = words->id;
	mount->state = (enum mount_state)words->state;
	mount->has_source = words->has_source;
	mount->feed = radio_feed_left(words->feed);
	mount->first_pos = words->first_pos;
	memcpy(mount->title, words->title, sizeof mount->title);
	memcpy(mount->title_url, words->title_url, sizeof mount->title_url);
	mount->title_since_us = words->title_since_us;
	mount->source = words->source;
	mount->hidden_is_said = words->hidden_is_said;
	mount->hidden_said = words->hidden_said;
	mount->bytes_in_first = words->bytes_in_first;
	if (words->fallback_is_said)
		mount->fallback_said = strdup(words->fallback_said);
	mount->count.peak = words->peak;
	mount->count.bytes_in = mount->bytes_in_before = words->bytes_in;
	mount->count.bytes_out = words->bytes_out;
	mount->count.joins = words->joins;
	mount->count.skips = words->skips;
	mount->count.slow_drops = words->slow_drops;
	if (mount->feed)
		radio_feed_claim(mount->feed);
	else
		mount->state = MOUNT_OFF;
	if (words->id > ids)
		ids = words->id;
	hub_ids_from(words->source.id);
}

RUNS_ON(on_control) static void mount_adopt(uint32_t row, const struct mount_words *words)
{
	struct mount *mount = calloc(1, sizeof *mount), **last = &mounts;
	struct mount_rules *rules = mount ? rules_make(radio_mount_conf(words->name)) : NULL;

	if (!rules) {
		free(mount);
		return;
	}
	mount->row = row;
	words_take(mount, words);
	rules_put(mount, rules);
	uv_timer_init(loop, &mount->linger);
	if (mount->state == MOUNT_LINGERING)
		uv_timer_start(&mount->linger, on_linger_over, mount_conf(mount)->linger, 0);
	source_count += mount->has_source;
	while (*last)
		last = &(*last)->next;
	*last = mount;
}

int mount_hub_adopt(uv_loop_t *control_loop)
{
	loop = control_loop;
	uv_timer_init(loop, &health);
	ledger_each(mount_adopt);
	players_adopt(loop);
	/* Every worker gets to know them; what is to be heard follows. */
	for (struct mount *mount = mounts; mount; mount = mount->next)
		mount_tune(mount, NULL);
	return 0;
}

struct mount *mount_of_id(uint64_t id)
{
	struct mount *mount = mounts;

	while (mount && mount->id != id)
		mount = mount->next;
	return mount;
}

void mount_has_left(struct mount *mount, uint64_t id, struct worker *worker)
{
	if (mount->has_source && mount->source.id == id)
		mount->source.worker = worker;
}

void mount_hub_settle(void)
{
	for (struct mount *mount = mounts, *next; mount; mount = next) {
		next = mount->next;
		mount->was_live = mount->state != MOUNT_OFF;
		if (mount->state == MOUNT_LIVE && mount->source.worker)
			dump_follow(mount, loop);
		if (mount->has_source && !mount->source.worker) {
			log_warnx("radio", "source lost", kv_str("mount", mount->name));
			mount_lost_source(mount);
		} else if (!mount->has_source && mount->state == MOUNT_LIVE) {
			mount->state = MOUNT_LINGERING;
			uv_timer_start(&mount->linger, on_linger_over, mount_conf(mount)->linger,
				       0);
		}
	}
}

void mount_hub_part(void)
{
	stopping = true;
	uv_timer_stop(&health);
	for (struct mount *mount = mounts; mount; mount = mount->next) {
		uv_timer_stop(&mount->linger);
		dump_end(mount);
		if (mount->player)
			player_leave(mount->player);
		mount->player = NULL;
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
	stopping = false;
	/* First, for mount_hub_stop() closes it whatever happens. */
	if (!health.loop)
		uv_timer_init(loop, &health);
	if (!mounts_of_file(conf))
		return -ENOMEM;
	uv_timer_start(&health, on_health, HEALTH_MS, HEALTH_MS);
	retune();
	return 0;
}

/* Its file is to end; who hears it is told by the next retune(). */
RUNS_ON(on_control) static void player_part(struct mount *mount)
{
	mount->leaving = mount->player;
	mount->player = NULL;
}

/* After that. */
RUNS_ON(on_control) static void players_dismiss(void)
{
	for (struct mount *mount = mounts; mount; mount = mount->next) {
		if (mount->leaving)
			player_stop(mount->leaving);
		mount->leaving = NULL;
	}
}

/* The settings of a mount that stays. The file that it plays ends when there is to be another. */
RUNS_ON(on_control) static bool mount_renew(struct mount *mount)
{
	struct mount_rules *rules = rules_make(radio_mount_conf(mount->name));

	free(mount->fallback_said);
	mount->fallback_said = NULL;
	mount->hidden_is_said = false;
	mount_save(mount);
	if (!rules)
		return false;
	rules_put(mount, rules);
	dump_follow(mount, loop);
	if (mount->player && !player_plays(mount->player, rules->conf.fallback_file))
		player_part(mount);
	return true;
}

bool mount_hub_reload(const struct conf *conf)
{
	struct mount *next;
	bool done = mounts_of_file(conf);

	for (struct mount *mount = mounts; mount; mount = mount->next)
		done &= mount_renew(mount);
	retune();
	players_dismiss();
	for (struct mount *mount = mounts; mount; mount = mount->next)
		mount_tune(mount, mount->heard);
	for (struct mount *mount = mounts; mount; mount = next) {
		next = mount->next;
		mount_drop_unused(mount);
	}
	return done;
}

void mount_hub_stop(void)
{
	stopping = true;
	if (!loop)
		return; /* it never started */
	history_tick();
	uv_close((uv_handle_t *)&health, NULL);
	for (struct mount *mount = mounts; mount; mount = mount->next)
		player_part(mount);
	retune();
	players_dismiss();
}

void mount_hub_fini(void)
{
	while (mounts) {
		struct mount *mount = mounts;

		mounts = mount->next;
		dump_end(mount);
		if (mount->feed)
			radio_feed_free(container_of(mount->feed, struct radio_feed, feed));
		uv_close((uv_handle_t *)&mount->linger, on_mount_closed);
	}
}
