/* voice_request_more: rules, bans, registrations, statistics, targets: asked for less often. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/log.h"
#include "core/metric.h"
#include "voice/voice.h"
#include "voice/voice_part.h"

#define TARGETS_MAX  64u
#define SESSIONS_MAX 1024u

/* --- rules ------------------------------------------------------------------------------------- */

/* What an answer's arrays are made of; freed together. */
struct acl_room {
	struct mumble_chan_group *groups;
	struct mumble_chan_acl *acls;
	size_t group_count, acl_count;
};

/* Members that a group has from above, as one list. */
RUNS_ON(on_control)
static uint32_t *inherited_members(const struct voice_channel *channel, struct bytes name,
				   size_t *count)
{
	uint32_t *list = malloc((voice_hub.registration_count + 1) * sizeof *list);

	*count = 0;
	for (size_t i = 0; list && channel->acl.parent && i < voice_hub.registration_count; i++) {
		struct acl_who who = {.user = voice_hub.registrations[i]->id};

		if (acl_is_member(channel->acl.parent, channel->acl.parent, name, &who))
			list[(*count)++] = (uint32_t)who.user;
	}
	return list;
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

RUNS_ON(on_control)
static void tell_names(struct voice_user *to, const uint32_t *ids, size_t count);

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
		tell_names(to, ids, count);
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
	for (struct voice_user *other = voice_hub.users; other; other = other->next)
		if (other->channel && !other->leaving)
			voice_user_recheck(other);
	voice_flush_permissions();
	voice_registry_changed();
}

/* --- names and numbers ------------------------------------------------------------------------- */

RUNS_ON(on_control)
static void tell_names(struct voice_user *to, const uint32_t *ids, size_t count)
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
	size_t count = said->ids.count, most = count + said->names.count;
	uint32_t *ids = malloc((most + 1) * sizeof *ids);

	if (!ids)
		return;
	if (count)
		memcpy(ids, said->ids.at, count * sizeof *ids);
	for (size_t i = 0; i < said->names.count; i++) {
		const struct voice_registration *row = voice_registered_name(said->names.at[i]);

		if (row)
			ids[count++] = (uint32_t)row->id;
	}
	tell_names(user, ids, count);
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
		else if (wish->name.len && wish->name.len <= 128 &&
			 !voice_registered_name(wish->name)) {
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
	bytes_to_str(from->hash, ban->hash, sizeof ban->hash);
	bytes_to_str(from->name, ban->name, sizeof ban->name);
	bytes_to_str(from->reason, ban->reason, sizeof ban->reason);
	ban->start_s = time_of(from->start);
	ban->duration_s = from->duration;
	return ban->has_network || ban->hash[0];
}

void voice_on_ban_list(struct voice_user *user, const struct mumble_message *message)
{
	const struct mumble_ban_list *said = &message->ban_list;

	if (!(voice_may(user, voice_channel_find(VOICE_ROOT)) & MAY_BAN)) {
		voice_deny(user, MAY_BAN, voice_channel_find(VOICE_ROOT));
		return;
	}
	if (said->query) {
		tell_bans(user);
		return;
	}
	voice_hub.ban_count = 0;
	for (size_t i = 0; i < said->bans.count; i++) {
		struct voice_ban ban;

		if (ban_of(&said->bans.at[i], &ban))
			(void)voice_ban_add(&ban);
	}
	log_info("voice", "bans changed", kv_u64("count", voice_hub.ban_count),
		 kv_str("by", user->name));
	voice_bans_changed();
}

/* --- statistics -------------------------------------------------------------------------------- */

static float bits_float(uint32_t bits)
{
	float value;

	memcpy(&value, &bits, sizeof value);
	return value;
}

#define COUNT(field) atomic_load_explicit(&counts->field, memory_order_relaxed)

