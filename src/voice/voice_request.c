/* voice_request: what users ask for on the control connection, and whether they may. */
#include <stdlib.h>

#include "core/log.h"
#include "core/metric.h"
#include "voice/voice.h"
#include "voice/voice_part.h"
#include "voice/voice_rx.h"

#define ROOM_MAX (4u << 20) /* memory of one message's arrays at most */

/* --- no ---------------------------------------------------------------------------------------- */

void voice_deny(struct voice_user *user, uint32_t permission, const struct voice_channel *channel)
{
	struct mumble_message message;
	struct mumble_permission_denied *denied = &message.permission_denied;

	message_init(&message, MUMBLE_PERMISSION_DENIED);
	MUMBLE_SET(denied, permission_denied, permission, permission);
	MUMBLE_SET(denied, permission_denied, channel_id, channel->id);
	MUMBLE_SET(denied, permission_denied, session, user->peer->session);
	MUMBLE_SET(denied, permission_denied, type, DENY_PERMISSION);
	voice_send(user, &message);
}

void voice_deny_why(struct voice_user *user, enum deny_reason why, struct bytes name)
{
	struct mumble_message message;
	struct mumble_permission_denied *denied = &message.permission_denied;

	message_init(&message, MUMBLE_PERMISSION_DENIED);
	MUMBLE_SET(denied, permission_denied, type, why);
	MUMBLE_SET(denied, permission_denied, session, user->peer->session);
	if (name.len)
		MUMBLE_SET(denied, permission_denied, name, name);
	voice_send(user, &message);
}

/* True: he may all of these in the channel; else he is told. */
RUNS_ON(on_control)
static bool require(struct voice_user *user, uint32_t permission,
		    const struct voice_channel *channel)
{
	if ((voice_may(user, channel) & permission) == permission)
		return true;
	voice_deny(user, permission, channel);
	return false;
}

void voice_flush_permissions(void)
{
	struct mumble_message message;

	message_init(&message, MUMBLE_PERMISSION_QUERY);
	MUMBLE_SET(&message.permission_query, permission_query, flush, true);
	voice_send_all(&message, NULL);
}

/* Texts with a picture in them may be longer. */
RUNS_ON(on_control) static bool fits(struct voice_user *user, struct bytes text)
{
	const struct voice_conf *conf = voice_conf();
	bool picture = bytes_find_nocase(text, BYTES("<img")) < text.len;

	if (text.len <= (picture ? conf->image_length : conf->message_length))
		return true;
	voice_deny_why(user, DENY_TEXT_TOO_LONG, (struct bytes){0});
	return false;
}

/* --- version, nonces --------------------------------------------------------------------------- */

RUNS_ON(on_control)
static void on_version(struct voice_user *user, const struct mumble_message *message)
{
	const struct mumble_version *version = &message->version;

	if (user->channel)
		return; /* which form he speaks stands already */
	user->version = mumble_version_of(version);
	bytes_to_str(version->release, user->release, sizeof user->release);
	bytes_to_str(version->os, user->os, sizeof user->os);
	bytes_to_str(version->os_version, user->os_version, sizeof user->os_version);
}

RUNS_ON(on_control)
static void on_crypt_setup(struct voice_user *user, const struct mumble_message *message)
{
	const struct mumble_crypt_setup *setup = &message->crypt_setup;
	struct voice_peer *peer = user->peer;
	struct mumble_message answer;
	uint8_t nonce[OCB2_BLOCK];
	uint64_t sealed;

	if (setup->has & MUMBLE_HAS(crypt_setup, client_nonce)) {
		if (setup->client_nonce.len != OCB2_BLOCK)
			return;
		atomic_fetch_add_explicit(&peer->counts.resync, 1, memory_order_relaxed);
		metric_add(METRIC_voice_resyncs, 1);
		voice_rx_nonce(peer, crypt_nonce_read(setup->client_nonce.at));
		return;
	}
	sealed = atomic_load_explicit(&peer->sealed, memory_order_relaxed);
	crypt_nonce_write(crypt_nonce_add(peer->out_base, sealed), nonce);
	message_init(&answer, MUMBLE_CRYPT_SETUP);
	MUMBLE_SET(&answer.crypt_setup, crypt_setup, server_nonce, bytes_of(nonce, OCB2_BLOCK));
	voice_send(user, &answer);
}

