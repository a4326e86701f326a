/* voice_request_acl: the rules and groups of a channel are shown and replaced. */
#include <stdio.h>
#include <stdlib.h>

#include "core/log.h"
#include "core/metric.h"
#include "voice/voice.h"
#include "voice/voice_part.h"

#define RULES_MAX   256u /* of one channel */
#define GROUPS_MAX  64u
#define MEMBERS_MAX 16384u

/* What an answer's arrays are made of; freed together. */
struct acl_room {
	struct mumble_chan_group *groups;
	struct mumble_chan_acl *acls;
	size_t group_count, acl_count;
};

/* Members that a group has from above, as one list: of those whom somebody there has added. */
static uint32_t *inherited_members(const struct voice_channel *channel, struct bytes name,
				   size_t *count)
{
	size_t most = 0, all = 0;
	int32_t *list;

	*count = 0;
	for (const struct acl_channel *c = channel->acl.parent; c; c = c->parent) {
		const struct acl_group *group = acl_group_here(c, name);

		most += group ? group->add_count : 0;
	}
	list = malloc((most + 1) * sizeof *list);
	for (const struct acl_channel *c = channel->acl.parent; list && c; c = c->parent) {
		const struct acl_group *group = acl_group_here(c, name);

		for (size_t i = 0; group && i < group->add_count; i++)
			list[all++] = group->add[i];
	}
	if (list)
		voice_rules_sort(list, all);
	for (size_t i = 0; i < all; i++) {
		struct acl_who who = {.user = list[i]};

		if ((i == 0 || list[i] != list[i - 1]) &&
		    acl_is_member(channel->acl.parent, channel->acl.parent, name, &who))
			list[(*count)++] = list[i];
	}
	return (uint32_t *)list;
}

/* What this channel and those above say of a group; only what is inheritable counts from above. */
RUNS_ON(on_control)
static void describe_group(const struct voice_channel *channel, struct bytes name,
			   struct mumble_chan_group *to)
{
	const struct acl_group *here = acl_group_here(&channel->acl, name);
	size_t count;
	uint32_t *inherited = inherited_members(channel, name, &count);

	*to = (struct mumble_chan_group){0};
	MUMBLE_SET(to, chan_group, name, name);
	MUMBLE_SET(to, chan_group, inherited, here == NULL);
	MUMBLE_SET(to, chan_group, inherit, !here || here->inherit);
	MUMBLE_SET(to, chan_group, inheritable, !here || here->inheritable);
	if (here) {
		/* Numbers of users are never negative: they are the same on the wire. */
		to->add.at = (const uint32_t *)here->add;
		to->add.count = here->add_count;
		to->remove.at = (const uint32_t *)here->remove;
		to->remove.count = here->remove_count;
	}
	to->inherited_members.at = inherited;
	to->inherited_members.count = inherited ? count : 0;
}

static bool has_group(const struct acl_room *room, struct bytes name)
{
	for (size_t i = 0; i < room->group_count; i++)
		if (bytes_equal(room->groups[i].name, name))
			return true;
	return false;
}

RUNS_ON(on_control)
static bool describe_groups(const struct voice_channel *channel, struct acl_room *room)
{
	size_t most = 0;

	for (const struct voice_channel *c = channel; c; c = c->parent)
		most += c->rules.group_count;
	room->groups = calloc(most + 1, sizeof *room->groups);
	if (!room->groups)
		return false;
	for (const struct voice_channel *c = channel; c; c = c->parent)
		for (size_t i = 0; i < c->rules.group_count; i++)
			if (!has_group(room, c->rules.groups[i].name) &&
			    (c == channel || c->rules.groups[i].inheritable))
				describe_group(channel, c->rules.groups[i].name,
					       &room->groups[room->group_count++]);
	return true;
}

static void describe_rule(const struct acl_rule *rule, bool inherited, struct mumble_chan_acl *to)
{
	*to = (struct mumble_chan_acl){0};
	MUMBLE_SET(to, chan_acl, apply_here, rule->here);
	MUMBLE_SET(to, chan_acl, apply_subs, rule->below);
	MUMBLE_SET(to, chan_acl, inherited, inherited);
	if (rule->user != ACL_NOBODY)
		MUMBLE_SET(to, chan_acl, user_id, (uint32_t)rule->user);
	else
		MUMBLE_SET(to, chan_acl, group, rule->group);
	MUMBLE_SET(to, chan_acl, grant, rule->grant);
	MUMBLE_SET(to, chan_acl, deny, rule->deny);
}

