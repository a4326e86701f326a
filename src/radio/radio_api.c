#include "radio/radio_api.h"

#include <stdlib.h>

#include "core/log.h"
#include "edge/api_server.h"
#include "edge/ban.h"
#include "edge/edge.h"
#include "edge/events.h"
#include "edge/proto/charset.h"
#include "edge/tree.h"
#include "edge/trend.h"
#include "radio/radio_audience.h"
#include "radio/radio_dump.h"
#include "radio/radio_facts.h"
#include "radio/radio_limit.h"
#include "radio/radio_network_api.h"
#include "radio/radio_source.h"
#include "radio/radio_status.h"

#define PAGE_MAX 1000u

/* --- mounts --------------------------------------------------------------------------------- */

/* NULL after an answer. */
RUNS_ON(on_control)
static struct mount *mount_wanted(struct call *call, const struct api_input *input)
{
	struct mount *mount = mount_find(bytes_str(input->mount));

	if (!mount)
		api_fault(call, 404, "no_such_mount", "there is no mount %s", input->mount);
	return mount;
}

RUNS_ON(on_control)
static void answer_station(struct call *call, const struct api_input *input)
{
	(void)input;
	reply_header(&call->reply, "Access-Control-Allow-Origin", BYTES("*"));
	api_answer(call, status_page(request_site(&call->request)));
}

RUNS_ON(on_control)
static void answer_mounts(struct call *call, const struct api_input *input)
{
	json_t *tree = json_object(), *list = json_array();

	(void)input;
	for (const struct mount *mount = mount_first(); mount; mount = mount->next)
		json_array_append_new(list, facts_mount(mount));
	json_object_set_new(tree, "mounts", list);
	api_answer(call, tree);
}

RUNS_ON(on_control)
static void answer_mount(struct call *call, const struct api_input *input)
{
	const struct mount *mount = mount_wanted(call, input);

	if (mount)
		api_answer(call, facts_mount(mount));
}

/* --- titles, fallbacks, sources ------------------------------------------------------------- */

RUNS_ON(on_control)
static void answer_title(struct call *call, const struct api_input *input)
{
	const char *title = api_text(input, "title"), *url = api_text(input, "url");
	char clean[TITLE_SIZE], clean_url[512];
	struct mount *mount = mount_wanted(call, input);

	if (!mount)
		return;
	if (!title) {
		api_fault(call, 400, "no_title", "title is missing");
		return;
	}
	if (!mount->has_source) {
		api_fault(call, 409, "no_source", "%s has no source", mount->name);
		return;
	}
	charset_to_field(bytes_str(title), CHARSET_UTF8, clean, sizeof clean);
	charset_to_field(bytes_str(url ? url : ""), CHARSET_UTF8, clean_url, sizeof clean_url);
	if (!mount_set_title(mount, bytes_str(clean), bytes_str(clean_url))) {
		api_fault(call, 503, "no_memory", "out of memory");
		return;
	}
	api_log_order(call, mount->name);
	api_done(call);
}

/* Listeners are sent only where whoever sends them has a right to. False: it was answered. */
RUNS_ON(on_control) static bool may_lead_to(struct call *call, const char *mount)
{
	if (!mount[0] || rights_allow(&call->access.rights, RANK_OPERATOR, bytes_str(mount)))
		return true;
	api_fault(call, 403, "denied", "you may not do this with %s", mount);
	return false;
}

RUNS_ON(on_control)
static void answer_fallback(struct call *call, const struct api_input *input)
{
	const char *fallback = api_text(input, "fallback");
	struct mount *mount = mount_wanted(call, input);

	if (!mount)
		return;
	if (!fallback || (fallback[0] && fallback[0] != '/') || strlen(fallback) > FEED_NAME_MAX) {
		api_fault(call, 400, "bad_fallback", "fallback is a mount, or empty for none");
		return;
	}
	if (!may_lead_to(call, fallback))
		return;
	if (!mount_set_fallback(mount, bytes_str(fallback))) {
		api_fault(call, 409, "loop", "%s falls back to %s already", fallback, mount->name);
		return;
	}
	api_log_order(call, mount->name);
	api_done(call);
}