/* --- users ------------------------------------------------------------------------------------- */

/* What only concerns himself. Whether anything is to be told. */
RUNS_ON(on_control)
static bool change_self(struct voice_user *user, const struct mumble_user_state *said,
			struct mumble_user_state *told)
{
	bool changed = false;

	if (said->has & MUMBLE_HAS(user_state, self_deaf)) {
		user->self_deaf = said->self_deaf;
		if (user->self_deaf)
			user->self_mute = true;
		changed = true;
	}
	if (said->has & MUMBLE_HAS(user_state, self_mute)) {
		user->self_mute = said->self_mute;
		if (!user->self_mute)
			user->self_deaf = false;
		changed = true;
	}
	if (changed) {
		MUMBLE_SET(told, user_state, self_mute, user->self_mute);
		MUMBLE_SET(told, user_state, self_deaf, user->self_deaf);
	}
	if (said->has & MUMBLE_HAS(user_state, recording) && said->recording != user->recording) {
		user->recording = said->recording;
		MUMBLE_SET(told, user_state, recording, user->recording);
		changed = true;
	}
	if (said->has & MUMBLE_HAS(user_state, plugin_context)) {
		uint64_t hash = UINT64_C(0xcbf29ce484222325);

		for (size_t i = 0; i < said->plugin_context.len; i++)
			hash = (hash ^ said->plugin_context.at[i]) * UINT64_C(0x100000001b3);
		/* Positions are for those in the same place of the same game. */
		atomic_store_explicit(&user->peer->place, said->plugin_context.len ? hash | 1 : 0,
				      memory_order_relaxed);
		(void)voice_blob_set(&user->context, said->plugin_context);
	}
	if (said->has & MUMBLE_HAS(user_state, plugin_identity))
		(void)voice_blob_set(&user->identity, said->plugin_identity);
	return changed;
}

RUNS_ON(on_control)
static void keep_blob(struct voice_user *user, bool texture, struct bytes bytes)
{
	struct voice_registration *row = voice_registered(user->id);

	(void)voice_blob_set(texture ? &user->texture : &user->comment, bytes);
	if (row) {
		row->unsaved = true;
		(void)voice_blob_set(texture ? &row->texture : &row->comment, bytes);
		voice_registry_changed();
	}
}

/* Comment and picture: one's own, or those of others taken away. */
RUNS_ON(on_control)
static bool change_blobs(struct voice_user *actor, struct voice_user *user,
			 const struct mumble_user_state *said, struct mumble_user_state *told)
{
	bool comment = said->has & MUMBLE_HAS(user_state, comment);
	bool texture = said->has & MUMBLE_HAS(user_state, texture);

	if (!comment && !texture)
		return false;
	if (actor != user && !require(actor, MAY_RESET_CONTENT, voice_channel_find(VOICE_ROOT)))
		return false;
	if (actor != user && (said->comment.len || said->texture.len))
		return false;
	if (comment) {
		if (!fits(actor, said->comment))
			return false;
		keep_blob(user, false, said->comment);
		if (user->comment.len >= VOICE_BLOB_SHORT)
			MUMBLE_SET(told, user_state, comment_hash,
				   bytes_of(user->comment.sha1, VOICE_SHA1_SIZE));
		else
			MUMBLE_SET(told, user_state, comment, voice_blob_bytes(&user->comment));
	}
	if (texture) {
		if (said->texture.len > voice_conf()->image_length) {
			voice_deny_why(actor, DENY_TEXT_TOO_LONG, (struct bytes){0});
			return comment;
		}
		keep_blob(user, true, said->texture);
		if (user->texture.len)
			MUMBLE_SET(told, user_state, texture_hash,
				   bytes_of(user->texture.sha1, VOICE_SHA1_SIZE));
		else
			MUMBLE_SET(told, user_state, texture, (struct bytes){0});
	}
	return true;
}

