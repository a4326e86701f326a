/* voice_user: one who is connected: who he is, where he is, how he comes and goes. */
#include <openssl/rand.h>
#include <stdlib.h>

#include "core/log.h"
#include "core/metric.h"
#include "edge/access.h"
#include "edge/ban.h"
#include "edge/edge.h"
#include "edge/edge_conf.h"
#include "voice/voice.h"
#include "voice/voice_part.h"
#include "voice/voice_record.h"
#include "voice/voice_rx.h"

#define SESSIONS_MAX 65535u

/* --- finding, asking --------------------------------------------------------------------------- */

struct voice_user *voice_user_find(uint32_t session)
{
	struct voice_peer *peer =
		session < voice_hub.session_room ? voice_hub.sessions[session] : NULL;

	return peer && peer->user && peer->user->channel ? peer->user : NULL;
}

uint32_t voice_may(const struct voice_user *user, const struct voice_channel *in)
{
	struct acl_who who = {
		.user = user->id,
		.home = user->channel ? &user->channel->acl : NULL,
		.hash = bytes_str(user->peer->hash),
		.tokens = user->tokens,
		.token_count = user->token_count,
	};

	return in ? acl_permissions(&in->acl, &who) : MAY_NOTHING;
}

bool voice_channel_is_full(const struct voice_channel *channel)
{
	size_t most = channel->max_users ? channel->max_users : voice_conf()->users_per_channel;

	return most && channel->user_count >= most;
}

/* --- where he is ------------------------------------------------------------------------------- */

void voice_user_publish(struct voice_user *user)
{
	struct voice_peer *peer = user->peer;
	bool silent = user->mute || user->suppress || user->self_mute || user->deaf ||
		      user->self_deaf || !user->channel || user->leaving;

	atomic_store_explicit(&peer->silent, silent, memory_order_relaxed);
	atomic_store_explicit(&peer->deaf, user->deaf || user->self_deaf, memory_order_relaxed);
}

static void leave_channel(struct voice_user *user)
{
	if (!user->channel)
		return;
	if (user->prev_here)
		user->prev_here->next_here = user->next_here;
	else
		user->channel->users = user->next_here;
	if (user->next_here)
		user->next_here->prev_here = user->prev_here;
	user->prev_here = user->next_here = NULL;
	user->channel->user_count--;
	user->channel = NULL;
}

void voice_user_enter(struct voice_user *user, struct voice_channel *channel)
{
	if (user->channel)
		voice_stage_touch(user->channel);
	leave_channel(user);
	user->channel = channel;
	user->next_here = channel->users;
	if (user->next_here)
		user->next_here->prev_here = user;
	channel->users = user;
	channel->user_count++;
	user->suppress = !(voice_may(user, channel) & MAY_SPEAK);
	voice_stage_touch(channel);
	voice_stage_of(user);
	voice_user_publish(user);
	voice_record_follow(user);
}

/* Where he may not listen any more. */
RUNS_ON(on_control) static void listen_no_more(struct voice_user *user)
{
	for (size_t i = user->listen_count; i-- > 0;) {
		struct voice_channel *channel = user->listens[i];
		struct mumble_message message;

		if (voice_may(user, channel) & MAY_LISTEN)
			continue;
		voice_listen_remove(user, channel);
		message_init(&message, MUMBLE_USER_STATE);
		MUMBLE_SET(&message.user_state, user_state, session, user->peer->session);
		message.user_state.listening_channel_remove.at = &channel->id;
		message.user_state.listening_channel_remove.count = 1;
		voice_send_all(&message, NULL);
	}
}

void voice_user_recheck(struct voice_user *user)
{
	bool suppress = !(voice_may(user, user->channel) & MAY_SPEAK);
	struct mumble_message message;

	voice_stage_of(user);
	voice_hub.aims_dirty = true;
	listen_no_more(user);
	voice_record_offer(user);
	if (suppress == user->suppress)
		return;
	user->suppress = suppress;
	voice_user_publish(user);
	message_init(&message, MUMBLE_USER_STATE);
	MUMBLE_SET(&message.user_state, user_state, session, user->peer->session);
	MUMBLE_SET(&message.user_state, user_state, suppress, suppress);
	voice_send_all(&message, NULL);
}

