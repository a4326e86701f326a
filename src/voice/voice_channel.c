/* voice_channel: the tree of channels, and their rules. */
#include <openssl/evp.h>
#include <stdlib.h>

#include "voice/voice_part.h"
#include "voice/voice_record.h"

#define CHANNEL_IDS 65536u

/* --- blobs ------------------------------------------------------------------------------------- */

bool voice_blob_set(struct voice_blob *blob, struct bytes in)
{
	uint8_t *at = malloc(in.len + 1);
	unsigned len;

	if (!at)
		return false;
	if (in.len)
		memcpy(at, in.at, in.len);
	at[in.len] = '\0';
	free(blob->at);
	*blob = (struct voice_blob){.at = at, .len = in.len};
	return EVP_Digest(at, in.len, blob->sha1, &len, EVP_sha1(), NULL) == 1;
}

void voice_blob_fini(struct voice_blob *blob)
{
	free(blob->at);
	*blob = (struct voice_blob){0};
}

/* --- the tree ---------------------------------------------------------------------------------- */

struct voice_channel *voice_channel_find(uint32_t id)
{
	return id < voice_hub.channel_room ? voice_hub.channels[id] : NULL;
}

uint32_t voice_channel_free_id(void)
{
	uint32_t id = 1;

	while (voice_channel_find(id))
		id++;
	return id;
}

RUNS_ON(on_control) static bool make_room(uint32_t id)
{
	size_t room = voice_hub.channel_room ? voice_hub.channel_room : 64;
	struct voice_channel **larger;

	if (id < voice_hub.channel_room)
		return true;
	while (room <= id)
		room *= 2;
	larger = realloc(voice_hub.channels, room * sizeof(struct voice_channel *));
	if (!larger)
		return false;
	memset(larger + voice_hub.channel_room, 0,
	       (room - voice_hub.channel_room) * sizeof(struct voice_channel *));
	voice_hub.channels = larger;
	voice_hub.channel_room = room;
	return true;
}

static void attach(struct voice_channel *channel, struct voice_channel *parent)
{
	channel->parent = parent;
	channel->acl.parent = parent ? &parent->acl : NULL;
	if (!parent)
		return;
	channel->next = parent->first;
	parent->first = channel;
}

static void detach(struct voice_channel *channel)
{
	struct voice_channel **link;

	if (!channel->parent)
		return;
	link = &channel->parent->first;
	while (*link != channel)
		link = &(*link)->next;
	*link = channel->next;
}

struct voice_channel *voice_channel_make(struct voice_channel *parent, uint32_t id,
					 const char *name)
{
	struct voice_channel *channel;

	if (id >= CHANNEL_IDS || voice_channel_find(id) || !make_room(id))
		return NULL;
	channel = calloc(1, sizeof *channel);
	if (!channel)
		return NULL;
	channel->name = strdup(name);
	if (!channel->name) {
		free(channel);
		return NULL;
	}
	channel->id = id;
	channel->unsaved = true;
	channel->rules.inherit = channel->acl.inherit = true;
	attach(channel, parent);
	voice_hub.channels[id] = channel;
	voice_hub.channel_count++;
	return channel;
}

static void channel_free(struct voice_channel *channel)
{
	voice_rules_fini(&channel->rules);
	voice_blob_fini(&channel->description);
	free(channel->links);
	free(channel->listens);
	free(channel->name);
	free(channel);
}

void voice_channel_remove(struct voice_channel *channel)
{
	bool linked = channel->link_count > 0;

	while (channel->first)
		voice_channel_remove(channel->first);
	while (channel->link_count)
		voice_channel_unlink(channel, channel->links[0]);
	while (channel->listen_count)
		voice_listen_remove(channel->listens[0].user, channel);
	voice_record_channel_gone(channel);
	detach(channel);
	voice_stage_touch(channel);
	voice_hub.channels[channel->id] = NULL;
	voice_hub.channel_count--;
	if (!channel->temporary)
		voice_store_drop("channel", channel->id);
	channel_free(channel);
	/* Who spoke into it too must not be heard by those of the next channel with its number. */
	for (struct voice_user *user = linked ? voice_hub.users : NULL; user; user = user->next)
		if (user->channel)
			voice_stage_of(user);
}

void voice_channel_move(struct voice_channel *channel, struct voice_channel *to)
{
	detach(channel);
	attach(channel, to);
	channel->unsaved = true;
}

bool voice_channel_is_below(const struct voice_channel *channel, const struct voice_channel *above)
{
	while (channel && channel != above)
		channel = channel->parent;
	return channel != NULL;
}

