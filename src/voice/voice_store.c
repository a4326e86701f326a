/* voice_store: channels, registrations and bans, kept beyond the process: read before the doors open,
 * written a moment after each change. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "core/log.h"
#include "core/metric.h"
#include "store/store_voice.h"
#include "voice/voice_door.h"
#include "voice/voice_part.h"

#define SAVE_MS  100
#define AGAIN_MS 5000
#define LOAD_MS  1000 /* between two attempts to read what was kept */

static struct {
	uv_timer_t timer;
	bool runs;
	bool loaded; /* before that nothing is written: it would be in the place of what is not known */
	struct store_voice *next; /* what was removed, and goes with the next save */
	bool bans;                /* are other than what is kept */
	bool said;                /* that it cannot be read */
} keep OWNED_BY(on_control);

/* --- as text ----------------------------------------------------------------------------------- */

static json_t *text_of(struct bytes in)
{
	json_t *text = json_stringn((const char *)in.at, in.len);

	return text ? text : json_string("");
}

static json_t *hex_of(const struct voice_blob *blob)
{
	static const char digits[] = "0123456789abcdef";
	char *hex = malloc(2 * blob->len + 1);
	json_t *text;

	for (size_t i = 0; hex && i < blob->len; i++) {
		hex[2 * i] = digits[blob->at[i] >> 4];
		hex[2 * i + 1] = digits[blob->at[i] & 15];
	}
	text = hex ? json_stringn(hex, 2 * blob->len) : json_string("");
	free(hex);
	return text;
}

static json_t *ids_of(const int32_t *ids, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_integer(ids[i]));
	return list;
}

static json_t *rules_tree(const struct voice_rules *rules)
{
	json_t *list = json_array();

	for (size_t i = 0; i < rules->rule_count; i++) {
		const struct acl_rule *rule = &rules->rules[i];

		json_array_append_new(
			list, json_pack("{s:b, s:b, s:i, s:o, s:I, s:I}", "here", rule->here,
					"below", rule->below, "user", (int)rule->user, "group",
					text_of(rule->group), "grant", (json_int_t)rule->grant,
					"deny", (json_int_t)rule->deny));
	}
	return list;
}

static json_t *groups_tree(const struct voice_rules *rules)
{
	json_t *list = json_array();

	for (size_t i = 0; i < rules->group_count; i++) {
		const struct acl_group *group = &rules->groups[i];

		json_array_append_new(list,
				      json_pack("{s:o, s:b, s:b, s:o, s:o}", "name",
						text_of(group->name), "inherit", group->inherit,
						"inheritable", group->inheritable, "add",
						ids_of(group->add, group->add_count), "remove",
						ids_of(group->remove, group->remove_count)));
	}
	return list;
}

static json_t *channel_tree(const struct voice_channel *channel)
{
	json_t *links = json_array();

	for (size_t i = 0; i < channel->link_count; i++)
		json_array_append_new(links, json_integer(channel->links[i]->id));
	return json_pack("{s:I, s:s, s:o, s:i, s:I, s:o, s:b, s:o, s:o}", "parent",
			 (json_int_t)(channel->parent ? channel->parent->id : 0), "name",
			 channel->name, "description",
			 text_of(voice_blob_bytes(&channel->description)), "position",
			 (int)channel->position, "max_users", (json_int_t)channel->max_users,
			 "links", links, "inherit", channel->rules.inherit, "rules",
			 rules_tree(&channel->rules), "groups", groups_tree(&channel->rules));
}

static json_t *user_tree(const struct voice_registration *row)
{
	return json_pack("{s:s, s:s, s:I, s:I, s:o, s:o}", "name", row->name, "hash", row->hash,
			 "last_channel", (json_int_t)row->last_channel, "seen_ms",
			 (json_int_t)row->seen_ms, "comment",
			 text_of(voice_blob_bytes(&row->comment)), "texture",
			 hex_of(&row->texture));
}

RUNS_ON(on_control) static json_t *bans_tree(void)
{
	json_t *list = json_array();

	for (size_t i = 0; i < voice_hub.ban_count; i++) {
		const struct voice_ban *ban = &voice_hub.bans[i];
		char text[64] = "";
		struct writer w = writer_of(text, sizeof text - 1);

		if (ban->has_network)
			cidr_write(&w, &ban->network);
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "network", text,
						"hash", ban->hash, "name", ban->name, "reason",
						ban->reason, "start_s", (json_int_t)ban->start_s,
						"duration_s", (json_int_t)ban->duration_s));
	}
	return json_pack("{s:o}", "bans", list);
}