void voice_channel_drop_empty(struct voice_channel *channel)
{
	struct mumble_message message;

	if (!channel || !channel->temporary || channel->users || channel->first)
		return;
	message_init(&message, MUMBLE_CHANNEL_REMOVE);
	MUMBLE_SET(&message.channel_remove, channel_remove, channel_id, channel->id);
	voice_send_all(&message, NULL);
	voice_channel_remove(channel);
}

void voice_move(struct voice_user *user, struct voice_channel *to, const struct voice_user *actor)
{
	struct voice_channel *from = user->channel;
	struct mumble_message message;
	bool suppressed = user->suppress;

	if (from == to)
		return;
	voice_user_enter(user, to);
	message_init(&message, MUMBLE_USER_STATE);
	MUMBLE_SET(&message.user_state, user_state, session, user->peer->session);
	if (actor)
		MUMBLE_SET(&message.user_state, user_state, actor, actor->peer->session);
	MUMBLE_SET(&message.user_state, user_state, channel_id, to->id);
	if (user->suppress != suppressed)
		MUMBLE_SET(&message.user_state, user_state, suppress, user->suppress);
	voice_settle();
	voice_send_all(&message, NULL);
	voice_record_warn(user);
	if (user->id > 0 && !to->temporary) {
		struct voice_registration *row = voice_registered(user->id);

		if (row) {
			row->last_channel = to->id;
			row->unsaved = true;
		}
		voice_registry_changed();
	}
	voice_channel_drop_empty(from);
}

/* --- listening --------------------------------------------------------------------------------- */

bool voice_listen_add(struct voice_user *user, struct voice_channel *channel)
{
	struct voice_channel **mine =
		realloc(user->listens, (user->listen_count + 1) * sizeof(struct voice_channel *));
	struct voice_listen *theirs;

	if (!mine)
		return false;
	user->listens = mine;
	theirs = realloc(channel->listens, (channel->listen_count + 1) * sizeof *theirs);
	if (!theirs)
		return false;
	channel->listens = theirs;
	theirs[channel->listen_count++] = (struct voice_listen){user, 0};
	mine[user->listen_count++] = channel;
	voice_stage_touch(channel);
	return true;
}

void voice_listen_remove(struct voice_user *user, struct voice_channel *channel)
{
	for (size_t i = 0; i < user->listen_count; i++)
		if (user->listens[i] == channel) {
			user->listens[i] = user->listens[--user->listen_count];
			break;
		}
	for (size_t i = 0; i < channel->listen_count; i++)
		if (channel->listens[i].user == user) {
			channel->listens[i] = channel->listens[--channel->listen_count];
			break;
		}
	voice_stage_touch(channel);
}

bool voice_tokens_set(struct voice_user *user, const struct bytes *tokens, size_t count)
{
	size_t size = count * sizeof *tokens;
	struct bytes *made;
	uint8_t *at;

	for (size_t i = 0; i < count; i++)
		size += tokens[i].len;
	made = malloc(size + 1);
	if (!made)
		return false;
	at = (uint8_t *)(made + count);
	for (size_t i = 0; i < count; i++) {
		if (tokens[i].len)
			memcpy(at, tokens[i].at, tokens[i].len);
		made[i] = bytes_of(at, tokens[i].len);
		at += tokens[i].len;
	}
	free(user->tokens);
	user->tokens = made;
	user->token_count = count;
	return true;
}

/* --- telling ----------------------------------------------------------------------------------- */

void voice_user_describe(const struct voice_user *user, struct mumble_user_state *state,
			 uint32_t *listens)
{
	MUMBLE_SET(state, user_state, session, user->peer->session);
	MUMBLE_SET(state, user_state, name, bytes_str(user->name));
	if (user->id != ACL_NOBODY)
		MUMBLE_SET(state, user_state, user_id, (uint32_t)user->id);
	MUMBLE_SET(state, user_state, channel_id, user->channel->id);
	if (user->mute)
		MUMBLE_SET(state, user_state, mute, true);
	if (user->deaf)
		MUMBLE_SET(state, user_state, deaf, true);
	if (user->suppress)
		MUMBLE_SET(state, user_state, suppress, true);
	if (user->self_mute)
		MUMBLE_SET(state, user_state, self_mute, true);
	if (user->self_deaf)
		MUMBLE_SET(state, user_state, self_deaf, true);
	if (user->priority)
		MUMBLE_SET(state, user_state, priority_speaker, true);
	if (user->recording)
		MUMBLE_SET(state, user_state, recording, true);
	if (user->peer->hash[0])
		MUMBLE_SET(state, user_state, hash, bytes_str(user->peer->hash));
	if (user->comment.len >= VOICE_BLOB_SHORT)
		MUMBLE_SET(state, user_state, comment_hash,
			   bytes_of(user->comment.sha1, VOICE_SHA1_SIZE));
	else if (user->comment.len)
		MUMBLE_SET(state, user_state, comment, voice_blob_bytes(&user->comment));
	if (user->texture.len)
		MUMBLE_SET(state, user_state, texture_hash,
			   bytes_of(user->texture.sha1, VOICE_SHA1_SIZE));
	for (size_t i = 0; listens && i < user->listen_count; i++)
		listens[i] = user->listens[i]->id;
	if (listens) {
		state->listening_channel_add.at = listens;
		state->listening_channel_add.count = user->listen_count;
	}
}