RUNS_ON(on_control)
static void answer_hidden(struct call *call, const struct api_input *input)
{
	const json_t *hidden = json_object_get(input->body, "hidden");
	struct mount *mount = mount_wanted(call, input);

	if (!mount)
		return;
	if (!json_is_boolean(hidden)) {
		api_fault(call, 400, "bad_hidden", "hidden is true or false");
		return;
	}
	mount_set_hidden(mount, json_is_true(hidden));
	api_log_order(call, mount->name);
	api_done(call);
}

RUNS_ON(on_control)
static void answer_kill_source(struct call *call, const struct api_input *input)
{
	struct mount *mount = mount_wanted(call, input);

	if (!mount)
		return;
	if (!mount->has_source) {
		api_fault(call, 409, "no_source", "%s has no source", mount->name);
		return;
	}
	api_log_order(call, mount->name);
	mount_kill_source(mount);
	api_done(call);
}

/* --- listeners ------------------------------------------------------------------------------ */

/* NULL after an answer. */
RUNS_ON(on_control)
static struct crowd *crowd_for(struct call *call, enum crowd_deed deed, const char *mount,
			       void (*home)(struct crowd *crowd))
{
	struct crowd *crowd = crowd_make(deed, call, home);

	if (!crowd)
		api_fault(call, 503, "no_memory", "out of memory");
	else
		bytes_to_str(bytes_str(mount), crowd->mount, sizeof crowd->mount);
	return crowd;
}

static const char *const orders[] = {"since", "sent", "lag", "address", "agent", "id"};

static int compare_by(unsigned order, const struct crowd_copy *a, const struct crowd_copy *b)
{
	switch (order) {
	case 0:
		return (a->row.since_wall_us > b->row.since_wall_us) -
		       (a->row.since_wall_us < b->row.since_wall_us);
	case 1: return (a->row.sent > b->row.sent) - (a->row.sent < b->row.sent);
	case 2: return (a->lag_ms > b->lag_ms) - (a->lag_ms < b->lag_ms);
	case 3: return memcmp(a->row.ip, b->row.ip, sizeof a->row.ip);
	case 4: return strcmp(a->row.agent, b->row.agent);
	default: return 0;
	}
}

/* What is equal stays in the order of coming, so that pages do not overlap. */
static int compare_copies(const void *left, const void *right, void *user)
{
	const struct crowd_copy *a = left, *b = right;
	const struct crowd *crowd = user;
	int way = compare_by(crowd->order, a, b);

	if (way == 0)
		way = (a->row.id > b->row.id) - (a->row.id < b->row.id);
	return crowd->descending ? -way : way;
}

static void home_list(struct crowd *crowd)
{
	json_t *tree, *list;

	enter_control();
	if (crowd->no_memory) {
		api_fault(crowd->call, 503, "no_memory", "out of memory");
		return;
	}
	if (crowd->copy_count)
		qsort_r(crowd->copies, crowd->copy_count, sizeof *crowd->copies, compare_copies,
			crowd);
	tree = json_object();
	list = json_array();
	for (uint64_t i = crowd->offset;
	     i < crowd->copy_count && json_array_size(list) < crowd->limit; i++) {
		const struct crowd_copy *copy = &crowd->copies[i];

		json_array_append_new(list, facts_listener(&copy->row, crowd->names[copy->name],
							   copy->lag_ms));
	}
	tree_number(tree, "total", (int64_t)crowd->copy_count);
	tree_number(tree, "offset", (int64_t)crowd->offset);
	json_object_set_new(tree, "listeners", list);
	api_answer(crowd->call, tree);
}

