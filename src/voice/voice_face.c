#include "voice/voice_face.h"

#include <stdlib.h>

#include "voice/voice_part.h"

/* --- what there is ----------------------------------------------------------------------------- */

static json_t *address_tree(const uint8_t ip[16])
{
	struct address address = {0};
	char text[ADDRESS_TEXT_MAX + 1];

	memcpy(address.ip, ip, sizeof address.ip);
	return json_string(address_text(&address, text));
}

#define COUNTED(field) (json_int_t) atomic_load_explicit(&peer->counts.field, memory_order_relaxed)

RUNS_ON(on_control) static json_t *user_tree(const struct voice_user *user)
{
	const struct voice_peer *peer = user->peer;
	int64_t spoke = atomic_load_explicit(&peer->counts.spoke_us, memory_order_relaxed);
	int64_t now = mono_now().us;
	bool udp = atomic_load_explicit(&peer->way, memory_order_relaxed) &&
		   !atomic_load_explicit(&peer->tunnels, memory_order_relaxed);
	json_t *tree =
		json_pack("{s:I, s:s, s:i, s:I, s:o, s:b, s:b, s:b, s:b, s:b, s:b, s:b}", "id",
			  (json_int_t)peer->session, "name", user->name, "registration",
			  (int)user->id, "channel", (json_int_t)user->channel->id, "address",
			  address_tree(peer->address.ip), "mute", user->mute, "deaf", user->deaf,
			  "suppress", user->suppress, "self_mute", user->self_mute, "self_deaf",
			  user->self_deaf, "priority", user->priority, "recording",
			  user->recording);
	json_t *more =
		json_pack("{s:b, s:s, s:I, s:o, s:I, s:I, s:I, s:I, s:I}", "udp", udp, "client",
			  user->release, "connected_s",
			  (json_int_t)((now - user->came_us) / 1000000), "spoke_s_ago",
			  spoke ? json_integer((now - spoke) / 1000000) : json_null(), "packets",
			  COUNTED(heard), "good", COUNTED(good), "late", COUNTED(late), "lost",
			  COUNTED(lost), "lost_there", COUNTED(far_lost));

	json_object_update(tree, more);
	json_decref(more);
	return tree;
}

RUNS_ON(on_control) static json_t *channel_tree(const struct voice_channel *channel)
{
	json_t *links = json_array();

	for (size_t i = 0; i < channel->link_count; i++)
		json_array_append_new(links, json_integer(channel->links[i]->id));
	return json_pack(
		"{s:I, s:o, s:s, s:o, s:i, s:I, s:b, s:I, s:I, s:o}", "id", (json_int_t)channel->id,
		"parent", channel->parent ? json_integer(channel->parent->id) : json_null(), "name",
		channel->name, "description",
		channel->description.len ? json_stringn((const char *)channel->description.at,
							channel->description.len)
					 : json_string(""),
		"position", (int)channel->position, "max_users", (json_int_t)channel->max_users,
		"temporary", channel->temporary, "users", (json_int_t)channel->user_count,
		"listeners", (json_int_t)channel->listen_count, "links", links);
}

static void answer_channels(struct call *call, const struct api_input *input)
{
	json_t *list = json_array();

	enter_control();
	(void)input;
	for (size_t i = 0; i < voice_hub.channel_room; i++)
		if (voice_hub.channels[i])
			json_array_append_new(list, channel_tree(voice_hub.channels[i]));
	api_answer(call, json_pack("{s:o}", "channels", list));
}

static void answer_users(struct call *call, const struct api_input *input)
{
	json_t *list = json_array();

	enter_control();
	(void)input;
	for (const struct voice_user *user = voice_hub.users; user; user = user->next)
		if (user->channel && !user->leaving)
			json_array_append_new(list, user_tree(user));
	api_answer(call, json_pack("{s:o}", "users", list));
}

static json_t *ban_tree(const struct voice_ban *ban)
{
	char network[64] = "";
	struct writer w = writer_of(network, sizeof network - 1);

	if (ban->has_network)
		cidr_write(&w, &ban->network);
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "network", network, "hash", ban->hash,
			 "name", ban->name, "reason", ban->reason, "since",
			 (json_int_t)ban->start_s, "seconds", (json_int_t)ban->duration_s);
}

static void answer_bans(struct call *call, const struct api_input *input)
{
	json_t *list = json_array();

	enter_control();
	(void)input;
	for (size_t i = 0; i < voice_hub.ban_count; i++)
		json_array_append_new(list, ban_tree(&voice_hub.bans[i]));
	api_answer(call, json_pack("{s:o}", "bans", list));
}

