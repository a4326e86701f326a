/* voice_ear: what the others say, each put in order, decoded and mixed.
 *
 *     packets ──▶ one speaker's queue, by frame number ──▶ Opus ──▶ ┐
 *     packets ──▶ another's                            ──▶ Opus ──▶ ┴▶ voice_ear_mix(): 10 ms at a time
 *
 * Speech begins to be heard EAR_DELAY after its first packet, which is what packets may differ in the time
 * they take. What is missing when its turn comes is made up by Opus; what comes after its turn is dropped
 * and counted.
 *
 * Thread: one. Time is the caller's: each mix is 10 ms later. */
#pragma once

#include <opus/opus.h>

#include "voice/proto/voice_packet.h"

#define EAR_RATE     48000
#define EAR_TICK     480 /* samples of a mix: 10 ms, what frame numbers count */
#define EAR_DELAY    6   /* ticks */
#define EAR_SLOTS    64  /* packets of a speaker that wait; in ticks, so 640 ms and more */
#define EAR_SPEAKERS 256

struct ear_slot {
	uint64_t frame;
	uint16_t len; /* 0: empty */
	bool last;
	uint8_t opus[VOICE_PACKET_MAX];
};

struct ear_speaker {
	uint32_t session; /* 0: nobody */
	OpusDecoder *decoder;
	bool speaking;
	uint64_t next;                    /* the frame whose turn is next */
	unsigned wait;                    /* ticks before the first is heard */
	unsigned missing;                 /* ticks in a row that were made up */
	float pcm[EAR_RATE / 1000 * 120]; /* decoded and not heard yet */
	size_t held;
	struct ear_slot slots[EAR_SLOTS];
	uint64_t packets, late, made_up;
	void *file; /* the caller's, as is the next */
	bool file_failed;
};

struct voice_ear {
	struct ear_speaker *speakers[EAR_SPEAKERS];
};

/* False: dropped: too late, no Opus, no memory. */
bool voice_ear_hear(struct voice_ear *ear, const struct voice_packet *packet);

/* The next 10 ms of all. own (or NULL) is told what each speaker said in them, those who are silent as
 * zeroes. */
void voice_ear_mix(struct voice_ear *ear, float out[EAR_TICK],
		   void (*own)(struct ear_speaker *speaker, const float pcm[EAR_TICK], void *user),
		   void *user);

void voice_ear_fini(struct voice_ear *ear);