RUNS_ON(on_control)
static void tell_user(const struct voice_user *about, struct voice_user *to)
{
	struct mumble_message message;
	uint32_t *listens =
		about->listen_count ? malloc(about->listen_count * sizeof *listens) : NULL;

	message_init(&message, MUMBLE_USER_STATE);
	voice_user_describe(about, &message.user_state, listens);
	if (to)
		voice_send(to, &message);
	else
		voice_send_all(&message, about);
	free(listens);
}

/* Parents come before their children. */
RUNS_ON(on_control)
static void tell_channels(const struct voice_channel *channel, bool links, struct voice_user *to)
{
	if (!links || channel->link_count)
		voice_channel_tell(channel, links, to);
	for (const struct voice_channel *child = channel->first; child; child = child->next)
		tell_channels(child, links, to);
}

RUNS_ON(on_control) static void tell_server(struct voice_user *to)
{
	const struct voice_conf *conf = voice_conf();
	struct mumble_message message;
	struct mumble_server_config *config = &message.server_config;

	message_init(&message, MUMBLE_SERVER_SYNC);
	MUMBLE_SET(&message.server_sync, server_sync, session, to->peer->session);
	MUMBLE_SET(&message.server_sync, server_sync, max_bandwidth, (uint32_t)conf->bandwidth);
	if (conf->welcome[0])
		MUMBLE_SET(&message.server_sync, server_sync, welcome_text,
			   bytes_str(conf->welcome));
	MUMBLE_SET(&message.server_sync, server_sync, permissions,
		   voice_may(to, voice_channel_find(VOICE_ROOT)));
	voice_send(to, &message);
	message_init(&message, MUMBLE_SERVER_CONFIG);
	MUMBLE_SET(config, server_config, allow_html, conf->html);
	MUMBLE_SET(config, server_config, message_length, (uint32_t)conf->message_length);
	MUMBLE_SET(config, server_config, image_message_length, (uint32_t)conf->image_length);
	MUMBLE_SET(config, server_config, max_users, (uint32_t)conf->users);
	MUMBLE_SET(config, server_config, recording_allowed, conf->recording);
	voice_send(to, &message);
}

/* "1.4.2"; what is left out is 0. The settings were checked. */
static uint64_t version_of(const char *text)
{
	struct bytes rest = bytes_str(text);
	uint64_t parts[3] = {0};

	for (size_t i = 0; i < COUNT_OF(parts) && rest.len; i++)
		(void)bytes_to_u64(bytes_cut(&rest, '.'), UINT16_MAX, &parts[i]);
	return mumble_version_v2((uint32_t)parts[0], (uint32_t)parts[1], (uint32_t)parts[2]);
}

RUNS_ON(on_control) static void tell_suggestions(struct voice_user *to)
{
	const struct voice_conf *conf = voice_conf();
	struct mumble_message message;
	struct mumble_suggest_config *suggest = &message.suggest_config;
	uint64_t version = version_of(conf->suggest_version);

	message_init(&message, MUMBLE_SUGGEST_CONFIG);
	if (conf->suggest_version[0]) {
		MUMBLE_SET(suggest, suggest_config, version_v2, version);
		MUMBLE_SET(suggest, suggest_config, version_v1,
			   mumble_version_v1((uint32_t)(version >> 48),
					     (uint32_t)(version >> 32) & 0xffff,
					     (uint32_t)(version >> 16) & 0xffff));
	}
	if (conf->suggest_positional != VOICE_SUGGEST_ANY)
		MUMBLE_SET(suggest, suggest_config, positional,
			   conf->suggest_positional == VOICE_SUGGEST_YES);
	if (conf->suggest_push_to_talk != VOICE_SUGGEST_ANY)
		MUMBLE_SET(suggest, suggest_config, push_to_talk,
			   conf->suggest_push_to_talk == VOICE_SUGGEST_YES);
	if (suggest->has)
		voice_send(to, &message);
}

