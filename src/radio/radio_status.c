#include "radio/radio_status.h"

#include "core/clock.h"
#include "core/metric.h"
#include "edge/document.h"
#include "edge/edge.h"
#include "edge/proto/http_date.h"
#include "edge/proto/url.h"
#include "edge/proto/xml.h"
#include "radio/radio_auth_url.h"
#include "radio/radio_limit.h"

static int64_t started_us OWNED_BY(on_control);

void status_started(int64_t wall_us)
{
	started_us = wall_us;
}

/* --- pieces --------------------------------------------------------------------------------- */

static void put_text(json_t *tree, const char *key, const char *text)
{
	json_object_set_new(tree, key, document_text(text));
}

static void put_said(json_t *tree, const char *key, const char *text)
{
	if (text && text[0])
		put_text(tree, key, text);
}

static void put_number(json_t *tree, const char *key, uint64_t number)
{
	json_object_set_new(tree, key, json_integer((json_int_t)number));
}

static void put_known(json_t *tree, const char *key, uint64_t number)
{
	if (number)
		put_number(tree, key, number);
}

static void put_date(json_t *tree, const char *key, int64_t wall_us,
		     void (*write)(struct writer *, int64_t))
{
	char room[40];
	struct writer w = writer_of(room, sizeof room - 1);

	write(&w, wall_us / 1000000);
	room[w.len] = '\0';
	put_text(tree, key, room);
}

struct bytes status_listen_url(struct site site, struct bytes mount, struct writer *w)
{
	const struct edge_conf *conf = &edge_settings()->conf;

	if (conf->http_public_url[0]) {
		struct bytes base = bytes_str(conf->http_public_url);

		writer_put(w, bytes_end_with(base, BYTES("/")) ? bytes_first(base, base.len - 1)
							       : base);
	} else {
		writer_str(w, site.secure ? "https://" : "http://");
		if (site.host.len) {
			writer_put(w, site.host);
		} else {
			writer_str(w, conf->http_hostname);
			writer_str(w, ":");
			writer_dec(w, edge_port());
		}
	}
	url_encode_path(w, mount);
	return writer_done(w);
}

static void put_listen_url(json_t *tree, const char *key, const struct mount *mount,
			   struct site site)
{
	char room[2048];
	struct writer w = writer_of(room, sizeof room - 1);

	status_listen_url(site, bytes_str(mount->name), &w);
	room[w.len] = '\0';
	put_text(tree, key, room);
}