/* Muting and the like, of anybody. */
RUNS_ON(on_control)
static bool change_flags(struct voice_user *actor, struct voice_user *user,
			 const struct mumble_user_state *said, struct mumble_user_state *told)
{
	const uint32_t flags = MUMBLE_HAS(user_state, mute) | MUMBLE_HAS(user_state, deaf) |
			       MUMBLE_HAS(user_state, suppress) |
			       MUMBLE_HAS(user_state, priority_speaker);

	if (!(said->has & flags))
		return false;
	if (user->id == ACL_SUPER_USER && actor != user) {
		voice_deny_why(actor, DENY_SUPER_USER, (struct bytes){0});
		return false;
	}
	/* Suppression comes from rules alone, and may be lifted. */
	if (said->has & MUMBLE_HAS(user_state, suppress) && said->suppress) {
		voice_deny(actor, MAY_MUTE_DEAFEN, user->channel);
		return false;
	}
	if (!require(actor, MAY_MUTE_DEAFEN, user->channel))
		return false;
	if (said->has & MUMBLE_HAS(user_state, deaf)) {
		user->deaf = said->deaf;
		if (user->deaf)
			user->mute = true;
	}
	if (said->has & MUMBLE_HAS(user_state, mute)) {
		user->mute = said->mute;
		if (!user->mute)
			user->deaf = false;
	}
	if (said->has & MUMBLE_HAS(user_state, suppress))
		user->suppress = false;
	if (said->has & MUMBLE_HAS(user_state, priority_speaker))
		user->priority = said->priority_speaker;
	MUMBLE_SET(told, user_state, mute, user->mute);
	MUMBLE_SET(told, user_state, deaf, user->deaf);
	if (said->has & MUMBLE_HAS(user_state, suppress))
		MUMBLE_SET(told, user_state, suppress, user->suppress);
	if (said->has & MUMBLE_HAS(user_state, priority_speaker))
		MUMBLE_SET(told, user_state, priority_speaker, user->priority);
	return true;
}

void voice_user_flag(struct voice_user *user, bool mute, bool deaf, bool priority)
{
	struct mumble_message message;
	struct mumble_user_state *told = &message.user_state;

	user->mute = mute || deaf;
	user->deaf = deaf;
	user->priority = priority;
	voice_user_publish(user);
	message_init(&message, MUMBLE_USER_STATE);
	MUMBLE_SET(told, user_state, session, user->peer->session);
	MUMBLE_SET(told, user_state, mute, user->mute);
	MUMBLE_SET(told, user_state, deaf, user->deaf);
	MUMBLE_SET(told, user_state, priority_speaker, user->priority);
	voice_send_all(&message, NULL);
}

RUNS_ON(on_control)
static void register_user(struct voice_user *actor, struct voice_user *user)
{
	uint32_t need = actor == user ? MAY_SELF_REGISTER : MAY_REGISTER;
	const struct voice_registration *row;
	struct mumble_message message;

	if (user->id != ACL_NOBODY)
		return;
	if (!require(actor, need, voice_channel_find(VOICE_ROOT)))
		return;
	if (!user->peer->hash[0]) {
		voice_deny_why(actor, DENY_MISSING_CERTIFICATE, bytes_str(user->name));
		return;
	}
	row = voice_register(user->name, user->peer->hash, 0);
	if (!row) {
		voice_deny_why(actor, DENY_USER_NAME, bytes_str(user->name));
		return;
	}
	user->id = row->id;
	keep_blob(user, false, voice_blob_bytes(&user->comment));
	keep_blob(user, true, voice_blob_bytes(&user->texture));
	log_info("voice", "user registered", kv_str("name", user->name), kv_i64("id", row->id));
	message_init(&message, MUMBLE_USER_STATE);
	MUMBLE_SET(&message.user_state, user_state, session, user->peer->session);
	MUMBLE_SET(&message.user_state, user_state, actor, actor->peer->session);
	MUMBLE_SET(&message.user_state, user_state, user_id, (uint32_t)row->id);
	voice_send_all(&message, NULL);
	voice_user_recheck(user);
	voice_flush_permissions();
	voice_registry_changed();
}

