#include "voice_sink.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "voice_source.h"

static int format_of(const char *path)
{
	const char *dot = strrchr(path, '.');

	if (!dot)
		return 0;
	if (strcasecmp(dot, ".wav") == 0)
		return SF_FORMAT_WAV | SF_FORMAT_PCM_16;
	if (strcasecmp(dot, ".flac") == 0)
		return SF_FORMAT_FLAC | SF_FORMAT_PCM_16;
	if (strcasecmp(dot, ".opus") == 0)
		return SF_FORMAT_OGG | SF_FORMAT_OPUS;
	if (strcasecmp(dot, ".ogg") == 0)
		return SF_FORMAT_OGG | SF_FORMAT_VORBIS;
	return 0;
}

bool voice_sink_open(struct voice_sink *sink, const char *path, char *fault, size_t size)
{
	SF_INFO info = {.samplerate = VOICE_RATE, .channels = 1, .format = format_of(path)};

	if (strcmp(path, "-") == 0) {
		info.format = SF_FORMAT_RAW | SF_FORMAT_PCM_16 | SF_ENDIAN_LITTLE;
		sink->file = sf_open_fd(STDOUT_FILENO, SFM_WRITE, &info, SF_FALSE);
	} else if (!info.format) {
		snprintf(fault, size, "%s: a name ends with .wav, .flac, .opus or .ogg", path);
		return false;
	} else {
		sink->file = sf_open(path, SFM_WRITE, &info);
	}
	if (!sink->file) {
		snprintf(fault, size, "%s: %s", path, sf_strerror(NULL));
		return false;
	}
	/* Louder than all is cut off, not turned over. */
	sf_command(sink->file, SFC_SET_CLIPPING, NULL, SF_TRUE);
	return true;
}

bool voice_sink_write(struct voice_sink *sink, const float *pcm, size_t count)
{
	return sf_writef_float(sink->file, pcm, (sf_count_t)count) == (sf_count_t)count;
}

void voice_sink_close(struct voice_sink *sink)
{
	if (sink->file)
		sf_close(sink->file);
	sink->file = NULL;
}
