#include "radio/radio_facts.h"

#include "core/clock.h"
#include "core/metric.h"
#include "edge/api_server.h"
#include "edge/edge.h"
#include "edge/tree.h"
#include "edge/trend.h"
#include "radio/radio_limit.h"
#include "radio/radio_status.h"

static int64_t count(const _Atomic uint64_t *counter)
{
	return (int64_t)atomic_load_explicit(counter, memory_order_relaxed);
}

static int64_t small(const _Atomic uint32_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

/* --- mounts --------------------------------------------------------------------------------- */

/* What both say of it: what is heard, from whoever is heard. */
RUNS_ON(on_control) static json_t *heard_tree(const struct mount *mount)
{
	const struct mount *from = mount_heard_from(mount);
	struct station station = mount_station(mount);
	json_t *tree = json_object();

	tree_text(tree, "mount", mount->name);
	tree_text(tree, "state", mount_state_name(mount));
	tree_text(tree, "name", station.name);
	tree_text(tree, "description", station.description);
	tree_text(tree, "genre", station.genre);
	tree_text(tree, "url", station.url);
	tree_text(tree, "title", from->title);
	tree_text(tree, "title_url", from->title_url);
	tree_time(tree, "title_since", from->title[0] ? from->title_since_us : 0);
	tree_text(tree, "content_type", status_type(mount));
	tree_text(tree, "codec", from->source.about.codec);
	tree_number(tree, "bitrate", status_bitrate(mount));
	tree_number(tree, "sample_rate", from->source.about.sample_rate);
	tree_number(tree, "channels", from->source.about.channels);
	return tree;
}

/* What everybody sees; schema PublicMount. */
RUNS_ON(on_control) static json_t *facts_public_mount(const struct mount *mount)
{
	json_t *tree = heard_tree(mount);

	if (edge_settings()->conf.server_show_listeners)
		tree_number(tree, "listeners", small(&mount->count.listeners));
	return tree;
}

static json_t *source_tree(const struct mount *mount)
{
	const struct mount_source *source = &mount->source;
	char address[ADDRESS_TEXT_MAX + 1];
	json_t *tree;

	if (!mount->has_source)
		return json_null();
	tree = json_object();
	tree_text(tree, "address", address_text(&source->address, address));
	tree_text(tree, "agent", source->agent);
	tree_text(tree, "user", source->user);
	tree_text(tree, "protocol", source->protocol);
	tree_time(tree, "since", source->since_wall_us);
	tree_text(tree, "name", source->station.name);
	tree_bool(tree, "public", source->station.is_public);
	return tree;
}

static json_t *limits_tree(const struct mount_conf *conf)
{
	json_t *tree = json_object();

	tree_number(tree, "max_listeners", (int64_t)conf->max_listeners);
	tree_number(tree, "max_listeners_per_address", (int64_t)conf->max_listeners_per_address);
	tree_number(tree, "max_bandwidth", (int64_t)conf->max_bandwidth);
	tree_number(tree, "max_duration", (int64_t)(conf->max_duration / 1000));
	tree_number(tree, "burst", (int64_t)conf->burst);
	tree_number(tree, "lag_limit_ms", (int64_t)conf->lag_limit);
	tree_number(tree, "source_timeout_ms", (int64_t)conf->source_timeout);
	tree_bool(tree, "takeover", conf->takeover);
	tree_bool(tree, "low_latency", conf->low_latency);
	return tree;
}

json_t *facts_mount(const struct mount *mount)
{
	const struct mount *from = mount_heard_from(mount);
	json_t *tree = heard_tree(mount);

	tree_number(tree, "listeners", small(&mount->count.listeners));
	tree_number(tree, "listeners_peak", small(&mount->count.peak));
	tree_text(tree, "heard_from",
		  from != mount                               ? from->name
		  : mount->heard && mount->state == MOUNT_OFF ? mount_conf(mount)->fallback_file
							      : "");
	tree_text(tree, "fallback", mount_fallback(mount));
	tree_text(tree, "fallback_file", mount_conf(mount)->fallback_file);
	tree_bool(tree, "fallback_said", mount->fallback_said != NULL);
	tree_bool(tree, "hidden", mount_hidden(mount));
	tree_bool(tree, "configured", mount->configured);
	tree_number(tree, "rate_in", small(&mount->count.bitrate));
	tree_number(tree, "bytes_in", count(&mount->count.bytes_in));
	tree_number(tree, "bytes_out", count(&mount->count.bytes_out));
	tree_number(tree, "joins", count(&mount->count.joins));
	tree_number(tree, "skips", count(&mount->count.skips));
	tree_number(tree, "slow", count(&mount->count.slow_drops));
	json_object_set_new(tree, "source", source_tree(mount));
	json_object_set_new(tree, "limits", limits_tree(mount_conf(mount)));
	return tree;
}

json_t *facts_mounts(void)
{
	json_t *tree = json_object();

	enter_control();
	for (const struct mount *mount = mount_first(); mount; mount = mount->next)
		json_object_set_new(tree, mount->name, facts_mount(mount));
	return tree;
}

json_t *facts_public_mounts(void)
{
	json_t *tree = json_object();

	enter_control();
	for (const struct mount *mount = mount_first(); mount; mount = mount->next)
		if (!mount_hidden(mount))
			json_object_set_new(tree, mount->name, facts_public_mount(mount));
	return tree;
}

/* --- listeners ------------------------------------------------------------------------------ */

int64_t facts_lag_ms(const struct listener *listener)
{
	const struct tap *tap = tap_find(listener->feed);
	uint64_t head = tap ? ring_head_pos(tap_ring(tap)) : 0;

	if (!tap || !listener->bytes_per_second || listener->flags & LISTENER_TAIL)
		return -1;
	if (head <= listener->pos)
		return 0;
	return (int64_t)((head - listener->pos) * 1000 / listener->bytes_per_second);
}

json_t *facts_listener(const struct listener *listener, const char *mount, int64_t lag_ms)
{
	struct address address = {.port = listener->port};
	char text[ADDRESS_TEXT_MAX + 1];
	json_t *tree = json_object();

	memcpy(address.ip, listener->ip, sizeof address.ip);
	tree_number(tree, "id", (int64_t)listener->id);
	tree_text(tree, "mount", mount);
	tree_text(tree, "address", address_text(&address, text));
	tree_text(tree, "agent", listener->agent);
	tree_time(tree, "since", listener->since_wall_us);
	json_object_set_new(tree, "lag_ms", lag_ms < 0 ? json_null() : json_integer(lag_ms));
	tree_number(tree, "sent", (int64_t)listener->sent);
	tree_number(tree, "skips", listener->skips);
	tree_number(tree, "lost", (int64_t)listener->lost);
	tree_bool(tree, "titles", listener->icy.interval != 0);
	return tree;
}

/* --- the radio as a whole ------------------------------------------------------------------- */

void facts_server(json_t *tree)
{
	enter_control();
	tree_number(tree, "listeners", limit_listeners());
	tree_number(tree, "sources", mount_sources());
	tree_number(tree, "bytes_in", metric_sum(METRIC_radio_bytes_in));
	tree_number(tree, "bytes_out", metric_sum(METRIC_radio_bytes_out));
	tree_number(tree, "skips", metric_sum(METRIC_radio_skips));
	tree_number(tree, "slow", metric_sum(METRIC_radio_listeners_slow));
	tree_number(tree, "refused", metric_sum(METRIC_radio_listeners_full));
}

void facts_sample(void)
{
	char name[FEED_NAME_MAX + 16];

	enter_control();
	trend_put("listeners", limit_listeners());
	trend_put_count("bytes_in", (uint64_t)metric_sum(METRIC_radio_bytes_in));
	trend_put_count("bytes_out", (uint64_t)metric_sum(METRIC_radio_bytes_out));
	for (const struct mount *mount = mount_first(); mount; mount = mount->next) {
		snprintf(name, sizeof name, "mount:%s", mount->name);
		trend_put(name, (double)small(&mount->count.listeners));
	}
}

void facts_health(json_t *list)
{
	unsigned live = 0, stalled = 0, off = 0;
	int64_t slow, skips;

	enter_control();
	for (const struct mount *mount = mount_first(); mount; mount = mount->next) {
		live += mount->state == MOUNT_LIVE;
		stalled += mount->stalled;
		off += mount->configured && !mount->heard;
	}
	health_say(list, "sources", stalled ? HEALTH_WARNING : HEALTH_GOOD,
		   "%u on the air, %u of them silent.", live, stalled);
	health_say(list, "mounts", HEALTH_GOOD, "%u of the settings have nothing to be heard.",
		   off);
	slow = metric_sum(METRIC_radio_listeners_slow);
	skips = metric_sum(METRIC_radio_skips);
	health_say(list, "delivery", HEALTH_GOOD,
		   "%lld listeners were too slow and let go, %lld skips.", (long long)slow,
		   (long long)skips);
}
