/* decklink-bridge: from a Blackmagic DeckLink card into a slot of the frame cache.
 *
 *   libDeckLinkAPI.so (the user's own) ── on its thread: frame_arrived ──▶ feed_frame ──▶ the slot
 *                                      └─ format_changed: the input is enabled anew, the slot made anew
 *
 * Nothing of the card's maker is in this program; see decklink_abi.h. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decklink_abi.h"
#include "feed.h"

#define NAME_SIZE 128u

static const struct options *options;

static struct {
	pthread_mutex_t mutex; /* of the format, which two of the card's threads may touch */
	struct dl_device *device;
	struct dl_input *input;
	struct feed_format format;
	int64_t duration, scale;
	uint32_t pixel_format, flags;
	bool locked;
	int64_t first; /* stream time of frame 0 in durations; -1: not known */
	int64_t last;  /* and of the newest */
} card = {.mutex = PTHREAD_MUTEX_INITIALIZER, .first = -1};

/* --- formats -------------------------------------------------------------------------------- */

static uint32_t scan_of(uint32_t field)
{
	switch (field) {
	case DL_FIELD_PROGRESSIVE:
	case DL_FIELD_SEGMENTED: return FC_SCAN_PROGRESSIVE;
	case DL_FIELD_UPPER: return FC_SCAN_TOP_FIRST;
	case DL_FIELD_LOWER: return FC_SCAN_BOTTOM_FIRST;
	default: return FC_SCAN_UNKNOWN;
	}
}

/* 50000/1000 is 50/1 for who reads the slot. */
static void rate_take(uint32_t *num, uint32_t *den)
{
	int64_t a = card.scale, b = card.duration;

	while (b) {
		int64_t rest = a % b;

		a = b;
		b = rest;
	}
	*num = (uint32_t)(card.scale / a);
	*den = (uint32_t)(card.duration / a);
}

static void format_take(struct dl_mode *mode)
{
	uint32_t flags = mode->table->get_flags(mode);

	mode->table->get_frame_rate(mode, &card.duration, &card.scale);
	card.format = (struct feed_format){
		.width = (uint32_t)mode->table->get_width(mode),
		.height = (uint32_t)mode->table->get_height(mode),
		.pixel_format = options->pixel_format,
		.scan = scan_of(mode->table->get_field_dominance(mode)),
		.colour = flags & DL_MODE_FLAG_709   ? FC_COLOUR_BT709
			  : flags & DL_MODE_FLAG_601 ? FC_COLOUR_BT601
						     : FC_COLOUR_UNKNOWN,
		.channels = options->channels,
	};
	rate_take(&card.format.fps_num, &card.format.fps_den);
	card.first = -1;
	card.locked = false;
}

/* --- what the card calls -------------------------------------------------------------------- */

static dl_result callback_query(struct dl_callback *self, struct dl_iid iid, void **out)
{
	bool ours = memcmp(&iid, &dl_iid_unknown, sizeof iid) == 0 ||
		    memcmp(&iid, &dl_iid_callback, sizeof iid) == 0;

	*out = ours ? self : NULL;
	return ours ? DL_OK : DL_NO_INTERFACE;
}

/* It is there as long as the program is. */
static unsigned long callback_count(struct dl_callback *self)
{
	(void)self;
	return 1;
}

/* The input has to be enabled with what comes in, or it gives black. */
static dl_result on_format(struct dl_callback *self, uint32_t events, struct dl_mode *mode,
			   uint32_t flags)
{
	struct dl_input *input = card.input;

	(void)self;
	(void)flags;
	if (!(events & DL_CHANGED_MODE))
		return DL_OK;
	pthread_mutex_lock(&card.mutex);
	input->table->pause(input);
	if (input->table->enable_video(input, mode->table->get_display_mode(mode),
				       card.pixel_format, card.flags) == DL_OK)
		format_take(mode);
	else
		say("what comes in cannot be captured as %s", fc_pix_name(options->pixel_format));
	input->table->flush(input);
	input->table->start(input);
	pthread_mutex_unlock(&card.mutex);
	return DL_OK;
}

