#include "radio/radio_event.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/metric.h"
#include "edge/document.h"
#include "edge/hook.h"
#include "edge/program.h"
#include "radio/radio_auth_url.h"

#define UNDER_WAY_MAX 256u
#define QUIET_US      10000000
#define QUIET_COUNT   64u

static uv_loop_t *loop OWNED_BY(on_control);

void event_start(uv_loop_t *control_loop)
{
	loop = control_loop;
}

/* --- programs ------------------------------------------------------------------------------- */

RUNS_ON(on_control)
static void run_program(const struct mount *mount, const char *path, const char *event,
			const char *why)
{
	char address[ADDRESS_TEXT_MAX + 1], variables[7][640];
	const char *environment[8] = {0};
	const struct mount_source *source = &mount->source;
	size_t n = 0;

	if (!path[0])
		return;
	address_text(&source->address, address);
	snprintf(variables[n++], sizeof variables[0], "RINGMAIN_EVENT=%s", event);
	snprintf(variables[n++], sizeof variables[0], "RINGMAIN_MOUNT=%s", mount->name);
	snprintf(variables[n++], sizeof variables[0], "RINGMAIN_ADDRESS=%s", address);
	snprintf(variables[n++], sizeof variables[0], "RINGMAIN_AGENT=%s", source->agent);
	snprintf(variables[n++], sizeof variables[0], "RINGMAIN_TYPE=%s", source->content_type);
	snprintf(variables[n++], sizeof variables[0], "RINGMAIN_NAME=%s", source->station.name);
	snprintf(variables[n++], sizeof variables[0], "RINGMAIN_WHY=%s", why);
	for (size_t i = 0; i < n; i++)
		environment[i] = variables[i];
	program_run(loop, path, mount->name, environment);
}

/* --- of the hub ----------------------------------------------------------------------------- */

RUNS_ON(on_control) static json_t *source_facts(const struct mount *mount)
{
	const struct mount_source *source = &mount->source;
	char address[ADDRESS_TEXT_MAX + 1];
	struct station station = mount_station(mount);

	return json_pack("{s:s s:o s:s s:o s:s s:o s:o}", "address",
			 address_text(&source->address, address), "agent",
			 document_text(source->agent), "protocol", source->protocol, "user",
			 document_text(source->user), "codec", source->about.codec, "name",
			 document_text(station.name), "genre", document_text(station.genre));
}

void event_source_up(const struct mount *mount)
{
	char text[FEED_NAME_MAX + 32];

	snprintf(text, sizeof text, "%s is on the air.", mount->name);
	hook_event("source_up", mount->name, text, source_facts(mount));
	auth_url_mount(mount, true);
	run_program(mount, mount_conf(mount)->on_connect, "source_up", "");
}

void event_source_down(const struct mount *mount, const char *why)
{
	char text[FEED_NAME_MAX + 128];
	json_t *facts = source_facts(mount);
	int64_t seconds = (wall_now_us() - mount->source.since_wall_us) / 1000000;

	json_object_set_new(facts, "why", json_string(why));
	json_object_set_new(facts, "seconds", json_integer(seconds));
	snprintf(text, sizeof text, "The source of %s is gone: %.80s.", mount->name, why);
	hook_event("source_down", mount->name, text, facts);
	auth_url_mount(mount, false);
	run_program(mount, mount_conf(mount)->on_disconnect, "source_down", why);
}

void event_title(const struct mount *mount)
{
	char text[FEED_NAME_MAX + TITLE_SIZE + 16];
	struct station station = mount_station(mount);
	struct bytes title = bytes_str(mount->title), artist = {0};
	size_t dash = bytes_find_nocase(title, BYTES(" - "));
	json_t *facts = json_object();

	if (dash < title.len) {
		artist = bytes_first(title, dash);
		title = bytes_skip(title, dash + 3);
	}
	snprintf(text, sizeof text, "%s: %s", mount->name, mount->title);
	json_object_set_new(facts, "title", document_text(mount->title));
	json_object_set_new(facts, "artist",
			    json_stringn((const char *)(artist.at ? artist.at : title.at),
					 artist.len));
	json_object_set_new(facts, "song", json_stringn((const char *)title.at, title.len));
	json_object_set_new(facts, "url", document_text(mount->title_url));
	json_object_set_new(facts, "name", document_text(station.name));
	json_object_set_new(
		facts, "listeners",
		json_integer(atomic_load_explicit(&mount->count.listeners, memory_order_relaxed)));
	hook_event("title", mount->name, text, facts);
}

