#include "voicecat.h"

bool talk_open(struct voicecat *cat)
{
	const struct voicecat_options *options = cat->options;
	int error = OPUS_OK;

	if (options->in) {
		if (!voice_source_open(&cat->source, options->in, options->loop, cat->fault,
				       sizeof cat->fault))
			return false;
		cat->has_source = true;
	}
	if (!options->in && !options->sound)
		return true;
	cat->encoder = opus_encoder_create(VOICE_RATE, 1, OPUS_APPLICATION_VOIP, &error);
	if (!cat->encoder) {
		snprintf(cat->fault, sizeof cat->fault, "Opus: %s", opus_strerror(error));
		return false;
	}
	opus_encoder_ctl(cat->encoder, OPUS_SET_BITRATE((opus_int32)options->bitrate));
	return true;
}

static void say(struct voicecat *cat, bool last)
{
	size_t samples = cat->options->frame_ticks * (size_t)EAR_TICK;
	uint8_t opus[VOICE_PACKET_MAX - 64];
	struct voice_packet packet = {.codec = VOICE_OPUS, .frame = cat->frame, .last = last};
	int len = opus_encode_float(cat->encoder, cat->held, (int)samples, opus, sizeof opus);

	cat->frame += cat->options->frame_ticks;
	cat->holds = false;
	cat->talking = !last;
	if (len <= 0)
		return;
	packet.payload = bytes_of(opus, (size_t)len);
	mumble_link_say(&cat->link, &packet);
}

/* The next frame of the file: it is said when the one behind it is known to be there, so that the last is
 * marked as the last. */
static void talk_file(struct voicecat *cat)
{
	size_t samples = cat->options->frame_ticks * (size_t)EAR_TICK, got;
	float next[FRAME_MAX];

	got = voice_source_read(&cat->source, next, samples);
	if (cat->holds)
		say(cat, got == 0);
	if (got == 0) {
		voice_source_close(&cat->source);
		cat->has_source = false;
		return;
	}
	memset(next + got, 0, (samples - got) * sizeof *next);
	memcpy(cat->held, next, samples * sizeof *next);
	cat->holds = true;
}

static void talk_sound(struct voicecat *cat)
{
	size_t samples = cat->options->frame_ticks * (size_t)EAR_TICK;
	bool wanted = !cat->options->push_to_talk || cat->pushed;

	if (!voice_sound_read(cat->sound, cat->held, samples))
		return;
	if (wanted || cat->talking)
		say(cat, !wanted);
}

void talk_tick(struct voicecat *cat)
{
	bool ready = cat->options->transport != TRANSPORT_UDP || cat->link.udp_works;

	if (cat->stage != STAGE_THERE || !ready)
		return;
	if (++cat->ticks >= cat->options->frame_ticks) {
		cat->ticks = 0;
		if (cat->has_source)
			talk_file(cat);
		else if (cat->sound && cat->encoder)
			talk_sound(cat);
	}
	if (cat->options->in && !cat->has_source)
		cat->after++;
}

void talk_close(struct voicecat *cat)
{
	if (cat->has_source)
		voice_source_close(&cat->source);
	if (cat->encoder)
		opus_encoder_destroy(cat->encoder);
	cat->has_source = false;
	cat->encoder = NULL;
}