/* From the uppermost that is inherited from down to the channel. */
static bool describe_rules(const struct voice_channel *channel, struct acl_room *room)
{
	const struct voice_channel *chain[ACL_DEPTH_MAX], *at = channel;
	size_t count = 0, most = 0;

	while (at && count < ACL_DEPTH_MAX) {
		chain[count++] = at;
		most += at->rules.rule_count;
		at = at->rules.inherit ? at->parent : NULL;
	}
	room->acls = calloc(most + 1, sizeof *room->acls);
	if (!room->acls)
		return false;
	while (count > 0) {
		const struct voice_channel *c = chain[--count];

		for (size_t i = 0; i < c->rules.rule_count; i++)
			if (c == channel || c->rules.rules[i].below)
				describe_rule(&c->rules.rules[i], c != channel,
					      &room->acls[room->acl_count++]);
	}
	return true;
}

/* Names of all whose numbers stand in an answer. */
RUNS_ON(on_control)
static void tell_names_of(struct voice_user *to, const struct acl_room *room)
{
	size_t most = room->acl_count, count = 0;
	uint32_t *ids;

	for (size_t i = 0; i < room->group_count; i++)
		most += room->groups[i].add.count + room->groups[i].remove.count +
			room->groups[i].inherited_members.count;
	ids = malloc((most + 1) * sizeof *ids);
	for (size_t i = 0; ids && i < room->acl_count; i++)
		if (room->acls[i].has & MUMBLE_HAS(chan_acl, user_id))
			ids[count++] = room->acls[i].user_id;
	for (size_t i = 0; ids && i < room->group_count; i++) {
		const struct mumble_chan_group *group = &room->groups[i];

		for (size_t n = 0; n < group->add.count; n++)
			ids[count++] = group->add.at[n];
		for (size_t n = 0; n < group->remove.count; n++)
			ids[count++] = group->remove.at[n];
		for (size_t n = 0; n < group->inherited_members.count; n++)
			ids[count++] = group->inherited_members.at[n];
	}
	if (count)
		voice_tell_names(to, ids, count);
	free(ids);
}

RUNS_ON(on_control)
static void tell_rules(struct voice_user *to, const struct voice_channel *channel)
{
	struct acl_room room = {0};
	struct mumble_message message;

	message_init(&message, MUMBLE_ACL);
	if (describe_groups(channel, &room) && describe_rules(channel, &room)) {
		MUMBLE_SET(&message.acl, acl, channel_id, channel->id);
		MUMBLE_SET(&message.acl, acl, inherit_acls, channel->rules.inherit);
		message.acl.groups.at = room.groups;
		message.acl.groups.count = room.group_count;
		message.acl.acls.at = room.acls;
		message.acl.acls.count = room.acl_count;
		voice_send(to, &message);
		tell_names_of(to, &room);
	}
	for (size_t i = 0; i < room.group_count; i++)
		free((void *)(uintptr_t)room.groups[i].inherited_members.at);
	free(room.groups);
	free(room.acls);
}

static bool copy_bytes(struct bytes *to, struct bytes from)
{
	uint8_t *at = malloc(from.len + 1);

	if (!at)
		return false;
	memcpy(at, from.at, from.len);
	*to = bytes_of(at, from.len);
	return true;
}

static const int32_t *copy_ids(const uint32_t *from, size_t count)
{
	int32_t *to = malloc((count + 1) * sizeof *to);

	for (size_t i = 0; to && i < count; i++)
		to[i] = (int32_t)(from[i] & INT32_MAX);
	if (to)
		voice_rules_sort(to, count);
	return to;
}

