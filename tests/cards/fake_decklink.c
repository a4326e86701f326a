/* libDeckLinkAPI.so without a card: what script.h says comes in, as frames that Debian's decklinkvideosrc takes
 * for a DeckLink's. Reference counts are kept, threads are as with the real one: frames come on one of ours.
 *
 * FAKE_CARDS: how many there are [1]. FAKE_CARD_DETECTION=0: they cannot tell what comes in. FAKE_CARD_PACE=0:
 * frames come as fast as they are taken. FAKE_CARD_ROWS: what it says of the bytes of a row. FAKE_CARD_LOG: a file
 * that is told what was asked. */
#include "decklink_abi.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "script.h"
#include "test_card.h"

#define API __attribute__((visibility("default")))

__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
	const char *path = getenv("FAKE_CARD_LOG");
	FILE *out = path ? fopen(path, "a") : NULL;
	va_list args;

	if (!out)
		return;
	va_start(args, format);
	vfprintf(out, format, args);
	va_end(args);
	fputc('\n', out);
	fclose(out);
}

static bool said_no(const char *name)
{
	const char *value = getenv(name);

	return value && strcmp(value, "0") == 0;
}

/* What a signal is like is said with its depth: without it, decklinkvideosrc refuses it. */
#define DETECTED_YUV_8BIT (1u << 0 | 1u << 5)

#define SAME(iid, other) (memcmp(&(iid), &(other), sizeof(iid)) == 0)

/* --- modes ---------------------------------------------------------------------------------- */

struct fake_mode {
	struct dl_mode mode;
	const struct script_mode *of;
};

static dl_result mode_query(struct dl_mode *self, struct dl_iid iid, void **out)
{
	*out = SAME(iid, dl_iid_unknown) ? self : NULL;
	return *out ? DL_OK : DL_NO_INTERFACE;
}

/* They last as long as the library. */
static unsigned long mode_count(struct dl_mode *self)
{
	(void)self;
	return 1;
}

static const struct script_mode *of_mode(struct dl_mode *self)
{
	return ((struct fake_mode *)self)->of;
}

static dl_result mode_name(struct dl_mode *self, const char **out)
{
	/* Freed by who asked, as with the real one. */
	*out = strdup(of_mode(self)->name);
	return DL_OK;
}

static uint32_t mode_word(struct dl_mode *self)
{
	return of_mode(self)->word;
}

static long mode_width(struct dl_mode *self)
{
	return of_mode(self)->width;
}

static long mode_height(struct dl_mode *self)
{
	return of_mode(self)->height;
}

static dl_result mode_rate(struct dl_mode *self, int64_t *duration, int64_t *scale)
{
	const struct script_mode *mode = of_mode(self);
	int64_t times = mode->fps_den == 1 ? 1000 : 1;

	*duration = mode->fps_den * times;
	*scale = mode->fps_num * times;
	return DL_OK;
}

static uint32_t mode_field(struct dl_mode *self)
{
	if (!of_mode(self)->interlaced)
		return DL_FIELD_PROGRESSIVE;
	return of_mode(self)->height == 486 ? DL_FIELD_LOWER : DL_FIELD_UPPER;
}

static uint32_t mode_flags(struct dl_mode *self)
{
	return of_mode(self)->height < 720 ? DL_MODE_FLAG_601 : DL_MODE_FLAG_709;
}

static const struct dl_mode_table mode_table = {
	.query = mode_query,
	.add_ref = mode_count,
	.release = mode_count,
	.get_name = mode_name,
	.get_display_mode = mode_word,
	.get_width = mode_width,
	.get_height = mode_height,
	.get_frame_rate = mode_rate,
	.get_field_dominance = mode_field,
	.get_flags = mode_flags,
};
static struct fake_mode modes[16];

static struct dl_mode *mode_object(const struct script_mode *mode)
{
	struct fake_mode *object = &modes[mode - script_modes];

	object->mode.table = &mode_table;
	object->of = mode;
	return &object->mode;
}

static const struct script_mode *mode_by_word(uint32_t word)
{
	for (unsigned i = 0; i < script_mode_count; i++)
		if (script_modes[i].word == word)
			return &script_modes[i];
	return NULL;
}

struct fake_mode_iterator {
	struct dl_mode_iterator iterator;
	unsigned next;
};

static dl_result mode_next(struct dl_mode_iterator *self, struct dl_mode **out)
{
	struct fake_mode_iterator *iterator = (struct fake_mode_iterator *)self;

	if (iterator->next >= script_mode_count)
		return DL_FALSE;
	*out = mode_object(&script_modes[iterator->next++]);
	return DL_OK;
}