static uint32_t timecode_of(struct dl_frame *frame)
{
	struct dl_timecode *timecode = NULL;
	uint32_t bcd;

	if (frame->table->get_timecode(frame, DL_TIMECODE_ANY, &timecode) != DL_OK || !timecode)
		return 0;
	bcd = timecode->table->get_bcd(timecode);
	if (timecode->table->get_flags(timecode) & DL_TIMECODE_DROP)
		bcd |= 1u << 31;
	timecode->table->release(timecode);
	return bcd;
}

/* Its number since the signal came. Times are exact here: of the mode's own scale. */
static uint64_t number_of(struct dl_frame *frame)
{
	int64_t time = 0, duration = 0;

	if (frame->table->get_stream_time(frame, &time, &duration, card.scale) == DL_OK)
		card.last = (time + card.duration / 2) / card.duration;
	else
		card.last++;
	if (card.first < 0 || card.last < card.first)
		card.first = card.last;
	return (uint64_t)(card.last - card.first);
}

static void take_frame(struct dl_frame *frame, struct dl_packet *packet)
{
	bool away = frame->table->get_flags(frame) & DL_FRAME_NO_SOURCE;
	struct feed_frame out = {0};
	void *pixels = NULL, *sound = NULL;

	/* A frame that was under way when the format changed. */
	if ((uint32_t)frame->table->get_width(frame) != card.format.width ||
	    (uint32_t)frame->table->get_height(frame) != card.format.height)
		return;
	if (away) {
		if (card.locked)
			feed_no_signal(number_of(frame));
		return;
	}
	if (!card.locked)
		feed_lock(&card.format);
	card.locked = true;
	if (frame->table->get_bytes(frame, &pixels) != DL_OK || !pixels)
		return;
	out.pixels = pixels;
	out.row_bytes = frame->table->get_row_bytes(frame);
	out.index = number_of(frame);
	out.timecode = timecode_of(frame);
	if (packet && packet->table->get_bytes(packet, &sound) == DL_OK) {
		out.sound = sound;
		out.samples = (uint32_t)packet->table->get_sample_count(packet);
	}
	feed_frame(&out);
}

static dl_result on_frame(struct dl_callback *self, struct dl_frame *frame,
			  struct dl_packet *packet)
{
	(void)self;
	if (!frame)
		return DL_OK;
	pthread_mutex_lock(&card.mutex);
	take_frame(frame, packet);
	pthread_mutex_unlock(&card.mutex);
	return DL_OK;
}

static const struct dl_callback_table callback_table = {
	.query = callback_query,
	.add_ref = callback_count,
	.release = callback_count,
	.format_changed = on_format,
	.frame_arrived = on_frame,
};
static struct dl_callback callback = {&callback_table};

/* --- finding it ----------------------------------------------------------------------------- */

static dl_iterator_create *library_open(void)
{
	const char *path = options->library ? options->library : DL_LIBRARY;
	void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
	dl_iterator_create *create;

	if (!library) {
		say("fault: %s; it comes with Blackmagic's Desktop Video", dlerror());
		return NULL;
	}
	*(void **)&create = dlsym(library, DL_ITERATOR);
	if (!create)
		say("fault: %s has no %s; Desktop Video 10.11 or newer is needed", path,
		    DL_ITERATOR);
	return create;
}

/* The library gives its strings away. */
static void name_take(const char *given, char name[NAME_SIZE])
{
	snprintf(name, NAME_SIZE, "%s", given ? given : "?");
	free((void *)(uintptr_t)given);
}

static void name_of(struct dl_device *device, char name[NAME_SIZE])
{
	const char *given = NULL;

	if (device->table->get_display_name(device, &given) != DL_OK)
		given = NULL;
	name_take(given, name);
}

static bool is_wanted(const char *name, unsigned number)
{
	char text[16];

	snprintf(text, sizeof text, "%u", number);
	return strcmp(options->device, text) == 0 || strcmp(options->device, name) == 0;
}

static void device_find(dl_iterator_create *create)
{
	struct dl_iterator *iterator = create();
	struct dl_device *device;
	unsigned count = 0;

	if (!iterator) {
		say("fault: the card's driver is not loaded");
		return;
	}
	while (!card.device && iterator->table->next(iterator, &device) == DL_OK) {
		char name[NAME_SIZE];

		name_of(device, name);
		if (options->list)
			printf("%u\t%s\n", count, name);
		else if (is_wanted(name, count))
			card.device = device;
		count++;
		if (!card.device)
			device->table->release(device);
	}
	iterator->table->release(iterator);
	if (options->list)
		return;
	if (count == 0)
		say("fault: there is no card");
	else if (!card.device)
		say("fault: there is no card %s; --list names the %u that %s here", options->device,
		    count, count == 1 ? "is" : "are");
	else if (card.device->table->query(card.device, dl_iid_input, (void **)&card.input) !=
		 DL_OK) {
		say("fault: it is no input, or its driver is older than 11.6");
		card.input = NULL;
	}
}