/* Clients before 1.2.4 speak CELT, which nobody does any more. */
RUNS_ON(on_control) static void tell_of_opus(struct voice_user *to)
{
	struct mumble_message message;

	message_init(&message, MUMBLE_TEXT_MESSAGE);
	message.text_message.session.at = &to->peer->session;
	message.text_message.session.count = 1;
	MUMBLE_SET(&message.text_message, text_message, message,
		   BYTES("Your client does not know the codec Opus: nobody here will hear you, nor "
			 "you them."));
	voice_send(to, &message);
}

RUNS_ON(on_control) static void tell_crypt(struct voice_user *to)
{
	struct voice_peer *peer = to->peer;
	uint8_t client[OCB2_BLOCK], server[OCB2_BLOCK];
	struct mumble_message message;

	crypt_nonce_write(peer->in_base, client);
	crypt_nonce_write(peer->out_base, server);
	message_init(&message, MUMBLE_CRYPT_SETUP);
	MUMBLE_SET(&message.crypt_setup, crypt_setup, key, bytes_of(peer->key.raw, VOICE_KEY_SIZE));
	MUMBLE_SET(&message.crypt_setup, crypt_setup, client_nonce, bytes_of(client, OCB2_BLOCK));
	MUMBLE_SET(&message.crypt_setup, crypt_setup, server_nonce, bytes_of(server, OCB2_BLOCK));
	voice_send(to, &message);
	message_init(&message, MUMBLE_CODEC_VERSION);
	MUMBLE_SET(&message.codec_version, codec_version, alpha, -2147483637);
	MUMBLE_SET(&message.codec_version, codec_version, beta, 0);
	MUMBLE_SET(&message.codec_version, codec_version, prefer_alpha, true);
	MUMBLE_SET(&message.codec_version, codec_version, opus, true);
	voice_send(to, &message);
}

/* --- coming ------------------------------------------------------------------------------------ */

struct voice_peer *voice_peer_make(struct worker *worker)
{
	struct voice_peer *peer = aligned_alloc(64, (sizeof *peer + 63) & ~(size_t)63);

	if (!peer)
		return NULL;
	memset(peer, 0, sizeof *peer);
	peer->worker = worker;
	atomic_init(&peer->silent, true);
	return peer;
}

RUNS_ON(on_control) static struct voice_user *user_make(struct voice_peer *peer)
{
	struct voice_user *user = calloc(1, sizeof *user);

	if (!user) {
		metric_add(METRIC_voice_out_of_memory, 1);
		return NULL;
	}
	peer->user = user;
	user->peer = peer;
	user->id = ACL_NOBODY;
	user->came_us = user->active_us = mono_now().us;
	user->next = voice_hub.users;
	if (user->next)
		user->next->prev = user;
	voice_hub.users = user;
	return user;
}

void voice_user_came(struct voice_peer *peer)
{
	struct voice_user *user = user_make(peer);
	struct mumble_message message;

	/* Without one the connection runs into its deadline, and the peer is freed then. */
	if (!user || !voice_hub.running)
		return;
	message_init(&message, MUMBLE_VERSION);
	MUMBLE_SET(&message.version, version, version_v1, mumble_version_v1(1, 5, 0));
	MUMBLE_SET(&message.version, version, version_v2, VOICE_SERVER_VERSION);
	MUMBLE_SET(&message.version, version, release, bytes_str("ringmain " RINGMAIN_VERSION));
	MUMBLE_SET(&message.version, version, os, BYTES("Linux"));
	MUMBLE_SET(&message.version, version, os_version, BYTES(""));
	voice_send(user, &message);
}