static unsigned long mode_iterator_release(struct dl_mode_iterator *self)
{
	free(self);
	return 0;
}

static const struct dl_mode_iterator_table mode_iterator_table = {
	.release = mode_iterator_release,
	.next = mode_next,
};

/* --- frames and sound ----------------------------------------------------------------------- */

struct fake_frame {
	struct dl_frame frame;
	struct dl_timecode timecode;
	atomic_uint count;
	const struct script_mode *mode;
	uint32_t format, flags;
	uint64_t number; /* in its mode: what is drawn */
	int64_t time;    /* in frames since the stream began */
	long row_bytes;
	uint8_t pixels[];
};

static dl_result frame_query(struct dl_frame *self, struct dl_iid iid, void **out)
{
	*out = NULL;
	if (!SAME(iid, dl_iid_unknown))
		return DL_NO_INTERFACE;
	self->table->add_ref(self);
	*out = self;
	return DL_OK;
}

static unsigned long frame_ref(struct dl_frame *self)
{
	return atomic_fetch_add(&((struct fake_frame *)self)->count, 1) + 1;
}

static unsigned long frame_release(struct dl_frame *self)
{
	unsigned long left = atomic_fetch_sub(&((struct fake_frame *)self)->count, 1) - 1;

	if (left == 0)
		free(self);
	return left;
}

static long frame_width(struct dl_frame *self)
{
	return ((struct fake_frame *)self)->mode->width;
}

static long frame_height(struct dl_frame *self)
{
	return ((struct fake_frame *)self)->mode->height;
}

static long frame_row_bytes(struct dl_frame *self)
{
	return ((struct fake_frame *)self)->row_bytes;
}

static uint32_t frame_format(struct dl_frame *self)
{
	return ((struct fake_frame *)self)->format;
}

static uint32_t frame_flags(struct dl_frame *self)
{
	return ((struct fake_frame *)self)->flags;
}

static dl_result frame_bytes(struct dl_frame *self, void **out)
{
	*out = ((struct fake_frame *)self)->pixels;
	return DL_OK;
}

static dl_result frame_timecode(struct dl_frame *self, uint32_t format, struct dl_timecode **out)
{
	*out = NULL;
	if (format != DL_TIMECODE_ANY)
		return DL_FALSE;
	self->table->add_ref(self);
	*out = &((struct fake_frame *)self)->timecode;
	return DL_OK;
}

static dl_result frame_stream_time(struct dl_frame *self, int64_t *time, int64_t *duration,
				   int64_t scale)
{
	const struct fake_frame *frame = (struct fake_frame *)self;
	int64_t second = (int64_t)frame->mode->fps_den * scale;

	*time = frame->time * second / frame->mode->fps_num;
	*duration = second / frame->mode->fps_num;
	return DL_OK;
}

static int64_t now_in(int64_t scale)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * scale + now.tv_nsec * scale / 1000000000;
}

static dl_result frame_reference_time(struct dl_frame *self, int64_t scale, int64_t *time,
				      int64_t *duration)
{
	(void)self;
	*time = now_in(scale);
	*duration = scale / 50;
	return DL_OK;
}

static const struct dl_frame_table frame_table = {
	.query = frame_query,
	.add_ref = frame_ref,
	.release = frame_release,
	.get_width = frame_width,
	.get_height = frame_height,
	.get_row_bytes = frame_row_bytes,
	.get_pixel_format = frame_format,
	.get_flags = frame_flags,
	.get_bytes = frame_bytes,
	.get_timecode = frame_timecode,
	.get_stream_time = frame_stream_time,
	.get_reference_time = frame_reference_time,
};

static struct fake_frame *of_timecode(struct dl_timecode *self)
{
	return (struct fake_frame *)(void *)((char *)self - offsetof(struct fake_frame, timecode));
}

static unsigned long timecode_ref(struct dl_timecode *self)
{
	return frame_ref(&of_timecode(self)->frame);
}

static unsigned long timecode_release(struct dl_timecode *self)
{
	return frame_release(&of_timecode(self)->frame);
}

