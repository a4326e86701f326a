#include "radio/radio_directory.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "edge/document.h"
#include "edge/edge.h"
#include "edge/fetch.h"
#include "edge/proto/charset.h"
#include "edge/proto/url.h"
#include "radio/radio.h"
#include "radio/radio_mount.h"
#include "radio/radio_status.h"

#define TICK_MS    500
#define BODY_MAX   8192u
#define FREQ_LEAST 30 /* seconds: nobody is to be touched more often */
#define STOP_MS    2000

enum listing_state { LISTING_NEW, LISTING_LISTED, LISTING_ENDING };

/* One mount in one directory. */
struct listing {
	struct listing *next;
	char mount[FEED_NAME_MAX + 1];
	char url[FETCH_URL_MAX];
	enum listing_state state;
	bool wanted;
	struct fetch fetch;
	char sid[128];
	uint64_t interval_ms;
	mono_t due;
	uint64_t touches;
	int64_t since_wall_us;
	char error[160];
};

static struct listing *listings OWNED_BY(on_control);
static uv_timer_t tick;
static uv_loop_t *loop OWNED_BY(on_control);
static bool stopping OWNED_BY(on_control);

RUNS_ON(on_control) static const struct directory_conf *settings(void)
{
	return directory_conf_of(radio_settings());
}

/* --- what is sent --------------------------------------------------------------------------- */

/* What Icecast calls the subtype: the codecs of a container. */
static const char *subtype_of(const struct mount *mount)
{
	static const struct {
		const char *codec, *name;
	} names[] = {{"vorbis", "Vorbis"}, {"opus", "Opus"},     {"flac", "FLAC"},
		     {"speex", "Speex"},   {"theora", "Theora"}, {"ogg flac", "FLAC"}};
	const char *codec = mount->source.about.codec;

	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (strcmp(codec, names[i].codec) == 0)
			return names[i].name;
	return "";
}

RUNS_ON(on_control) static struct bytes bitrate_of(const struct mount *mount, char out[16])
{
	uint32_t rate = mount->source.station.bitrate;

	if (!rate)
		rate = mount->source.about.bitrate / 1000;
	if (!rate)
		rate = atomic_load_explicit(&mount->count.bitrate, memory_order_relaxed) / 1000;
	snprintf(out, 16, "%u", rate);
	return bytes_str(out);
}

RUNS_ON(on_control) static void write_add(struct writer *w, const struct mount *mount)
{
	struct station station = mount_station(mount);
	const struct edge_conf *edge = &edge_settings()->conf;
	char bitrate[16], listen[1024];
	struct writer url = writer_of(listen, sizeof listen);

	url_form_put(w, "action", BYTES("add"));
	url_form_put(w, "sn", bytes_str(station.name[0] ? station.name : edge->server_name));
	url_form_put(w, "genre", bytes_str(station.genre[0] ? station.genre : "various"));
	url_form_put(w, "cpswd", BYTES(""));
	url_form_put(w, "desc", bytes_str(station.description));
	url_form_put(w, "url", bytes_str(station.url));
	url_form_put(w, "listenurl",
		     status_listen_url((struct site){0}, bytes_str(mount->name), &url));
	url_form_put(w, "type",
		     bytes_str(mount->source.content_type[0] ? mount->source.content_type
							     : mount->feed->type));
	url_form_put(w, "stype", bytes_str(subtype_of(mount)));
	url_form_put(w, "b", bitrate_of(mount, bitrate));
	/* As Icecast does: all of it is one field's name. */
	if (station.audio_info[0]) {
		writer_str(w, "&");
		url_encode_component(w, bytes_str(station.audio_info));
	}
	writer_str(w, "\r\n");
}

RUNS_ON(on_control)
static void write_touch(struct writer *w, const struct listing *listing, const struct mount *mount)
{
	uint64_t most = mount_conf(mount)->max_listeners;

	url_form_put(w, "action", BYTES("touch"));
	url_form_put(w, "sid", bytes_str(listing->sid));
	url_form_put(w, "st", bytes_str(mount->title));
	url_form_put_dec(w, "listeners",
			 atomic_load_explicit(&mount->count.listeners, memory_order_relaxed));
	if (most)
		url_form_put_dec(w, "max_listeners", most);
	else
		url_form_put(w, "max_listeners", BYTES("unlimited"));
	url_form_put(w, "stype", bytes_str(subtype_of(mount)));
	writer_str(w, "\r\n");
}