RUNS_ON(on_control)
static void reject(struct voice_user *user, enum reject_reason why, const char *text)
{
	char peer[ADDRESS_TEXT_MAX + 1];
	struct address address = {0};
	struct mumble_message message;

	memcpy(address.ip, user->peer->address.ip, sizeof address.ip);
	log_info("voice", "user refused", kv_str("name", user->name),
		 kv_str("peer", address_text(&address, peer)), kv_str("why", text));
	metric_add(METRIC_voice_refused, 1);
	message_init(&message, MUMBLE_REJECT);
	MUMBLE_SET(&message.reject, reject, type, why);
	MUMBLE_SET(&message.reject, reject, reason, bytes_str(text));
	voice_send(user, &message);
	voice_end(user);
}

/* What nobody sees, and what turns the letters behind it round: so one could look like another (Unicode's
 * format characters U+00AD, U+200B to 200F, U+202A to 202E, U+2060 to 206F, U+FEFF). */
static bool is_unseen(struct bytes in)
{
	const uint8_t *at = in.at;

	if (in.len >= 2 && at[0] == 0xc2 && at[1] == 0xad)
		return true;
	if (in.len < 3)
		return false;
	if (at[0] == 0xef)
		return at[1] == 0xbb && at[2] == 0xbf;
	if (at[0] != 0xe2)
		return false;
	return (at[1] == 0x80 &&
		((at[2] >= 0x8b && at[2] <= 0x8f) || (at[2] >= 0xaa && at[2] <= 0xae))) ||
	       (at[1] == 0x81 && at[2] >= 0xa0 && at[2] <= 0xaf);
}

bool voice_is_name(struct bytes name)
{
	if (bytes_equal_nocase(name, BYTES("SuperUser")))
		return false;
	if (name.len == 0 || name.len > 128 || !bytes_equal(bytes_trim(name), name))
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (name.at[i] < 0x20 || name.at[i] == 0x7f || name.at[i] == '<' ||
		    name.at[i] == '>' || is_unseen(bytes_skip(name, i)))
			return false;
	return true;
}

RUNS_ON(on_control) static bool sessions_room(size_t most)
{
	size_t room = voice_hub.session_room;
	struct voice_peer **larger;

	if (room > most)
		return true;
	larger = realloc(voice_hub.sessions, (most + 1) * sizeof(struct voice_peer *));
	if (!larger)
		return false;
	memset(larger + room, 0, (most + 1 - room) * sizeof(struct voice_peer *));
	voice_hub.sessions = larger;
	voice_hub.session_room = most + 1;
	return true;
}

RUNS_ON(on_control) static bool take_session(struct voice_peer *peer)
{
	size_t most = voice_conf()->users + 1;

	/* A number is not used again at once: what is on its way to the one who had it before would
	 * be taken for the new one's. */
	most = 2 * most < SESSIONS_MAX ? 2 * most : SESSIONS_MAX;
	if (!sessions_room(most))
		return false;
	for (size_t i = 0; i < most; i++) {
		uint32_t n = voice_hub.session_next++;

		if (voice_hub.session_next > most)
			voice_hub.session_next = 1;
		if (n == 0 || n > most || voice_hub.sessions[n])
			continue;
		voice_hub.sessions[n] = peer;
		peer->session = n;
		return true;
	}
	return false;
}

bool voice_user_back(struct voice_peer *peer)
{
	if (peer->session == 0 || peer->session > SESSIONS_MAX || !sessions_room(peer->session) ||
	    voice_hub.sessions[peer->session] || !user_make(peer))
		return false;
	voice_hub.sessions[peer->session] = peer;
	return true;
}

RUNS_ON(on_control) static bool take_keys(struct voice_peer *peer)
{
	uint8_t random[3 * OCB2_BLOCK];

	if (RAND_bytes(random, sizeof random) != 1)
		return false;
	voice_key_init(&peer->key, random);
	peer->in_base = crypt_nonce_read(random + OCB2_BLOCK);
	peer->out_base = crypt_nonce_read(random + 2 * OCB2_BLOCK);
	return true;
}

/* One with the same name or registration who is here already; NULL: nobody. */
RUNS_ON(on_control) static struct voice_user *find_twin(const struct voice_user *user)
{
	for (struct voice_user *other = voice_hub.users; other; other = other->next)
		if (other != user && other->channel && !other->leaving &&
		    ((user->id >= 0 && user->id == other->id) ||
		     bytes_equal_nocase(bytes_str(user->name), bytes_str(other->name))))
			return other;
	return NULL;
}

RUNS_ON(on_control) static bool from_too_full_address(const struct voice_user *user)
{
	uint64_t most = voice_conf()->users_per_address, count = 0;

	for (const struct voice_user *other = voice_hub.users; most && other; other = other->next)
		count += other->channel &&
			 voice_same_network(other->peer->address.ip, user->peer->address.ip);
	return most && count >= most;
}

