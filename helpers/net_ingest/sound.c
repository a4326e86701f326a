#include "sound.h"

#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>
#include <stdlib.h>
#include <string.h>

/* Half of a frame at 25 a second: an input's clock may be off by so much before it is corrected. Times in
 * FLV are whole milliseconds. */
#define SLACK_DIVISOR 50

bool sound_start(struct sound *sound, uint32_t rate, uint32_t channels)
{
	*sound = (struct sound){.rate = rate, .channels = channels};
	if (channels == 0)
		return true;
	sound->as = av_frame_alloc();
	return sound->as;
}

void sound_stop(struct sound *sound)
{
	swr_free(&sound->swr);
	av_frame_free(&sound->as);
	free(sound->store);
	*sound = (struct sound){0};
}

void sound_begin(struct sound *sound)
{
	sound->held = 0;
	sound->first = 0;
}

static bool room(struct sound *sound, size_t more)
{
	size_t size;
	int32_t *grown;

	if (sound->held + more <= sound->size)
		return true;
	size = 2 * (sound->held + more);
	grown = realloc(sound->store, size * sound->channels * sizeof *grown);
	if (!grown)
		return false;
	sound->store = grown;
	sound->size = size;
	return true;
}

static bool silence(struct sound *sound, size_t count)
{
	if (!room(sound, count))
		return false;
	memset(sound->store + sound->held * sound->channels, 0,
	       count * sound->channels * sizeof *sound->store);
	sound->held += count;
	return true;
}

static void forget(struct sound *sound, size_t count)
{
	count = count < sound->held ? count : sound->held;
	sound->held -= count;
	sound->first += (int64_t)count;
	if (sound->held)
		memmove(sound->store, sound->store + count * sound->channels,
			sound->held * sound->channels * sizeof *sound->store);
}

/* A resampler for what comes in, if it is not the one that there is. */
static int resampler_for(struct sound *sound, const AVFrame *frame)
{
	AVChannelLayout out = {0}, in;
	int error;

	if (sound->swr && sound->as->format == frame->format &&
	    sound->as->sample_rate == frame->sample_rate &&
	    av_channel_layout_compare(&sound->as->ch_layout, &frame->ch_layout) == 0)
		return 0;
	swr_free(&sound->swr);
	/* Eight channels of an unknown kind are eight channels, not a theatre. */
	if (frame->ch_layout.nb_channels != (int)sound->channels) {
		av_channel_layout_default(&out, (int)sound->channels);
		error = 0;
	} else {
		error = av_channel_layout_copy(&out, &frame->ch_layout);
	}
	in = frame->ch_layout;
	if (!error && in.order == AV_CHANNEL_ORDER_UNSPEC && out.nb_channels != in.nb_channels)
		av_channel_layout_default(&in, in.nb_channels);
	if (!error)
		error = swr_alloc_set_opts2(&sound->swr, &out, AV_SAMPLE_FMT_S32, (int)sound->rate,
					    &in, frame->format, frame->sample_rate, 0, NULL);
	if (!error)
		error = swr_init(sound->swr);
	av_channel_layout_uninit(&out);
	if (error) {
		swr_free(&sound->swr);
		return error;
	}
	sound->as->format = frame->format;
	sound->as->sample_rate = frame->sample_rate;
	return av_channel_layout_copy(&sound->as->ch_layout, &frame->ch_layout);
}

/* What comes is put where it belongs: after silence, or without what there is already. Returns how many of
 * the first samples are too many. */
static int64_t place(struct sound *sound, int64_t at)
{
	int64_t end = sound->first + (int64_t)sound->held, off = at - end;
	int64_t slack = end == 0 ? 0 : sound->rate / SLACK_DIVISOR;

	if (off >= -slack && off <= slack)
		return 0;
	if (off < 0)
		return -off;
	/* No leap is longer: the timeline begins anew then. */
	if (off > 4 * (int64_t)sound->rate)
		off = 4 * (int64_t)sound->rate;
	return silence(sound, (size_t)off) ? 0 : INT64_MAX;
}

int sound_put(struct sound *sound, const struct timeline *line, const AVFrame *frame,
	      int64_t pts_us)
{
	int error = resampler_for(sound, frame), most, made;
	int64_t late, too_many;
	uint8_t *to;

	if (error)
		return error;
	/* What the resampler still holds is heard before. */
	late = swr_get_delay(sound->swr, sound->rate);
	too_many = place(sound, timeline_sample_at(line, pts_us, sound->rate) - late);
	if (too_many == INT64_MAX)
		return AVERROR(ENOMEM);
	most = swr_get_out_samples(sound->swr, frame->nb_samples);
	if (most < 0 || !room(sound, (size_t)most))
		return most < 0 ? most : AVERROR(ENOMEM);
	to = (void *)(sound->store + sound->held * sound->channels);
	made = swr_convert(sound->swr, &to, most, (const uint8_t **)(uintptr_t)frame->extended_data,
			   frame->nb_samples);
	if (made < 0)
		return made;
	if (too_many >= made)
		return 0;
	if (too_many > 0)
		memmove(to, to + too_many * sound->channels * 4,
			(size_t)(made - too_many) * sound->channels * 4);
	sound->held += (size_t)(made - too_many);
	return 0;
}

bool sound_reaches(const struct sound *sound, int64_t end)
{
	return sound->first + (int64_t)sound->held >= end;
}

const int32_t *sound_take(struct sound *sound, int64_t end, uint32_t *count)
{
	int64_t missing = end - sound->first - (int64_t)sound->held;
	int32_t *spare;

	*count = end > sound->first ? (uint32_t)(end - sound->first) : 0;
	if (missing > 0 && !silence(sound, (size_t)missing))
		return NULL;
	/* What is taken lies behind what is held from then on. */
	if (!room(sound, *count))
		return NULL;
	spare = sound->store + sound->held * sound->channels;
	memcpy(spare, sound->store, (size_t)*count * sound->channels * sizeof *spare);
	forget(sound, *count);
	return spare;
}
