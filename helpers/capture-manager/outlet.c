#include "outlet.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavutil/channel_layout.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IO_SIZE       65536
#define OWED_S        10 /* of bare sound that its pipe does not take: then nobody reads it */
#define OWED_MAX      (64u << 20)
#define PAY_MS        5000
#define SLACK_DIVISOR 50
#define LOOK_MS       200

/* --- writing -------------------------------------------------------------------------------------- */

/* What the pipe takes now. False: nobody reads it. */
static bool put_some(int fd, const uint8_t **at, size_t *len)
{
	ssize_t put = *len ? write(fd, *at, *len) : 0;

	if (put == -1)
		return errno == EAGAIN || errno == EINTR;
	*at += put;
	*len -= (size_t)put;
	return true;
}

static bool owed_pay(struct outlet *outlet)
{
	const uint8_t *at = outlet->owed;
	bool good = put_some(outlet->sound, &at, &outlet->owed_len);

	if (good && at != outlet->owed)
		memmove(outlet->owed, at, outlet->owed_len);
	return good;
}

/* All of it. While the pictures' pipe is full, sound that is owed goes on: a process that waits for the one
 * would never read the other. One that reads gets its frame whole, also when all is to stop. */
static bool write_all(struct outlet *outlet, const uint8_t *at, size_t len)
{
	while (put_some(outlet->video, &at, &len)) {
		struct pollfd fds[2] = {{.fd = outlet->video, .events = POLLOUT},
					{.fd = outlet->owed_len ? outlet->sound : -1,
					 .events = POLLOUT}};

		if (len == 0)
			return true;
		if (poll(fds, 2, LOOK_MS) == 0 && atomic_load(outlet->stop))
			return false;
		if (fds[1].revents && !owed_pay(outlet))
			return false;
	}
	return false;
}

static int on_write(void *context, uint8_t *buf, int size)
{
	return write_all(context, buf, (size_t)size) ? size : AVERROR(EPIPE);
}

/* --- opening -------------------------------------------------------------------------------------- */

static void video_describe(AVStream *stream, const fc_info_t *info)
{
	static const enum AVPixelFormat formats[] = {
		[FC_PIX_UYVY422] = AV_PIX_FMT_UYVY422, [FC_PIX_V210] = AV_PIX_FMT_YUV422P10LE,
		[FC_PIX_NV12] = AV_PIX_FMT_NV12,       [FC_PIX_P010] = AV_PIX_FMT_YUV420P10LE,
		[FC_PIX_RGBA] = AV_PIX_FMT_RGBA,
	};
	AVCodecParameters *video = stream->codecpar;
	bool v210 = info->pixel_format == FC_PIX_V210;

	video->codec_type = AVMEDIA_TYPE_VIDEO;
	video->codec_id = v210 ? AV_CODEC_ID_V210 : AV_CODEC_ID_RAWVIDEO;
	video->format = formats[info->pixel_format];
	video->codec_tag = avcodec_pix_fmt_to_codec_tag(formats[info->pixel_format]);
	if (v210)
		video->codec_tag = MKTAG('v', '2', '1', '0');
	video->width = (int)info->width;
	video->height = (int)info->height;
	stream->time_base = (AVRational){(int)info->fps_den, (int)info->fps_num};
	stream->avg_frame_rate = (AVRational){(int)info->fps_num, (int)info->fps_den};
}

static void sound_describe(AVStream *stream, const fc_info_t *info)
{
	AVCodecParameters *sound = stream->codecpar;

	sound->codec_type = AVMEDIA_TYPE_AUDIO;
	sound->codec_id = AV_CODEC_ID_PCM_S32LE;
	sound->format = AV_SAMPLE_FMT_S32;
	sound->sample_rate = (int)info->audio_rate;
	sound->block_align = (int)info->audio_channels * 4;
	sound->bits_per_coded_sample = 32;
	av_channel_layout_default(&sound->ch_layout, (int)info->audio_channels);
	stream->time_base = (AVRational){1, (int)info->audio_rate};
}

static bool nut_open(struct outlet *outlet)
{
	const fc_info_t *info = outlet->info;
	uint8_t *buffer = av_malloc(IO_SIZE);
	AVStream *stream;

	outlet->packet = av_packet_alloc();
	if (!buffer || !outlet->packet ||
	    avformat_alloc_output_context2(&outlet->nut, NULL, "nut", NULL) < 0) {
		av_free(buffer);
		return false;
	}
	outlet->nut->pb = avio_alloc_context(buffer, IO_SIZE, 1, outlet, NULL, on_write, NULL);
	if (!outlet->nut->pb) {
		av_free(buffer);
		return false;
	}
	/* Pictures are not copied once more on their way. */
	outlet->nut->pb->direct = 1;
	outlet->nut->flags |= AVFMT_FLAG_FLUSH_PACKETS | AVFMT_FLAG_CUSTOM_IO;
	stream = avformat_new_stream(outlet->nut, NULL);
	if (!stream)
		return false;
	video_describe(stream, info);
	if (info->audio_channels) {
		stream = avformat_new_stream(outlet->nut, NULL);
		if (!stream)
			return false;
		sound_describe(stream, info);
	}
	return avformat_write_header(outlet->nut, NULL) >= 0;
}

