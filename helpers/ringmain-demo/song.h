/* song: writes one piece of music down as notes: key, chords, arpeggio, melody, percussion, title.
 *
 *     (seed, number) ──▶ song_compose() ──▶ title, length, notes in order of time
 *
 * A piece lasts 60 to 90 s. All of it follows from seed and number, so a piece can be made again.
 * Pure: no allocation, no I/O, any thread. It makes no sound: synth.h does. */
#pragma once

#include <stdint.h>

#define SONG_RATE  44100u /* frames a second */
#define SONG_NOTES 2048u  /* more than the busiest piece has */

enum instrument {
	INSTRUMENT_PAD,
	INSTRUMENT_PLUCK,
	INSTRUMENT_BELL,
	INSTRUMENT_BASS,
	INSTRUMENT_SHAKER,
	INSTRUMENT_PULSE, /* a soft low drum */
};

struct note {
	uint32_t at;     /* frames from the beginning of the piece */
	uint32_t length; /* frames until it is let go */
	float pitch;     /* MIDI number: 69 is 440 Hz */
	float level;     /* 0 … 1 */
	float pan;       /* -1 left … 1 right */
	enum instrument instrument;
};

struct song {
	char title[96];  /* UTF-8 */
	uint32_t length; /* frames */
	uint32_t beat;   /* frames */
	uint32_t count;  /* notes */
	struct note notes[SONG_NOTES];
};

void song_compose(struct song *song, uint64_t seed, uint32_t number);