static uint64_t count(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static uint32_t listeners_of(const struct mount *mount)
{
	return atomic_load_explicit(&mount->count.listeners, memory_order_relaxed);
}

static uint32_t peak_of(const struct mount *mount)
{
	return atomic_load_explicit(&mount->count.peak, memory_order_relaxed);
}

/* kbit/s: what the encoder said, else what its frames say, else what comes in. */
uint32_t status_bitrate(const struct mount *mount)
{
	uint32_t measured;

	mount = mount_heard_from(mount);
	measured = atomic_load_explicit(&mount->count.bitrate, memory_order_relaxed);
	if (mount->source.station.bitrate)
		return mount->source.station.bitrate;
	if (mount->source.about.bitrate)
		return mount->source.about.bitrate / 1000;
	return (measured + 500) / 1000;
}

const char *status_type(const struct mount *mount)
{
	if (mount_conf(mount)->content_type && mount_conf(mount)->content_type[0])
		return mount_conf(mount)->content_type;
	return mount->heard ? mount->heard->type : mount->source.content_type;
}

RUNS_ON(on_control) static void put_server(json_t *tree)
{
	const struct edge_conf *conf = &edge_settings()->conf;

	put_text(tree, "admin", conf->server_contact);
	put_text(tree, "host", conf->http_hostname);
	put_text(tree, "location", conf->server_location);
	/* Readers look for "Icecast" to know which calls there are. */
	put_text(tree, "server_id", "Icecast 2.4.4 (ringmain " RINGMAIN_VERSION ")");
	put_date(tree, "server_start", started_us, http_date_write_mail);
	put_date(tree, "server_start_iso8601", started_us, http_date_write_iso);
}

/* --- Icecast's ------------------------------------------------------------------------------ */

/* What both the public and the administrator's statistics say of a mount, in Icecast's words. */
RUNS_ON(on_control)
static void put_source(json_t *tree, const struct mount *mount, struct site site)
{
	const struct mount_source *heard = &mount_heard_from(mount)->source;
	struct station station = mount_station(mount);

	put_said(tree, "audio_info", station.audio_info);
	put_known(tree, "bitrate", status_bitrate(mount));
	put_known(tree, "channels", heard->about.channels);
	put_said(tree, "genre", station.genre);
	put_known(tree, "ice-bitrate", station.bitrate);
	put_known(tree, "ice-channels", station.channels);
	put_known(tree, "ice-samplerate", station.samplerate);
	put_number(tree, "listener_peak", peak_of(mount));
	put_number(tree, "listeners", listeners_of(mount));
	put_listen_url(tree, "listenurl", mount, site);
	put_known(tree, "samplerate", heard->about.sample_rate);
	put_text(tree, "server_description",
		 station.description[0] ? station.description : "Unspecified description");
	put_text(tree, "server_name", station.name[0] ? station.name : "no name");
	put_text(tree, "server_type", status_type(mount));
	put_said(tree, "server_url", station.url);
	if (heard->since_wall_us) {
		put_date(tree, "stream_start", heard->since_wall_us, http_date_write_mail);
		put_date(tree, "stream_start_iso8601", heard->since_wall_us, http_date_write_iso);
	}
	put_said(tree, "title", mount_heard_from(mount)->title);
}

json_t *status_public(struct site site, struct bytes only)
{
	json_t *tree = json_object(), *sources = json_array();

	put_server(tree);
	for (const struct mount *mount = mount_first(); mount; mount = mount->next) {
		json_t *source;

		if (!mount->heard || mount_hidden(mount))
			continue;
		if (only.len && !bytes_equal(bytes_str(mount->name), only))
			continue;
		source = json_object();
		put_source(source, mount, site);
		json_object_set_new(source, "dummy", json_null());
		json_array_append_new(sources, source);
	}
	/* As Icecast: an object for one, an array for several, nothing for none. */
	if (json_array_size(sources) == 1)
		json_object_set(tree, "source", json_array_get(sources, 0));
	else if (json_array_size(sources) > 1)
		json_object_set(tree, "source", sources);
	json_decref(sources);
	json_object_set_new(tree, "dummy", json_null());
	return tree;
}

RUNS_ON(on_control) static json_t *admin_source(const struct mount *mount, struct site site)
{
	json_t *source = json_object();
	char address[ADDRESS_TEXT_MAX + 1];
	bool is_public = mount_station(mount).is_public;

	put_text(source, "@mount", mount->name);
	if (mount_conf(mount)->htpasswd[0])
		put_text(source, "authenticator", "htpasswd");
	else if (auth_url_wanted(mount_conf(mount), AUTH_LISTENER))
		put_text(source, "authenticator", "url");
	put_source(source, mount, site);
	if (mount_conf(mount)->max_listeners)
		put_number(source, "max_listeners", mount_conf(mount)->max_listeners);
	else
		put_text(source, "max_listeners", "unlimited");
	put_number(source, "public", is_public);
	put_number(source, "slow_listeners", count(&mount->count.slow_drops));
	put_text(source, "source_ip", address_text(&mount->source.address, address));
	put_number(source, "total_bytes_read", count(&mount->count.bytes_in));
	put_number(source, "total_bytes_sent", count(&mount->count.bytes_out));
	put_said(source, "user_agent", mount->source.agent);
	put_text(source, "state", mount_state_name(mount));
	put_number(source, "skips", count(&mount->count.skips));
	return source;
}

json_t *status_admin(const struct mount *only, struct site site)
{
	json_t *tree = json_object(), *sources = json_array();
	uint64_t live = 0, come = (uint64_t)metric_sum(METRIC_radio_sources_come);

	put_server(tree);
	put_number(tree, "clients", edge_connections());
	put_number(tree, "client_connections", (uint64_t)metric_sum(METRIC_edge_requests));
	put_number(tree, "connections", (uint64_t)metric_sum(METRIC_edge_connections_accepted));
	put_number(tree, "listeners", limit_listeners());
	put_number(tree, "listener_connections", (uint64_t)metric_sum(METRIC_radio_listeners_come));
	put_number(tree, "file_connections", (uint64_t)metric_sum(METRIC_edge_files));
	put_number(tree, "source_client_connections", come);
	put_number(tree, "source_total_connections", come);
	/* Readers expect Icecast's relays and its STATS clients; here there are none. */
	put_number(tree, "source_relay_connections", 0);
	put_number(tree, "stats", 0);
	put_number(tree, "stats_connections", 0);
	for (const struct mount *mount = mount_first(); mount; mount = mount->next) {
		live += mount->has_source;
		if ((only && mount != only) || (!only && !mount->heard))
			continue;
		json_array_append_new(sources, admin_source(mount, site));
	}
	put_number(tree, "sources", live);
	json_object_set_new(tree, "source", sources);
	return tree;
}

json_t *status_mounts(void)
{
	json_t *tree = json_object(), *sources = json_array();

	for (const struct mount *mount = mount_first(); mount; mount = mount->next) {
		json_t *source;
		int64_t began = mount_heard_from(mount)->source.since_wall_us;
		int64_t since = began ? wall_now_us() - began : 0;

		if (!mount->heard)
			continue;
		source = json_object();
		put_text(source, "@mount", mount->name);
		put_text(source, "fallback", mount_fallback(mount));
		put_number(source, "listeners", listeners_of(mount));
		put_number(source, "Connected", (uint64_t)(since / 1000000));
		put_text(source, "content-type", status_type(mount));
		json_array_append_new(sources, source);
	}
	json_object_set_new(tree, "source", sources);
	return tree;
}

/* --- the pages' ----------------------------------------------------------------------------- */

RUNS_ON(on_control) static json_t *page_mount(const struct mount *mount, struct site site)
{
	const struct mount_source *heard = &mount_heard_from(mount)->source;
	struct station station = mount_station(mount);
	json_t *tree = json_object();

	put_text(tree, "mount", mount->name);
	put_text(tree, "name", station.name);
	put_text(tree, "description", station.description);
	put_text(tree, "genre", station.genre);
	put_text(tree, "url", station.url);
	put_text(tree, "content_type", status_type(mount));
	put_text(tree, "codec", heard->about.codec);
	put_number(tree, "bitrate", status_bitrate(mount));
	put_number(tree, "sample_rate", heard->about.sample_rate);
	put_number(tree, "channels", heard->about.channels);
	if (edge_settings()->conf.server_show_listeners) {
		put_number(tree, "listeners", listeners_of(mount));
		put_number(tree, "listeners_peak", peak_of(mount));
	}
	put_text(tree, "title", mount_heard_from(mount)->title);
	if (mount->title_since_us)
		put_date(tree, "title_since", mount->title_since_us, http_date_write_iso);
	put_text(tree, "state", mount_state_name(mount));
	if (mount->has_source)
		put_date(tree, "started", mount->source.since_wall_us, http_date_write_iso);
	put_listen_url(tree, "listen_url", mount, site);
	return tree;
}

json_t *status_page(struct site site)
{
	const struct edge_conf *conf = &edge_settings()->conf;
	json_t *tree = json_object(), *server = json_object(), *list = json_array();

	put_text(server, "name", conf->server_name);
	put_text(server, "version", RINGMAIN_VERSION);
	put_text(server, "location", conf->server_location);
	put_text(server, "contact", conf->server_contact);
	put_date(server, "started", started_us, http_date_write_iso);
	if (conf->server_show_listeners)
		put_number(server, "listeners", limit_listeners());
	json_object_set_new(tree, "server", server);
	for (const struct mount *mount = mount_first(); mount; mount = mount->next)
		if (!mount_hidden(mount))
			json_array_append_new(list, page_mount(mount, site));
	json_object_set_new(tree, "mounts", list);
	return tree;
}

void status_write_login_url(struct writer *w, struct site site, struct bytes mount,
			    struct bytes user, struct bytes password)
{
	char room[2048];
	struct writer url = writer_of(room, sizeof room);
	struct bytes whole = status_listen_url(site, mount, &url);
	size_t scheme = bytes_find_nocase(whole, BYTES("://")) + 3;

	writer_put(w, bytes_first(whole, scheme));
	url_encode_component(w, user);
	writer_str(w, ":");
	url_encode_component(w, password);
	writer_str(w, "@");
	writer_put(w, bytes_skip(whole, scheme));
}

void status_write_7(struct writer *w, const struct mount *mount)
{
	bool up = mount && mount->heard;
	uint64_t numbers[6] = {
		up ? listeners_of(mount) : 0, up,
		mount ? peak_of(mount) : 0,   mount ? mount_conf(mount)->max_listeners : 0,
		up ? listeners_of(mount) : 0, up ? status_bitrate(mount) : 0,
	};

	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		writer_dec(w, numbers[i]);
		writer_str(w, ",");
	}
	xml_escape(w, bytes_str(up ? mount->title : ""));
}