/* --- saving ------------------------------------------------------------------------------------ */

/* tree is taken; NULL: the row goes. False: no memory. */
static bool add(struct store_voice *to, const char *kind, int64_t id, json_t *tree, bool drops)
{
	struct store_voice_row *larger = realloc(to->rows, (to->count + 1) * sizeof *larger);
	char *body = tree ? json_dumps(tree, JSON_COMPACT) : NULL;

	json_decref(tree);
	if (larger)
		to->rows = larger;
	if (!larger || (!body && !drops)) {
		free(body);
		return false;
	}
	larger[to->count] = (struct store_voice_row){.id = id, .body = body};
	bytes_to_str(bytes_str(kind), larger[to->count].kind, STORE_VOICE_KIND_SIZE);
	to->count++;
	return true;
}

RUNS_ON(on_control) static struct store_voice *order(void)
{
	if (!keep.next)
		keep.next = calloc(1, sizeof *keep.next);
	return keep.next;
}

void voice_store_drop(const char *kind, int64_t id)
{
	if (order() && !add(keep.next, kind, id, NULL, true))
		metric_add(METRIC_voice_out_of_memory, 1);
	voice_registry_changed();
}

static void on_due(uv_timer_t *timer);

static void on_saved(struct store_ask *ask)
{
	struct store_voice *saved = container_of(ask, struct store_voice, ask);

	enter_control();
	if (ask->fault && ask->fault != STORE_OFF) {
		log_warnx("voice", "not kept", kv_str("why", store_fault_text(ask->fault)));
		/* All of it once more, whatever changed meanwhile; what is gone stays gone. */
		for (size_t i = 0; i < saved->count; i++)
			if (!saved->rows[i].body && order())
				(void)add(keep.next, saved->rows[i].kind, saved->rows[i].id, NULL,
					  true);
		voice_store_all_unsaved();
		if (keep.runs)
			uv_timer_start(&keep.timer, on_due, AGAIN_MS, 0);
	}
	store_voice_fini(saved);
	free(saved);
}

RUNS_ON(on_control) static void save(void)
{
	struct store_voice *to;
	bool whole;

	if (!keep.loaded)
		return;
	to = order();
	whole = to != NULL;
	for (size_t i = 0; whole && i < voice_hub.channel_room; i++) {
		struct voice_channel *channel = voice_hub.channels[i];

		if (!channel || !channel->unsaved || channel->temporary)
			continue;
		whole = add(to, "channel", channel->id, channel_tree(channel), false);
		channel->unsaved = !whole;
	}
	for (size_t i = 0; whole && i < voice_hub.registration_count; i++) {
		struct voice_registration *row = voice_hub.registrations[i];

		if (!row->unsaved)
			continue;
		whole = add(to, "user", row->id, user_tree(row), false);
		row->unsaved = !whole;
	}
	if (whole && keep.bans) {
		whole = add(to, "bans", 0, bans_tree(), false);
		keep.bans = !whole;
	}
	if (!whole)
		metric_add(METRIC_voice_out_of_memory, 1);
	if (!to || to->count == 0)
		return;
	keep.next = NULL;
	to->ask.run = store_voice_save;
	to->ask.done = on_saved;
	store_ask(&to->ask);
}

void voice_registry_changed(void)
{
	if (keep.runs && keep.loaded && !uv_is_active((uv_handle_t *)&keep.timer))
		uv_timer_start(&keep.timer, on_due, SAVE_MS, 0);
}

void voice_bans_changed(void)
{
	keep.bans = true;
	voice_registry_changed();
}

void voice_store_all_unsaved(void)
{
	keep.bans = true;
	for (size_t i = 0; i < voice_hub.channel_room; i++)
		if (voice_hub.channels[i])
			voice_hub.channels[i]->unsaved = true;
	for (size_t i = 0; i < voice_hub.registration_count; i++)
		voice_hub.registrations[i]->unsaved = true;
}

/* --- reading ----------------------------------------------------------------------------------- */

static json_int_t number(const json_t *tree, const char *name)
{
	return json_integer_value(json_object_get(tree, name));
}

static const char *text(const json_t *tree, const char *name)
{
	const char *value = json_string_value(json_object_get(tree, name));

	return value ? value : "";
}

static bool is_true(const json_t *tree, const char *name)
{
	return json_is_true(json_object_get(tree, name));
}