RUNS_ON(on_control) static void list_listeners(struct call *call, const char *mount)
{
	struct crowd *crowd = crowd_for(call, CROWD_COPY, mount, home_list);
	char word[16];

	if (!crowd)
		return;
	crowd->offset = api_number(call, "offset", 0, UINT32_MAX);
	crowd->limit = api_number(call, "limit", 100, PAGE_MAX);
	call_param(call, "find", crowd->find, sizeof crowd->find);
	if (call_param(call, "order", word, sizeof word)) {
		struct bytes name = bytes_str(word);

		crowd->descending = bytes_start_with(name, BYTES("-"));
		name = bytes_skip(name, crowd->descending);
		for (crowd->order = 0; crowd->order < COUNT_OF(orders); crowd->order++)
			if (bytes_equal(name, bytes_str(orders[crowd->order])))
				break;
	}
	crowd_send(crowd);
}

RUNS_ON(on_control)
static void answer_listeners(struct call *call, const struct api_input *input)
{
	if (mount_wanted(call, input))
		list_listeners(call, input->mount);
}

RUNS_ON(on_control)
static void answer_all_listeners(struct call *call, const struct api_input *input)
{
	(void)input;
	list_listeners(call, "");
}

static void home_count(struct crowd *crowd)
{
	json_t *tree;

	enter_control();
	if (crowd->id && !crowd->done) {
		api_fault(crowd->call, 404, "no_such_listener", "there is no such listener");
		return;
	}
	tree = json_object();
	tree_number(tree, "count", (int64_t)crowd->done);
	api_answer(crowd->call, tree);
}

RUNS_ON(on_control)
static void answer_kick_all(struct call *call, const struct api_input *input)
{
	struct crowd *crowd;

	if (!mount_wanted(call, input))
		return;
	crowd = crowd_for(call, CROWD_END, input->mount, home_count);
	if (!crowd)
		return;
	api_log_order(call, input->mount);
	crowd_send(crowd);
}

RUNS_ON(on_control)
static void answer_kick(struct call *call, const struct api_input *input)
{
	struct crowd *crowd;
	uint64_t id;

	if (!mount_wanted(call, input))
		return;
	if (!bytes_to_u64(bytes_str(input->arg), UINT64_MAX, &id) || id == 0) {
		api_fault(call, 404, "no_such_listener", "there is no such listener");
		return;
	}
	crowd = crowd_for(call, CROWD_END, input->mount, home_count);
	if (!crowd)
		return;
	crowd->id = id;
	api_log_order(call, input->mount);
	crowd_send(crowd);
}

RUNS_ON(on_control)
static void answer_move(struct call *call, const struct api_input *input)
{
	const char *name = api_text(input, "to");
	const json_t *id = json_object_get(input->body, "listener");
	const struct mount *mount = mount_wanted(call, input), *to;
	struct crowd *crowd;

	if (!mount)
		return;
	if (name && !may_lead_to(call, name))
		return;
	to = name ? mount_find(bytes_str(name)) : NULL;
	if (!to || to == mount || !to->heard) {
		api_fault(call, 409, "bad_destination",
			  "to is to be another mount on which something is heard");
		return;
	}
	if (id && (!json_is_integer(id) || json_integer_value(id) <= 0)) {
		api_fault(call, 400, "bad_listener", "listener is a number");
		return;
	}
	crowd = crowd_for(call, CROWD_MOVE, input->mount, home_count);
	if (!crowd)
		return;
	crowd->id = (uint64_t)json_integer_value(id);
	bytes_to_str(bytes_str(name), crowd->to, sizeof crowd->to);
	api_log_order(call, mount->name);
	crowd_send(crowd);
}

/* --- who they are ---------------------------------------------------------------------------- */

static void home_audience(struct crowd *crowd)
{
	enter_control();
	if (crowd->no_memory)
		api_fault(crowd->call, 503, "no_memory", "out of memory");
	else
		api_answer(crowd->call, audience_tree(crowd));
}

RUNS_ON(on_control)
static void answer_audience(struct call *call, const struct api_input *input)
{
	struct crowd *crowd = crowd_for(call, CROWD_COPY, "", home_audience);

	(void)input;
	if (crowd)
		crowd_send(crowd);
}

/* --- bans ----------------------------------------------------------------------------------- */

static void home_banned(struct crowd *crowd)
{
	log_info("radio", "banned listeners sent away", kv_u64("count", crowd->done));
}

