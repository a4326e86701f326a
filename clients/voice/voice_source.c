#include "voice_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK 2048 /* frames that are read at a time */

bool voice_source_open(struct voice_source *source, const char *path, bool loop, char *fault,
		       size_t size)
{
	int error = 0;

	*source = (struct voice_source){.loop = loop};
	if (strcmp(path, "-") == 0) {
		source->info =
			(SF_INFO){.samplerate = VOICE_RATE,
				  .channels = 1,
				  .format = SF_FORMAT_RAW | SF_FORMAT_PCM_16 | SF_ENDIAN_LITTLE};
		source->file = sf_open_fd(STDIN_FILENO, SFM_READ, &source->info, SF_FALSE);
		source->loop = false;
	} else {
		source->file = sf_open(path, SFM_READ, &source->info);
	}
	if (!source->file) {
		snprintf(fault, size, "%s: %s", path, sf_strerror(NULL));
		return false;
	}
	source->frames =
		calloc((size_t)CHUNK * (size_t)source->info.channels, sizeof *source->frames);
	if (source->info.samplerate != VOICE_RATE)
		source->resampler =
			speex_resampler_init(1, (spx_uint32_t)source->info.samplerate, VOICE_RATE,
					     SPEEX_RESAMPLER_QUALITY_DEFAULT, &error);
	if (!source->frames || error) {
		snprintf(fault, size, "%s: out of memory", path);
		voice_source_close(source);
		return false;
	}
	return true;
}

/* More mono samples into frames. False: the end. */
static bool fill(struct voice_source *source)
{
	size_t channels = (size_t)source->info.channels;
	sf_count_t got = sf_readf_float(source->file, source->frames, CHUNK);

	if (got <= 0 && source->loop && sf_seek(source->file, 0, SEEK_SET) == 0)
		got = sf_readf_float(source->file, source->frames, CHUNK);
	if (got <= 0) {
		source->ended = true;
		return false;
	}
	for (size_t i = 0; i < (size_t)got; i++) {
		float sum = 0;

		for (size_t c = 0; c < channels; c++)
			sum += source->frames[i * channels + c];
		source->frames[i] = sum / (float)channels;
	}
	source->held = (size_t)got;
	source->used = 0;
	return true;
}

size_t voice_source_read(struct voice_source *source, float *out, size_t count)
{
	size_t done = 0;

	while (done < count && (source->used < source->held || (!source->ended && fill(source)))) {
		spx_uint32_t in = (spx_uint32_t)(source->held - source->used);
		spx_uint32_t put = (spx_uint32_t)(count - done);

		if (source->resampler) {
			speex_resampler_process_float(source->resampler, 0,
						      source->frames + source->used, &in,
						      out + done, &put);
		} else {
			in = put = in < put ? in : put;
			memcpy(out + done, source->frames + source->used, in * sizeof *out);
		}
		source->used += in;
		done += put;
	}
	return done;
}

void voice_source_close(struct voice_source *source)
{
	if (source->file)
		sf_close(source->file);
	if (source->resampler)
		speex_resampler_destroy(source->resampler);
	free(source->frames);
	*source = (struct voice_source){0};
}