size_t voice_channel_depth(const struct voice_channel *channel)
{
	size_t depth = 0;

	while ((channel = channel->parent))
		depth++;
	return depth;
}

size_t voice_channel_height(const struct voice_channel *channel)
{
	size_t height = 0;

	for (const struct voice_channel *child = channel->first; child; child = child->next) {
		size_t below = voice_channel_height(child) + 1;

		height = below > height ? below : height;
	}
	return height;
}

bool voice_channel_has(const struct voice_channel *parent, struct bytes name,
		       const struct voice_channel *except)
{
	for (const struct voice_channel *child = parent->first; child; child = child->next)
		if (child != except && bytes_equal(bytes_str(child->name), name))
			return true;
	return false;
}

/* --- links ------------------------------------------------------------------------------------- */

bool voice_channel_is_linked(const struct voice_channel *a, const struct voice_channel *b)
{
	for (size_t i = 0; i < a->link_count; i++)
		if (a->links[i] == b)
			return true;
	return false;
}

static bool link_room(struct voice_channel *channel)
{
	struct voice_channel **larger =
		realloc(channel->links, (channel->link_count + 1) * sizeof(struct voice_channel *));

	if (larger)
		channel->links = larger;
	return larger != NULL;
}

bool voice_channel_link(struct voice_channel *a, struct voice_channel *b)
{
	if (a == b || voice_channel_is_linked(a, b) || !link_room(a) || !link_room(b))
		return false;
	a->links[a->link_count++] = b;
	b->links[b->link_count++] = a;
	a->unsaved = b->unsaved = true;
	return true;
}

static void drop_link(struct voice_channel *from, const struct voice_channel *to)
{
	for (size_t i = 0; i < from->link_count; i++)
		if (from->links[i] == to) {
			from->links[i] = from->links[--from->link_count];
			return;
		}
}

void voice_channel_unlink(struct voice_channel *a, struct voice_channel *b)
{
	drop_link(a, b);
	drop_link(b, a);
	a->unsaved = b->unsaved = true;
}

/* --- rules ------------------------------------------------------------------------------------- */

void voice_rules_fini(struct voice_rules *rules)
{
	for (size_t i = 0; i < rules->rule_count; i++)
		free((void *)(uintptr_t)rules->rules[i].group.at);
	for (size_t i = 0; i < rules->group_count; i++) {
		free((void *)(uintptr_t)rules->groups[i].name.at);
		free((void *)(uintptr_t)rules->groups[i].add);
		free((void *)(uintptr_t)rules->groups[i].remove);
	}
	free(rules->rules);
	free(rules->groups);
	*rules = (struct voice_rules){0};
}

static int compare_ids(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return x < y ? -1 : x > y;
}

void voice_rules_sort(int32_t *ids, size_t count)
{
	qsort(ids, count, sizeof *ids, compare_ids);
}

static bool strike(const int32_t *list, size_t *count, int32_t id)
{
	int32_t *ids = (int32_t *)(uintptr_t)list;
	size_t kept = 0, before = *count;

	for (size_t i = 0; i < before; i++)
		if (ids[i] != id)
			ids[kept++] = ids[i];
	*count = kept;
	return kept != before;
}

static void point_at(struct voice_channel *channel)
{
	channel->acl.inherit = channel->rules.inherit;
	channel->acl.rules = channel->rules.rules;
	channel->acl.rule_count = channel->rules.rule_count;
	channel->acl.groups = channel->rules.groups;
	channel->acl.group_count = channel->rules.group_count;
}

void voice_rules_forget(struct voice_channel *channel, int32_t id)
{
	struct voice_rules *rules = &channel->rules;
	size_t kept = 0, before = rules->rule_count;

	for (size_t i = 0; i < before; i++)
		if (rules->rules[i].user != id)
			rules->rules[kept++] = rules->rules[i];
	rules->rule_count = kept;
	channel->unsaved |= kept != before;
	for (size_t i = 0; i < rules->group_count; i++) {
		struct acl_group *group = &rules->groups[i];

		channel->unsaved |= strike(group->add, &group->add_count, id);
		channel->unsaved |= strike(group->remove, &group->remove_count, id);
	}
	point_at(channel);
}

void voice_rules_set(struct voice_channel *channel, struct voice_rules *rules)
{
	voice_rules_fini(&channel->rules);
	channel->rules = *rules;
	*rules = (struct voice_rules){0};
	channel->unsaved = true;
	point_at(channel);
}

