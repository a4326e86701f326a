/* voice_request_user: what users ask to be other with themselves and with each other: muting, moving,
 * listening, registering, sending away. */
#include <stdlib.h>

#include "core/log.h"
#include "core/metric.h"
#include "voice/voice.h"
#include "voice/voice_part.h"

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
	if (actor != user &&
	    !voice_require(actor, MAY_RESET_CONTENT, voice_channel_find(VOICE_ROOT)))
		return false;
	if (actor != user && (said->comment.len || said->texture.len))
		return false;
	if (comment) {
		if (!voice_text_fits(actor, said->comment))
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
	if (!voice_require(actor, MAY_MUTE_DEAFEN, user->channel))
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
	if (!voice_require(actor, need, voice_channel_find(VOICE_ROOT)))
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
	if (actor != user && !voice_require(actor, MAY_MOVE, user->channel))
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

	if (!voice_require(user, MAY_LISTEN, channel))
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

/* Whether he listens there. */
RUNS_ON(on_control)
static bool set_volume(struct voice_user *user, struct voice_channel *channel, float volume)
{
	for (size_t i = 0; channel && i < channel->listen_count; i++)
		if (channel->listens[i].user == user) {
			/* A factor of 1 is what everybody gets who says nothing. */
			channel->listens[i].volume = volume > 0 && volume != 1 ? volume : 0;
			voice_stage_touch(channel);
			return true;
		}
	return false;
}

/* Those of channels that he listens to, into volumes. */
RUNS_ON(on_control)
static size_t set_volumes(struct voice_user *user, const struct mumble_user_state *said,
			  struct mumble_volume_adjustment *volumes)
{
	size_t count = 0;

	for (size_t i = 0; volumes && i < said->listening_volume_adjustment.count; i++) {
		volumes[count] = said->listening_volume_adjustment.at[i];
		count += set_volume(user, voice_channel_find(volumes[count].listening_channel),
				    volumes[count].volume_adjustment);
	}
	return count;
}

RUNS_ON(on_control)
static void change_listening(struct voice_user *user, const struct mumble_user_state *said)
{
	size_t most = said->listening_channel_add.count + said->listening_channel_remove.count;
	uint32_t *ids = most ? malloc(most * sizeof *ids) : NULL;
	struct mumble_volume_adjustment *volumes =
		calloc(said->listening_volume_adjustment.count + 1, sizeof *volumes);
	struct mumble_message message;
	struct mumble_user_state *told = &message.user_state;
	size_t added = 0, removed = 0, adjusted;

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
	adjusted = set_volumes(user, said, volumes);
	if (added + removed + adjusted) {
		message_init(&message, MUMBLE_USER_STATE);
		MUMBLE_SET(told, user_state, session, user->peer->session);
		MUMBLE_SET(told, user_state, actor, user->peer->session);
		told->listening_channel_add.at = ids;
		told->listening_channel_add.count = added;
		told->listening_channel_remove.at = ids ? ids + added : NULL;
		told->listening_channel_remove.count = removed;
		told->listening_volume_adjustment.at = volumes;
		told->listening_volume_adjustment.count = adjusted;
		voice_send_all(&message, NULL);
	}
	free(ids);
	free(volumes);
}

RUNS_ON(on_control)
static void change_user(struct voice_user *actor, const struct mumble_message *message)
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
	if (user == actor &&
	    (said->listening_channel_add.count || said->listening_channel_remove.count ||
	     said->listening_volume_adjustment.count))
		change_listening(user, said);
	if (said->has & MUMBLE_HAS(user_state, user_id))
		register_user(actor, user);
	if (said->has & MUMBLE_HAS(user_state, channel_id))
		move_user(actor, user, said->channel_id);
}

/* Some tokens hold for this one request alone (a password that was asked for at a door). */
void voice_on_user_state(struct voice_user *actor, const struct mumble_message *message)
{
	const struct mumble_user_state *said = &message->user_state;
	size_t more = said->temporary_access_tokens.count, kept = actor->token_count;
	const struct bytes *his = actor->tokens;
	struct bytes *all = more ? malloc((kept + more) * sizeof *all) : NULL;

	if (!all) {
		change_user(actor, message);
		return;
	}
	if (kept)
		memcpy(all, his, kept * sizeof *all);
	memcpy(all + kept, said->temporary_access_tokens.at, more * sizeof *all);
	actor->tokens = all;
	actor->token_count = kept + more;
	change_user(actor, message);
	actor->tokens = (struct bytes *)(uintptr_t)his;
	actor->token_count = kept;
	free(all);
}

bool voice_ban_user(const struct voice_user *user, struct bytes reason, uint32_t seconds,
		    unsigned what)
{
	struct voice_ban ban = {.start_s = wall_now_us() / 1000000, .duration_s = seconds};
	struct address address = {0};

	memcpy(address.ip, user->peer->address.ip, sizeof address.ip);
	/* Who has no certificate has nothing else to be known by. */
	ban.has_network = what & VOICE_BAN_NETWORK || !user->peer->hash[0];
	if (ban.has_network) {
		ban.network.bits = address_is_v4(&address) ? 128 : 64;
		memcpy(ban.network.ip, address.ip, ban.network.bits / 8);
	}
	if (what & VOICE_BAN_CERTIFICATE)
		bytes_to_str(bytes_str(user->peer->hash), ban.hash, sizeof ban.hash);
	voice_text_put(bytes_str(user->name), ban.name, sizeof ban.name);
	voice_text_put(reason, ban.reason, sizeof ban.reason);
	if (!voice_ban_add(&ban))
		return false;
	voice_bans_changed();
	return true;
}

/* 1.6 says which; who says neither, or is older, means both. */
static unsigned what_to_ban(const struct mumble_user_remove *said)
{
	unsigned what = (said->ban_ip ? VOICE_BAN_NETWORK : 0) |
			(said->ban_certificate ? VOICE_BAN_CERTIFICATE : 0);

	return what ? what : VOICE_BAN_ALL;
}

void voice_on_user_remove(struct voice_user *actor, const struct mumble_message *message)
{
	const struct mumble_user_remove *said = &message->user_remove;
	struct voice_user *user = voice_user_find(said->session);

	if (!user)
		return;
	if (user->id == ACL_SUPER_USER) {
		voice_deny_why(actor, DENY_SUPER_USER, (struct bytes){0});
		return;
	}
	if (!voice_require(actor, said->ban ? MAY_BAN : MAY_KICK, voice_channel_find(VOICE_ROOT)))
		return;
	if (said->ban && !voice_ban_user(user, said->reason, 0, what_to_ban(said))) {
		voice_deny_text(actor, NULL, BYTES("More bans cannot be kept"));
		return;
	}
	log_info("voice", "user sent away", kv_str("name", user->name), kv_str("by", actor->name),
		 kv_bool("ban", said->ban));
	voice_user_remove(user, actor, said->reason, said->ban);
}