void event_relay(const struct mount *mount, bool up, const char *url, const char *why)
{
	char text[FEED_NAME_MAX + 512];
	json_t *facts = json_pack("{s:s s:s}", "url", url, "why", why);

	if (up)
		snprintf(text, sizeof text, "The relay of %s has %s.", mount->name, url);
	else
		snprintf(text, sizeof text, "The relay of %s has lost %.200s: %.160s.", mount->name,
			 url, why);
	hook_event(up ? "relay_up" : "relay_down", mount->name, text, facts);
}

/* --- what may happen often ------------------------------------------------------------------ */

struct often {
	struct message message;
	enum event_often what;
	char mount[FEED_NAME_MAX + 1];
	char address[ADDRESS_TEXT_MAX + 1];
	char detail[160];
};

/* What was told lately. */
struct quiet {
	enum event_often what;
	char mount[FEED_NAME_MAX + 1];
	mono_t since;
	unsigned count; /* since then */
};

static _Atomic unsigned under_way;
static struct quiet quiet[QUIET_COUNT] OWNED_BY(on_control);
static unsigned quiet_next OWNED_BY(on_control);

/* How many there were since the last one was told; 0: it is too early to tell of it again. */
RUNS_ON(on_control) static unsigned to_tell(const struct often *often)
{
	mono_t now = mono_now();
	struct quiet *slot;
	unsigned count;

	for (unsigned i = 0; i < QUIET_COUNT; i++) {
		slot = &quiet[i];
		if (!slot->since.us || slot->what != often->what ||
		    strcmp(slot->mount, often->mount) != 0)
			continue;
		slot->count++;
		if (mono_since_us(now, slot->since) < QUIET_US)
			return 0;
		count = slot->count;
		slot->count = 0;
		slot->since = now;
		return count;
	}
	slot = &quiet[quiet_next++ % QUIET_COUNT];
	*slot = (struct quiet){.what = often->what, .since = now};
	memcpy(slot->mount, often->mount, sizeof slot->mount);
	return 1;
}

static void write_often(char *text, size_t size, const struct often *often)
{
	switch (often->what) {
	case EVENT_LISTENER_LIMIT:
		snprintf(text, size, "Listeners of %s were refused: %s.", often->mount,
			 often->detail);
		break;
	case EVENT_LISTENER_SLOW:
		snprintf(text, size, "Slow listeners of %s were dropped.", often->mount);
		break;
	case EVENT_SOURCE_REFUSED:
		snprintf(text, size, "A source of %s was refused: %s.", often->mount,
			 often->detail);
		break;
	case EVENT_OFTEN_COUNT: break;
	}
}

static void deliver_often(struct message *message)
{
	static const char *const names[EVENT_OFTEN_COUNT] = {
		[EVENT_LISTENER_LIMIT] = "listener_limit",
		[EVENT_LISTENER_SLOW] = "listener_slow",
		[EVENT_SOURCE_REFUSED] = "source_refused",
	};
	struct often *often = container_of(message, struct often, message);
	char text[FEED_NAME_MAX + 256];
	unsigned count;

	enter_control();
	atomic_fetch_sub_explicit(&under_way, 1, memory_order_relaxed);
	count = to_tell(often);
	if (count) {
		write_often(text, sizeof text, often);
		hook_event(names[often->what], often->mount, text,
			   json_pack("{s:s s:o s:i}", "address", often->address, "detail",
				     document_text(often->detail), "count", (int)count));
	}
	free(often);
}

void event_often(enum event_often what, const char *mount, const struct address *peer,
		 const char *detail)
{
	unsigned before = atomic_fetch_add_explicit(&under_way, 1, memory_order_relaxed);
	struct often *often = before < UNDER_WAY_MAX ? calloc(1, sizeof *often) : NULL;

	if (!often) {
		atomic_fetch_sub_explicit(&under_way, 1, memory_order_relaxed);
		metric_add(METRIC_radio_events_lost, 1);
		return;
	}
	often->what = what;
	bytes_to_str(bytes_str(mount), often->mount, sizeof often->mount);
	bytes_to_str(bytes_str(detail), often->detail, sizeof often->detail);
	if (peer)
		address_text(peer, often->address);
	often->message.deliver = deliver_often;
	control_post(&often->message);
}

void event_fini(void)
{
	programs_stop();
}