RUNS_ON(on_control) static struct voice_channel *first_channel(const struct voice_user *user)
{
	const struct voice_registration *row = voice_registered(user->id);
	struct voice_channel *channel = NULL;

	if (row && voice_conf()->remember_channel)
		channel = voice_channel_find(row->last_channel);
	if (!channel || !(voice_may(user, channel) & MAY_ENTER) || voice_channel_is_full(channel))
		channel = voice_channel_find((uint32_t)voice_conf()->default_channel);
	return channel ? channel : voice_channel_find(VOICE_ROOT);
}

void voice_user_admitted(struct voice_user *user, struct voice_channel *channel)
{
	voice_user_enter(user, channel);
	voice_hub.admitted++;
	atomic_store_explicit(&voice_users_now, (uint32_t)voice_hub.admitted, memory_order_relaxed);
	metric_add(METRIC_voice_users, 1);
}

RUNS_ON(on_control) static void admit(struct voice_user *user)
{
	struct voice_peer *peer = user->peer;
	struct voice_registration *row = voice_registered(user->id);
	char ip[ADDRESS_TEXT_MAX + 1];
	struct address address = {0};

	if (!take_session(peer) || !take_keys(peer)) {
		reject(user, REJECT_SERVER_FULL, "out of memory");
		return;
	}
	peer->form = user->version >= mumble_version_v2(1, 5, 0) ? VOICE_PROTOBUF : VOICE_LEGACY;
	if (row) {
		row->seen_ms = wall_now_us() / 1000;
		row->unsaved = true;
		(void)voice_blob_set(&user->comment, voice_blob_bytes(&row->comment));
		(void)voice_blob_set(&user->texture, voice_blob_bytes(&row->texture));
		voice_registry_changed();
	}
	tell_crypt(user);
	tell_channels(voice_channel_find(VOICE_ROOT), false, user);
	tell_channels(voice_channel_find(VOICE_ROOT), true, user);
	atomic_store_explicit(&peer->outside, false, memory_order_release);
	voice_user_admitted(user, first_channel(user));
	voice_rx_expect(peer);
	metric_add(METRIC_voice_users_come, 1);
	tell_user(user, NULL);
	tell_user(user, user);
	for (const struct voice_user *other = voice_hub.users; other; other = other->next)
		if (other != user && other->channel && !other->leaving)
			tell_user(other, user);
	voice_record_tell(user);
	tell_server(user);
	tell_suggestions(user);
	if (!user->opus)
		tell_of_opus(user);
	voice_record_offer(user);
	voice_record_warn(user);
	memcpy(address.ip, peer->address.ip, sizeof address.ip);
	log_info("voice", "user came", kv_str("name", user->name), kv_u64("session", peer->session),
		 kv_str("peer", address_text(&address, ip)), kv_str("client", user->release));
}

/* By the rooms' own bans or by the server's, which may be younger than his connection. */
RUNS_ON(on_control) static bool is_shut_out(const struct voice_user *user)
{
	struct address address = {0};

	memcpy(address.ip, user->peer->address.ip, sizeof address.ip);
	return voice_is_banned(user->peer->address.ip, user->peer->hash) || ban_holds(&address) ||
	       cidr_list_holds(edge_settings()->deny, &address);
}

/* All that needs no password has been looked at, and maybe a while ago. */
RUNS_ON(on_control) static void admit_if_room(struct voice_user *user)
{
	struct voice_user *twin = find_twin(user);

	if (is_shut_out(user)) {
		reject(user, REJECT_NONE, "You are banned");
		return;
	}
	if (twin && user->id == ACL_NOBODY &&
	    memcmp(twin->peer->address.ip, user->peer->address.ip, 16) != 0 &&
	    (!user->peer->hash[0] || strcmp(twin->peer->hash, user->peer->hash) != 0)) {
		reject(user, REJECT_USERNAME_IN_USE, "Username already in use");
		return;
	}
	if (twin)
		voice_user_remove(twin, NULL,
				  BYTES("You connected to the server from another device"), false);
	if (voice_hub.admitted >= voice_conf()->users)
		reject(user, REJECT_SERVER_FULL, "The server is full");
	else if (from_too_full_address(user))
		reject(user, REJECT_SERVER_FULL, "Too many users from your address");
	else
		admit(user);
}