static void describe_traffic(const struct voice_user *about, struct mumble_user_stats *stats)
{
	const struct voice_counts *counts = &about->peer->counts;

	MUMBLE_SET(&stats->from_client, stats, good, COUNT(good));
	MUMBLE_SET(&stats->from_client, stats, late, COUNT(late));
	MUMBLE_SET(&stats->from_client, stats, lost, COUNT(lost));
	MUMBLE_SET(&stats->from_client, stats, resync, COUNT(resync));
	MUMBLE_SET(&stats->from_server, stats, good, COUNT(far_good));
	MUMBLE_SET(&stats->from_server, stats, late, COUNT(far_late));
	MUMBLE_SET(&stats->from_server, stats, lost, COUNT(far_lost));
	MUMBLE_SET(&stats->from_server, stats, resync, COUNT(far_resync));
	stats->has |= MUMBLE_HAS(user_stats, from_client) | MUMBLE_HAS(user_stats, from_server);
}

static void describe_pings(const struct voice_user *about, struct mumble_user_stats *stats)
{
	const struct voice_counts *counts = &about->peer->counts;
	int64_t now = mono_now().us, spoke = COUNT(spoke_us);
	int64_t active = spoke > about->active_us ? spoke : about->active_us;
	int64_t online = (now - about->came_us) / 1000000;
	uint64_t bytes = COUNT(bytes);

	MUMBLE_SET(stats, user_stats, udp_packets, COUNT(udp_packets));
	MUMBLE_SET(stats, user_stats, tcp_packets, COUNT(tcp_packets));
	MUMBLE_SET(stats, user_stats, udp_ping_avg, bits_float(COUNT(udp_average)));
	MUMBLE_SET(stats, user_stats, udp_ping_var, bits_float(COUNT(udp_variance)));
	MUMBLE_SET(stats, user_stats, tcp_ping_avg, bits_float(COUNT(tcp_average)));
	MUMBLE_SET(stats, user_stats, tcp_ping_var, bits_float(COUNT(tcp_variance)));
	MUMBLE_SET(stats, user_stats, onlinesecs, (uint32_t)online);
	MUMBLE_SET(stats, user_stats, idlesecs, (uint32_t)((now - active) / 1000000));
	MUMBLE_SET(stats, user_stats, bandwidth,
		   (uint32_t)(bytes / (uint64_t)(online > 0 ? online : 1)));
}

static void describe_client(const struct voice_user *about, struct mumble_user_stats *stats)
{
	struct mumble_version *version = &stats->version;
	uint64_t v = about->version;

	MUMBLE_SET(version, version, version_v1,
		   mumble_version_v1((uint32_t)(v >> 48), (uint32_t)(v >> 32) & 0xffff,
				     (uint32_t)(v >> 16) & 0xffff));
	MUMBLE_SET(version, version, version_v2, v);
	MUMBLE_SET(version, version, release, bytes_str(about->release));
	MUMBLE_SET(version, version, os, bytes_str(about->os));
	MUMBLE_SET(version, version, os_version, bytes_str(about->os_version));
	stats->has |= MUMBLE_HAS(user_stats, version);
	MUMBLE_SET(stats, user_stats, address, bytes_of(about->peer->address.ip, 16));
	MUMBLE_SET(stats, user_stats, opus, about->opus);
	MUMBLE_SET(stats, user_stats, strong_certificate, false);
}

/* How much of it: all for himself and those who may send people away; for others in the same channel
 * or below, the traffic; for everybody else whether he is idle. */
void voice_on_user_stats(struct voice_user *user, const struct mumble_message *message)
{
	const struct voice_user *about = voice_user_find(message->user_stats.session);
	struct mumble_message answer;
	struct mumble_user_stats *stats = &answer.user_stats;
	struct bytes certificate;
	bool all, local;

	if (!about)
		return;
	all = about == user || voice_may(user, voice_channel_find(VOICE_ROOT)) & MAY_REGISTER;
	local = all || about->channel == user->channel ||
		voice_may(user, about->channel) & MAY_WRITE;
	message_init(&answer, MUMBLE_USER_STATS);
	MUMBLE_SET(stats, user_stats, session, about->peer->session);
	describe_pings(about, stats);
	if (local)
		describe_traffic(about, stats);
	if (all && !message->user_stats.stats_only) {
		describe_client(about, stats);
		certificate = bytes_of(about->peer->certificate, about->peer->certificate_len);
		stats->certificates.at = &certificate;
		stats->certificates.count = certificate.len > 0;
	}
	voice_send(user, &answer);
}

