#include "voice_sound.h"

#include <portaudio.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "voice_source.h"

#define RING  (1u << 14) /* samples: a third of a second */
#define TICK  480u
#define AHEAD 4u /* ticks that may wait for the loudspeaker */

/* One writes, one reads; positions only grow. */
struct ring {
	_Atomic unsigned long put, got;
	float at[RING];
};

struct voice_sound {
	PaStream *stream;
	bool microphone, loudspeaker;
	struct ring in, out;
};

static size_t ring_held(const struct ring *ring)
{
	return atomic_load_explicit(&ring->put, memory_order_acquire) -
	       atomic_load_explicit(&ring->got, memory_order_acquire);
}

static void ring_write(struct ring *ring, const float *pcm, size_t count)
{
	unsigned long put = atomic_load_explicit(&ring->put, memory_order_relaxed);

	if (ring_held(ring) + count > RING)
		return;
	for (size_t i = 0; i < count; i++)
		ring->at[(put + i) % RING] = pcm[i];
	atomic_store_explicit(&ring->put, put + count, memory_order_release);
}

static bool ring_read(struct ring *ring, float *pcm, size_t count)
{
	unsigned long got = atomic_load_explicit(&ring->got, memory_order_relaxed);

	if (ring_held(ring) < count)
		return false;
	for (size_t i = 0; i < count; i++)
		pcm[i] = ring->at[(got + i) % RING];
	atomic_store_explicit(&ring->got, got + count, memory_order_release);
	return true;
}

/* On PortAudio's thread. */
static int on_sound(const void *in, void *out, unsigned long count,
		    const PaStreamCallbackTimeInfo *time, PaStreamCallbackFlags flags, void *user)
{
	struct voice_sound *sound = user;

	(void)time;
	(void)flags;
	if (in)
		ring_write(&sound->in, in, count);
	if (out && !ring_read(&sound->out, out, count)) {
		for (unsigned long i = 0; i < count; i++)
			((float *)out)[i] = 0;
	}
	return paContinue;
}

struct voice_sound *voice_sound_open(bool microphone, bool loudspeaker, char *fault, size_t size)
{
	struct voice_sound *sound = calloc(1, sizeof *sound);
	PaError error = sound ? Pa_Initialize() : paInsufficientMemory;

	if (error == paNoError) {
		sound->microphone = microphone;
		sound->loudspeaker = loudspeaker;
		error = Pa_OpenDefaultStream(&sound->stream, microphone, loudspeaker, paFloat32,
					     VOICE_RATE, TICK, on_sound, sound);
		if (error == paNoError)
			error = Pa_StartStream(sound->stream);
		if (error != paNoError)
			Pa_Terminate();
	}
	if (error != paNoError) {
		snprintf(fault, size, "no sound: %s", Pa_GetErrorText(error));
		free(sound);
		return NULL;
	}
	return sound;
}

bool voice_sound_read(struct voice_sound *sound, float *out, size_t count)
{
	return sound->microphone && ring_read(&sound->in, out, count);
}

void voice_sound_write(struct voice_sound *sound, const float *pcm, size_t count)
{
	if (sound->loudspeaker && ring_held(&sound->out) < AHEAD * TICK)
		ring_write(&sound->out, pcm, count);
}

void voice_sound_close(struct voice_sound *sound)
{
	if (!sound)
		return;
	Pa_StopStream(sound->stream);
	Pa_CloseStream(sound->stream);
	Pa_Terminate();
	free(sound);
}