/* 10:00:00:00 and on. */
static dl_result timecode_parts(struct dl_timecode *self, uint8_t *hours, uint8_t *minutes,
				uint8_t *seconds, uint8_t *frames)
{
	const struct fake_frame *frame = of_timecode(self);
	uint32_t rate = (frame->mode->fps_num + frame->mode->fps_den - 1) / frame->mode->fps_den;
	uint64_t number = frame->number;

	*frames = (uint8_t)(number % rate);
	*seconds = (uint8_t)(number / rate % 60);
	*minutes = (uint8_t)(number / rate / 60 % 60);
	*hours = (uint8_t)((10 + number / rate / 3600) % 24);
	return DL_OK;
}

static uint32_t bcd(uint8_t value)
{
	return (uint32_t)(value / 10 << 4 | value % 10);
}

static uint32_t timecode_bcd(struct dl_timecode *self)
{
	uint8_t h, m, s, f;

	timecode_parts(self, &h, &m, &s, &f);
	return bcd(h) << 24 | bcd(m) << 16 | bcd(s) << 8 | bcd(f);
}

static uint32_t timecode_flags(struct dl_timecode *self)
{
	return of_timecode(self)->mode->fps_den == 1001 ? DL_TIMECODE_DROP : 0;
}

static const struct dl_timecode_table timecode_table = {
	.add_ref = timecode_ref,
	.release = timecode_release,
	.get_bcd = timecode_bcd,
	.get_components = timecode_parts,
	.get_flags = timecode_flags,
};

struct fake_packet {
	struct dl_packet packet;
	atomic_uint count;
	uint32_t samples;
	int64_t first;
	int32_t sound[];
};

static unsigned long packet_ref(struct dl_packet *self)
{
	return atomic_fetch_add(&((struct fake_packet *)self)->count, 1) + 1;
}

static unsigned long packet_release(struct dl_packet *self)
{
	unsigned long left = atomic_fetch_sub(&((struct fake_packet *)self)->count, 1) - 1;

	if (left == 0)
		free(self);
	return left;
}

static long packet_samples(struct dl_packet *self)
{
	return ((struct fake_packet *)self)->samples;
}

static dl_result packet_bytes(struct dl_packet *self, void **out)
{
	*out = ((struct fake_packet *)self)->sound;
	return DL_OK;
}

static dl_result packet_time(struct dl_packet *self, int64_t *time, int64_t scale)
{
	*time = ((struct fake_packet *)self)->first * scale / 48000;
	return DL_OK;
}

static const struct dl_packet_table packet_table = {
	.add_ref = packet_ref,
	.release = packet_release,
	.get_sample_count = packet_samples,
	.get_bytes = packet_bytes,
	.get_time = packet_time,
};

/* --- the input ------------------------------------------------------------------------------ */

static struct {
	struct dl_input object;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	pthread_t thread;
	struct dl_callback *callback;
	const struct script_mode *mode; /* as it was enabled */
	uint32_t format, flags, channels, bits;
	bool enabled, thread_runs, script_runs;
	atomic_bool running;
	int64_t time;
} input = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static fc_info_t info_of(const struct script_mode *mode)
{
	fc_info_t info = {.width = mode->width,
			  .height = mode->height,
			  .fps_num = mode->fps_num,
			  .fps_den = mode->fps_den,
			  .pixel_format =
				  input.format == DL_FORMAT_10BIT ? FC_PIX_V210 : FC_PIX_UYVY422,
			  .audio_rate = 48000,
			  .audio_channels = input.channels};

	info.plane_row_bytes[0] =
		info.pixel_format == FC_PIX_V210 ? (mode->width + 47) / 48 * 128 : mode->width * 2;
	return info;
}

static struct fake_frame *frame_make(const struct script_step *step)
{
	const char *rows = getenv("FAKE_CARD_ROWS");
	const struct script_mode *mode = step->what == SCRIPT_FRAME ? step->mode : input.mode;
	fc_info_t info = info_of(mode);
	struct test_card card = test_card_of(&info);
	size_t size = (size_t)info.plane_row_bytes[0] * mode->height;
	struct fake_frame *frame = malloc(sizeof *frame + size);

	*frame = (struct fake_frame){.frame.table = &frame_table,
				     .timecode.table = &timecode_table,
				     .count = 1,
				     .mode = mode,
				     .format = input.format,
				     .flags = step->what == SCRIPT_NONE ? DL_FRAME_NO_SOURCE : 0,
				     .number = step->number,
				     .time = input.time,
				     .row_bytes = rows ? strtol(rows, NULL, 10)
						       : (long)info.plane_row_bytes[0]};
	if (step->what == SCRIPT_FRAME)
		test_card_draw(&card, step->number, frame->pixels);
	else
		memset(frame->pixels, 0x55, size);
	return frame;
}

