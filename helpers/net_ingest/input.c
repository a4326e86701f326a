#include "input.h"

#include <libavutil/cpu.h>
#include <time.h>

#include "address.h"
#include "picture.h"
#include "say.h"

#define IO_SIZE      65536
#define ANALYZE_US   "2000000"
#define ANALYZE_SIZE "20000000"
#define TIMES_MAX_US ((int64_t)1 << 60)

uint64_t input_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void patience_begin(struct input *input)
{
	input->deadline_ns = input_now_ns() + input->options->timeout_s * 1000000000ull;
}

static int on_interrupt(void *context)
{
	struct input *input = context;

	return input->idle(input->context) || input_now_ns() > input->deadline_ns;
}

static int on_read(void *context, uint8_t *buf, int size)
{
	struct input *input = context;
	int got = input->door->read(input->door, buf, size, input->options->timeout_s * 1000);

	return got > 0 ? got : got == 0 ? AVERROR_EOF : AVERROR_EXIT;
}

/* --- opening -------------------------------------------------------------------------------------- */

static void url_options(const struct options *options, AVDictionary **dictionary)
{
	av_dict_set(dictionary, "analyzeduration", ANALYZE_US, 0);
	av_dict_set(dictionary, "probesize", ANALYZE_SIZE, 0);
	av_dict_set(dictionary, "protocol_whitelist", address_protocols(options->url), 0);
	if (!options->srt)
		return;
	av_dict_set(dictionary, "mode", "caller", 0);
	if (options->passphrase)
		av_dict_set(dictionary, "passphrase", options->passphrase, 0);
	if (options->key)
		av_dict_set(dictionary, "streamid", options->key, 0);
	if (options->latency_ms)
		av_dict_set_int(dictionary, "latency", (int64_t)options->latency_ms * 1000, 0);
}

/* The key of an RTMP server is the last part of the address; from a file nobody sees it in ps. */
static int open_url(struct input *input)
{
	const struct options *options = input->options;
	AVDictionary *dictionary = NULL;
	char url[2048];
	int error;

	snprintf(url, sizeof url, "%s%s%s", options->url, options->rtmp && options->key ? "/" : "",
		 options->rtmp && options->key ? options->key : "");
	url_options(options, &dictionary);
	error = avformat_open_input(&input->format, url, NULL, &dictionary);
	av_dict_free(&dictionary);
	return error;
}

static int open_door(struct input *input)
{
	AVDictionary *dictionary = NULL;
	uint8_t *buffer = av_malloc(IO_SIZE);
	int error;

	input->format->pb =
		buffer ? avio_alloc_context(buffer, IO_SIZE, 0, input, on_read, NULL, NULL) : NULL;
	if (!input->format->pb) {
		av_free(buffer);
		return AVERROR(ENOMEM);
	}
	input->format->flags |= AVFMT_FLAG_CUSTOM_IO;
	av_dict_set(&dictionary, "analyzeduration", ANALYZE_US, 0);
	av_dict_set(&dictionary, "probesize", ANALYZE_SIZE, 0);
	av_dict_set(&dictionary, "protocol_whitelist", "none", 0);
	error = avformat_open_input(&input->format, NULL, av_find_input_format(input->door->format),
				    &dictionary);
	av_dict_free(&dictionary);
	return error;
}

static AVCodecContext *decoder_for(struct input *input, AVStream *stream, const AVCodec *codec)
{
	AVCodecContext *context = avcodec_alloc_context3(codec);
	const struct options *options = input->options;
	int threads = options->threads;

	if (!context || avcodec_parameters_to_context(context, stream->codecpar) < 0)
		goto fail;
	context->pkt_timebase = stream->time_base;
	context->opaque = input->context;
	context->max_pixels = INPUT_PIXELS_MAX;
	if (stream == input->video_stream) {
		const AVCodecDescriptor *about = avcodec_descriptor_get(codec->id);

		context->thread_count = threads ? threads : av_cpu_count() < 4 ? av_cpu_count() : 4;
		/* Where pictures may go straight into the slot, they come one after the other. */
		if (about && (about->props & AV_CODEC_PROP_INTRA_ONLY) &&
		    stream->codecpar->format == picture_format(options->pixel_format))
			context->thread_type = FF_THREAD_SLICE;
		if (input->get_buffer)
			context->get_buffer2 = input->get_buffer;
	}
	if (avcodec_open2(context, codec, NULL) == 0)
		return context;
fail:
	avcodec_free_context(&context);
	return NULL;
}

static bool is_too_large(const struct input *input)
{
	const AVCodecParameters *video = input->video_stream->codecpar;

	if ((int64_t)video->width * video->height <= INPUT_PIXELS_MAX)
		return false;
	say("%s: its pictures are %dx%d; those of more than %d points are not decoded",
	    input->options->shown, video->width, video->height, INPUT_PIXELS_MAX);
	return true;
}

