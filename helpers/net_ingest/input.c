#include "input.h"

#include <libavutil/cpu.h>
#include <time.h>

#include "picture.h"
#include "say.h"

#define IO_SIZE      65536
#define ANALYZE_US   "2000000"
#define ANALYZE_SIZE "20000000"

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

/* A play list from a network leads nowhere into our files, a file leads to files only. */
static const char *protocols(const struct options *options)
{
	if (options->file)
		return "file,crypto,data,concat,pipe";
	return "async,cache,crypto,data,ffrtmpcrypt,ffrtmphttp,ftp,hls,http,httpproxy,https,mmsh,"
	       "mmst,"
	       "pipe,rist,rtmp,rtmpe,rtmps,rtmpt,rtmpte,rtmpts,rtp,rtsp,sctp,sftp,srt,srtp,tcp,tls,"
	       "udp,"
	       "udplite,unix";
}

static void url_options(const struct options *options, AVDictionary **dictionary)
{
	av_dict_set(dictionary, "analyzeduration", ANALYZE_US, 0);
	av_dict_set(dictionary, "probesize", ANALYZE_SIZE, 0);
	av_dict_set(dictionary, "protocol_whitelist", protocols(options), 0);
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
	input->draining = false;
}

/* --- reading -------------------------------------------------------------------------------------- */

static bool receive(AVCodecContext *codec, const AVStream *stream, AVFrame *frame, int64_t *pts_us)
{
	if (!codec || avcodec_receive_frame(codec, frame) != 0)
		return false;
	*pts_us = frame->best_effort_timestamp == AV_NOPTS_VALUE
			  ? INT64_MIN
			  : av_rescale_q(frame->best_effort_timestamp, stream->time_base,
					 AV_TIME_BASE_Q);
	return true;
}

/* What a broken packet leaves out, the timeline fills. */
static void feed(struct input *input)
{
	const AVPacket *packet = input->packet;

	if (packet->stream_index == input->video_stream->index)
		(void)avcodec_send_packet(input->video, packet);
	else if (input->sound && packet->stream_index == input->sound_stream->index)
		(void)avcodec_send_packet(input->sound, packet);
	av_packet_unref(input->packet);
}

enum input_kind input_next(struct input *input, AVFrame *frame, int64_t *pts_us)
{
	for (;;) {
		if (receive(input->video, input->video_stream, frame, pts_us))
			return INPUT_PICTURE;
		if (receive(input->sound, input->sound_stream, frame, pts_us))
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