/* What a client wants, as memory of our own; inherited parts are others' to change. */
static bool rules_of(const struct mumble_acl *said, struct voice_rules *rules)
{
	rules->inherit = said->inherit_acls;
	rules->groups = calloc(said->groups.count + 1, sizeof *rules->groups);
	rules->rules = calloc(said->acls.count + 1, sizeof *rules->rules);
	if (!rules->groups || !rules->rules)
		return false;
	for (size_t i = 0; i < said->groups.count; i++) {
		const struct mumble_chan_group *from = &said->groups.at[i];
		struct acl_group *to = &rules->groups[rules->group_count];

		if (from->name.len == 0 || from->name.len > VOICE_NAME_MAX)
			continue;
		/* One that changes nothing is not kept. */
		if (from->inherit && from->inheritable && from->inherited && !from->add.count &&
		    !from->remove.count)
			continue;
		to->inherit = from->inherit;
		to->inheritable = from->inheritable;
		to->add = copy_ids(from->add.at, from->add.count);
		to->remove = copy_ids(from->remove.at, from->remove.count);
		rules->group_count++;
		if (!to->add || !to->remove || !copy_bytes(&to->name, from->name))
			return false;
		to->add_count = from->add.count;
		to->remove_count = from->remove.count;
	}
	for (size_t i = 0; i < said->acls.count; i++) {
		const struct mumble_chan_acl *from = &said->acls.at[i];
		struct acl_rule *to = &rules->rules[rules->rule_count];
		bool user = from->has & MUMBLE_HAS(chan_acl, user_id);

		if ((from->has & MUMBLE_HAS(chan_acl, inherited) && from->inherited) ||
		    (!user && (from->group.len == 0 || from->group.len > VOICE_NAME_MAX)))
			continue;
		*to = (struct acl_rule){.here = from->apply_here,
					.below = from->apply_subs,
					.user = user ? (int32_t)(from->user_id & INT32_MAX)
						     : ACL_NOBODY,
					.grant = from->grant & MAY_ALL,
					.deny = from->deny & MAY_ALL};
		rules->rule_count++;
		if (!user && !copy_bytes(&to->group, from->group))
			return false;
	}
	return true;
}

/* All of them are looked at whenever it is asked what somebody may, and whoever has a channel of his own
 * can make them up. */
static bool is_too_much(const struct mumble_acl *said)
{
	size_t members = 0;

	for (size_t i = 0; i < said->groups.count; i++)
		members += said->groups.at[i].add.count + said->groups.at[i].remove.count;
	return said->groups.count > GROUPS_MAX || said->acls.count > RULES_MAX ||
	       members > MEMBERS_MAX;
}

/* Clients show a lock where not everybody may come in. */
RUNS_ON(on_control) static void tell_door(const struct voice_channel *channel)
{
	for (struct voice_user *to = voice_hub.users; to; to = to->next)
		if (to->channel && !to->leaving)
			voice_channel_tell_door(channel, to);
}

void voice_on_acl(struct voice_user *user, const struct mumble_message *message)
{
	struct voice_channel *channel = voice_channel_find(message->acl.channel_id);
	struct voice_rules rules = {0};

	if (!channel)
		return;
	if (!(voice_may(user, channel) & MAY_WRITE) &&
	    !(channel->parent && voice_may(user, channel->parent) & MAY_WRITE)) {
		voice_deny(user, MAY_WRITE, channel);
		return;
	}
	if (message->acl.query) {
		tell_rules(user, channel);
		return;
	}
	if (is_too_much(&message->acl)) {
		voice_deny_text(user, channel,
				BYTES("Too many rules, groups or members for one channel"));
		return;
	}
	if (!rules_of(&message->acl, &rules)) {
		voice_rules_fini(&rules);
		return;
	}
	voice_rules_set(channel, &rules);
	/* Nobody takes the power over a channel from himself by mistake. */
	if (!(voice_may(user, channel) & MAY_WRITE)) {
		struct acl_rule rule = {
			.here = true, .user = user->id, .grant = MAY_WRITE | MAY_TRAVERSE};
		char group[VOICE_HASH_SIZE + 1];

		snprintf(group, sizeof group, "$%s", user->peer->hash);
		if (user->id == ACL_NOBODY)
			rule.group = bytes_str(group);
		if (user->id != ACL_NOBODY || user->peer->hash[0])
			(void)voice_rules_add(channel, &rule);
	}
	log_info("voice", "rules changed", kv_str("channel", channel->name),
		 kv_str("by", user->name));
	tell_door(channel);
	voice_recheck_all();
	voice_flush_permissions();
	voice_registry_changed();
}