RUNS_ON(on_control) static void reject_password(struct voice_user *user)
{
	if (user->check_super)
		reject(user, REJECT_WRONG_USER_PASSWORD,
		       "Wrong certificate or password for existing user");
	else
		reject(user, REJECT_WRONG_SERVER_PASSWORD, "Invalid server password");
}

RUNS_ON(on_control) static void count_wrong(const struct voice_user *user)
{
	struct lockout_rules rules = access_lockout_rules();
	uint64_t wait_ms = lockout_wrong(&rules, &user->attempt, mono_now());
	struct address address = {0};
	char text[ADDRESS_TEXT_MAX + 1];

	metric_add(METRIC_edge_auth_failures, 1);
	if (!wait_ms)
		return;
	memcpy(address.ip, user->peer->address.ip, sizeof address.ip);
	metric_add(METRIC_edge_lockouts, 1);
	log_warnx("voice", "locked out", kv_str("address", address_text(&address, text)),
		  kv_str("user", user->name), kv_ms("wait", wait_ms));
}

static void on_checked(struct auth_check *check, enum auth_result result)
{
	struct voice_user *user = container_of(check, struct voice_user, check);

	enter_control();
	user->checking = false;
	memset(check->given, 0, sizeof check->given);
	if (user->gone) {
		voice_user_free(user);
		return;
	}
	if (user->leaving || !voice_hub.running)
		return;
	if (result == AUTH_BUSY) {
		reject(user, REJECT_NONE, "Too many logins at once, try again");
	} else if (result == AUTH_NO) {
		count_wrong(user);
		reject_password(user);
	} else {
		lockout_right(&user->attempt, mono_now());
		admit_if_room(user);
	}
}

RUNS_ON(on_control)
static void check(struct voice_user *user, const char *stored, struct bytes given, bool super)
{
	const struct edge_conf *edge = &edge_settings()->conf;
	struct lockout_rules rules = access_lockout_rules();
	struct bytes parts[] = {BYTES("voice"), given, bytes_str(stored)};
	/* Where it is the administrator's, guesses at it count together with those over HTTP. */
	bool admins = super && stored == edge->admin_password;
	struct address address = {0};
	unsigned wait_s;

	memcpy(address.ip, user->peer->address.ip, sizeof address.ip);
	user->check_super = super;
	user->attempt = lockout_try_of(super ? LOCKOUT_PEOPLE : LOCKOUT_LISTENER, &address,
				       bytes_str(admins ? edge->admin_user : user->name), parts,
				       COUNT_OF(parts));
	switch (lockout_ask(&rules, &user->attempt, mono_now(), &wait_s)) {
	case LOCKOUT_GO: break;
	case LOCKOUT_WRONG: reject_password(user); return;
	case LOCKOUT_WAIT:
		metric_add(METRIC_edge_lockout_refusals, 1);
		reject(user, REJECT_NONE, "Too many wrong passwords, try again later");
		return;
	}
	user->checking = true;
	auth_start(&user->check, voice_hub.loop, stored, given, on_checked);
}

void voice_authenticate(struct voice_user *user, const struct mumble_message *message)
{
	const struct mumble_authenticate *said = &message->authenticate;
	const struct voice_conf *conf = voice_conf();
	const struct voice_registration *row = voice_registered_hash(user->peer->hash);
	const struct voice_registration *named = voice_registered_name(said->username);
	bool super = bytes_equal_nocase(said->username, BYTES("SuperUser"));

	if (user->channel) { /* later ones bring new tokens alone */
		if (!voice_tokens_set(user, said->tokens.at, said->tokens.count))
			return;
		voice_user_recheck(user);
		voice_flush_permissions();
		return;
	}
	if (user->checking)
		return;
	voice_text_put(said->username, user->name, sizeof user->name);
	user->opus = said->opus;
	if (is_shut_out(user)) {
		reject(user, REJECT_NONE, "You are banned");
		return;
	}
	if (!voice_tokens_set(user, said->tokens.at, said->tokens.count) ||
	    (!super && !voice_is_name(said->username))) {
		reject(user, REJECT_INVALID_USERNAME, "Invalid username");
		return;
	}
	if (super) {
		user->id = ACL_SUPER_USER;
		bytes_to_str(BYTES("SuperUser"), user->name, sizeof user->name);
		check(user,
		      conf->superuser_password[0] ? conf->superuser_password
						  : edge_settings()->conf.admin_password,
		      said->password, true);
		return;
	}
	if (row) {
		user->id = row->id;
		bytes_to_str(bytes_str(row->name), user->name, sizeof user->name);
	} else if (named) {
		reject(user, REJECT_WRONG_USER_PASSWORD,
		       "Wrong certificate or password for existing user");
		return;
	} else if (conf->certificate_required && !user->peer->hash[0]) {
		reject(user, REJECT_NO_CERTIFICATE,
		       "A certificate is required to connect to this server");
		return;
	}
	if (!row && conf->password[0])
		check(user, conf->password, said->password, false);
	else
		admit_if_room(user);
}