/* --- long texts and pictures ------------------------------------------------------------------- */

void voice_on_request_blob(struct voice_user *user, const struct mumble_message *message)
{
	const struct mumble_request_blob *said = &message->request_blob;
	struct mumble_message answer;

	for (size_t i = 0; i < said->session_texture.count; i++) {
		const struct voice_user *about = voice_user_find(said->session_texture.at[i]);

		if (!about || !about->texture.len)
			continue;
		message_init(&answer, MUMBLE_USER_STATE);
		MUMBLE_SET(&answer.user_state, user_state, session, about->peer->session);
		MUMBLE_SET(&answer.user_state, user_state, texture,
			   voice_blob_bytes(&about->texture));
		voice_send(user, &answer);
	}
	for (size_t i = 0; i < said->session_comment.count; i++) {
		const struct voice_user *about = voice_user_find(said->session_comment.at[i]);

		if (!about || !about->comment.len)
			continue;
		message_init(&answer, MUMBLE_USER_STATE);
		MUMBLE_SET(&answer.user_state, user_state, session, about->peer->session);
		MUMBLE_SET(&answer.user_state, user_state, comment,
			   voice_blob_bytes(&about->comment));
		voice_send(user, &answer);
	}
	for (size_t i = 0; i < said->channel_description.count; i++) {
		const struct voice_channel *channel =
			voice_channel_find(said->channel_description.at[i]);

		if (!channel || !channel->description.len)
			continue;
		message_init(&answer, MUMBLE_CHANNEL_STATE);
		MUMBLE_SET(&answer.channel_state, channel_state, channel_id, channel->id);
		MUMBLE_SET(&answer.channel_state, channel_state, description,
			   voice_blob_bytes(&channel->description));
		voice_send(user, &answer);
	}
}

/* --- whom one whispers to ---------------------------------------------------------------------- */

static void aim_fini(struct voice_aim *aim)
{
	for (size_t i = 0; i < aim->count; i++) {
		free(aim->targets[i].sessions);
		free(aim->targets[i].group);
	}
	free(aim->targets);
	*aim = (struct voice_aim){0};
}

static bool target_of(const struct mumble_target *from, struct voice_target *to)
{
	size_t count = from->session.count;

	*to = (struct voice_target){
		.has_channel = from->has & MUMBLE_HAS(target, channel_id),
		.channel = from->channel_id,
		.links = from->links,
		.children = from->children,
	};
	to->group = malloc(from->group.len + 1);
	to->sessions = malloc((count + 1) * sizeof *to->sessions);
	if (!to->group || !to->sessions)
		return false;
	bytes_to_str(from->group, to->group, from->group.len + 1);
	if (count)
		memcpy(to->sessions, from->session.at, count * sizeof *to->sessions);
	to->session_count = count;
	return true;
}

bool voice_aims_room(struct voice_peer *peer)
{
	struct voice_aims *aims = atomic_load_explicit(&peer->aims, memory_order_relaxed);

	if (aims)
		return true;
	aims = calloc(1, sizeof *aims);
	if (aims)
		atomic_store_explicit(&peer->aims, aims, memory_order_release);
	return aims != NULL;
}

void voice_on_voice_target(struct voice_user *user, const struct mumble_message *message)
{
	const struct mumble_voice_target *said = &message->voice_target;
	struct voice_aim *aim, made = {0};

	if (said->id < 1 || said->id > VOICE_AIMS || !voice_aims_room(user->peer))
		return;
	aim = &user->aims[said->id - 1];
	made.targets = calloc(said->targets.count + 1, sizeof *made.targets);
	for (size_t i = 0; made.targets && i < said->targets.count; i++) {
		made.count++;
		if (!target_of(&said->targets.at[i], &made.targets[i])) {
			aim_fini(&made);
			return;
		}
	}
	aim_fini(aim);
	*aim = made;
	voice_hub.aims_dirty = true;
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