static bool copy_text(const char *from, struct bytes *to)
{
	size_t len = strlen(from);
	uint8_t *at = malloc(len + 1);

	if (!at)
		return false;
	memcpy(at, from, len);
	*to = bytes_of(at, len);
	return true;
}

static const int32_t *read_ids(const json_t *list, size_t *count)
{
	int32_t *ids = malloc((json_array_size(list) + 1) * sizeof *ids);

	*count = ids ? json_array_size(list) : 0;
	for (size_t i = 0; i < *count; i++)
		ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
	return ids;
}

static bool read_rules(const json_t *tree, struct voice_rules *rules)
{
	const json_t *list = json_object_get(tree, "rules"),
		     *groups = json_object_get(tree, "groups");

	rules->inherit = is_true(tree, "inherit");
	rules->rules = calloc(json_array_size(list) + 1, sizeof *rules->rules);
	rules->groups = calloc(json_array_size(groups) + 1, sizeof *rules->groups);
	if (!rules->rules || !rules->groups)
		return false;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *from = json_array_get(list, i);
		struct acl_rule *to = &rules->rules[rules->rule_count];

		*to = (struct acl_rule){.here = is_true(from, "here"),
					.below = is_true(from, "below"),
					.user = (int32_t)number(from, "user"),
					.grant = (uint32_t)number(from, "grant"),
					.deny = (uint32_t)number(from, "deny")};
		rules->rule_count++;
		if (text(from, "group")[0] && !copy_text(text(from, "group"), &to->group))
			return false;
	}
	for (size_t i = 0; i < json_array_size(groups); i++) {
		const json_t *from = json_array_get(groups, i);
		struct acl_group *to = &rules->groups[rules->group_count];

		to->inherit = is_true(from, "inherit");
		to->inheritable = is_true(from, "inheritable");
		to->add = read_ids(json_object_get(from, "add"), &to->add_count);
		to->remove = read_ids(json_object_get(from, "remove"), &to->remove_count);
		rules->group_count++;
		if (!copy_text(text(from, "name"), &to->name))
			return false;
	}
	return true;
}

/* Where it lies and what it is linked to comes when all are there. */
RUNS_ON(on_control) static void read_channel(int64_t id, const json_t *tree)
{
	struct voice_channel *channel = voice_channel_find((uint32_t)id);
	struct voice_rules rules = {0};
	struct bytes description = bytes_str(text(tree, "description"));

	if (id < 0 || id > UINT16_MAX)
		return;
	if (!channel)
		channel = voice_channel_make(voice_channel_find(VOICE_ROOT), (uint32_t)id,
					     text(tree, "name"));
	if (!channel)
		return;
	channel->position = (int32_t)number(tree, "position");
	channel->max_users = (uint32_t)number(tree, "max_users");
	if (description.len)
		(void)voice_blob_set(&channel->description, description);
	if (read_rules(tree, &rules))
		voice_rules_set(channel, &rules);
	voice_rules_fini(&rules);
	channel->unsaved = false;
}

RUNS_ON(on_control) static void place_channel(int64_t id, const json_t *tree)
{
	struct voice_channel *channel = id >= 0 ? voice_channel_find((uint32_t)id) : NULL;
	struct voice_channel *parent = voice_channel_find((uint32_t)number(tree, "parent"));
	const json_t *links = json_object_get(tree, "links");

	if (!channel)
		return;
	if (channel->parent && parent && !voice_channel_is_below(parent, channel))
		voice_channel_move(channel, parent);
	for (size_t i = 0; i < json_array_size(links); i++) {
		struct voice_channel *other =
			voice_channel_find((uint32_t)json_integer_value(json_array_get(links, i)));

		if (other)
			(void)voice_channel_link(channel, other);
	}
}

