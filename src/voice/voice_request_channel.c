/* voice_request_channel: channels are made, changed, linked, moved and removed. */
#include <stdlib.h>

#include "core/log.h"
#include "core/metric.h"
#include "voice/voice.h"
#include "voice/voice_part.h"

static bool is_channel_name(struct bytes name)
{
	if (name.len == 0 || name.len > VOICE_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (name.at[i] < 0x20 || name.at[i] == 0x7f)
			return false;
	return true;
}

/* Who makes a channel has it. */
RUNS_ON(on_control)
static void give(struct voice_channel *channel, const struct voice_user *user)
{
	char group[VOICE_HASH_SIZE + 1] = "$";
	struct acl_rule rule = {.here = true, .user = user->id, .grant = MAY_WRITE | MAY_TRAVERSE};

	if (voice_may(user, channel) & MAY_WRITE)
		return;
	bytes_to_str(bytes_str(user->peer->hash), group + 1, sizeof group - 1);
	if (user->id == ACL_NOBODY)
		rule.group = bytes_str(group);
	if (user->id != ACL_NOBODY || user->peer->hash[0])
		(void)voice_rules_add(channel, &rule);
}

struct voice_channel *voice_channel_add(struct voice_channel *parent, struct bytes name)
{
	char text[VOICE_NAME_MAX + 1];

	if (!is_channel_name(name) || voice_channel_has(parent, name, NULL) || parent->temporary ||
	    voice_channel_depth(parent) + 1 >= voice_conf()->channel_depth ||
	    voice_hub.channel_count >= voice_conf()->channels)
		return NULL;
	bytes_to_str(name, text, sizeof text);
	return voice_channel_make(parent, voice_channel_free_id(), text);
}

void voice_channel_announce(const struct voice_channel *channel)
{
	for (struct voice_user *to = voice_hub.users; to; to = to->next)
		if (to->channel)
			voice_channel_tell(channel, false, to);
	voice_registry_changed();
}

RUNS_ON(on_control)
static void make_channel(struct voice_user *user, const struct mumble_channel_state *said)
{
	struct voice_channel *parent = voice_channel_find(said->parent), *made;

	if (!parent)
		return;
	if (!voice_require(user, said->temporary ? MAY_MAKE_TEMP_CHANNEL : MAY_MAKE_CHANNEL,
			   parent))
		return;
	if (parent->temporary) {
		voice_deny_why(user, DENY_TEMPORARY_CHANNEL, (struct bytes){0});
		return;
	}
	if (!is_channel_name(said->name) || voice_channel_has(parent, said->name, NULL)) {
		voice_deny_why(user, DENY_CHANNEL_NAME, said->name);
		return;
	}
	if (voice_channel_depth(parent) + 1 >= voice_conf()->channel_depth) {
		voice_deny_why(user, DENY_NESTING_LIMIT, (struct bytes){0});
		return;
	}
	if (voice_hub.channel_count >= voice_conf()->channels) {
		voice_deny_why(user, DENY_CHANNEL_COUNT_LIMIT, (struct bytes){0});
		return;
	}
	if (!voice_text_fits(user, said->description))
		return;
	made = voice_channel_add(parent, said->name);
	if (!made)
		return;
	made->temporary = said->temporary;
	made->position = said->position;
	made->max_users = said->max_users;
	if (said->description.len)
		(void)voice_blob_set(&made->description, said->description);
	give(made, user);
	log_info("voice", "channel made", kv_str("name", made->name), kv_u64("id", made->id),
		 kv_str("by", user->name));
	voice_channel_announce(made);
	if (made->temporary)
		voice_move(user, made, user);
}

RUNS_ON(on_control)
static bool may_move_channel(struct voice_user *user, const struct voice_channel *channel,
			     const struct voice_channel *to)
{
	size_t depth;

	if (!to || voice_channel_is_below(to, channel))
		return false;
	depth = voice_channel_depth(to) + 1 + voice_channel_height(channel);
	if (!voice_require(user, MAY_WRITE, channel) ||
	    !voice_require(user, channel->temporary ? MAY_MAKE_TEMP_CHANNEL : MAY_MAKE_CHANNEL, to))
		return false;
	if (to->temporary)
		voice_deny_why(user, DENY_TEMPORARY_CHANNEL, (struct bytes){0});
	else if (voice_channel_has(to, bytes_str(channel->name), channel))
		voice_deny_why(user, DENY_CHANNEL_NAME, bytes_str(channel->name));
	else if (depth >= voice_conf()->channel_depth)
		voice_deny_why(user, DENY_NESTING_LIMIT, (struct bytes){0});
	else
		return true;
	return false;
}

/* Whether he may all that he asks for, before any of it is done. */
RUNS_ON(on_control)
static bool may_change(struct voice_user *user, struct voice_channel *channel,
		       const struct mumble_channel_state *said)
{
	const uint32_t plain = MUMBLE_HAS(channel_state, description) |
			       MUMBLE_HAS(channel_state, position) |
			       MUMBLE_HAS(channel_state, max_users);

	if (said->has & MUMBLE_HAS(channel_state, name) &&
	    !bytes_equal(said->name, bytes_str(channel->name))) {
		if (!voice_require(user, MAY_WRITE, channel))
			return false;
		if (!is_channel_name(said->name) || !channel->parent ||
		    voice_channel_has(channel->parent, said->name, channel)) {
			voice_deny_why(user, DENY_CHANNEL_NAME, said->name);
			return false;
		}
	}
	if (said->has & plain && !voice_require(user, MAY_WRITE, channel))
		return false;
	if (!voice_text_fits(user, said->description))
		return false;
	if (said->has & MUMBLE_HAS(channel_state, parent) && channel->parent &&
	    said->parent != channel->parent->id &&
	    !may_move_channel(user, channel, voice_channel_find(said->parent)))
		return false;
	if (said->links_add.count + said->links_remove.count &&
	    !voice_require(user, MAY_LINK_CHANNEL, channel))
		return false;
	for (size_t i = 0; i < said->links_add.count; i++) {
		const struct voice_channel *other = voice_channel_find(said->links_add.at[i]);

		if (!other || !voice_require(user, MAY_LINK_CHANNEL, other))
			return false;
	}
	return true;
}

void voice_recheck_all(void)
{
	for (struct voice_user *user = voice_hub.users; user; user = user->next)
		if (user->channel && !user->leaving)
			voice_user_recheck(user);
}

RUNS_ON(on_control)
static void change_links(struct voice_channel *channel, const struct mumble_channel_state *said)
{
	for (size_t i = 0; i < said->links_add.count; i++)
		(void)voice_channel_link(channel, voice_channel_find(said->links_add.at[i]));
	for (size_t i = 0; i < said->links_remove.count; i++) {
		struct voice_channel *other = voice_channel_find(said->links_remove.at[i]);

		if (other)
			voice_channel_unlink(channel, other);
	}
}

RUNS_ON(on_control)
static void change_channel(struct voice_user *user, const struct mumble_channel_state *said)
{
	struct voice_channel *channel = voice_channel_find(said->channel_id);
	struct mumble_message message;
	struct mumble_channel_state *told = &message.channel_state;
	bool moves;

	if (!channel || !may_change(user, channel, said))
		return;
	message_init(&message, MUMBLE_CHANNEL_STATE);
	MUMBLE_SET(told, channel_state, channel_id, channel->id);
	if (said->has & MUMBLE_HAS(channel_state, name)) {
		char *name = malloc(said->name.len + 1);

		if (!name)
			return;
		bytes_to_str(said->name, name, said->name.len + 1);
		free(channel->name);
		channel->name = name;
		MUMBLE_SET(told, channel_state, name, bytes_str(channel->name));
	}
	if (said->has & MUMBLE_HAS(channel_state, description)) {
		(void)voice_blob_set(&channel->description, said->description);
		if (channel->description.len >= VOICE_BLOB_SHORT)
			MUMBLE_SET(told, channel_state, description_hash,
				   bytes_of(channel->description.sha1, VOICE_SHA1_SIZE));
		else
			MUMBLE_SET(told, channel_state, description,
				   voice_blob_bytes(&channel->description));
	}
	if (said->has & MUMBLE_HAS(channel_state, position)) {
		channel->position = said->position;
		MUMBLE_SET(told, channel_state, position, channel->position);
	}
	if (said->has & MUMBLE_HAS(channel_state, max_users)) {
		channel->max_users = said->max_users;
		MUMBLE_SET(told, channel_state, max_users, channel->max_users);
	}
	moves = said->has & MUMBLE_HAS(channel_state, parent) && channel->parent &&
		said->parent != channel->parent->id;
	if (moves) {
		voice_channel_move(channel, voice_channel_find(said->parent));
		MUMBLE_SET(told, channel_state, parent, channel->parent->id);
	}
	change_links(channel, said);
	told->links_add = said->links_add;
	told->links_remove = said->links_remove;
	if (moves || said->links_add.count || said->links_remove.count) {
		voice_recheck_all();
		voice_settle();
	}
	voice_send_all(&message, NULL);
	if (moves)
		voice_flush_permissions();
	channel->unsaved = true;
	voice_registry_changed();
}

void voice_on_channel_state(struct voice_user *user, const struct mumble_message *message)
{
	const struct mumble_channel_state *said = &message->channel_state;

	if (said->has & MUMBLE_HAS(channel_state, channel_id))
		change_channel(user, said);
	else if (said->has & MUMBLE_HAS(channel_state, parent) &&
		 said->has & MUMBLE_HAS(channel_state, name))
		make_channel(user, said);
}

/* Those in it and below go to where it was, or further up where they are not let in. */
RUNS_ON(on_control) static void empty(struct voice_channel *channel, struct voice_channel *to)
{
	uint32_t id = channel->id;

	/* A temporary one is gone with the last who leaves. */
	while ((channel = voice_channel_find(id)) && channel->users) {
		struct voice_channel *target = to;

		while (target->parent && !(voice_may(channel->users, target) & MAY_ENTER))
			target = target->parent;
		voice_move(channel->users, target, NULL);
	}
}

RUNS_ON(on_control)
static void remove_with_users(struct voice_channel *channel, struct voice_channel *to)
{
	struct mumble_message message;
	uint32_t id = channel->id;

	while (channel->first)
		remove_with_users(channel->first, to);
	empty(channel, to);
	if (!voice_channel_find(id))
		return;
	voice_channel_remove(channel);
	message_init(&message, MUMBLE_CHANNEL_REMOVE);
	MUMBLE_SET(&message.channel_remove, channel_remove, channel_id, id);
	voice_send_all(&message, NULL);
}

void voice_channel_drop(struct voice_channel *channel)
{
	remove_with_users(channel, channel->parent);
	voice_recheck_all();
	voice_registry_changed();
}

void voice_on_channel_remove(struct voice_user *user, const struct mumble_message *message)
{
	struct voice_channel *channel = voice_channel_find(message->channel_remove.channel_id);

	if (!channel || !channel->parent || !voice_require(user, MAY_WRITE, channel))
		return;
	log_info("voice", "channel removed", kv_str("name", channel->name),
		 kv_str("by", user->name));
	voice_channel_drop(channel);
}