bool outlet_open(struct outlet *outlet, const fc_info_t *info, int video, int sound, bool raw,
		 const atomic_bool *stop)
{
	*outlet = (struct outlet){.info = info, .stop = stop, .video = video, .sound = sound};
	outlet->owed_most = (size_t)OWED_S * info->audio_rate * info->audio_channels * 4;
	if (outlet->owed_most > OWED_MAX)
		outlet->owed_most = OWED_MAX;
	/* A second of silence at a time, and whatever one frame may have. */
	outlet->silence_len = info->audio_rate;
	outlet->sound_len = info->audio_capacity;
	if (info->audio_channels) {
		outlet->silence = calloc(outlet->silence_len, (size_t)info->audio_channels * 4);
		outlet->heard = malloc(outlet->sound_len * info->audio_channels * 4);
		if (!outlet->silence || !outlet->heard)
			return false;
	}
	if (!raw && info->pixel_format == FC_PIX_P010) {
		outlet->planar = malloc((size_t)info->width * info->height * 3);
		if (!outlet->planar)
			return false;
	}
	return raw || nut_open(outlet);
}

void outlet_close(struct outlet *outlet)
{
	struct pollfd room = {.fd = outlet->sound, .events = POLLOUT};

	/* What is owed goes while somebody takes it. */
	while (outlet->owed_len && !atomic_load(outlet->stop) && poll(&room, 1, 5000) > 0 &&
	       owed_pay(outlet))
		;
	if (outlet->nut) {
		if (outlet->nut->pb) {
			av_freep(&outlet->nut->pb->buffer);
			avio_context_free(&outlet->nut->pb);
		}
		avformat_free_context(outlet->nut);
	}
	av_packet_free(&outlet->packet);
	if (outlet->video != -1)
		close(outlet->video);
	if (outlet->sound != -1)
		close(outlet->sound);
	free(outlet->planar);
	free(outlet->silence);
	free(outlet->heard);
	free(outlet->owed);
	*outlet = (struct outlet){.video = -1, .sound = -1};
}

/* --- frames and samples --------------------------------------------------------------------------- */

static bool nut_write(struct outlet *outlet, int stream, const void *data, size_t size,
		      uint64_t pts)
{
	const AVRational video = {(int)outlet->info->fps_den, (int)outlet->info->fps_num};
	const AVRational sound = {1, (int)outlet->info->audio_rate};
	AVPacket *packet = outlet->packet;

	packet->data = (uint8_t *)(uintptr_t)data;
	packet->size = (int)size;
	packet->stream_index = stream;
	/* The muxer chooses the steps that its times have. */
	packet->pts = packet->dts = av_rescale_q((int64_t)pts, stream ? sound : video,
						 outlet->nut->streams[stream]->time_base);
	packet->flags = AV_PKT_FLAG_KEY;
	/* An error of the pipe shows only in the context. */
	return av_write_frame(outlet->nut, packet) >= 0 && outlet->nut->pb->error >= 0;
}

static uint16_t *samples_unpack(const uint8_t *from, uint32_t count, uint32_t step, uint16_t *to)
{
	for (uint32_t i = 0; i < count; i++, from += (size_t)2 * step)
		*to++ = (uint16_t)((from[0] | from[1] << 8) >> 6);
	return to;
}

/* The same ten bits, as three planes. */
static const uint8_t *p010_unpack(struct outlet *outlet, const uint8_t *pixels)
{
	const fc_info_t *info = outlet->info;
	uint16_t *to = outlet->planar;

	for (uint32_t row = 0; row < info->height; row++)
		to = samples_unpack(pixels + info->plane_offset[0] +
					    (size_t)row * info->plane_row_bytes[0],
				    info->width, 1, to);
	for (uint32_t plane = 0; plane < 2; plane++)
		for (uint32_t row = 0; row < info->height / 2; row++)
			to = samples_unpack(pixels + info->plane_offset[1] +
						    (size_t)row * info->plane_row_bytes[1] +
						    2 * plane,
					    info->width / 2, 2, to);
	return (const uint8_t *)outlet->planar;
}

