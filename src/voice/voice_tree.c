#include "voice/voice_tree.h"

#include <stdlib.h>
#include <string.h>

/* --- as text ----------------------------------------------------------------------------------- */

static json_t *text_of(struct bytes in)
{
	json_t *text = json_stringn((const char *)in.at, in.len);

	return text ? text : json_string("");
}

json_t *voice_tree_hex(struct bytes in)
{
	static const char digits[] = "0123456789abcdef";
	char *hex = malloc(2 * in.len + 1);
	json_t *text;

	for (size_t i = 0; hex && i < in.len; i++) {
		hex[2 * i] = digits[in.at[i] >> 4];
		hex[2 * i + 1] = digits[in.at[i] & 15];
	}
	text = hex ? json_stringn(hex, 2 * in.len) : json_string("");
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

json_t *voice_tree_channel(const struct voice_channel *channel)
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

json_t *voice_tree_registration(const struct voice_registration *row)
{
	return json_pack("{s:s, s:s, s:I, s:I, s:o, s:o}", "name", row->name, "hash", row->hash,
			 "last_channel", (json_int_t)row->last_channel, "seen_ms",
			 (json_int_t)row->seen_ms, "comment",
			 text_of(voice_blob_bytes(&row->comment)), "texture",
			 voice_tree_hex(voice_blob_bytes(&row->texture)));
}

json_t *voice_tree_bans(void)
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

/* Any text that a client may send, whatever bytes it has. */
static struct bytes bytes_in(const json_t *tree, const char *name)
{
	const json_t *value = json_object_get(tree, name);

	return bytes_of(json_string_value(value), json_string_length(value));
}

static bool is_true(const json_t *tree, const char *name)
{
	return json_is_true(json_object_get(tree, name));
}

static bool copy_text(struct bytes from, struct bytes *to)
{
	uint8_t *at = malloc(from.len + 1);

	if (!at)
		return false;
	if (from.len)
		memcpy(at, from.at, from.len);
	*to = bytes_of(at, from.len);
	return true;
}

static const int32_t *read_ids(const json_t *list, size_t *count)
{
	int32_t *ids = malloc((json_array_size(list) + 1) * sizeof *ids);

	*count = ids ? json_array_size(list) : 0;
	for (size_t i = 0; i < *count; i++)
		ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
	if (ids)
		voice_rules_sort(ids, *count);
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
		if (bytes_in(from, "group").len && !copy_text(bytes_in(from, "group"), &to->group))
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
		if (!copy_text(bytes_in(from, "name"), &to->name))
			return false;
	}
	return true;
}

/* Where it lies and what it is linked to comes when all are there. */
void voice_tree_read_channel(int64_t id, const json_t *tree)
{
	struct voice_channel *channel = voice_channel_find((uint32_t)id);
	struct voice_rules rules = {0};
	struct bytes description = bytes_in(tree, "description");

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

void voice_tree_place_channel(int64_t id, const json_t *tree)
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

static unsigned digit_of(char c)
{
	return c >= 'a' ? (unsigned)(c - 'a') + 10 : (unsigned)(c - '0');
}

uint8_t *voice_tree_bytes(const json_t *tree, const char *name, size_t *len)
{
	const char *hex = text(tree, name);
	uint8_t *at = malloc(strlen(hex) / 2 + 1);

	*len = at ? strlen(hex) / 2 : 0;
	for (size_t i = 0; i < *len; i++)
		at[i] = (uint8_t)(digit_of(hex[2 * i]) << 4 | (digit_of(hex[2 * i + 1]) & 15));
	return at;
}

bool voice_tree_blob(const json_t *tree, const char *name, struct voice_blob *blob)
{
	size_t len;
	uint8_t *at = voice_tree_bytes(tree, name, &len);
	bool set = at && (len == 0 || voice_blob_set(blob, bytes_of(at, len)));

	free(at);
	return set;
}

void voice_tree_read_registration(int64_t id, const json_t *tree)
{
	struct voice_registration *row =
		id > 0 && id < INT32_MAX
			? voice_register(text(tree, "name"), text(tree, "hash"), (int32_t)id)
			: NULL;

	if (!row)
		return;
	row->last_channel = (uint32_t)number(tree, "last_channel");
	row->seen_ms = number(tree, "seen_ms");
	if (bytes_in(tree, "comment").len)
		(void)voice_blob_set(&row->comment, bytes_in(tree, "comment"));
	(void)voice_tree_blob(tree, "texture", &row->texture);
	row->unsaved = false;
}

bool voice_tree_read_bans(const json_t *tree)
{
	const json_t *list = json_object_get(tree, "bans");
	size_t count = json_array_size(list);
	struct voice_ban *bans = calloc(count + 1, sizeof *bans);

	if (!bans)
		return false;
	for (size_t i = 0; i < count; i++) {
		const json_t *from = json_array_get(list, i);
		struct voice_ban *ban = &bans[i];

		ban->start_s = number(from, "start_s");
		ban->duration_s = (uint32_t)number(from, "duration_s");
		ban->has_network = cidr_parse(bytes_str(text(from, "network")), &ban->network);
		bytes_to_str(bytes_str(text(from, "hash")), ban->hash, sizeof ban->hash);
		bytes_to_str(bytes_str(text(from, "name")), ban->name, sizeof ban->name);
		bytes_to_str(bytes_str(text(from, "reason")), ban->reason, sizeof ban->reason);
	}
	voice_bans_set(bans, count);
	return true;
}
