/* voice_source: what is to be said, as 48 kHz mono, however it comes.
 *
 *     WAV, FLAC, Ogg (Opus, Vorbis) … ── libsndfile ──▶ mono ──▶ 48 kHz ──▶ voice_source_read()
 *     "-": raw 16-bit samples, 48 kHz mono, on standard input
 *
 * Thread: one. */
#pragma once

#include <sndfile.h>
#include <speex/speex_resampler.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VOICE_RATE 48000

struct voice_source {
	SNDFILE *file;
	SF_INFO info;
	SpeexResamplerState *resampler; /* NULL: it is 48 kHz */
	float *frames;                  /* as read, and then mono */
	size_t held, used;              /* mono samples in frames; those that are resampled */
	bool loop, ended;
};

/* path "-" is standard input. loop: from the beginning at the end. False: fault says why. */
bool voice_source_open(struct voice_source *source, const char *path, bool loop, char *fault,
		       size_t size);

/* Up to count samples; fewer only at the end, 0 after it. Standard input blocks. */
size_t voice_source_read(struct voice_source *source, float *out, size_t count);

void voice_source_close(struct voice_source *source);
