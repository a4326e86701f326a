/* voice_request_people: who is registered and who is banned, shown and changed. */
#include <stdlib.h>
#include <time.h>

#include "core/log.h"
#include "core/metric.h"
#include "voice/voice.h"
#include "voice/voice_part.h"

#define NAMES_MAX 64u /* of one question */

void voice_tell_names(struct voice_user *to, const uint32_t *ids, size_t count)
{
	uint32_t *known = malloc((count + 1) * sizeof *known);
	struct bytes *names = malloc((count + 1) * sizeof *names);
	struct mumble_message message;
	size_t n = 0;

	for (size_t i = 0; known && names && i < count && n < 4096; i++) {
		const struct voice_registration *row = voice_registered((int32_t)ids[i]);

		if (!row && ids[i] != ACL_SUPER_USER)
			continue;
		known[n] = ids[i];
		names[n++] = row ? bytes_str(row->name) : BYTES("SuperUser");
	}
	message_init(&message, MUMBLE_QUERY_USERS);
	message.query_users.ids.at = known;
	message.query_users.names.at = names;
	message.query_users.ids.count = message.query_users.names.count = known && names ? n : 0;
	voice_send(to, &message);
	free(known);
	free(names);
}

void voice_on_query_users(struct voice_user *user, const struct mumble_message *message)
{
	const struct mumble_query_users *said = &message->query_users;
	size_t count = said->ids.count, names = said->names.count, most;
	uint32_t *ids;

	/* A name is looked for among all. */
	names = names < NAMES_MAX ? names : NAMES_MAX;
	most = count + names;
	ids = malloc((most + 1) * sizeof *ids);
	if (!ids)
		return;
	if (count)
		memcpy(ids, said->ids.at, count * sizeof *ids);
	for (size_t i = 0; i < names; i++) {
		const struct voice_registration *row = voice_registered_name(said->names.at[i]);

		if (row)
			ids[count++] = (uint32_t)row->id;
	}
	voice_tell_names(user, ids, count);
	free(ids);
}

