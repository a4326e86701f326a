/* input: a source while it lasts: what libavformat reads and libavcodec decodes of it.
 *
 *   door or URL ─▶ AVFormatContext ─▶ input_next ─▶ pictures and sound, as they are decoded
 *
 * While it waits for the network it calls idle() at least ten times a second. One thread. */
#pragma once

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "door.h"
#include "options.h"

/* A larger picture is not decoded. 8K has half of it. */
#define INPUT_PIXELS_MAX (8192 * 8192)

struct input {
	const struct options *options;
	struct door *door; /* or NULL: the URL is opened */
	bool (*idle)(void *context);
	void *context;
	/* Where a decoder may put pictures; or NULL. */
	int (*get_buffer)(AVCodecContext *codec, AVFrame *frame, int flags);

	AVFormatContext *format;
	AVStream *video_stream, *sound_stream;
	AVCodecContext *video, *sound; /* sound may be NULL */
	AVPacket *packet;
	uint64_t deadline_ns;
	bool draining; /* nothing more is read: what the decoders hold comes */
	bool broken_told;
};

/* 0; or an AVERROR, and it was said what is wrong. */
int input_open(struct input *input);
void input_close(struct input *input);

enum input_kind { INPUT_END = 0, INPUT_PICTURE, INPUT_SOUND };

/* The next decoded picture or piece of sound, moved into frame, and when it is to be seen or heard: INT64_MIN
 * where nobody knows. */
enum input_kind input_next(struct input *input, AVFrame *frame, int64_t *pts_us);

uint64_t input_now_ns(void);