static bool put_picture(struct outlet *outlet, const uint8_t *pixels)
{
	uint32_t size = outlet->info->frame_size;
	bool good;

	if (outlet->planar) {
		pixels = p010_unpack(outlet, pixels);
		size = outlet->info->width * outlet->info->height * 3;
	}
	good = outlet->nut ? nut_write(outlet, 0, pixels, size, outlet->next)
			   : write_all(outlet, pixels, size);
	outlet->next++;
	return good;
}

/* Bare sound waits here until its pipe takes it. Where that is too much, a process that reads it is waited for, as
 * with pictures; one that has taken nothing for seconds reads none. */
static bool owe(struct outlet *outlet, const void *data, size_t size)
{
	struct pollfd room = {.fd = outlet->sound, .events = POLLOUT};
	unsigned waited = 0;
	size_t need;

	while ((need = outlet->owed_len + size) > outlet->owed_most && outlet->owed_len &&
	       waited < PAY_MS && !atomic_load(outlet->stop)) {
		bool takes = poll(&room, 1, LOOK_MS) > 0;

		if (takes && !owed_pay(outlet))
			return false;
		waited = takes ? 0 : waited + LOOK_MS;
	}
	if (need > outlet->owed_size) {
		size_t grown = 2 * need < outlet->owed_most ? 2 * need : outlet->owed_most;
		uint8_t *at = need <= grown ? realloc(outlet->owed, grown) : NULL;

		if (!at)
			return false;
		outlet->owed = at;
		outlet->owed_size = grown;
	}
	memcpy(outlet->owed + outlet->owed_len, data, size);
	outlet->owed_len += size;
	return owed_pay(outlet);
}

static bool put_samples(struct outlet *outlet, const int32_t *samples, uint64_t count)
{
	size_t size = count * outlet->info->audio_channels * 4;
	bool good =
		count == 0 || (outlet->nut ? nut_write(outlet, 1, samples, size, outlet->samples)
					   : owe(outlet, samples, size));

	outlet->samples += count;
	return good;
}

static bool put_silence(struct outlet *outlet, uint64_t count)
{
	while (count > 0) {
		uint64_t piece = count < outlet->silence_len ? count : outlet->silence_len;

		if (!put_samples(outlet, outlet->silence, piece))
			return false;
		count -= piece;
		if (count > 0 && atomic_load(outlet->stop))
			return false;
	}
	return true;
}

/* How many samples lie before our frame n. */
static uint64_t samples_before(const fc_info_t *info, uint64_t n)
{
	__extension__ typedef unsigned __int128 wide;

	return (uint64_t)(((wide)n * info->audio_rate * info->fps_den + info->fps_num / 2) /
			  info->fps_num);
}

/* What is missing before our frame n. */
static bool put_silence_until(struct outlet *outlet, uint64_t n)
{
	const fc_info_t *info = outlet->info;
	uint64_t slack = info->audio_rate / SLACK_DIVISOR, due = samples_before(info, n);

	return info->audio_channels == 0 || outlet->samples + slack >= due ||
	       put_silence(outlet, due - outlet->samples);
}

/* The samples of our frame n. */
static bool put_sound(struct outlet *outlet, fc_slot_t *slot, const fc_frame_t *frame, uint64_t n)
{
	const fc_info_t *info = outlet->info;
	uint64_t slack = info->audio_rate / SLACK_DIVISOR, due = samples_before(info, n);
	uint64_t count = frame->audio_samples, skip = 0;

	if (info->audio_channels == 0)
		return true;
	if (!put_silence_until(outlet, n))
		return false;
	if (count > outlet->sound_len ||
	    fc_frame_audio(slot, frame, outlet->heard,
			   outlet->sound_len * info->audio_channels * 4) != FC_OK)
		return put_silence(outlet, samples_before(info, n + 1) - due);
	if (outlet->samples > due + slack)
		skip = outlet->samples - due < count ? outlet->samples - due : count;
	return put_samples(outlet, outlet->heard + skip * info->audio_channels, count - skip);
}

bool outlet_frame(struct outlet *outlet, fc_slot_t *slot, const fc_frame_t *frame,
		  const uint8_t *pixels, const uint8_t *before)
{
	uint64_t n;

	if (outlet->next == 0)
		outlet->base = frame->index;
	n = frame->index - outlet->base;
	if (outlet->nut)
		outlet->next = n;
	/* It may be hours that are missing, and a process that takes all of them at once. Pictures and silence
	 * go side by side: who waits for the one has not too much of the other. */
	for (; outlet->next < n; outlet->repeated++)
		if (atomic_load(outlet->stop) || !put_picture(outlet, before ? before : pixels) ||
		    !put_silence_until(outlet, outlet->next))
			return false;
	return put_picture(outlet, pixels) && put_sound(outlet, slot, frame, n);
}
