/* voice_sink: where what is heard is written: 48 kHz mono.
 *
 *     .wav .flac .opus .ogg   by libsndfile        "-"   raw 16-bit samples on standard output
 *
 * Thread: one. */
#pragma once

#include <sndfile.h>
#include <stdbool.h>
#include <stddef.h>

struct voice_sink {
	SNDFILE *file;
};

/* False: fault says why. */
bool voice_sink_open(struct voice_sink *sink, const char *path, char *fault, size_t size);

/* False: the disk is full, or nobody reads any more. */
bool voice_sink_write(struct voice_sink *sink, const float *pcm, size_t count);

/* Writes what has to be at the file's end. Accepts one that is not open. */
void voice_sink_close(struct voice_sink *sink);
