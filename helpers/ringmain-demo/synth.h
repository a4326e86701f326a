/* synth: turns notes into sound: six instruments, an echo and a hall.
 *
 *     synth_play(note) ──▶ voices ──┬──────────────▶ mix ──▶ limiter ──▶ stereo samples
 *                                   ├──▶ echo ──────▶ │
 *                                   └──▶ hall ──────▶ │
 *
 * The caller owns the struct (about 1 MiB) and gives notes when they are due; the synth renders
 * SYNTH_BLOCK frames a call. It knows nothing of keys, pieces or time of day. Any thread, one at a
 * time; no allocation, no I/O. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "song.h"

#define SYNTH_BLOCK     64u
#define SYNTH_VOICES    64u
#define SYNTH_STRING    1024u  /* the longest plucked string, in samples */
#define SYNTH_ECHO      65536u /* samples a side: 1.5 s */
#define SYNTH_HALL      8u     /* delay lines */
#define SYNTH_HALL_LINE 4096u

struct voice {
	bool busy;
	struct note note;
	uint32_t age;      /* frames since it began */
	uint32_t phase[3]; /* of its oscillators; a whole turn is 2^32 */
	uint32_t step[3];
	float envelope, envelope2;
	float filter[2];
	uint32_t noise; /* state of its noise generator */
	uint32_t string_len, string_at;
	float string_tune, string_last;
	float string[SYNTH_STRING];
};

struct synth {
	struct voice voices[SYNTH_VOICES];
	uint32_t dropped; /* notes for which no voice was free */
	uint32_t noise;
	float sine[2049], soft[2049]; /* one turn, and its first sample again */
	float echo[2][SYNTH_ECHO];
	uint32_t echo_at, echo_delay, echo_delay_old;
	float echo_fade; /* 1 … 0 while the old delay gives way to the new one */
	float echo_damp[2];
	float hall[SYNTH_HALL][SYNTH_HALL_LINE];
	float hall_damp[SYNTH_HALL];
	uint32_t hall_at;
	float dc[2]; /* what the mix holds of 0 Hz, taken off */
};

void synth_init(struct synth *synth, uint64_t seed);

/* The echo's delay in frames; the change is faded over. */
void synth_set_echo(struct synth *synth, uint32_t frames);

/* Begins a note delay frames (< SYNTH_BLOCK) into the next block. */
void synth_play(struct synth *synth, const struct note *note, uint32_t delay);

/* The next SYNTH_BLOCK frames, left and right in turn, each between -1 and 1. */
void synth_render(struct synth *synth, float out[2 * SYNTH_BLOCK]);