static void time_text(int64_t unix_s, char text[32])
{
	time_t when = (time_t)unix_s;
	struct tm tm;

	gmtime_r(&when, &tm);
	strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

RUNS_ON(on_control) static void tell_registered(struct voice_user *to)
{
	size_t count = voice_hub.registration_count;
	struct mumble_listed_user *list = calloc(count + 1, sizeof *list);
	char(*times)[32] = calloc(count + 1, sizeof *times);
	struct mumble_message message;

	message_init(&message, MUMBLE_USER_LIST);
	for (size_t i = 0; list && times && i < count; i++) {
		const struct voice_registration *row = voice_hub.registrations[i];

		time_text(row->seen_ms / 1000, times[i]);
		MUMBLE_SET(&list[i], listed_user, user_id, (uint32_t)row->id);
		MUMBLE_SET(&list[i], listed_user, name, bytes_str(row->name));
		MUMBLE_SET(&list[i], listed_user, last_seen, bytes_str(times[i]));
		MUMBLE_SET(&list[i], listed_user, last_channel, row->last_channel);
	}
	message.user_list.users.at = list;
	message.user_list.users.count = list && times ? count : 0;
	voice_send(to, &message);
	free(list);
	free(times);
}

void voice_forget_registration(int32_t id)
{
	voice_unregister(id);
	for (size_t i = 0; i < voice_hub.channel_room; i++)
		if (voice_hub.channels[i])
			voice_rules_forget(voice_hub.channels[i], id);
	for (struct voice_user *user = voice_hub.users; user; user = user->next)
		if (user->id == id) {
			user->id = ACL_NOBODY;
			if (user->channel && !user->leaving)
				voice_user_recheck(user);
		}
}

void voice_on_user_list(struct voice_user *user, const struct mumble_message *message)
{
	const struct mumble_user_list *said = &message->user_list;

	if (!(voice_may(user, voice_channel_find(VOICE_ROOT)) & MAY_REGISTER)) {
		voice_deny(user, MAY_REGISTER, voice_channel_find(VOICE_ROOT));
		return;
	}
	if (said->users.count == 0) {
		tell_registered(user);
		return;
	}
	for (size_t i = 0; i < said->users.count; i++) {
		const struct mumble_listed_user *wish = &said->users.at[i];
		struct voice_registration *row = voice_registered((int32_t)wish->user_id);

		if (!row)
			continue;
		if (!(wish->has & MUMBLE_HAS(listed_user, name)))
			voice_forget_registration(row->id);
		else if (voice_is_name(wish->name) && !voice_registered_name(wish->name)) {
			bytes_to_str(wish->name, row->name, sizeof row->name);
			row->unsaved = true;
		}
	}
	voice_flush_permissions();
	voice_registry_changed();
}

/* --- bans -------------------------------------------------------------------------------------- */

RUNS_ON(on_control) static void tell_bans(struct voice_user *to)
{
	size_t count = voice_hub.ban_count;
	struct mumble_ban_entry *list = calloc(count + 1, sizeof *list);
	char(*times)[32] = calloc(count + 1, sizeof *times);
	struct mumble_message message;

	message_init(&message, MUMBLE_BAN_LIST);
	for (size_t i = 0; list && times && i < count; i++) {
		const struct voice_ban *ban = &voice_hub.bans[i];

		time_text(ban->start_s, times[i]);
		MUMBLE_SET(&list[i], ban_entry, address, bytes_of(ban->network.ip, 16));
		MUMBLE_SET(&list[i], ban_entry, mask, ban->network.bits);
		MUMBLE_SET(&list[i], ban_entry, name, bytes_str(ban->name));
		MUMBLE_SET(&list[i], ban_entry, hash, bytes_str(ban->hash));
		MUMBLE_SET(&list[i], ban_entry, reason, bytes_str(ban->reason));
		MUMBLE_SET(&list[i], ban_entry, start, bytes_str(times[i]));
		MUMBLE_SET(&list[i], ban_entry, duration, ban->duration_s);
	}
	message.ban_list.bans.at = list;
	message.ban_list.bans.count = list && times ? count : 0;
	voice_send(to, &message);
	free(list);
	free(times);
}

/* "2026-11-21T06:00:00Z", with a blank for the T in some clients. */
static int64_t time_of(struct bytes text)
{
	char buf[32];
	struct tm tm = {0};

	bytes_to_str(text, buf, sizeof buf);
	if (strptime(buf, "%Y-%m-%dT%H:%M:%S", &tm) || strptime(buf, "%Y-%m-%d %H:%M:%S", &tm))
		return (int64_t)timegm(&tm);
	return wall_now_us() / 1000000;
}

/* The mask counts the bits of an address of 16 bytes, also for IPv4. */
static bool ban_of(const struct mumble_ban_entry *from, struct voice_ban *ban)
{
	*ban = (struct voice_ban){0};
	ban->has_network = from->address.len == 16 && from->mask > 0 && from->mask <= 128;
	if (ban->has_network) {
		memcpy(ban->network.ip, from->address.at, 16);
		ban->network.bits = (uint8_t)from->mask;
		for (unsigned bit = from->mask; bit < 128; bit++)
			ban->network.ip[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	}
	voice_text_put(from->hash, ban->hash, sizeof ban->hash);
	voice_text_put(from->name, ban->name, sizeof ban->name);
	voice_text_put(from->reason, ban->reason, sizeof ban->reason);
	ban->start_s = time_of(from->start);
	ban->duration_s = from->duration;
	return ban->has_network || ban->hash[0];
}

void voice_on_ban_list(struct voice_user *user, const struct mumble_message *message)
{
	const struct mumble_ban_list *said = &message->ban_list;
	struct voice_ban *bans;
	size_t count = 0;

	if (!(voice_may(user, voice_channel_find(VOICE_ROOT)) & MAY_BAN)) {
		voice_deny(user, MAY_BAN, voice_channel_find(VOICE_ROOT));
		return;
	}
	if (said->query) {
		tell_bans(user);
		return;
	}
	bans = said->bans.count <= voice_conf()->bans ? calloc(said->bans.count + 1, sizeof *bans)
						      : NULL;
	if (!bans) {
		voice_deny_text(user, NULL,
				BYTES("So many bans cannot be kept: nothing is changed"));
		return;
	}
	for (size_t i = 0; i < said->bans.count; i++)
		count += ban_of(&said->bans.at[i], &bans[count]);
	voice_bans_set(bans, count);
	log_info("voice", "bans changed", kv_u64("count", voice_hub.ban_count),
		 kv_str("by", user->name));
	voice_bans_changed();
}
