#include "voicecat.h"

#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

/* Takes event. A line a event, at once. */
static void tell(struct voicecat *cat, json_t *event)
{
	if (cat->options->events && event) {
		json_dumpf(event, stdout, JSON_COMPACT);
		putchar('\n');
		fflush(stdout);
	}
	json_decref(event);
}

static json_t *text_of(struct bytes text)
{
	return json_stringn(text.len ? (const char *)text.at : "", text.len);
}

static const char *name_of(const struct voicecat *cat, uint32_t session)
{
	const struct room_user *user = voice_room_user(&cat->room, session);

	return user ? user->name : "";
}

static void tell_user(struct voicecat *cat, const struct mumble_user_state *state)
{
	const struct room_user *user = voice_room_user(&cat->room, state->session);

	if (user &&
	    state->has & (MUMBLE_HAS(user_state, channel_id) | MUMBLE_HAS(user_state, name)))
		tell(cat, json_pack("{ss si ss si}", "event", "user", "session", (int)user->session,
				    "name", user->name, "channel", (int)user->channel));
	if (user && state->has & MUMBLE_HAS(user_state, recording))
		tell(cat, json_pack("{ss si sb}", "event", "recording", "session",
				    (int)user->session, "on", state->recording));
}

void bot_message(struct voicecat *cat, const struct mumble_message *message)
{
	switch ((unsigned)message->type) {
	case MUMBLE_TEXT_MESSAGE:
		tell(cat, json_pack("{ss si ss so}", "event", "text", "session",
				    (int)message->text_message.actor, "name",
				    name_of(cat, message->text_message.actor), "text",
				    text_of(message->text_message.message)));
		break;
	case MUMBLE_USER_STATE: tell_user(cat, &message->user_state); break;
	case MUMBLE_USER_REMOVE:
		tell(cat, json_pack("{ss si}", "event", "left", "session",
				    (int)message->user_remove.session));
		break;
	case MUMBLE_PERMISSION_DENIED:
		tell(cat, json_pack("{ss so}", "event", "denied", "reason",
				    text_of(voicecat_why(&message->permission_denied))));
		break;
	default: break;
	}
}

void bot_joined(struct voicecat *cat)
{
	tell(cat, json_pack("{ss si ss}", "event", "joined", "session", (int)cat->link.session,
			    "channel", cat->options->channel ? cat->options->channel : ""));
}

void bot_voice(struct voicecat *cat, const struct voice_packet *packet)
{
	static uint32_t speaking[EAR_SPEAKERS];
	size_t at = packet->session % EAR_SPEAKERS;

	if (speaking[at] != packet->session)
		tell(cat, json_pack("{ss si ss sI}", "event", "speaks", "session",
				    (int)packet->session, "name", name_of(cat, packet->session),
				    "frame", (json_int_t)packet->frame));
	speaking[at] = packet->last ? 0 : packet->session;
}

/* --- commands ---------------------------------------------------------------------------------- */

static void set_self(struct voicecat *cat, const char *what, bool on)
{
	struct mumble_message state;

	message_init(&state, MUMBLE_USER_STATE);
	if (strcmp(what, "mute") == 0)
		MUMBLE_SET(&state.user_state, user_state, self_mute, on);
	else
		MUMBLE_SET(&state.user_state, user_state, self_deaf, on);
	(void)!mumble_link_send(&cat->link, &state);
}

static void say_file(struct voicecat *cat, const char *path)
{
	char fault[256];

	if (cat->has_source)
		voice_source_close(&cat->source);
	cat->has_source =
		cat->encoder && voice_source_open(&cat->source, path, false, fault, sizeof fault);
	if (!cat->has_source)
		tell(cat, json_pack("{ss ss}", "event", "fault", "reason",
				    cat->encoder ? fault : "start me with --in or --sound"));
}

static void run_command(struct voicecat *cat, char *line)
{
	char *rest = strchr(line, ' ');

	if (rest)
		*rest++ = '\0';
	else
		rest = line + strlen(line);
	if (strcmp(line, "text") == 0) {
		const struct room_user *self = voice_room_user(&cat->room, cat->link.session);

		(void)!voicecat_text(cat, self ? self->channel : 0, rest);
	} else if (strcmp(line, "join") == 0) {
		if (!voicecat_enter(cat, rest))
			tell(cat,
			     json_pack("{ss ss}", "event", "fault", "reason", "no such channel"));
	} else if (strcmp(line, "say") == 0) {
		say_file(cat, rest);
	} else if (strcmp(line, "mute") == 0 || strcmp(line, "deaf") == 0) {
		set_self(cat, line, strcmp(rest, "off") != 0);
	} else if (strcmp(line, "quit") == 0) {
		cat->ended = true;
	} else if (line[0]) {
		tell(cat, json_pack("{ss ss}", "event", "fault", "reason",
				    "commands: text TEXT, join PATH, say FILE, mute on|off, "
				    "deaf on|off, quit"));
	}
}

/* With a talk key, standard input is a keyboard: space talks, and talks no more; q ends. */
static void press(struct voicecat *cat, char key)
{
	if (key == ' ')
		cat->pushed = !cat->pushed;
	if (key == 'q')
		cat->ended = true;
	fprintf(stderr, "\r%s  (space: talk, q: end) ", cat->pushed ? "ON AIR" : "silent");
}

bool bot_read(struct voicecat *cat)
{
	static char line[4096];
	static size_t len;
	char chunk[1024];
	ssize_t got = read(STDIN_FILENO, chunk, sizeof chunk);

	for (ssize_t i = 0; i < got; i++) {
		if (cat->options->push_to_talk) {
			press(cat, chunk[i]);
		} else if (chunk[i] == '\n') {
			line[len] = '\0';
			len = 0;
			run_command(cat, line);
		} else if (len + 1 < sizeof line) {
			line[len++] = chunk[i];
		}
	}
	return got > 0;
}