static struct fake_packet *packet_make(const struct script_step *step)
{
	fc_info_t info = info_of(step->mode);
	struct test_card card = test_card_of(&info);
	uint64_t first = test_card_sample(&card, step->number);
	uint64_t count = test_card_sample(&card, step->number + 1) - first;
	struct fake_packet *packet =
		malloc(sizeof *packet + (count + 1) * input.channels * sizeof(int32_t));

	*packet = (struct fake_packet){.packet.table = &packet_table,
				       .count = 1,
				       .samples = (uint32_t)count,
				       .first = (int64_t)first};
	if (step->what == SCRIPT_FRAME)
		(void)test_card_sound(&card, step->number, packet->sound);
	else
		memset(packet->sound, 0, count * input.channels * sizeof(int32_t));
	if (input.bits == 16)
		for (uint64_t i = 0; i < count * input.channels; i++)
			((int16_t *)packet->sound)[i] = (int16_t)(packet->sound[i] >> 16);
	return packet;
}

static void deliver(const struct script_step *step)
{
	struct dl_callback *callback = input.callback;
	struct fake_frame *frame = frame_make(step);
	struct fake_packet *packet = input.channels ? packet_make(step) : NULL;

	callback->table->frame_arrived(callback, &frame->frame, packet ? &packet->packet : NULL);
	if (packet)
		packet_release(&packet->packet);
	frame_release(&frame->frame);
}

/* Something else comes in than what the input is enabled for. The real card gives black frames until it is
 * enabled anew; where it cannot tell, for ever. */
static void step_play(struct script_step *step)
{
	if (step->what == SCRIPT_FRAME && step->mode != input.mode) {
		struct dl_callback *callback = input.callback;

		if (input.flags & DL_INPUT_DETECT) {
			note("changed %s", step->mode->name);
			callback->table->format_changed(callback, DL_CHANGED_MODE,
							mode_object(step->mode), DETECTED_YUV_8BIT);
		}
		if (step->mode != input.mode)
			step->what = SCRIPT_NONE;
	}
	if (step->what == SCRIPT_FRAME || step->what == SCRIPT_NONE)
		deliver(step);
}