/* --- numbers -------------------------------------------------------------------------------- */

struct mount_metric {
	const char *name, *type, *help;
	uint64_t (*value)(const struct mount *mount);
};

static uint64_t value_listeners(const struct mount *mount)
{
	return listeners_of(mount);
}

static uint64_t value_up(const struct mount *mount)
{
	return mount->state == MOUNT_LIVE && !mount->stalled;
}

static uint64_t value_in(const struct mount *mount)
{
	return count(&mount->count.bytes_in);
}

static uint64_t value_out(const struct mount *mount)
{
	return count(&mount->count.bytes_out);
}

static uint64_t value_skips(const struct mount *mount)
{
	return count(&mount->count.skips);
}

static uint64_t value_slow(const struct mount *mount)
{
	return count(&mount->count.slow_drops);
}

void status_metrics(FILE *out)
{
	static const struct mount_metric metrics[] = {
		{"radio_mount_up", "gauge", "1 while the mount's encoder sends.", value_up},
		{"radio_mount_listeners", "gauge", "Listeners of the mount.", value_listeners},
		{"radio_mount_bytes_in_total", "counter", "Bytes from its encoders.", value_in},
		{"radio_mount_bytes_out_total", "counter", "Bytes to its listeners.", value_out},
		{"radio_mount_skips_total", "counter", "Skips of its slow listeners.", value_skips},
		{"radio_mount_slow_total", "counter", "Listeners dropped as too slow.", value_slow},
	};

	for (size_t i = 0; i < COUNT_OF(metrics); i++) {
		metric_write_head(out, metrics[i].name, metrics[i].type, metrics[i].help);
		for (const struct mount *mount = mount_first(); mount; mount = mount->next)
			metric_write_sample(out, metrics[i].name, (int64_t)metrics[i].value(mount),
					    "mount", mount->name, NULL);
	}
}