/* The network may not connect any more: who is there goes. */
static void send_away(const struct cidr *network)
{
	struct crowd *crowd = crowd_make(CROWD_END, NULL, home_banned);

	enter_control();
	for (struct mount *mount = mount_first(); mount; mount = mount->next)
		if (mount->has_source && cidr_holds(network, &mount->source.address))
			source_stop(mount->source.worker, mount->source.id, "banned");
	if (!crowd) {
		log_error("radio", "banned listeners not sent away: out of memory");
		return;
	}
	crowd->by_network = true;
	crowd->network = *network;
	crowd_send(crowd);
}

/* --- the table ------------------------------------------------------------------------------ */

#define MOUNT API_ROOT "/mounts/{mount}"

static const struct api_operation radio_operations[] = {
	{"GET", API_ROOT "/station", RANK_NONE, answer_station,
	 "What everybody may know: the station and what is on the air.", NULL, "Station", NULL},
	{"GET", API_ROOT "/mounts", RANK_OPERATOR, answer_mounts, "All mounts.", NULL, "Mounts",
	 NULL},
	{"GET", MOUNT "/listeners", RANK_DJ, answer_listeners,
	 "Listeners of a mount, by pages: "
	 "?offset=&limit=&find=&order=since|sent|lag|address|agent, "
	 "with - in front the other way round.",
	 NULL, "Listeners", NULL},
	{"DELETE", MOUNT "/listeners", RANK_OPERATOR, answer_kick_all,
	 "Sends all listeners of a mount away.", NULL, "Count", NULL},
	{"DELETE", MOUNT "/listeners/{id}", RANK_OPERATOR, answer_kick, "Sends one listener away.",
	 NULL, "Count", NULL},
	{"POST", MOUNT "/move", RANK_OPERATOR, answer_move,
	 "Moves the listeners of a mount, or one of them, to another mount.", "Move", "Count",
	 NULL},
	{"DELETE", MOUNT "/source", RANK_DJ, answer_kill_source, "Sends the source away.", NULL,
	 NULL, NULL},
	{"PUT", MOUNT "/title", RANK_DJ, answer_title, "Sets what is playing.", "Title", NULL,
	 NULL},
	{"PUT", MOUNT "/fallback", RANK_OPERATOR, answer_fallback,
	 "Sets the fallback mount, until the next reload.", "Fallback", NULL, NULL},
	{"PUT", MOUNT "/hidden", RANK_OPERATOR, answer_hidden,
	 "Leaves the mount out of what is public or not, until the next reload.", "Hidden", NULL,
	 NULL},
	{"GET", MOUNT, RANK_DJ, answer_mount, "One mount.", NULL, "Mount", NULL},
	{"GET", API_ROOT "/listeners", RANK_OPERATOR, answer_all_listeners,
	 "Listeners of all mounts, by pages, as those of one.", NULL, "Listeners", NULL},
	{"GET", API_ROOT "/audience", RANK_OPERATOR, answer_audience,
	 "How many listen with what and from which country; most first.", NULL, "Audience", NULL},
	{0},
};

/* What the public stream says of the whole. */
static json_t *station_facts(void)
{
	const struct edge_conf *conf = &edge_settings()->conf;
	json_t *tree = json_object();

	tree_text(tree, "name", conf->server_name);
	tree_text(tree, "location", conf->server_location);
	tree_text(tree, "contact", conf->server_contact);
	tree_text(tree, "version", RINGMAIN_VERSION);
	if (conf->server_show_listeners)
		tree_number(tree, "listeners", limit_listeners());
	return tree;
}

void radio_api_configure(void)
{
	api_add(radio_operations);
	api_add(network_operations);
	kept_add(&dump_kept);
	health_add(network_health);
	ban_on_new(send_away);
	trend_add(facts_sample);
	health_add(facts_health);
	server_add_facts(facts_server);
	events_add(EVENTS_ADMIN, "mounts", facts_mounts);
	events_add(EVENTS_PUBLIC, "station", station_facts);
	events_add(EVENTS_PUBLIC, "mounts", facts_public_mounts);
}
