/* voice_request: what users ask for on the control connection: which it is, texts, and how no is said. */
#include <stdlib.h>

#include "core/log.h"
#include "core/metric.h"
#include "voice/voice.h"
#include "voice/voice_part.h"
#include "voice/voice_record.h"
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

void voice_deny_text(struct voice_user *user, const struct voice_channel *channel,
		     struct bytes reason)
{
	struct mumble_message message;
	struct mumble_permission_denied *denied = &message.permission_denied;

	message_init(&message, MUMBLE_PERMISSION_DENIED);
	MUMBLE_SET(denied, permission_denied, type, DENY_TEXT);
	if (channel)
		MUMBLE_SET(denied, permission_denied, channel_id, channel->id);
	MUMBLE_SET(denied, permission_denied, reason, reason);
	voice_send(user, &message);
}

/* True: he may all of these in the channel; else he is told. */
bool voice_require(struct voice_user *user, uint32_t permission,
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
bool voice_text_fits(struct voice_user *user, struct bytes text)
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
	voice_text_put(version->release, user->release, sizeof user->release);
	voice_text_put(version->os, user->os, sizeof user->os);
	voice_text_put(version->os_version, user->os_version, sizeof user->os_version);
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
	if (channel->mark == voice_hub.channel_mark)
		return;
	channel->mark = voice_hub.channel_mark;
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

	if (said->message.len == 0 || !voice_text_fits(user, said->message))
		return;
	MUMBLE_SET(&answer.text_message, text_message, actor, user->peer->session);
	/* Each who gets it gets it once, each channel is looked at once, and one no is the end: a short
	 * message that names much must not cost more than a long one. */
	user->mark = ++voice_hub.mark;
	for (size_t i = 0; i < said->session.count; i++) {
		struct voice_user *to = voice_user_find(said->session.at[i]);

		if (!to || to->mark == voice_hub.mark)
			continue;
		if (!voice_require(user, MAY_TEXT_MESSAGE, to->channel))
			return;
		text_to(user, to, &answer);
	}
	/* Trees before the channels that may lie in them. */
	voice_hub.channel_mark++;
	for (size_t i = 0; i < said->tree_id.count; i++) {
		struct voice_channel *channel = voice_channel_find(said->tree_id.at[i]);

		if (!channel || channel->mark == voice_hub.channel_mark)
			continue;
		if (!voice_require(user, MAY_TEXT_MESSAGE, channel))
			return;
		text_into(user, channel, true, &answer);
	}
	for (size_t i = 0; i < said->channel_id.count; i++) {
		struct voice_channel *channel = voice_channel_find(said->channel_id.at[i]);

		if (!channel || channel->mark == voice_hub.channel_mark)
			continue;
		if (!voice_require(user, MAY_TEXT_MESSAGE, channel))
			return;
		text_into(user, channel, false, &answer);
	}
	metric_add(METRIC_voice_texts, 1);
}

/* --- from plugin to plugin --------------------------------------------------------------------- */

void voice_on_plugin_data(struct voice_user *user, const struct mumble_message *message)
{
	const struct mumble_plugin_data *said = &message->plugin_data;
	struct mumble_message answer;

	if (said->data.len == 0 || said->data_id.len == 0)
		return;
	message_init(&answer, MUMBLE_PLUGIN_DATA);
	MUMBLE_SET(&answer.plugin_data, plugin_data, sender_session, user->peer->session);
	MUMBLE_SET(&answer.plugin_data, plugin_data, data, said->data);
	MUMBLE_SET(&answer.plugin_data, plugin_data, data_id, said->data_id);
	voice_hub.mark++;
	for (size_t i = 0; i < said->receiver_sessions.count; i++) {
		struct voice_user *to = voice_user_find(said->receiver_sessions.at[i]);

		if (!to || to == user || to->mark == voice_hub.mark)
			continue;
		to->mark = voice_hub.mark;
		voice_send(to, &answer);
	}
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
	case MUMBLE_CHANNEL_STATE: voice_on_channel_state(user, message); break;
	case MUMBLE_CHANNEL_REMOVE: voice_on_channel_remove(user, message); break;
	case MUMBLE_USER_STATE: voice_on_user_state(user, message); break;
	case MUMBLE_USER_REMOVE: voice_on_user_remove(user, message); break;
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
	case MUMBLE_CONTEXT_ACTION: voice_record_asked(user, &message->context_action); break;
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
