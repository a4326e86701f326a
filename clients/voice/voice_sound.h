/* voice_sound: a microphone and a loudspeaker, by PortAudio.
 *
 *     its thread ──▶ ring ──▶ voice_sound_read()      10 ms at a time, never waiting
 *     its thread ◀── ring ◀── voice_sound_write()
 *
 * PortAudio's own thread only copies. Where the two clocks drift apart, whole pieces of 10 ms are left out or
 * made silence of. Thread: one for all functions. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct voice_sound;

/* NULL: no sound card, or none that can do 48 kHz; fault says why. */
struct voice_sound *voice_sound_open(bool microphone, bool loudspeaker, char *fault, size_t size);

/* Exactly count samples; false while there are not so many. */
bool voice_sound_read(struct voice_sound *sound, float *out, size_t count);

/* Dropped when the loudspeaker has too much already. */
void voice_sound_write(struct voice_sound *sound, const float *pcm, size_t count);

void voice_sound_close(struct voice_sound *sound);