static void answer_registrations(struct call *call, const struct api_input *input)
{
	json_t *list = json_array();

	enter_control();
	(void)input;
	for (size_t i = 0; i < voice_hub.registration_count; i++) {
		const struct voice_registration *row = voice_hub.registrations[i];

		json_array_append_new(list,
				      json_pack("{s:i, s:s, s:s, s:I, s:I}", "id", (int)row->id,
						"name", row->name, "hash", row->hash,
						"last_channel", (json_int_t)row->last_channel,
						"seen_ms", (json_int_t)row->seen_ms));
	}
	api_answer(call, json_pack("{s:o}", "registrations", list));
}

/* --- channels ---------------------------------------------------------------------------------- */

/* The number in the path; UINT32_MAX is nobody's. */
static uint32_t number_of(const struct api_input *input)
{
	uint64_t number = UINT32_MAX;

	return bytes_to_u64(bytes_str(input->arg), UINT32_MAX - 1, &number) ? (uint32_t)number
									    : UINT32_MAX;
}

static bool take_number(const struct api_input *input, const char *name, uint32_t most,
			uint32_t *number)
{
	const json_t *value = json_object_get(input->body, name);

	if (!value)
		return true;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > most)
		return false;
	*number = (uint32_t)json_integer_value(value);
	return true;
}

static void answer_make(struct call *call, const struct api_input *input)
{
	const char *name = api_text(input, "name"), *description = api_text(input, "description");
	struct voice_channel *parent, *made;
	uint32_t above = VOICE_ROOT, position = 0, most = 0;

	enter_control();
	if (!name || !take_number(input, "parent", UINT16_MAX, &above) ||
	    !take_number(input, "position", INT32_MAX, &position) ||
	    !take_number(input, "max_users", UINT16_MAX, &most)) {
		api_fault(call, 400, "bad_channel",
			  "expected a name; parent, position and max_users are numbers from 0");
		return;
	}
	if (!voice_hub_is_open()) {
		api_fault(call, 503, "not_open", "what was kept of the rooms is not known yet");
		return;
	}
	parent = voice_channel_find(above);
	if (!parent) {
		api_fault(call, 404, "no_such_channel", "there is no channel %u", above);
		return;
	}
	if (voice_channel_has(parent, bytes_str(name), NULL)) {
		api_fault(call, 409, "name_taken", "%s has a channel of this name", parent->name);
		return;
	}
	made = voice_channel_add(parent, bytes_str(name));
	if (!made) {
		api_fault(call, 409, "not_made",
			  "no good name, or channels would be too many or too deep");
		return;
	}
	made->position = (int32_t)position;
	made->max_users = most;
	if (description && description[0])
		(void)voice_blob_set(&made->description, bytes_str(description));
	voice_channel_announce(made);
	api_log_order(call, name);
	api_answer_as(call, 201, channel_tree(made));
}

RUNS_ON(on_control) static void answer_remove(struct call *call, const struct api_input *input)
{
	struct voice_channel *channel;

	enter_control();
	channel = voice_channel_find(number_of(input));
	if (!channel || !channel->parent) {
		api_fault(call, channel ? 409 : 404, channel ? "root" : "no_such_channel",
			  channel ? "the uppermost channel stays" : "there is no such channel");
		return;
	}
	api_log_order(call, channel->name);
	voice_channel_drop(channel);
	api_done(call);
}

/* --- people ------------------------------------------------------------------------------------ */

RUNS_ON(on_control)
static struct voice_user *user_of(struct call *call, const struct api_input *input)
{
	struct voice_user *user = voice_user_find(number_of(input));

	if (!user)
		api_fault(call, 404, "no_such_user", "there is no such user");
	return user;
}

static void answer_change(struct call *call, const struct api_input *input)
{
	struct voice_user *user;
	struct voice_channel *to = NULL;
	const json_t *channel, *mute, *deaf, *priority;
	uint32_t number = 0;

	enter_control();
	user = user_of(call, input);
	if (!user)
		return;
	channel = json_object_get(input->body, "channel");
	mute = json_object_get(input->body, "mute");
	deaf = json_object_get(input->body, "deaf");
	priority = json_object_get(input->body, "priority");
	if ((mute && !json_is_boolean(mute)) || (deaf && !json_is_boolean(deaf)) ||
	    (priority && !json_is_boolean(priority)) ||
	    !take_number(input, "channel", UINT16_MAX, &number)) {
		api_fault(call, 400, "bad_user",
			  "channel is a number; mute, deaf and priority are "
			  "true or false");
		return;
	}
	to = channel ? voice_channel_find(number) : NULL;
	if (channel && !to) {
		api_fault(call, 404, "no_such_channel", "there is no such channel");
		return;
	}
	if (mute || deaf || priority)
		voice_user_flag(user, mute ? json_is_true(mute) : user->mute,
				deaf ? json_is_true(deaf) : user->deaf,
				priority ? json_is_true(priority) : user->priority);
	if (to)
		voice_move(user, to, NULL);
	api_log_order(call, user->name);
	api_answer(call, user_tree(user));
}