/* --- conversations -------------------------------------------------------------------------- */

static bool is_accepted(const struct fetch *fetch)
{
	return fetch->result == FETCH_OK && fetch->status == 200 &&
	       bytes_equal(fetch_header(fetch, "YPResponse"), BYTES("1"));
}

RUNS_ON(on_control) static void take_interval(struct listing *listing)
{
	uint64_t seconds;

	if (bytes_to_u64(fetch_header(&listing->fetch, "TouchFreq"), 86400, &seconds))
		listing->interval_ms = (seconds < FREQ_LEAST ? FREQ_LEAST : seconds) * 1000;
}

RUNS_ON(on_control) static void listing_failed(struct listing *listing)
{
	const struct fetch *fetch = &listing->fetch;
	struct bytes said = fetch_header(fetch, "YPMessage");
	char why[160], url[256];

	if (said.len)
		charset_to_field(said, CHARSET_UTF8, why, sizeof why);
	else if (fetch->status)
		snprintf(why, sizeof why, "it answered %u", fetch->status);
	else
		bytes_to_str(bytes_str(fetch->error), why, sizeof why);
	fetch_url_show(listing->url, url, sizeof url);
	if (strcmp(why, listing->error) != 0)
		log_warnx("radio", "directory refused", kv_str("mount", listing->mount),
			  kv_str("directory", url), kv_str("why", why));
	bytes_to_str(bytes_str(why), listing->error, sizeof listing->error);
	metric_add(METRIC_radio_directory_failures, 1);
	/* A touch that is not known any more: announced again at once. */
	if (listing->state == LISTING_LISTED)
		listing->due = mono_now();
	else
		listing->due = mono_add_ms(mono_now(), (int64_t)settings()->retry);
	listing->state = LISTING_NEW;
	listing->sid[0] = '\0';
}

RUNS_ON(on_control) static void listing_free(struct listing *listing)
{
	struct listing **link = &listings;

	while (*link != listing)
		link = &(*link)->next;
	*link = listing->next;
	fetch_fini(&listing->fetch);
	free(listing);
}

static void on_done(struct fetch *fetch)
{
	struct listing *listing = container_of(fetch, struct listing, fetch);

	enter_control();
	if (listing->state == LISTING_ENDING) {
		listing_free(listing);
		return;
	}
	if (!is_accepted(fetch) ||
	    (listing->state == LISTING_NEW && !fetch_header(fetch, "SID").len)) {
		listing_failed(listing);
		return;
	}
	take_interval(listing);
	if (listing->state == LISTING_NEW) {
		bytes_to_str(fetch_header(fetch, "SID"), listing->sid, sizeof listing->sid);
		listing->state = LISTING_LISTED;
		listing->since_wall_us = wall_now_us();
		listing->due = mono_now(); /* the title and listeners follow at once */
		log_info("radio", "directory lists", kv_str("mount", listing->mount));
	} else {
		listing->touches++;
		listing->due = mono_add_ms(mono_now(), (int64_t)listing->interval_ms);
	}
	listing->error[0] = '\0';
}

RUNS_ON(on_control) static void listing_send(struct listing *listing, struct bytes body)
{
	struct fetch_request request = {
		.method = "POST",
		.url = listing->url,
		.body = body,
		.timeout_ms = stopping ? STOP_MS : settings()->timeout,
		.body_max = 65536,
		.done = on_done,
	};

	metric_add(METRIC_radio_directory_calls, 1);
	if (fetch_start(&listing->fetch, &request) != 0)
		listing->due = mono_add_ms(mono_now(), (int64_t)settings()->retry);
}

RUNS_ON(on_control) static void listing_end(struct listing *listing)
{
	char body[512];
	struct writer w = writer_of(body, sizeof body);

	if (listing->state == LISTING_ENDING)
		return;
	fetch_cancel(&listing->fetch);
	if (listing->state == LISTING_NEW) {
		listing_free(listing);
		return;
	}
	listing->state = LISTING_ENDING;
	url_form_put(&w, "action", BYTES("remove"));
	url_form_put(&w, "sid", bytes_str(listing->sid));
	writer_str(&w, "\r\n");
	listing_send(listing, writer_done(&w));
	if (!fetch_is_running(&listing->fetch))
		listing_free(listing);
}