RUNS_ON(on_control)
static void move_user(struct voice_user *actor, struct voice_user *user, uint32_t id)
{
	struct voice_channel *to = voice_channel_find(id);

	if (!to || to == user->channel)
		return;
	if (actor != user && !require(actor, MAY_MOVE, user->channel))
		return;
	/* Who may not move others there must be let in himself. */
	if (!(voice_may(actor, to) & MAY_MOVE) && !(voice_may(user, to) & MAY_ENTER)) {
		voice_deny(actor, MAY_ENTER, to);
		return;
	}
	if (voice_channel_is_full(to) && !(voice_may(actor, to) & MAY_WRITE)) {
		voice_deny_why(actor, DENY_CHANNEL_FULL, (struct bytes){0});
		return;
	}
	voice_move(user, to, actor);
}

RUNS_ON(on_control)
static bool may_listen(struct voice_user *user, const struct voice_channel *channel)
{
	const struct voice_conf *conf = voice_conf();

	if (!require(user, MAY_LISTEN, channel))
		return false;
	if (conf->listeners_per_channel && channel->listen_count >= conf->listeners_per_channel) {
		voice_deny_why(user, DENY_CHANNEL_LISTENER_LIMIT, (struct bytes){0});
		return false;
	}
	if (conf->listeners_per_user && user->listen_count >= conf->listeners_per_user) {
		voice_deny_why(user, DENY_USER_LISTENER_LIMIT, (struct bytes){0});
		return false;
	}
	return true;
}

static bool listens_to(const struct voice_user *user, const struct voice_channel *channel)
{
	for (size_t i = 0; i < user->listen_count; i++)
		if (user->listens[i] == channel)
			return true;
	return false;
}

RUNS_ON(on_control)
static void set_volume(struct voice_user *user, struct voice_channel *channel, float volume)
{
	for (size_t i = 0; channel && i < channel->listen_count; i++)
		if (channel->listens[i].user == user) {
			/* A factor of 1 is what everybody gets who says nothing. */
			channel->listens[i].volume = volume > 0 && volume != 1 ? volume : 0;
			voice_stage_touch(channel);
		}
}

RUNS_ON(on_control)
static void change_listening(struct voice_user *user, const struct mumble_user_state *said)
{
	size_t most = said->listening_channel_add.count + said->listening_channel_remove.count;
	uint32_t *ids = most ? malloc(most * sizeof *ids) : NULL;
	struct mumble_message message;
	struct mumble_user_state *told = &message.user_state;
	size_t added = 0, removed = 0;

	for (size_t i = 0; ids && i < said->listening_channel_add.count; i++) {
		struct voice_channel *channel =
			voice_channel_find(said->listening_channel_add.at[i]);

		if (channel && !listens_to(user, channel) && may_listen(user, channel) &&
		    voice_listen_add(user, channel))
			ids[added++] = channel->id;
	}
	for (size_t i = 0; ids && i < said->listening_channel_remove.count; i++) {
		struct voice_channel *channel =
			voice_channel_find(said->listening_channel_remove.at[i]);

		if (!channel || !listens_to(user, channel))
			continue;
		voice_listen_remove(user, channel);
		ids[added + removed++] = channel->id;
	}
	for (size_t i = 0; i < said->listening_volume_adjustment.count; i++)
		set_volume(user,
			   voice_channel_find(
				   said->listening_volume_adjustment.at[i].listening_channel),
			   said->listening_volume_adjustment.at[i].volume_adjustment);
	if (added + removed + said->listening_volume_adjustment.count) {
		message_init(&message, MUMBLE_USER_STATE);
		MUMBLE_SET(told, user_state, session, user->peer->session);
		MUMBLE_SET(told, user_state, actor, user->peer->session);
		told->listening_channel_add.at = ids;
		told->listening_channel_add.count = added;
		told->listening_channel_remove.at = ids ? ids + added : NULL;
		told->listening_channel_remove.count = removed;
		told->listening_volume_adjustment = said->listening_volume_adjustment;
		voice_send_all(&message, NULL);
	}
	free(ids);
}

