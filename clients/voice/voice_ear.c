#include "voice_ear.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"

#define MADE_UP_MAX 10 /* ticks of Opus's own invention, then silence */
#define GIVE_UP     50 /* ticks of silence, and the next packet begins anew */

static struct ear_speaker *speaker_of(struct voice_ear *ear, uint32_t session)
{
	struct ear_speaker **free_at = NULL;
	int error;

	for (size_t i = 0; i < EAR_SPEAKERS; i++) {
		if (ear->speakers[i] && ear->speakers[i]->session == session)
			return ear->speakers[i];
		if (!ear->speakers[i] && !free_at)
			free_at = &ear->speakers[i];
	}
	if (!free_at || !(*free_at = calloc(1, sizeof **free_at)))
		return NULL;
	(*free_at)->session = session;
	(*free_at)->decoder = opus_decoder_create(EAR_RATE, 1, &error);
	if (!(*free_at)->decoder) {
		free(*free_at);
		*free_at = NULL;
	}
	return *free_at;
}

static void begin(struct ear_speaker *speaker, uint64_t frame)
{
	for (size_t i = 0; i < EAR_SLOTS; i++)
		speaker->slots[i].len = 0;
	speaker->speaking = true;
	speaker->next = frame;
	speaker->wait = EAR_DELAY;
	speaker->missing = 0;
}

bool voice_ear_hear(struct voice_ear *ear, const struct voice_packet *packet)
{
	struct ear_speaker *speaker;
	struct ear_slot *slot;

	if (packet->codec != VOICE_OPUS || packet->payload.len == 0 ||
	    packet->payload.len > sizeof slot->opus)
		return false;
	speaker = speaker_of(ear, packet->session);
	if (!speaker)
		return false;
	speaker->packets++;
	/* A client that came again counts from 0; what is far ahead or behind is another speech. */
	if (!speaker->speaking || packet->frame > speaker->next + EAR_SLOTS / 2 ||
	    packet->frame + EAR_SLOTS < speaker->next)
		begin(speaker, packet->frame);
	if (packet->frame < speaker->next) {
		/* Before anything is heard there is still time for it. */
		if (speaker->wait == 0) {
			speaker->late++;
			return false;
		}
		speaker->next = packet->frame;
	}
	slot = &speaker->slots[packet->frame % EAR_SLOTS];
	slot->frame = packet->frame;
	slot->len = (uint16_t)packet->payload.len;
	slot->last = packet->last;
	memcpy(slot->opus, packet->payload.at, packet->payload.len);
	return true;
}

/* Decodes the packet whose turn it is behind pcm, or has Opus make up what is missing. */
static void decode_next(struct ear_speaker *speaker)
{
	struct ear_slot *slot = &speaker->slots[speaker->next % EAR_SLOTS];
	bool there = slot->len > 0 && slot->frame == speaker->next;
	int room = (int)(COUNT_OF(speaker->pcm) - speaker->held), got;

	if (!there && speaker->missing >= MADE_UP_MAX) {
		speaker->missing++;
		speaker->next++;
		memset(speaker->pcm + speaker->held, 0, EAR_TICK * sizeof *speaker->pcm);
		speaker->held += EAR_TICK;
		speaker->speaking = speaker->missing < GIVE_UP;
		return;
	}
	got = opus_decode_float(speaker->decoder, there ? slot->opus : NULL, there ? slot->len : 0,
				speaker->pcm + speaker->held, there ? room : EAR_TICK, 0);
	if (got <= 0) {
		got = EAR_TICK;
		memset(speaker->pcm + speaker->held, 0, EAR_TICK * sizeof *speaker->pcm);
	}
	speaker->held += (size_t)got;
	speaker->next += there ? (uint64_t)(got + EAR_TICK - 1) / EAR_TICK : 1;
	speaker->missing = there ? 0 : speaker->missing + 1;
	speaker->made_up += !there;
	slot->len = 0;
	if (there && slot->last)
		speaker->speaking = false;
}

/* 10 ms of one speaker. */
static void take(struct ear_speaker *speaker, float out[EAR_TICK])
{
	size_t given;

	if (speaker->speaking && speaker->wait > 0)
		speaker->wait--;
	else
		while (speaker->speaking && speaker->held < EAR_TICK)
			decode_next(speaker);
	given = speaker->held < EAR_TICK ? speaker->held : EAR_TICK;
	memcpy(out, speaker->pcm, given * sizeof *out);
	memset(out + given, 0, (EAR_TICK - given) * sizeof *out);
	speaker->held -= given;
	memmove(speaker->pcm, speaker->pcm + given, speaker->held * sizeof *speaker->pcm);
}

void voice_ear_mix(struct voice_ear *ear, float out[EAR_TICK],
		   void (*own)(struct ear_speaker *speaker, const float pcm[EAR_TICK], void *user),
		   void *user)
{
	memset(out, 0, EAR_TICK * sizeof *out);
	for (size_t i = 0; i < EAR_SPEAKERS; i++) {
		struct ear_speaker *speaker = ear->speakers[i];
		float pcm[EAR_TICK];

		if (!speaker)
			continue;
		take(speaker, pcm);
		for (size_t n = 0; n < EAR_TICK; n++)
			out[n] += pcm[n];
		if (own)
			own(speaker, pcm, user);
	}
}

void voice_ear_fini(struct voice_ear *ear)
{
	for (size_t i = 0; i < EAR_SPEAKERS; i++) {
		if (!ear->speakers[i])
			continue;
		opus_decoder_destroy(ear->speakers[i]->decoder);
		free(ear->speakers[i]);
		ear->speakers[i] = NULL;
	}
}
