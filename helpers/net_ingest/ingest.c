#include "ingest.h"

#include <inttypes.h>
#include <libavutil/pixdesc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "held.h"
#include "input.h"
#include "picture.h"
#include "say.h"
#include "slot.h"
#include "sound.h"

#define HELD_PICTURES  128
#define HELD_SOUNDS    2048
#define PICTURES_BYTES ((size_t)1 << 30) /* a second of 2160p60 in 4:2:0 */
#define SOUNDS_BYTES   ((size_t)64 << 20)
#define HELD_MOST_US   1000000 /* a picture waits no longer for its sound */
#define NO_SIGNAL_NS   1000000000ull
#define DELAY_LEAST_MS 500
#define DELAY_MOST_MS  15000
#define GOOD_SESSION_S 10 /* after one that lasted, the next is tried at once */

struct counts {
	uint64_t frames, repeated, dropped, direct, sources;
};

struct ingest {
	const struct options *options;
	const volatile sig_atomic_t *stopped;
	struct input input;
	fc_writer_t *writer;
	fc_info_t info;
	struct timeline line;
	struct picture picture;
	struct sound sound;
	struct held pictures, sounds;
	const uint8_t *last;   /* the pixels of the frame before */
	uint64_t last_ns;      /* when it was committed; 0: none by us */
	uint64_t no_signal;    /* whether the slot says so */
	uint64_t offset_us;    /* of the slot's clock, for the time without a source */
	uint64_t pace_from_ns; /* when frame 0 of the line is due */
	bool fresh;            /* the next frame does not go on from the one before */
	bool taken;            /* the slot was taken from us */
	bool pace;
	struct counts counts;
};

/* --- waiting -------------------------------------------------------------------------------------- */

/* Whoever waits for anything calls this. */
static bool on_idle(void *context)
{
	struct ingest *in = context;

	if (in->writer) {
		fc_writer_heartbeat(in->writer);
		if (!in->no_signal && input_now_ns() > in->last_ns + NO_SIGNAL_NS) {
			in->no_signal = true;
			(void)fc_writer_set_state(in->writer, FC_STATE_NO_SIGNAL);
		}
	}
	return *in->stopped;
}

static void wait_until(struct ingest *in, uint64_t ns)
{
	while (!on_idle(in)) {
		uint64_t now = input_now_ns(), left = ns > now ? ns - now : 0;
		struct timespec nap = {0, (long)(left < 100000000 ? left : 100000000)};

		if (left == 0)
			return;
		nanosleep(&nap, NULL);
	}
}

/* --- frames --------------------------------------------------------------------------------------- */

/* Where the samples of the line's next frame end. */
static int64_t sound_end(const struct ingest *in, uint64_t missing)
{
	return timeline_samples(&in->line, in->line.next + (int64_t)missing + 1, in->sound.rate);
}

static bool sound_write(struct ingest *in)
{
	uint32_t count, most = (uint32_t)(in->info.audio_capacity / 2);
	const int32_t *samples;

	if (in->sound.channels == 0)
		return true;
	samples = sound_take(&in->sound, sound_end(in, 0), &count);
	while (samples && count > most) {
		(void)fc_write_audio(in->writer, samples, most);
		samples += (size_t)most * in->sound.channels;
		count -= most;
	}
	return samples && fc_write_audio(in->writer, samples, count) == FC_OK;
}

/* What lies at the place of the next frame is that frame. */
static void commit(struct ingest *in, uint32_t flags)
{
	uint64_t index = fc_writer_position(in->writer);
	const fc_frame_meta_t meta = {
		.pts_us = fc_pts_us(in->info.fps_num, in->info.fps_den, index) + in->offset_us,
		.flags = flags | (in->fresh && index ? FC_FRAME_DISCONTINUITY : 0)};

	if (!sound_write(in))
		say("no memory for the sound of a frame");
	if (in->no_signal) {
		in->no_signal = false;
		(void)fc_writer_set_state(in->writer, FC_STATE_LIVE);
	}
	in->last = fc_write_begin(in->writer);
	in->taken = fc_write_commit(in->writer, &meta) != FC_OK;
	in->last_ns = input_now_ns();
	in->fresh = false;
	in->line.next++;
	in->counts.frames++;
}

/* When a frame of a file is due. Who comes late does not hurry. */
static void pace(struct ingest *in)
{
	uint64_t due =
		in->pace_from_ns +
		fc_pts_us(in->info.fps_num, in->info.fps_den, (uint64_t)in->line.next) * 1000;
	uint64_t now = input_now_ns();

	if (!in->pace)
		return;
	if (due + NO_SIGNAL_NS < now)
		in->pace_from_ns += now - due;
	wait_until(in, due);
}