RUNS_ON(on_control)
static void on_user_state(struct voice_user *actor, const struct mumble_message *message)
{
	const struct mumble_user_state *said = &message->user_state;
	struct voice_user *user = said->has & MUMBLE_HAS(user_state, session)
					  ? voice_user_find(said->session)
					  : actor;
	struct mumble_message answer;
	struct mumble_user_state *told = &answer.user_state;
	bool changed = false;

	if (!user)
		return;
	message_init(&answer, MUMBLE_USER_STATE);
	MUMBLE_SET(told, user_state, session, user->peer->session);
	MUMBLE_SET(told, user_state, actor, actor->peer->session);
	if (user == actor && said->recording && !voice_conf()->recording) {
		voice_user_remove(user, NULL, BYTES("Recording is not allowed on this server"),
				  false);
		return;
	}
	if (user == actor)
		changed = change_self(user, said, told);
	changed |= change_flags(actor, user, said, told);
	changed |= change_blobs(actor, user, said, told);
	/* In force before it is told. */
	voice_user_publish(user);
	if (changed)
		voice_send_all(&answer, NULL);
	if (user == actor && said->temporary_access_tokens.count == 0 &&
	    (said->listening_channel_add.count || said->listening_channel_remove.count ||
	     said->listening_volume_adjustment.count))
		change_listening(user, said);
	if (said->has & MUMBLE_HAS(user_state, user_id))
		register_user(actor, user);
	if (said->has & MUMBLE_HAS(user_state, channel_id))
		move_user(actor, user, said->channel_id);
}

void voice_ban_user(const struct voice_user *user, struct bytes reason, uint32_t seconds)
{
	struct voice_ban ban = {
		.has_network = true, .start_s = wall_now_us() / 1000000, .duration_s = seconds};

	memcpy(ban.network.ip, user->peer->address.ip, 16);
	ban.network.bits = 128;
	bytes_to_str(bytes_str(user->peer->hash), ban.hash, sizeof ban.hash);
	bytes_to_str(bytes_str(user->name), ban.name, sizeof ban.name);
	bytes_to_str(reason, ban.reason, sizeof ban.reason);
	if (voice_ban_add(&ban))
		voice_bans_changed();
}

RUNS_ON(on_control)
static void on_user_remove(struct voice_user *actor, const struct mumble_message *message)
{
	const struct mumble_user_remove *said = &message->user_remove;
	struct voice_user *user = voice_user_find(said->session);

	if (!user)
		return;
	if (user->id == ACL_SUPER_USER) {
		voice_deny_why(actor, DENY_SUPER_USER, (struct bytes){0});
		return;
	}
	if (!require(actor, said->ban ? MAY_BAN : MAY_KICK, voice_channel_find(VOICE_ROOT)))
		return;
	if (said->ban)
		voice_ban_user(user, said->reason, 0);
	log_info("voice", "user sent away", kv_str("name", user->name), kv_str("by", actor->name),
		 kv_bool("ban", said->ban));
	voice_user_remove(user, actor, said->reason, said->ban);
}