bool voice_rules_add(struct voice_channel *channel, const struct acl_rule *rule)
{
	struct voice_rules *rules = &channel->rules;
	struct acl_rule *larger = realloc(rules->rules, (rules->rule_count + 1) * sizeof *larger);
	uint8_t *group = NULL;

	if (!larger)
		return false;
	rules->rules = larger;
	point_at(channel);
	if (rule->group.len) {
		group = malloc(rule->group.len);
		if (!group)
			return false;
		memcpy(group, rule->group.at, rule->group.len);
	}
	larger[rules->rule_count] = *rule;
	larger[rules->rule_count].group = bytes_of(group, rule->group.len);
	rules->rule_count++;
	channel->unsaved = true;
	point_at(channel);
	return true;
}

bool voice_rules_at_first(struct voice_channel *root)
{
	const struct acl_rule rules[] = {
		{true, true, ACL_NOBODY, BYTES("admin"), MAY_WRITE, 0},
		{true, true, ACL_NOBODY, BYTES("auth"), MAY_MAKE_TEMP_CHANNEL, 0},
		{true, false, ACL_NOBODY, BYTES("all"), MAY_SELF_REGISTER, 0},
	};
	struct acl_group *admins = calloc(1, sizeof *admins);
	uint8_t *name = malloc(5);

	if (!admins || !name) {
		free(admins);
		free(name);
		return false;
	}
	memcpy(name, "admin", 5);
	*admins =
		(struct acl_group){.name = bytes_of(name, 5), .inherit = true, .inheritable = true};
	root->rules.groups = admins;
	root->rules.group_count = 1;
	for (size_t i = 0; i < COUNT_OF(rules); i++)
		if (!voice_rules_add(root, &rules[i]))
			return false;
	return true;
}

/* --- telling ----------------------------------------------------------------------------------- */

/* Whether not everybody may come in: clients show a lock. */
RUNS_ON(on_control) static bool is_restricted(const struct voice_channel *channel)
{
	for (const struct voice_channel *c = channel; c; c = c->parent)
		for (size_t i = 0; i < c->rules.rule_count; i++) {
			const struct acl_rule *rule = &c->rules.rules[i];

			if (rule->deny & MAY_ENTER && (c == channel ? rule->here : rule->below))
				return true;
		}
	return false;
}

void voice_channel_tell(const struct voice_channel *channel, bool links, struct voice_user *to)
{
	struct mumble_message message;
	struct mumble_channel_state *state = &message.channel_state;
	uint32_t *ids = NULL;

	message_init(&message, MUMBLE_CHANNEL_STATE);
	MUMBLE_SET(state, channel_state, channel_id, channel->id);
	if (channel->parent)
		MUMBLE_SET(state, channel_state, parent, channel->parent->id);
	MUMBLE_SET(state, channel_state, name, bytes_str(channel->name));
	if (channel->description.len >= VOICE_BLOB_SHORT)
		MUMBLE_SET(state, channel_state, description_hash,
			   bytes_of(channel->description.sha1, VOICE_SHA1_SIZE));
	else if (channel->description.len)
		MUMBLE_SET(state, channel_state, description,
			   voice_blob_bytes(&channel->description));
	MUMBLE_SET(state, channel_state, temporary, channel->temporary);
	MUMBLE_SET(state, channel_state, position, channel->position);
	MUMBLE_SET(state, channel_state, max_users, channel->max_users);
	MUMBLE_SET(state, channel_state, is_enter_restricted, is_restricted(channel));
	MUMBLE_SET(state, channel_state, can_enter, (voice_may(to, channel) & MAY_ENTER) != 0);
	if (links && channel->link_count) {
		ids = malloc(channel->link_count * sizeof *ids);
		for (size_t i = 0; ids && i < channel->link_count; i++)
			ids[i] = channel->links[i]->id;
		state->links.at = ids;
		state->links.count = ids ? channel->link_count : 0;
	}
	voice_send(to, &message);
	free(ids);
}

void voice_channel_tell_door(const struct voice_channel *channel, struct voice_user *to)
{
	struct mumble_message message;
	struct mumble_channel_state *state = &message.channel_state;

	message_init(&message, MUMBLE_CHANNEL_STATE);
	MUMBLE_SET(state, channel_state, channel_id, channel->id);
	MUMBLE_SET(state, channel_state, is_enter_restricted, is_restricted(channel));
	MUMBLE_SET(state, channel_state, can_enter, (voice_may(to, channel) & MAY_ENTER) != 0);
	voice_send(to, &message);
}

void voice_channels_fini(void)
{
	for (size_t i = 0; i < voice_hub.channel_room; i++)
		if (voice_hub.channels[i])
			channel_free(voice_hub.channels[i]);
	free(voice_hub.channels);
	voice_hub.channels = NULL;
	voice_hub.channel_room = 0;
}
