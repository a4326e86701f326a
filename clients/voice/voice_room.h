/* voice_room: what a client knows of the server it is on: channels and users by name.
 *
 * Fed with every message; bounded by what it can hold: what is beyond is passed over, and counted.
 * Thread: one. */
#pragma once

#include "voice/proto/message.h"

#define ROOM_NAME     256
#define ROOM_CHANNELS 4096
#define ROOM_USERS    16384

struct room_channel {
	uint32_t id, parent;
	char name[ROOM_NAME];
};

struct room_user {
	uint32_t session, channel;
	char name[ROOM_NAME];
};

struct voice_room {
	struct room_channel *channels;
	struct room_user *users;
	size_t channel_count, user_count, passed_over;
};

void voice_room_note(struct voice_room *room, const struct mumble_message *message);

/* "Studio/Left", from the root down, case counts; "" and "/" are the root. NULL: there is none. */
const struct room_channel *voice_room_channel(const struct voice_room *room, const char *path);
const struct room_user *voice_room_user(const struct voice_room *room, uint32_t session);

void voice_room_fini(struct voice_room *room);