/* --- going ------------------------------------------------------------------------------------- */

void voice_peer_free(struct voice_peer *peer)
{
	struct voice_aims *aims = atomic_load_explicit(&peer->aims, memory_order_relaxed);

	for (size_t i = 0; aims && i < VOICE_AIMS; i++)
		free(atomic_load_explicit(&aims->crowd[i], memory_order_relaxed));
	free(aims);
	OPENSSL_cleanse(&peer->key, sizeof peer->key);
	free(peer->certificate);
	free(peer);
}

static void peer_free(struct voice_retired *retired)
{
	voice_peer_free(container_of(retired, struct voice_peer, retired));
}

void voice_user_remove(struct voice_user *user, const struct voice_user *actor, struct bytes reason,
		       bool ban)
{
	struct voice_channel *from = user->channel;
	struct mumble_message message;

	if (!from) {
		voice_end(user);
		return;
	}
	message_init(&message, MUMBLE_USER_REMOVE);
	MUMBLE_SET(&message.user_remove, user_remove, session, user->peer->session);
	if (actor)
		MUMBLE_SET(&message.user_remove, user_remove, actor, actor->peer->session);
	if (reason.len)
		MUMBLE_SET(&message.user_remove, user_remove, reason, reason);
	if (ban)
		MUMBLE_SET(&message.user_remove, user_remove, ban, true);
	if (!user->gone) /* he is told as well */
		voice_send(user, &message);
	voice_end(user);
	while (user->listen_count)
		voice_listen_remove(user, user->listens[0]);
	voice_stage_touch(from);
	leave_channel(user);
	voice_stage_of(user);
	voice_user_publish(user);
	voice_rx_forget(user->peer);
	voice_hub.sessions[user->peer->session] = NULL;
	voice_hub.admitted--;
	atomic_store_explicit(&voice_users_now, (uint32_t)voice_hub.admitted, memory_order_relaxed);
	metric_add(METRIC_voice_users, -1);
	voice_send_all(&message, user);
	log_info("voice", "user gone", kv_str("name", user->name),
		 kv_u64("session", user->peer->session), kv_bytes("why", reason.at, reason.len));
	voice_channel_drop_empty(from);
}

/* With his peer, which nobody sends to any more at the next settling. */
void voice_user_free(struct voice_user *user)
{
	if (user->prev)
		user->prev->next = user->next;
	else
		voice_hub.users = user->next;
	if (user->next)
		user->next->prev = user->prev;
	voice_blob_fini(&user->comment);
	voice_blob_fini(&user->texture);
	voice_blob_fini(&user->context);
	voice_blob_fini(&user->identity);
	free(user->tokens);
	free(user->listens);
	for (size_t i = 0; i < VOICE_AIMS; i++) {
		for (size_t n = 0; n < user->aims[i].count; n++) {
			free(user->aims[i].targets[n].sessions);
			free(user->aims[i].targets[n].group);
		}
		free(user->aims[i].targets);
	}
	if (user->peer->session && voice_hub.sessions[user->peer->session] == user->peer)
		voice_hub.sessions[user->peer->session] = NULL;
	user->peer->user = NULL;
	user->peer->retired.free = peer_free;
	voice_retire(&user->peer->retired);
	free(user);
}

void voice_user_gone(struct voice_peer *peer)
{
	struct voice_user *user = peer->user;

	if (!user) { /* there was no memory for him */
		peer->retired.free = peer_free;
		voice_retire(&peer->retired);
		return;
	}
	user->gone = true;
	if (user->channel)
		voice_user_remove(user, NULL, (struct bytes){0}, false);
	if (!user->checking)
		voice_user_free(user);
}