static bool read_hex(const char *hex, struct voice_blob *blob)
{
	size_t len = strlen(hex) / 2;
	uint8_t *at = malloc(len + 1);
	bool set;

	if (!at)
		return false;
	for (size_t i = 0; i < len; i++) {
		char two[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

		at[i] = (uint8_t)strtoul(two, NULL, 16);
	}
	set = len == 0 || voice_blob_set(blob, bytes_of(at, len));
	free(at);
	return set;
}

RUNS_ON(on_control) static void read_user(int64_t id, const json_t *tree)
{
	struct voice_registration *row =
		id > 0 && id < INT32_MAX
			? voice_register(text(tree, "name"), text(tree, "hash"), (int32_t)id)
			: NULL;

	if (!row)
		return;
	row->last_channel = (uint32_t)number(tree, "last_channel");
	row->seen_ms = number(tree, "seen_ms");
	if (text(tree, "comment")[0])
		(void)voice_blob_set(&row->comment, bytes_str(text(tree, "comment")));
	(void)read_hex(text(tree, "texture"), &row->texture);
	row->unsaved = false;
}

RUNS_ON(on_control) static void read_bans(const json_t *tree)
{
	const json_t *list = json_object_get(tree, "bans");

	voice_hub.ban_count = 0; /* an attempt before may have come so far */
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *from = json_array_get(list, i);
		struct voice_ban ban = {
			.start_s = number(from, "start_s"),
			.duration_s = (uint32_t)number(from, "duration_s"),
		};

		ban.has_network = cidr_parse(bytes_str(text(from, "network")), &ban.network);
		bytes_to_str(bytes_str(text(from, "hash")), ban.hash, sizeof ban.hash);
		bytes_to_str(bytes_str(text(from, "name")), ban.name, sizeof ban.name);
		bytes_to_str(bytes_str(text(from, "reason")), ban.reason, sizeof ban.reason);
		(void)voice_ban_add(&ban);
	}
}

/* NULL: it is none, which is said, or there is no memory. */
static json_t *body_of(const struct store_voice_row *row, bool *out_of_memory)
{
	json_error_t fault;
	json_t *tree = json_loads(row->body, 0, &fault);

	*out_of_memory = !tree && json_error_code(&fault) == json_error_out_of_memory;
	if (!tree && !*out_of_memory)
		log_warnx("voice", "row not read", kv_str("kind", row->kind),
			  kv_i64("id", row->id));
	return tree;
}

/* False: no memory. */
RUNS_ON(on_control) static bool read_rows(const struct store_voice *from, bool places)
{
	for (size_t i = 0; i < from->count; i++) {
		const struct store_voice_row *row = &from->rows[i];
		bool out_of_memory;
		json_t *tree = body_of(row, &out_of_memory);

		if (out_of_memory)
			return false;
		if (!tree)
			continue;
		if (strcmp(row->kind, "channel") == 0)
			places ? place_channel(row->id, tree) : read_channel(row->id, tree);
		else if (!places && strcmp(row->kind, "user") == 0)
			read_user(row->id, tree);
		else if (!places && strcmp(row->kind, "bans") == 0)
			read_bans(tree);
		json_decref(tree);
	}
	return true;
}

/* The rooms stay closed: open ones would know no bans and no rules, and what came to be in them would be
 * written over what cannot be read now. */
RUNS_ON(on_control) static void try_again(const char *why)
{
	if (!keep.said)
		log_warnx("voice", "rooms stay closed: what was kept of them cannot be read",
			  kv_str("why", why));
	keep.said = true;
	uv_timer_start(&keep.timer, on_due, LOAD_MS, 0);
}

static void on_loaded(struct store_ask *ask)
{
	struct store_voice *loaded = container_of(ask, struct store_voice, ask);

	enter_control();
	if (!voice_hub.running)
		;
	else if (ask->fault && ask->fault != STORE_OFF)
		try_again(store_fault_text(ask->fault));
	else if (loaded->out_of_memory || !read_rows(loaded, false) || !read_rows(loaded, true))
		try_again("out of memory");
	else {
		for (size_t i = 0; i < voice_hub.channel_room; i++)
			if (voice_hub.channels[i])
				voice_hub.channels[i]->unsaved = false;
		keep.loaded = true;
		voice_hub_open();
		voice_door_go();
	}
	store_voice_fini(loaded);
	free(loaded);
}

RUNS_ON(on_control) static int load(void)
{
	struct store_voice *load = calloc(1, sizeof *load);

	if (!load)
		return -ENOMEM;
	load->ask.run = store_voice_load;
	load->ask.done = on_loaded;
	store_ask(&load->ask);
	return 0;
}

static void on_due(uv_timer_t *timer)
{
	(void)timer;
	enter_control();
	if (keep.loaded)
		save();
	else if (load() != 0)
		try_again("out of memory");
}

int voice_store_start(uv_loop_t *loop)
{
	int error = uv_timer_init(loop, &keep.timer);

	if (error)
		return error;
	keep.runs = true;
	keep.loaded = false;
	return load();
}

void voice_store_stop(void)
{
	if (!keep.runs)
		return;
	save();
	keep.runs = false;
	uv_close((uv_handle_t *)&keep.timer, NULL);
}

void voice_store_fini(void)
{
	enter_control();
	if (keep.next)
		store_voice_fini(keep.next);
	free(keep.next);
	keep.next = NULL;
}