static void repeat(struct ingest *in, uint64_t count)
{
	for (; count > 0 && !in->taken && !*in->stopped; count--) {
		pace(in);
		memcpy(fc_write_begin(in->writer), in->last, in->info.frame_size);
		commit(in, FC_FRAME_REPEATED);
		in->counts.repeated++;
	}
}

static bool is_direct(struct ingest *in, const AVFrame *frame)
{
	return frame->buf[0] && frame->buf[0]->data == (uint8_t *)fc_write_begin(in->writer);
}

/* A picture that the decoder has put where another must go first. */
static int take_aside(AVFrame *frame)
{
	AVFrame *copy = av_frame_alloc();
	int error = copy ? 0 : AVERROR(ENOMEM);

	if (!error) {
		copy->format = frame->format;
		copy->width = frame->width;
		copy->height = frame->height;
		error = av_frame_get_buffer(copy, 0);
	}
	if (!error)
		error = av_frame_copy(copy, frame);
	if (!error)
		error = av_frame_copy_props(copy, frame);
	if (!error) {
		av_frame_unref(frame);
		av_frame_move_ref(frame, copy);
	}
	av_frame_free(&copy);
	return error;
}

/* Puts the picture into the slot. */
static void show(struct ingest *in, AVFrame *frame, uint64_t missing)
{
	int error = 0;

	if (missing > 0) {
		if (is_direct(in, frame))
			error = take_aside(frame);
		fc_writer_dropped(in->writer, missing);
		repeat(in, missing);
	}
	if (in->taken || *in->stopped)
		return;
	pace(in);
	if (!error && is_direct(in, frame))
		in->counts.direct++;
	else if (!error)
		error = picture_draw(&in->picture, frame, fc_write_begin(in->writer));
	if (error) {
		char why[AV_ERROR_MAX_STRING_SIZE];

		say("a picture cannot be converted from %s: %s", av_get_pix_fmt_name(frame->format),
		    av_make_error_string(why, sizeof why, error));
		if (in->last)
			repeat(in, 1);
		return;
	}
	commit(in, 0);
}

/* Sound that is so far from the line is of another one, which the next picture begins. */
static bool sound_is_near(const struct ingest *in, const struct held_frame *held)
{
	int64_t at = timeline_sample_at(&in->line, held->pts_us, in->sound.rate) - in->sound.first;

	return at > -10 * (int64_t)in->sound.rate && at < 10 * (int64_t)in->sound.rate;
}

static bool sound_ready(struct ingest *in, int64_t end)
{
	struct held_frame *held;

	while (!sound_reaches(&in->sound, end) && (held = held_first(&in->sounds))) {
		if (sound_is_near(in, held) &&
		    sound_put(&in->sound, &in->line, held->frame, held->pts_us) < 0)
			say("a piece of sound cannot be resampled");
		held_drop(&in->sounds);
	}
	return sound_reaches(&in->sound, end);
}

/* Shows what has its sound, or cannot wait for it any longer. */
static void release(struct ingest *in, bool all)
{
	struct held_frame *held;

	while ((held = held_first(&in->pictures)) && !in->taken && !*in->stopped) {
		uint64_t missing;
		enum timeline_place place = timeline_place(&in->line, held->pts_us, &missing);
		bool late = all || held_span_us(&in->pictures) > HELD_MOST_US ||
			    held_is_full(&in->pictures);

		if (place == TIMELINE_JUMP) {
			timeline_begin(&in->line, held->pts_us);
			if (in->sound.channels)
				sound_begin(&in->sound);
			in->fresh = true;
			in->pace_from_ns = input_now_ns();
			continue;
		}
		if (place == TIMELINE_FRAME && in->sound.channels && in->input.sound &&
		    !sound_ready(in, sound_end(in, missing)) && !late)
			return;
		if (place == TIMELINE_FRAME)
			show(in, held->frame, missing);
		in->counts.dropped += place == TIMELINE_DROP;
		held_drop(&in->pictures);
	}
}

/* --- a source ------------------------------------------------------------------------------------- */

static int on_get_buffer(AVCodecContext *codec, AVFrame *frame, int flags)
{
	struct ingest *in = codec->opaque;

	/* The place of the next frame is that picture's only if none waits before it. */
	if (in->writer && in->picture.format != AV_PIX_FMT_NONE && in->pictures.count == 0 &&
	    picture_direct_ok(codec) &&
	    picture_lend(&in->picture, codec, frame, fc_write_begin(in->writer)))
		return 0;
	return avcodec_default_get_buffer2(codec, frame, flags);
}