static int open_decoders(struct input *input)
{
	AVFormatContext *format = input->format;
	const AVCodec *codec = NULL;
	int error = avformat_find_stream_info(format, NULL), index;

	if (error < 0)
		return error;
	index = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
	if (index < 0) {
		say("%s: there is no video in it that can be decoded", input->options->shown);
		return AVERROR_STREAM_NOT_FOUND;
	}
	input->video_stream = format->streams[index];
	if (is_too_large(input))
		return AVERROR_DECODER_NOT_FOUND;
	input->video = decoder_for(input, input->video_stream, codec);
	if (!input->video) {
		say("%s: no decoder starts for its video (%s)", input->options->shown,
		    avcodec_get_name(input->video_stream->codecpar->codec_id));
		return AVERROR_DECODER_NOT_FOUND;
	}
	index = av_find_best_stream(format, AVMEDIA_TYPE_AUDIO, -1, input->video_stream->index,
				    &codec, 0);
	if (index >= 0 && input->options->channels != 0) {
		input->sound_stream = format->streams[index];
		input->sound = decoder_for(input, input->sound_stream, codec);
		if (!input->sound)
			say("%s: no decoder starts for its sound (%s); there is silence instead",
			    input->options->shown,
			    avcodec_get_name(input->sound_stream->codecpar->codec_id));
	}
	for (unsigned i = 0; i < format->nb_streams; i++)
		if (format->streams[i] != input->video_stream &&
		    (!input->sound || format->streams[i] != input->sound_stream))
			format->streams[i]->discard = AVDISCARD_ALL;
	return 0;
}

int input_open(struct input *input)
{
	char why[AV_ERROR_MAX_STRING_SIZE];
	int error;

	patience_begin(input);
	input->packet = av_packet_alloc();
	input->format = avformat_alloc_context();
	error = input->packet && input->format ? 0 : AVERROR(ENOMEM);
	if (!error) {
		input->format->interrupt_callback = (AVIOInterruptCB){on_interrupt, input};
		error = input->door ? open_door(input) : open_url(input);
	}
	if (error == 0) {
		patience_begin(input);
		error = open_decoders(input);
	}
	/* Two of them have said it already, and better. */
	if (error < 0 && error != AVERROR_STREAM_NOT_FOUND && error != AVERROR_DECODER_NOT_FOUND &&
	    !input->idle(input->context))
		say("%s: %s", input->options->shown,
		    error == AVERROR_EXIT ? "it does not answer"
					  : av_make_error_string(why, sizeof why, error));
	return error < 0 ? error : 0;
}

void input_close(struct input *input)
{
	AVIOContext *own = input->door && input->format ? input->format->pb : NULL;

	avcodec_free_context(&input->video);
	avcodec_free_context(&input->sound);
	avformat_close_input(&input->format);
	if (own) {
		av_freep(&own->buffer);
		avio_context_free(&own);
	}
	av_packet_free(&input->packet);
	input->video_stream = input->sound_stream = NULL;
	input->draining = input->broken_told = false;
}

/* --- reading -------------------------------------------------------------------------------------- */

/* Once for each source: what is broken once is often broken on and on. */
static void broken_tell(struct input *input, const AVCodecContext *codec, int error)
{
	char why[AV_ERROR_MAX_STRING_SIZE];

	if (error >= 0 || error == AVERROR(EAGAIN) || error == AVERROR_EOF || input->broken_told)
		return;
	input->broken_told = true;
	say("%s: some of its %s cannot be decoded and is made up for: %s", input->options->shown,
	    codec == input->video ? "pictures" : "sound",
	    av_make_error_string(why, sizeof why, error));
	/* That is what decoders say to dimensions, too. */
	if (codec == input->video && error == AVERROR(EINVAL))
		say("%s: pictures of more than %d points are not decoded", input->options->shown,
		    INPUT_PIXELS_MAX);
}

static bool receive(struct input *input, AVCodecContext *codec, const AVStream *stream,
		    AVFrame *frame, int64_t *pts_us)
{
	int error = codec ? avcodec_receive_frame(codec, frame) : AVERROR_EOF;

	broken_tell(input, codec, error);
	if (error)
		return false;
	*pts_us = frame->best_effort_timestamp == AV_NOPTS_VALUE
			  ? INT64_MIN
			  : av_rescale_q(frame->best_effort_timestamp, stream->time_base,
					 AV_TIME_BASE_Q);
	/* A time that is tens of thousands of years away is none. */
	if (*pts_us > TIMES_MAX_US || *pts_us < -TIMES_MAX_US)
		*pts_us = INT64_MIN;
	return true;
}

/* What a broken packet leaves out, the timeline fills. */
static void feed(struct input *input)
{
	const AVPacket *packet = input->packet;
	AVCodecContext *codec = packet->stream_index == input->video_stream->index ? input->video
				: input->sound && packet->stream_index == input->sound_stream->index
					? input->sound
					: NULL;

	if (codec)
		broken_tell(input, codec, avcodec_send_packet(codec, packet));
	av_packet_unref(input->packet);
}

enum input_kind input_next(struct input *input, AVFrame *frame, int64_t *pts_us)
{
	for (;;) {
		if (receive(input, input->video, input->video_stream, frame, pts_us))
			return INPUT_PICTURE;
		if (receive(input, input->sound, input->sound_stream, frame, pts_us))
			return INPUT_SOUND;
		if (input->draining)
			return INPUT_END;
		patience_begin(input);
		if (av_read_frame(input->format, input->packet) == 0) {
			feed(input);
			continue;
		}
		/* The end, or none of it is left: what the decoders still hold comes now. */
		input->draining = true;
		(void)avcodec_send_packet(input->video, NULL);
		if (input->sound)
			(void)avcodec_send_packet(input->sound, NULL);
	}
}