/* --- channels ---------------------------------------------------------------------------------- */

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
	if (!require(user, said->temporary ? MAY_MAKE_TEMP_CHANNEL : MAY_MAKE_CHANNEL, parent))
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
	if (!fits(user, said->description))
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
	if (!require(user, MAY_WRITE, channel) ||
	    !require(user, channel->temporary ? MAY_MAKE_TEMP_CHANNEL : MAY_MAKE_CHANNEL, to))
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
		if (!require(user, MAY_WRITE, channel))
			return false;
		if (!is_channel_name(said->name) || !channel->parent ||
		    voice_channel_has(channel->parent, said->name, channel)) {
			voice_deny_why(user, DENY_CHANNEL_NAME, said->name);
			return false;
		}
	}
	if (said->has & plain && !require(user, MAY_WRITE, channel))
		return false;
	if (!fits(user, said->description))
		return false;
	if (said->has & MUMBLE_HAS(channel_state, parent) && channel->parent &&
	    said->parent != channel->parent->id &&
	    !may_move_channel(user, channel, voice_channel_find(said->parent)))
		return false;
	if (said->links_add.count + said->links_remove.count &&
	    !require(user, MAY_LINK_CHANNEL, channel))
		return false;
	for (size_t i = 0; i < said->links_add.count; i++) {
		const struct voice_channel *other = voice_channel_find(said->links_add.at[i]);

		if (!other || !require(user, MAY_LINK_CHANNEL, other))
			return false;
	}
	return true;
}

RUNS_ON(on_control) static void recheck_all(void)
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
		recheck_all();
		voice_settle();
	}
	voice_send_all(&message, NULL);
	if (moves)
		voice_flush_permissions();
	channel->unsaved = true;
	voice_registry_changed();
}

RUNS_ON(on_control)
static void on_channel_state(struct voice_user *user, const struct mumble_message *message)
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
	recheck_all();
	voice_registry_changed();
}

RUNS_ON(on_control)
static void on_channel_remove(struct voice_user *user, const struct mumble_message *message)
{
	struct voice_channel *channel = voice_channel_find(message->channel_remove.channel_id);

	if (!channel || !channel->parent || !require(user, MAY_WRITE, channel))
		return;
	log_info("voice", "channel removed", kv_str("name", channel->name),
		 kv_str("by", user->name));
	voice_channel_drop(channel);
}

/* --- texts ------------------------------------------------------------------------------------- */

RUNS_ON(on_control)
static void text_to(struct voice_user *from, struct voice_user *to,
		    const struct mumble_message *message)
{
	if (to == from || to->mark == voice_hub.mark)
		return;
	to->mark = voice_hub.mark;
	voice_send(to, message);
}

RUNS_ON(on_control)
static void text_into(struct voice_user *from, struct voice_channel *channel, bool below,
		      const struct mumble_message *message)
{
	if (!(voice_may(from, channel) & MAY_TEXT_MESSAGE))
		return;
	for (struct voice_user *to = channel->users; to; to = to->next_here)
		text_to(from, to, message);
	for (struct voice_channel *child = channel->first; below && child; child = child->next)
		text_into(from, child, true, message);
}

RUNS_ON(on_control)
static void on_text(struct voice_user *user, const struct mumble_message *message)
{
	const struct mumble_text_message *said = &message->text_message;
	struct mumble_message answer = *message;

	if (said->message.len == 0 || !fits(user, said->message))
		return;
	MUMBLE_SET(&answer.text_message, text_message, actor, user->peer->session);
	voice_hub.mark++;
	for (size_t i = 0; i < said->session.count; i++) {
		struct voice_user *to = voice_user_find(said->session.at[i]);

		if (to && require(user, MAY_TEXT_MESSAGE, to->channel))
			text_to(user, to, &answer);
	}
	for (size_t i = 0; i < said->channel_id.count; i++) {
		struct voice_channel *channel = voice_channel_find(said->channel_id.at[i]);

		if (channel && require(user, MAY_TEXT_MESSAGE, channel))
			text_into(user, channel, false, &answer);
	}
	for (size_t i = 0; i < said->tree_id.count; i++) {
		struct voice_channel *channel = voice_channel_find(said->tree_id.at[i]);

		if (channel && require(user, MAY_TEXT_MESSAGE, channel))
			text_into(user, channel, true, &answer);
	}
	metric_add(METRIC_voice_texts, 1);
}

/* --- which ------------------------------------------------------------------------------------- */