RUNS_ON(on_control) static void listing_step(struct listing *listing, mono_t now)
{
	const struct mount *mount = mount_find(bytes_str(listing->mount));
	char body[BODY_MAX];
	struct writer w = writer_of(body, sizeof body);

	if (!listing->wanted || !mount) {
		listing_end(listing);
		return;
	}
	if (listing->state == LISTING_ENDING || fetch_is_running(&listing->fetch) ||
	    mono_before(now, listing->due))
		return;
	if (listing->state == LISTING_NEW)
		write_add(&w, mount);
	else
		write_touch(&w, listing, mount);
	if (writer_ok(&w))
		listing_send(listing, writer_done(&w));
	else
		listing->due = mono_add_ms(now, (int64_t)settings()->retry);
}

/* --- which ---------------------------------------------------------------------------------- */

RUNS_ON(on_control) static bool is_public(const struct mount *mount)
{
	struct station station = mount_station(mount);
	int64_t age_ms = (wall_now_us() - mount->source.since_wall_us) / 1000;

	return !stopping && mount->state != MOUNT_OFF && mount->feed && station.is_public &&
	       !mount_conf(mount)->hidden && age_ms >= (int64_t)settings()->after;
}

RUNS_ON(on_control) static void listing_want(const struct mount *mount, const char *url)
{
	struct listing *listing = listings;

	while (listing &&
	       (listing->state == LISTING_ENDING || strcmp(listing->mount, mount->name) != 0 ||
		strcmp(listing->url, url) != 0))
		listing = listing->next;
	if (!listing) {
		listing = calloc(1, sizeof *listing);
		if (!listing)
			return;
		bytes_to_str(bytes_str(mount->name), listing->mount, sizeof listing->mount);
		bytes_to_str(bytes_str(url), listing->url, sizeof listing->url);
		listing->interval_ms = settings()->interval;
		listing->due = mono_now();
		listing->since_wall_us = wall_now_us();
		listing->next = listings;
		listings = listing;
	}
	listing->wanted = true;
}

static void on_tick(uv_timer_t *timer)
{
	const struct conf_list *urls;
	mono_t now = mono_now();
	struct listing *next;

	(void)timer;
	enter_control();
	urls = &settings()->url;
	if (!urls->count && !listings)
		return;
	for (struct listing *listing = listings; listing; listing = listing->next)
		listing->wanted = false;
	for (const struct mount *mount = mount_first(); mount; mount = mount->next)
		for (size_t i = 0; is_public(mount) && i < urls->count; i++)
			listing_want(mount, urls->at[i]);
	for (struct listing *listing = listings; listing; listing = next) {
		next = listing->next;
		listing_step(listing, now);
	}
}

json_t *directory_tree(void)
{
	static const char *const states[] = {"asking", "listed", "ending"};
	json_t *list = json_array();

	for (const struct listing *listing = listings; listing; listing = listing->next) {
		char url[256];

		fetch_url_show(listing->url, url, sizeof url);
		json_array_append_new(
			list,
			json_pack("{s:s s:s s:s s:I s:I s:o}", "mount", listing->mount, "directory",
				  url, "state", states[listing->state], "since",
				  (json_int_t)(listing->since_wall_us / 1000000), "touches",
				  (json_int_t)listing->touches, "error",
				  listing->error[0] ? document_text(listing->error) : json_null()));
	}
	return list;
}

/* --- life ----------------------------------------------------------------------------------- */

void directory_start(uv_loop_t *control_loop)
{
	loop = control_loop;
	uv_timer_init(loop, &tick);
	uv_timer_start(&tick, on_tick, TICK_MS, TICK_MS);
}

static void on_stop_late(uv_timer_t *timer)
{
	(void)timer; /* only wakes the loop */
}

void directory_stop(void)
{
	mono_t until = mono_add_ms(mono_now(), STOP_MS);
	struct listing *next;

	if (!loop)
		return;
	stopping = true;
	for (struct listing *listing = listings; listing; listing = next) {
		next = listing->next;
		listing_end(listing);
	}
	uv_timer_start(&tick, on_stop_late, 50, 50);
	while (listings && mono_before(mono_now(), until))
		uv_run(loop, UV_RUN_ONCE);
	while (listings)
		listing_free(listings);
	uv_close((uv_handle_t *)&tick, NULL);
}