static uint32_t scan_of(const AVCodecParameters *video)
{
	switch (video->field_order) {
	case AV_FIELD_PROGRESSIVE: return FC_SCAN_PROGRESSIVE;
	case AV_FIELD_TT:
	case AV_FIELD_TB: return FC_SCAN_TOP_FIRST;
	case AV_FIELD_BB:
	case AV_FIELD_BT: return FC_SCAN_BOTTOM_FIRST;
	case AV_FIELD_UNKNOWN:
	default: return FC_SCAN_UNKNOWN;
	}
}

static uint32_t colour_of(const AVCodecParameters *video)
{
	if (video->color_space == AVCOL_SPC_BT709)
		return FC_COLOUR_BT709;
	if (video->color_space == AVCOL_SPC_SMPTE170M || video->color_space == AVCOL_SPC_BT470BG)
		return FC_COLOUR_BT601;
	if (video->color_space == AVCOL_SPC_BT2020_NCL || video->color_space == AVCOL_SPC_BT2020_CL)
		return FC_COLOUR_BT2020;
	return FC_COLOUR_UNKNOWN;
}

/* The slot that fits the source and what was asked for. */
static fc_config_t shape_of(const struct ingest *in)
{
	const struct options *options = in->options;
	const AVCodecParameters *video = in->input.video_stream->codecpar;
	AVRational rate = av_guess_frame_rate(in->input.format, in->input.video_stream, NULL);
	fc_config_t config = {
		.width = options->width ? options->width : (uint32_t)video->width & ~1u,
		.height = options->height ? options->height : (uint32_t)video->height & ~1u,
		.pixel_format = options->pixel_format,
		.ring_depth = options->depth,
		.scan = scan_of(video),
		.colour = colour_of(video),
		.audio_rate = options->rate,
		.source_type = options->rtmp   ? "rtmp"
			       : options->srt  ? "srt"
			       : options->file ? "file"
					       : "net"};

	config.fps_num = rate.num > 0 && rate.den > 0 ? (uint32_t)rate.num : 25;
	config.fps_den = rate.num > 0 && rate.den > 0 ? (uint32_t)rate.den : 1;
	timeline_rate_tidy(&config.fps_num, &config.fps_den);
	if (options->fps_num) {
		config.fps_num = options->fps_num;
		config.fps_den = options->fps_den;
	}
	/* A source without sound does not make a slot without sound of one that has it. */
	if (options->channels >= 0)
		config.audio_channels = (uint32_t)options->channels;
	else if (in->writer)
		config.audio_channels = in->info.audio_channels;
	else if (in->input.sound)
		config.audio_channels = (uint32_t)in->input.sound->ch_layout.nb_channels;
	if (config.audio_channels > FC_CHANNELS_MAX)
		config.audio_channels = FC_CHANNELS_MAX;
	if (config.audio_channels == 0)
		config.audio_rate = 0;
	return config;
}

/* The slot, and what fills it. 0; 1: later; SLOT_NEVER; SLOT_SHAPE. */
static int slot_ready(struct ingest *in)
{
	const struct slot_order order = {.id = in->options->slot,
					 .api = in->options->api,
					 .token = in->options->token,
					 .config = shape_of(in)};
	uint64_t before = in->info.generation;
	uint64_t now = input_now_ns();
	int error = slot_open(&order, &in->writer);

	if (error)
		return error;
	in->last = NULL;
	fc_writer_info(in->writer, &in->info);
	if (before != in->info.generation) {
		in->offset_us = 0;
	} else if (in->last_ns) {
		/* The time without a source has passed in the slot too. */
		in->offset_us += (now - in->last_ns) / 1000;
	}
	in->last_ns = now;
	in->no_signal = false;
	in->taken = false;
	in->fresh = true;
	in->line = (struct timeline){.fps_num = in->info.fps_num, .fps_den = in->info.fps_den};
	if (!picture_start(&in->picture, &in->info) ||
	    !sound_start(&in->sound, in->info.audio_rate, in->info.audio_channels)) {
		say("no memory");
		return 1;
	}
	return 0;
}

static void source_describe(const struct ingest *in)
{
	const AVCodecParameters *video = in->input.video_stream->codecpar;

	say("%s: %s %dx%d%s%s into %s %ux%u at %u/%u, %u channel%s", in->options->shown,
	    avcodec_get_name(video->codec_id), video->width, video->height,
	    in->input.sound ? " and " : "",
	    in->input.sound ? avcodec_get_name(in->input.sound->codec_id) : "",
	    fc_pix_name(in->info.pixel_format), in->info.width, in->info.height, in->info.fps_num,
	    in->info.fps_den, in->info.audio_channels, in->info.audio_channels == 1 ? "" : "s");
}