RUNS_ON(on_control)
static void on_permission_query(struct voice_user *user, const struct mumble_message *message)
{
	const struct voice_channel *channel =
		voice_channel_find(message->permission_query.channel_id);
	struct mumble_message answer;

	if (!channel)
		return;
	message_init(&answer, MUMBLE_PERMISSION_QUERY);
	MUMBLE_SET(&answer.permission_query, permission_query, channel_id, channel->id);
	MUMBLE_SET(&answer.permission_query, permission_query, permissions,
		   voice_may(user, channel));
	voice_send(user, &answer);
}

RUNS_ON(on_control)
static void dispatch(struct voice_user *user, const struct mumble_message *message)
{
	switch (message->type) {
	case MUMBLE_CHANNEL_STATE: on_channel_state(user, message); break;
	case MUMBLE_CHANNEL_REMOVE: on_channel_remove(user, message); break;
	case MUMBLE_USER_STATE: on_user_state(user, message); break;
	case MUMBLE_USER_REMOVE: on_user_remove(user, message); break;
	case MUMBLE_TEXT_MESSAGE: on_text(user, message); break;
	case MUMBLE_PERMISSION_QUERY: on_permission_query(user, message); break;
	case MUMBLE_CRYPT_SETUP: on_crypt_setup(user, message); break;
	case MUMBLE_ACL: voice_on_acl(user, message); break;
	case MUMBLE_BAN_LIST: voice_on_ban_list(user, message); break;
	case MUMBLE_USER_LIST: voice_on_user_list(user, message); break;
	case MUMBLE_QUERY_USERS: voice_on_query_users(user, message); break;
	case MUMBLE_USER_STATS: voice_on_user_stats(user, message); break;
	case MUMBLE_REQUEST_BLOB: voice_on_request_blob(user, message); break;
	case MUMBLE_VOICE_TARGET: voice_on_voice_target(user, message); break;
	case MUMBLE_PLUGIN_DATA: voice_on_plugin_data(user, message); break;
	/* Handled elsewhere, or a server's to send: nothing happens. */
	case MUMBLE_VERSION:
	case MUMBLE_UDP_TUNNEL:
	case MUMBLE_AUTHENTICATE:
	case MUMBLE_PING:
	case MUMBLE_REJECT:
	case MUMBLE_SERVER_SYNC:
	case MUMBLE_PERMISSION_DENIED:
	case MUMBLE_CONTEXT_ACTION_MODIFY:
	case MUMBLE_CONTEXT_ACTION:
	case MUMBLE_CODEC_VERSION:
	case MUMBLE_SERVER_CONFIG:
	case MUMBLE_SUGGEST_CONFIG: break;
	}
}

void voice_request(struct voice_user *user, uint32_t type, struct bytes body)
{
	static uint8_t *memory;
	struct message_room room;
	struct mumble_message message;

	if (!memory)
		memory = malloc(ROOM_MAX);
	if (!memory)
		return;
	room = message_room_of(memory, ROOM_MAX);
	switch (message_decode(type, body, &room, &message)) {
	case MESSAGE_OK: break;
	case MESSAGE_UNKNOWN: return; /* of a later version */
	case MESSAGE_TOO_LONG:
		if (user->channel)
			voice_deny_why(user, DENY_TEXT_TOO_LONG, (struct bytes){0});
		metric_add(METRIC_voice_bad_messages, 1);
		return;
	case MESSAGE_BAD:
	case MESSAGE_BAD_TEXT:
	case MESSAGE_TOO_MANY:
	case MESSAGE_MISSING:
		metric_add(METRIC_voice_bad_messages, 1);
		voice_user_remove(user, NULL, BYTES("protocol fault"), false);
		return;
	}
	user->active_us = mono_now().us;
	if (type == MUMBLE_VERSION)
		on_version(user, &message);
	else if (type == MUMBLE_AUTHENTICATE)
		voice_authenticate(user, &message);
	else if (user->channel)
		dispatch(user, &message);
	else
		metric_add(METRIC_voice_bad_messages, 1);
}