/* "1080p59.94" and "1080p5994" are one. */
static bool mode_named(const char *name, const char *wanted)
{
	for (; *name || *wanted; name++, wanted++) {
		while (*name == '.' || *name == ' ')
			name++;
		while (*wanted == '.' || *wanted == ' ')
			wanted++;
		if ((*name | 32) != (*wanted | 32))
			return false;
		if (!*name)
			break;
	}
	return true;
}

/* The one asked for, or the first there is: what comes in is told by the card. */
static struct dl_mode *mode_find(void)
{
	struct dl_mode_iterator *iterator;
	struct dl_mode *mode = NULL, *next;

	if (card.input->table->get_mode_iterator(card.input, &iterator) != DL_OK)
		return NULL;
	while (!mode && iterator->table->next(iterator, &next) == DL_OK) {
		const char *given = NULL;
		char name[NAME_SIZE];

		if (next->table->get_name(next, &given) != DL_OK)
			given = NULL;
		name_take(given, name);
		if (!options->mode || mode_named(name, options->mode))
			mode = next;
		else
			next->table->release(next);
	}
	iterator->table->release(iterator);
	if (!mode)
		say("fault: the card knows no mode %s", options->mode ? options->mode : "at all");
	return mode;
}

static bool can_detect(void)
{
	struct dl_attributes *attributes;
	bool can = false;

	if (card.device->table->query(card.device, dl_iid_attributes, (void **)&attributes) !=
	    DL_OK)
		return false;
	if (attributes->table->get_flag(attributes, DL_ATTRIBUTE_DETECTION, &can) != DL_OK)
		can = false;
	attributes->table->release(attributes);
	return can;
}

static bool input_start(void)
{
	struct dl_mode *mode = mode_find();
	const struct dl_input_table *table = card.input->table;

	if (!mode)
		return false;
	card.pixel_format = options->pixel_format == FC_PIX_V210 ? DL_FORMAT_10BIT : DL_FORMAT_8BIT;
	card.flags = can_detect() ? DL_INPUT_DETECT : 0;
	if (!card.flags && !options->mode) {
		say("fault: this card cannot tell what comes in; say --mode");
		return false;
	}
	format_take(mode);
	if (table->enable_video(card.input, mode->table->get_display_mode(mode), card.pixel_format,
				card.flags) != DL_OK) {
		say("fault: the input cannot be enabled; another program may have it");
		return false;
	}
	mode->table->release(mode);
	if (options->channels &&
	    table->enable_audio(card.input, 48000, 32, options->channels) != DL_OK) {
		say("fault: no %u channels of sound", options->channels);
		return false;
	}
	if (table->set_callback(card.input, &callback) != DL_OK ||
	    table->start(card.input) != DL_OK) {
		say("fault: capture does not start");
		return false;
	}
	return true;
}

static int run(void)
{
	if (feed_open(options))
		return 1;
	if (!input_start()) {
		feed_close();
		return 1;
	}
	say("waiting for a signal");
	while (!ending_await(100) && !feed_fault())
		;
	card.input->table->stop(card.input);
	card.input->table->set_callback(card.input, NULL);
	card.input->table->disable_video(card.input);
	if (options->channels)
		card.input->table->disable_audio(card.input);
	feed_close();
	return feed_fault();
}

int main(int argc, char **argv)
{
	static struct options given;
	dl_iterator_create *create;
	int result = 0;

	options = &given;
	if (!options_parse(&given, "Blackmagic DeckLink", argc, argv))
		return 2;
	ending_prepare();
	create = library_open();
	if (!create)
		return 1;
	device_find(create);
	if (!given.list)
		result = card.input ? run() : 1;
	if (card.input)
		card.input->table->release(card.input);
	if (card.device)
		card.device->table->release(card.device);
	return result;
}