static void source_read(struct ingest *in)
{
	AVFrame *frame = av_frame_alloc();
	int64_t pts_us, last_us = 0;
	enum input_kind kind = INPUT_END;

	while (frame && !in->taken && !*in->stopped &&
	       (kind = input_next(&in->input, frame, &pts_us)) != INPUT_END) {
		struct held *held = kind == INPUT_PICTURE ? &in->pictures : &in->sounds;

		/* A picture without a time follows the one before. */
		if (pts_us == INT64_MIN)
			pts_us = last_us + 1000000LL * in->info.fps_den / in->info.fps_num;
		if (kind == INPUT_PICTURE)
			last_us = pts_us;
		if (!held_put(held, frame, pts_us))
			in->counts.dropped += kind == INPUT_PICTURE;
		release(in, false);
	}
	release(in, true);
	av_frame_free(&frame);
	if (in->taken)
		say("the slot was taken away");
}

/* From its beginning to its end. False: there is no use in trying again. */
static bool source_run(struct ingest *in)
{
	int error = input_open(&in->input), slot = error ? 1 : slot_ready(in);

	if (!error && slot == 0) {
		in->counts.sources++;
		source_describe(in);
		source_read(in);
	}
	while (in->pictures.count)
		held_drop(&in->pictures);
	while (in->sounds.count)
		held_drop(&in->sounds);
	input_close(&in->input);
	picture_stop(&in->picture);
	sound_stop(&in->sound);
	/* One publisher's shape is no reason to shut the door to the next. */
	return slot >= 0 || (slot == SLOT_SHAPE && in->input.door);
}

/* --- one after the other -------------------------------------------------------------------------- */

/* A publisher is there. False: it is over. */
static bool publisher_await(struct ingest *in)
{
	struct door *door = in->input.door;
	char from[96];
	int error;

	if (!door)
		return true;
	error = door->await(door, from, sizeof from);
	if (error < 0)
		say("%s: %s", in->options->shown, strerror(-error));
	else if (error == 0)
		say("%s is on", from);
	return error == 0;
}

static void sources_run(struct ingest *in)
{
	const struct options *options = in->options;
	uint64_t delay_ms = DELAY_LEAST_MS, frames;

	while (!*in->stopped && publisher_await(in)) {
		uint64_t begun = input_now_ns();
		bool again;

		frames = in->counts.frames;
		again = source_run(in);
		if (in->input.door)
			in->input.door->hang_up(in->input.door);
		if (in->counts.frames > frames)
			say("%s: it has gone", options->shown);
		if (!again || options->once || (options->file && !options->loop && !in->taken))
			break;
		if (options->loop && in->counts.frames > frames)
			continue;
		if (input_now_ns() - begun > GOOD_SESSION_S * 1000000000ull)
			delay_ms = DELAY_LEAST_MS;
		/* Publishers come by themselves; others are asked again, and again later. */
		if (!in->input.door || in->counts.frames == frames)
			wait_until(in, input_now_ns() + delay_ms * 1000000);
		delay_ms = delay_ms * 2 < DELAY_MOST_MS ? delay_ms * 2 : DELAY_MOST_MS;
	}
}

static bool live(const struct options *options)
{
	static const char *const schemes[] = {"rtmp", "srt:", "udp:", "rtp:", "rtsp", "rist"};

	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (strncmp(options->url, schemes[i], 4) == 0)
			return true;
	return false;
}

int ingest_run(const struct options *options, struct door *door,
	       const volatile sig_atomic_t *stopped)
{
	static struct ingest in; /* the process has one; its door and its decoders know it */
	int status;

	in = (struct ingest){
		.options = options, .stopped = stopped, .picture = {.format = AV_PIX_FMT_NONE}};
	in.input = (struct input){.options = options,
				  .door = door,
				  .idle = on_idle,
				  .context = &in,
				  .get_buffer = on_get_buffer};
	if (door) {
		door->idle = on_idle;
		/* Taken back below. */
		/* cppcheck-suppress autoVariables */
		door->context = &in;
	}
	in.pace = options->pace == -1 ? !live(options) : options->pace;
	if (held_init(&in.pictures, HELD_PICTURES, PICTURES_BYTES) &&
	    held_init(&in.sounds, HELD_SOUNDS, SOUNDS_BYTES))
		sources_run(&in);
	else
		say("no memory");
	status = in.counts.frames > 0 || *stopped ? 0 : 1;
	printf("{\"slot\": \"%s\", \"sources\": %" PRIu64 ", \"frames\": %" PRIu64
	       ", \"repeated\": %" PRIu64 ", \"dropped\": %" PRIu64 ", \"direct\": %" PRIu64 "}\n",
	       options->slot, in.counts.sources, in.counts.frames, in.counts.repeated,
	       in.counts.dropped, in.counts.direct);
	fflush(stdout);
	if (door)
		door->context = NULL;
	fc_writer_close(in.writer);
	held_fini(&in.pictures);
	held_fini(&in.sounds);
	return status;
}
