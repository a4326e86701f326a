/* voice_request_aim: whom one whispers and shouts to. */
#include <stdlib.h>

#include "core/log.h"
#include "core/metric.h"
#include "voice/voice.h"
#include "voice/voice_part.h"

#define PEOPLE_MAX 1024u /* named in one target */

static void aim_fini(struct voice_aim *aim)
{
	for (size_t i = 0; i < aim->count; i++) {
		free(aim->targets[i].sessions);
		free(aim->targets[i].group);
	}
	free(aim->targets);
	*aim = (struct voice_aim){0};
}

/* left: how many more people the whole may name. */
static bool target_of(const struct mumble_target *from, struct voice_target *to, size_t *left)
{
	size_t count = from->session.count < *left ? from->session.count : *left;

	*left -= count;

	*to = (struct voice_target){
		.has_channel = from->has & MUMBLE_HAS(target, channel_id),
		.channel = from->channel_id,
		.links = from->links,
		.children = from->children,
	};
	to->group = malloc(VOICE_NAME_MAX + 1);
	to->sessions = malloc((count + 1) * sizeof *to->sessions);
	if (!to->group || !to->sessions)
		return false;
	voice_text_put(from->group, to->group, VOICE_NAME_MAX + 1);
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
	size_t left = PEOPLE_MAX;

	if (said->id < 1 || said->id > VOICE_AIMS || !voice_aims_room(user->peer))
		return;
	aim = &user->aims[said->id - 1];
	made.targets = calloc(said->targets.count + 1, sizeof *made.targets);
	for (size_t i = 0; made.targets && i < said->targets.count; i++) {
		made.count++;
		if (!target_of(&said->targets.at[i], &made.targets[i], &left)) {
			aim_fini(&made);
			return;
		}
	}
	aim_fini(aim);
	*aim = made;
	voice_hub.aims_dirty = true;
}
