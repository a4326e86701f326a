#include "radio/radio_hub.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "edge/proto/charset.h"
#include "radio/radio.h"
#include "radio/radio_event.h"
#include "radio/radio_history.h"
#include "radio/radio_publish.h"

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
			 kv_str("codec",
				hub->about.about.codec[0] ? hub->about.about.codec : "raw"),
			 kv_u64("rate", hub->about.about.sample_rate));
		mount_live(hub->mount, hub->feed, hub->first_pos);
		history_source_came(hub->mount);
		event_source_up(hub->mount);
	}
	free(hub);
}

bool hub_source_live(struct mount *mount, const struct mount_source *about, struct feed *feed,
		     uint64_t first_pos)
{
	struct hub_message *hub = hub_message_make();

	if (!hub)
		return false;
	hub->mount = mount;
	hub->about = *about;
	hub->feed = feed;
	hub->first_pos = first_pos;
	hub_post(hub, deliver_live);
	return true;
}

static void deliver_station(struct message *message)
{
	struct hub_message *hub = container_of(message, struct hub_message, message);

	enter_control();
	if (is_current(hub->mount, hub->about.id)) {
		hub->mount->source = hub->about;
		mount_save(hub->mount);
	}
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
	if (is_current(mount, hub->id) &&
	    (strcmp(mount->title, hub->title) != 0 || strcmp(mount->title_url, hub->url) != 0)) {
		bytes_to_str(bytes_str(hub->title), mount->title, sizeof mount->title);
		bytes_to_str(bytes_str(hub->url), mount->title_url, sizeof mount->title_url);
		mount->title_since_us = wall_now_us();
		mount_save(mount);
		history_title(mount);
		log_info("radio", "title", kv_str("mount", mount->name),
			 kv_str("title", mount->title));
		event_title(mount);
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
							      memory_order_relaxed) -
						 hub->mount->bytes_in_first));
		history_source_gone(hub->mount, hub->why);
		if (hub->mount->was_live)
			event_source_down(hub->mount, hub->why);
		mount_lost_source(hub->mount);
	}
	free(hub);
}

void hub_source_gone(struct hub_message *hub, struct mount *mount, uint64_t id, const char *why)
{
	hub->mount = mount;
	hub->id = id;
	hub->why = why;
	hub_post(hub, deliver_gone);
}

static uint64_t ids OWNED_BY(on_control);

/* --- claims --------------------------------------------------------------------------------- */

static void deliver_answer(struct message *message)
{
	struct claim *claim = container_of(message, struct claim, message);

	enter_worker();
	claim->answered(claim);
}

static void claim_answer(struct claim *claim)
{
	claim->message.deliver = deliver_answer;
	worker_post(claim->worker, &claim->message);
}

RUNS_ON(on_control)
static void claim_refuse(struct claim *claim, unsigned status, const char *why)
{
	char address[ADDRESS_TEXT_MAX + 1];

	log_info("radio", "source refused", kv_str("mount", claim->mount), kv_str("why", why),
		 kv_str("address", address_text(&claim->about.address, address)),
		 kv_str("agent", claim->about.agent));
	if (!claim->about.relay)
		event_often(EVENT_SOURCE_REFUSED, claim->mount, &claim->about.address, why);
	claim->refuse_status = status;
	claim->refuse_why = why;
	claim_answer(claim);
}

void hub_ids_from(uint64_t id)
{
	if (id > ids)
		ids = id;
}

RUNS_ON(on_control) static void claim_grant(struct claim *claim, struct mount *mount)
{
	claim->about.id = ++ids;
	claim->about.since_wall_us = wall_now_us();
	claim->granted = mount;
	claim->feed = mount->feed;
	claim->shape = feed_shape_for(mount_conf(mount)->ring, MEAN_RECORD, HEADERS_MAX);
	mount_take_source(mount, &claim->about);
	claim_answer(claim);
}

static void deliver_claim(struct message *message)
{
	struct claim *claim = container_of(message, struct claim, message);
	struct mount *mount;

	enter_control();
	mount = mount_find(bytes_str(claim->mount));
	if (mount && mount->has_source) {
		bool gives_way =
			mount->source.relay ? mount->source.yields : mount_conf(mount)->takeover;

		if (!gives_way || claim->about.relay) {
			claim_refuse(claim, 403, "Mountpoint in use");
		} else if (mount->waiting) {
			claim_refuse(claim, 403, "Mountpoint in use, and about to be taken over");
		} else {
			if (source_stop(mount->source.worker, mount->source.id, "taken over"))
				mount->waiting = claim;
			else
				claim_refuse(claim, 503, "out of memory");
		}
		return;
	}
	if (mount_sources() >= radio_conf()->max_sources || mount_hub_stopping()) {
		claim_refuse(claim, mount_hub_stopping() ? 503 : 403, "too many sources connected");
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