static void wait_until(int64_t ns)
{
	struct timespec at = {ns / 1000000000, ns % 1000000000};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static void *input_run(void *unused)
{
	int64_t next = now_in(1000000000);

	(void)unused;
	for (;;) {
		struct script_step step;

		pthread_mutex_lock(&input.mutex);
		if (!input.thread_runs) {
			pthread_mutex_unlock(&input.mutex);
			return NULL;
		}
		pthread_mutex_unlock(&input.mutex);
		step = script_next();
		if (step.what == SCRIPT_END)
			return NULL;
		next += (int64_t)step.mode->fps_den * 1000000000 / step.mode->fps_num;
		if (!said_no("FAKE_CARD_PACE"))
			wait_until(next + (int64_t)step.late * 2000000);
		if (input.running && input.callback)
			step_play(&step);
		input.time++;
	}
}

static unsigned long input_count(struct dl_input *self)
{
	(void)self;
	return 1;
}

static dl_result input_supports(struct dl_input *self, uint32_t connection, uint32_t mode,
				uint32_t format, uint32_t conversion, uint32_t flags,
				uint32_t *actual, bool *supported)
{
	(void)self;
	(void)connection;
	(void)conversion;
	(void)flags;
	*supported = mode_by_word(mode) && (format == DL_FORMAT_8BIT || format == DL_FORMAT_10BIT);
	if (actual)
		*actual = mode;
	return DL_OK;
}

static dl_result input_display_mode(struct dl_input *self, uint32_t mode, struct dl_mode **out)
{
	const struct script_mode *found = mode_by_word(mode);

	(void)self;
	*out = found ? mode_object(found) : NULL;
	return found ? DL_OK : DL_INVALID;
}

static dl_result input_modes(struct dl_input *self, struct dl_mode_iterator **out)
{
	struct fake_mode_iterator *iterator = calloc(1, sizeof *iterator);

	(void)self;
	iterator->iterator.table = &mode_iterator_table;
	*out = &iterator->iterator;
	return DL_OK;
}

static dl_result input_ignore(struct dl_input *self, void *what)
{
	(void)self;
	(void)what;
	return DL_OK;
}

static dl_result input_enable_video(struct dl_input *self, uint32_t mode, uint32_t format,
				    uint32_t flags)
{
	const struct script_mode *found = mode_by_word(mode);

	(void)self;
	note("video %s %08x %u", found ? found->name : "?", format, flags);
	if (getenv("FAKE_CARD_BUSY"))
		return DL_DENIED;
	if (!found || (format != DL_FORMAT_8BIT && format != DL_FORMAT_10BIT) ||
	    (flags & DL_INPUT_DETECT && said_no("FAKE_CARD_DETECTION")))
		return DL_INVALID;
	input.mode = found;
	input.format = format;
	input.flags = flags;
	input.enabled = true;
	return DL_OK;
}

static dl_result input_disable_video(struct dl_input *self)
{
	(void)self;
	input.enabled = false;
	return DL_OK;
}

static dl_result input_none(struct dl_input *self, uint32_t *out)
{
	(void)self;
	*out = 0;
	return DL_OK;
}

static dl_result input_enable_audio(struct dl_input *self, uint32_t rate, uint32_t bits,
				    uint32_t channels)
{
	(void)self;
	note("audio %u %u %u", rate, bits, channels);
	if (rate != 48000 || (bits != 16 && bits != 32) ||
	    (channels != 2 && channels != 8 && channels != 16))
		return DL_INVALID;
	input.bits = bits;
	input.channels = channels;
	return DL_OK;
}

static dl_result input_disable_audio(struct dl_input *self)
{
	(void)self;
	input.channels = 0;
	return DL_OK;
}

static dl_result input_start(struct dl_input *self)
{
	(void)self;
	if (!input.enabled)
		return DL_DENIED;
	input.running = true;
	pthread_mutex_lock(&input.mutex);
	if (!input.thread_runs) {
		if (!input.script_runs)
			script_begin();
		input.script_runs = input.thread_runs = true;
		pthread_create(&input.thread, NULL, input_run, NULL);
	}
	pthread_mutex_unlock(&input.mutex);
	return DL_OK;
}

static dl_result input_pause(struct dl_input *self)
{
	(void)self;
	input.running = !input.running;
	note("paused %d", !input.running);
	return DL_OK;
}

static dl_result input_flush(struct dl_input *self)
{
	(void)self;
	return DL_OK;
}

static dl_result input_stop(struct dl_input *self)
{
	bool ran;

	(void)self;
	pthread_mutex_lock(&input.mutex);
	ran = input.thread_runs;
	input.running = input.thread_runs = false;
	pthread_mutex_unlock(&input.mutex);
	if (ran)
		pthread_join(input.thread, NULL);
	note("stopped");
	return DL_OK;
}

static dl_result input_set_callback(struct dl_input *self, struct dl_callback *callback)
{
	(void)self;
	if (callback)
		callback->table->add_ref(callback);
	if (input.callback)
		input.callback->table->release(input.callback);
	input.callback = callback;
	return DL_OK;
}

static dl_result input_clock(struct dl_input *self, int64_t scale, int64_t *time, int64_t *in_frame,
			     int64_t *ticks)
{
	(void)self;
	*time = now_in(scale);
	/* Who captures may not want to know. */
	if (in_frame)
		*in_frame = 0;
	if (ticks)
		*ticks = scale / 50;
	return DL_OK;
}

static dl_result input_query(struct dl_input *self, struct dl_iid iid, void **out);

static const struct dl_input_table input_table = {
	.query = input_query,
	.add_ref = input_count,
	.release = input_count,
	.does_support = input_supports,
	.get_display_mode = input_display_mode,
	.get_mode_iterator = input_modes,
	.set_preview = input_ignore,
	.enable_video = input_enable_video,
	.disable_video = input_disable_video,
	.get_frame_count = input_none,
	.set_allocator = input_ignore,
	.enable_audio = input_enable_audio,
	.disable_audio = input_disable_audio,
	.get_sample_count = input_none,
	.start = input_start,
	.stop = input_stop,
	.pause = input_pause,
	.flush = input_flush,
	.set_callback = input_set_callback,
	.get_reference_clock = input_clock,
};

/* --- the device ----------------------------------------------------------------------------- */

struct fake_device {
	struct dl_device device;
	struct dl_attributes attributes;
	unsigned number;
};
static struct fake_device devices[4];

static unsigned long attributes_count(struct dl_attributes *self)
{
	(void)self;
	return 1;
}

static dl_result attributes_flag(struct dl_attributes *self, uint32_t id, bool *out)
{
	(void)self;
	*out = id == DL_ATTRIBUTE_DETECTION && !said_no("FAKE_CARD_DETECTION");
	return id == DL_ATTRIBUTE_DETECTION ? DL_OK : DL_INVALID;
}

static dl_result attributes_int(struct dl_attributes *self, uint32_t id, int64_t *out)
{
	(void)self;
	*out = 0;
	/* The most channels that it takes. */
	if (id != DL_WORD('m', 'a', 'c', 'h'))
		return DL_INVALID;
	*out = 16;
	return DL_OK;
}

static dl_result attributes_float(struct dl_attributes *self, uint32_t id, double *out)
{
	(void)self;
	(void)id;
	*out = 0;
	return DL_INVALID;
}

static dl_result attributes_string(struct dl_attributes *self, uint32_t id, const char **out)
{
	(void)self;
	(void)id;
	*out = NULL;
	return DL_INVALID;
}

static const struct dl_attributes_table attributes_table = {
	.add_ref = attributes_count,
	.release = attributes_count,
	.get_flag = attributes_flag,
	.get_int = attributes_int,
	.get_float = attributes_float,
	.get_string = attributes_string,
};

static dl_result device_query(struct dl_device *self, struct dl_iid iid, void **out)
{
	struct fake_device *device = (struct fake_device *)self;

	*out = NULL;
	if (SAME(iid, dl_iid_unknown))
		*out = self;
	else if (SAME(iid, dl_iid_input))
		*out = &input.object;
	else if (SAME(iid, dl_iid_attributes))
		*out = &device->attributes;
	else
		note("asked for %02x%02x%02x%02x", iid.byte[0], iid.byte[1], iid.byte[2],
		     iid.byte[3]);
	return *out ? DL_OK : DL_NO_INTERFACE;
}

static dl_result input_query(struct dl_input *self, struct dl_iid iid, void **out)
{
	(void)self;
	return device_query(&devices[0].device, iid, out);
}

static unsigned long device_count(struct dl_device *self)
{
	(void)self;
	return 1;
}

static dl_result device_name(struct dl_device *self, const char **out)
{
	char name[32];

	snprintf(name, sizeof name, "DeckLink Fake (%u)", ((struct fake_device *)self)->number + 1);
	*out = strdup(name);
	return DL_OK;
}

static const struct dl_device_table device_table = {
	.query = device_query,
	.add_ref = device_count,
	.release = device_count,
	.get_model_name = device_name,
	.get_display_name = device_name,
};

struct fake_iterator {
	struct dl_iterator iterator;
	unsigned next;
};

static dl_result iterator_next(struct dl_iterator *self, struct dl_device **out)
{
	struct fake_iterator *iterator = (struct fake_iterator *)self;
	const char *said = getenv("FAKE_CARDS");
	struct fake_device *device = &devices[iterator->next];

	if (iterator->next >= (said ? (unsigned)atoi(said) : 1))
		return DL_FALSE;
	device->device.table = &device_table;
	device->attributes.table = &attributes_table;
	device->number = iterator->next++;
	input.object.table = &input_table;
	*out = &device->device;
	return DL_OK;
}

static unsigned long iterator_release(struct dl_iterator *self)
{
	free(self);
	return 0;
}

static const struct dl_iterator_table iterator_table = {
	.release = iterator_release,
	.next = iterator_next,
};

/* --- what is looked up ---------------------------------------------------------------------- */

API struct dl_iterator *CreateDeckLinkIteratorInstance_0004(void);
API void *CreateDeckLinkAPIInformationInstance_0001(void);
API void *CreateVideoConversionInstance_0001(void);
API void *CreateDeckLinkDiscoveryInstance_0003(void);
API void *CreateVideoFrameAncillaryPacketsInstance_0001(void);

struct dl_iterator *CreateDeckLinkIteratorInstance_0004(void)
{
	struct fake_iterator *iterator;

	if (getenv("FAKE_CARD_NO_DRIVER"))
		return NULL;
	iterator = calloc(1, sizeof *iterator);
	iterator->iterator.table = &iterator_table;
	return &iterator->iterator;
}

void *CreateDeckLinkAPIInformationInstance_0001(void)
{
	return NULL;
}

void *CreateVideoConversionInstance_0001(void)
{
	return NULL;
}

void *CreateDeckLinkDiscoveryInstance_0003(void)
{
	return NULL;
}

void *CreateVideoFrameAncillaryPacketsInstance_0001(void)
{
	return NULL;
}
