#include "voice_room.h"

#include <stdlib.h>

/* The array with space for one more than count; NULL: none. Doubles. */
static void *grown(void *at, size_t count, size_t most, size_t size)
{
	size_t want = 16;

	if (count >= most)
		return NULL;
	while (want <= count)
		want *= 2;
	return count == 0 || (count & (count - 1)) == 0 ? realloc(at, want * size) : at;
}

static struct room_channel *channel_by(const struct voice_room *room, uint32_t id)
{
	for (size_t i = 0; i < room->channel_count; i++) {
		if (room->channels[i].id == id)
			return &room->channels[i];
	}
	return NULL;
}

static struct room_user *user_by(const struct voice_room *room, uint32_t session)
{
	for (size_t i = 0; i < room->user_count; i++) {
		if (room->users[i].session == session)
			return &room->users[i];
	}
	return NULL;
}

static void note_channel(struct voice_room *room, const struct mumble_channel_state *state)
{
	struct room_channel *channel = channel_by(room, state->channel_id);

	if (!channel) {
		struct room_channel *at =
			grown(room->channels, room->channel_count, ROOM_CHANNELS, sizeof *at);

		if (!at) {
			room->passed_over++;
			return;
		}
		room->channels = at;
		channel = &at[room->channel_count++];
		*channel = (struct room_channel){.id = state->channel_id};
	}
	if (state->has & MUMBLE_HAS(channel_state, parent))
		channel->parent = state->parent;
	if (state->has & MUMBLE_HAS(channel_state, name))
		bytes_to_str(state->name, channel->name, sizeof channel->name);
}

static void note_user(struct voice_room *room, const struct mumble_user_state *state)
{
	struct room_user *user = user_by(room, state->session);

	if (!user) {
		struct room_user *at = grown(room->users, room->user_count, ROOM_USERS, sizeof *at);

		if (!at) {
			room->passed_over++;
			return;
		}
		room->users = at;
		user = &at[room->user_count++];
		*user = (struct room_user){.session = state->session};
	}
	if (state->has & MUMBLE_HAS(user_state, channel_id))
		user->channel = state->channel_id;
	if (state->has & MUMBLE_HAS(user_state, name))
		bytes_to_str(state->name, user->name, sizeof user->name);
}

void voice_room_note(struct voice_room *room, const struct mumble_message *message)
{
	if (message->type == MUMBLE_CHANNEL_STATE) {
		note_channel(room, &message->channel_state);
	} else if (message->type == MUMBLE_USER_STATE) {
		note_user(room, &message->user_state);
	} else if (message->type == MUMBLE_CHANNEL_REMOVE) {
		struct room_channel *channel = channel_by(room, message->channel_remove.channel_id);

		if (channel)
			*channel = room->channels[--room->channel_count];
	} else if (message->type == MUMBLE_USER_REMOVE) {
		struct room_user *user = user_by(room, message->user_remove.session);

		if (user)
			*user = room->users[--room->user_count];
	}
}

static const struct room_channel *child_of(const struct voice_room *room, uint32_t parent,
					   struct bytes name)
{
	for (size_t i = 0; i < room->channel_count; i++) {
		const struct room_channel *channel = &room->channels[i];

		if (channel->id != 0 && channel->parent == parent &&
		    bytes_equal(bytes_str(channel->name), name))
			return channel;
	}
	return NULL;
}

const struct room_channel *voice_room_channel(const struct voice_room *room, const char *path)
{
	struct bytes rest = bytes_str(path);
	const struct room_channel *at = channel_by(room, 0);

	while (rest.len > 0 && at) {
		struct bytes name = bytes_cut(&rest, '/');

		if (name.len > 0)
			at = child_of(room, at->id, name);
	}
	return at;
}

const struct room_user *voice_room_user(const struct voice_room *room, uint32_t session)
{
	return user_by(room, session);
}

void voice_room_fini(struct voice_room *room)
{
	free(room->channels);
	free(room->users);
	*room = (struct voice_room){0};
}