static void answer_kick(struct call *call, const struct api_input *input)
{
	struct voice_user *user;
	char reason[256] = "";

	enter_control();
	user = user_of(call, input);
	if (!user)
		return;
	(void)call_param(call, "reason", reason, sizeof reason);
	api_log_order(call, user->name);
	voice_user_remove(user, NULL, bytes_str(reason), false);
	api_done(call);
}

static void answer_ban(struct call *call, const struct api_input *input)
{
	const char *reason = api_text(input, "reason");
	struct voice_user *user;
	uint32_t seconds = 0;

	enter_control();
	user = user_of(call, input);
	if (!user)
		return;
	if (!take_number(input, "seconds", UINT32_MAX, &seconds)) {
		api_fault(call, 400, "bad_seconds", "seconds is to be from 0 (for ever) on");
		return;
	}
	api_log_order(call, user->name);
	if (!voice_ban_user(user, bytes_str(reason), seconds, VOICE_BAN_ALL)) {
		api_fault(call, 507, "too_many_bans",
			  "there are as many bans as voice.bans allows");
		return;
	}
	voice_user_remove(user, NULL, bytes_str(reason), true);
	api_done(call);
}

static void answer_lift(struct call *call, const struct api_input *input)
{
	struct cidr network;
	bool is_network = cidr_parse(bytes_str(input->arg), &network);

	enter_control();
	for (size_t i = 0; i < voice_hub.ban_count; i++) {
		struct voice_ban *ban = &voice_hub.bans[i];

		if (is_network ? !ban->has_network || ban->network.bits != network.bits ||
					 memcmp(ban->network.ip, network.ip, 16) != 0
			       : !ban->hash[0] || strcmp(ban->hash, input->arg) != 0)
			continue;
		*ban = voice_hub.bans[--voice_hub.ban_count];
		voice_bans_changed();
		api_log_order(call, input->arg);
		api_done(call);
		return;
	}
	api_fault(call, 404, "no_such_ban", "%s is not banned here", input->arg);
}

static void answer_unregister(struct call *call, const struct api_input *input)
{
	uint32_t id = number_of(input);

	enter_control();
	if (id > INT32_MAX || !voice_registered((int32_t)id)) {
		api_fault(call, 404, "no_such_registration", "nobody is registered so");
		return;
	}
	api_log_order(call, input->arg);
	voice_forget_registration((int32_t)id);
	api_done(call);
}

void voice_send_away(const struct cidr *network)
{
	struct voice_user *next;

	enter_control();
	for (struct voice_user *user = voice_hub.users; user; user = next) {
		struct address address = {0};

		next = user->next;
		memcpy(address.ip, user->peer->address.ip, sizeof address.ip);
		if (!user->leaving && cidr_holds(network, &address))
			voice_user_remove(user, NULL, BYTES("You are banned"), true);
	}
}

#define ROOT API_ROOT "/voice"

const struct api_operation voice_operations[] = {
	{"GET", ROOT "/channels", RANK_DJ, answer_channels, "The channels of the voice rooms.",
	 NULL, "VoiceChannels", NULL},
	{"POST", ROOT "/channels", RANK_OPERATOR, answer_make, "Makes a channel.",
	 "NewVoiceChannel", "VoiceChannel", NULL},
	{"DELETE", ROOT "/channels/{id}", RANK_OPERATOR, answer_remove,
	 "Removes a channel and those below it; who is in them goes up.", NULL, NULL, NULL},
	{"GET", ROOT "/users", RANK_DJ, answer_users, "Who is in the voice rooms.", NULL,
	 "VoiceUsers", NULL},
	{"PUT", ROOT "/users/{id}", RANK_OPERATOR, answer_change,
	 "Moves, mutes or deafens a user, or lets him speak first.", "VoiceUserChange", "VoiceUser",
	 NULL},
	{"DELETE", ROOT "/users/{id}", RANK_OPERATOR, answer_kick, "Sends a user away.", NULL, NULL,
	 NULL},
	{"POST", ROOT "/users/{id}/ban", RANK_OPERATOR, answer_ban,
	 "Sends a user away and does not let him in again.", "NewVoiceBan", NULL, NULL},
	{"GET", ROOT "/bans", RANK_OPERATOR, answer_bans, "Who may not come into the voice rooms.",
	 NULL, "VoiceBans", NULL},
	{"DELETE", ROOT "/bans/{network}", RANK_OPERATOR, answer_lift,
	 "Lifts a ban, by its network or its certificate's hash.", NULL, NULL, NULL},
	{"GET", ROOT "/registrations", RANK_OPERATOR, answer_registrations,
	 "Who is registered in the voice rooms.", NULL, "VoiceRegistrations", NULL},
	{"DELETE", ROOT "/registrations/{id}", RANK_OPERATOR, answer_unregister,
	 "Forgets a registration.", NULL, NULL, NULL},
	{0},
};
