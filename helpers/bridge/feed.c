#include "feed.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fc_internal.h"
#include "fifo.h"

#define RETRY_NS    1000000000u
#define OWN_DEPTH   32u /* frames in a ring that only FIFOs are fed from */
#define SILENCE_MAX 8192u

static struct {
	pthread_mutex_t mutex;
	const struct options *options;
	struct feed_format format;
	bool known;  /* the format */
	bool signal; /* as it was said last */
	bool broken; /* the next frame does not go on from the one before */
	bool said;   /* why there is no slot, or no frame in it */
	fc_writer_t *writer;
	fc_info_t info;
	int ring;          /* a descriptor of what the writer writes */
	const void *last;  /* the last frame, in the ring */
	uint64_t next;     /* index of the frame that comes next */
	uint64_t retry_ns; /* when a slot is asked for again */
	int fault;
} feed = {.mutex = PTHREAD_MUTEX_INITIALIZER, .ring = -1};

/* --- the ring ------------------------------------------------------------------------------- */

static fc_config_t config_of(const struct feed_format *format)
{
	return (fc_config_t){
		.width = format->width,
		.height = format->height,
		.fps_num = format->fps_num,
		.fps_den = format->fps_den,
		.pixel_format = format->pixel_format,
		.scan = format->scan,
		.colour = format->colour,
		.audio_channels = format->channels,
		.ring_depth = feed.options->depth,
		.source_type = "sdi",
	};
}

static void give_up(const char *why)
{
	say("fault: %s", why);
	feed.fault = 1;
}

/* Whether a slot of this shape is there and nobody writes to it: a bridge before this one died. */
static bool may_go_on(const fc_config_t *config)
{
	fc_slot_t *slot = fc_open(feed.options->slot);
	fc_info_t info;
	int state;

	if (!slot)
		return false;
	fc_info(slot, &info);
	state = fc_state(slot);
	fc_close(slot);
	return (state == FC_DEAD || state == FC_CLOSED || state == FC_TIMEOUT) &&
	       info.width == config->width && info.height == config->height &&
	       info.fps_num == config->fps_num && info.fps_den == config->fps_den &&
	       info.pixel_format == config->pixel_format && info.scan == config->scan &&
	       info.colour == config->colour && info.audio_channels == config->audio_channels &&
	       (config->ring_depth == 0 || info.ring_depth == config->ring_depth);
}

/* Tells once, not with each frame. */
static void complain(const char *why)
{
	if (!feed.said)
		say("no slot yet, asking again each second: %s", why);
	feed.said = true;
	feed.retry_ns = fc_mono_ns() + RETRY_NS;
}

static void complain_of_file(const char *what)
{
	const char *error = strerror(errno), *dir = getenv("FC_DIR");
	char why[512];

	snprintf(why, sizeof why, "%s/%s cannot be %s: %s", dir && *dir ? dir : FC_DEFAULT_DIR,
		 feed.options->slot, what, error);
	complain(why);
}

static bool order_alone(const fc_config_t *config)
{
	if (fc_slot_create(feed.options->slot, config, FC_REPLACE) == 0)
		return true;
	if (errno == EBUSY)
		give_up("another writer has the slot");
	else
		complain_of_file("made");
	return false;
}

static bool order(const fc_config_t *config)
{
	char fault[SERVICE_FAULT_SIZE] = "";
	int status;

	if (feed.options->alone)
		return order_alone(config);
	status = service_make(&feed.options->service, feed.options->slot, config, fault);
	if (status == 201)
		return true;
	/* What will not get better by itself: a name or a shape that is refused, a token that is wrong,
	 * another writer. */
	if (status >= 400 && status < 500 && status != 429)
		give_up(fault);
	else
		complain(fault);
	return false;
}

static void slot_open(const fc_config_t *config)
{
	bool again = may_go_on(config);

	if (!again && !order(config))
		return;
	feed.writer = fc_writer_open(feed.options->slot);
	if (!feed.writer) {
		complain_of_file("opened to write");
		return;
	}
	feed.ring = fc_file_open(feed.options->slot, false);
	say("%s %ux%u %u/%u %s channels=%u", again ? "goes on" : "begins", config->width,
	    config->height, config->fps_num, config->fps_den, fc_pix_name(config->pixel_format),
	    config->audio_channels);
}

/* A slot without a name, that nobody but our own threads can open. */
static void own_ring_open(fc_config_t *config)
{
	fc_header_t header;

	if (!config->ring_depth)
		config->ring_depth = OWN_DEPTH;
	feed.ring = memfd_create("bridge", MFD_CLOEXEC);
	if (feed.ring == -1 || !fc_shape_make(config, &header)) {
		give_up("no memory for frames");
		return;
	}
	memcpy(header.slot_id, feed.options->slot, strlen(feed.options->slot));
	header.generation = header.created_us = fc_wall_us();
	if (posix_fallocate(feed.ring, 0, (off_t)header.file_size) != 0 ||
	    pwrite(feed.ring, &header, sizeof header, 0) != (ssize_t)sizeof header) {
		give_up("no memory for frames");
		return;
	}
	feed.writer = fc_writer_open_fd(feed.ring);
	if (!feed.writer)
		give_up("no memory for frames");
}

static void ring_close(void)
{
	if (feed.options->fifo)
		fifo_follow(-1);
	fc_writer_close(feed.writer);
	if (feed.ring >= 0)
		close(feed.ring);
	feed.writer = NULL;
	feed.ring = -1;
	feed.last = NULL;
}

static bool ring_open(void)
{
	fc_config_t config = config_of(&feed.format);

	if (feed.writer)
		return true;
	if (feed.fault || !feed.known || fc_mono_ns() < feed.retry_ns)
		return false;
	if (feed.options->shm)
		slot_open(&config);
	else
		own_ring_open(&config);
	if (!feed.writer)
		return false;
	feed.said = false;
	fc_writer_info(feed.writer, &feed.info);
	if (feed.options->fifo)
		fifo_follow(feed.ring);
	return true;
}

/* --- frames --------------------------------------------------------------------------------- */

static void commit(const fc_frame_meta_t *meta)
{
	int result = fc_write_commit(feed.writer, meta);

	if (result == FC_CLOSED || result == FC_SUPERSEDED)
		give_up("the slot was taken away");
}

/* Whether there are pixels for the whole width in each of the card's rows. */
static bool has_rows(const struct feed_frame *frame)
{
	uint32_t width = feed.info.width;
	uint32_t least = feed.info.pixel_format == FC_PIX_V210 ? (width + 5) / 6 * 16 : width * 2;

	return frame->row_bytes >= (long)least;
}

static void copy_rows(uint8_t *to, const struct feed_frame *frame)
{
	size_t row = feed.info.plane_row_bytes[0];
	const uint8_t *from = frame->pixels;

	if (frame->row_bytes == (long)row) {
		memcpy(to, from, feed.info.frame_size);
		return;
	}
	for (uint32_t y = 0; y < feed.info.height; y++)
		memcpy(to + y * row, from + (long)y * frame->row_bytes,
		       frame->row_bytes < (long)row ? (size_t)frame->row_bytes : row);
}

/* Video level black: Cb, Y, Cr, Y of 8 or of 10 bits. */
static void draw_black(uint8_t *to)
{
	static const uint8_t eight[4] = {128, 16, 128, 16};
	static const uint32_t ten[4] = {512 | 64 << 10 | 512 << 20, 64 | 512 << 10 | 64 << 20,
					512 | 64 << 10 | 512 << 20, 64 | 512 << 10 | 64 << 20};
	bool v210 = feed.info.pixel_format == FC_PIX_V210;
	const void *pattern = v210 ? (const void *)ten : eight;
	size_t size = v210 ? sizeof ten : sizeof eight;

	for (size_t at = 0; at + size <= feed.info.frame_size; at += size)
		memcpy(to + at, pattern, size);
}

static uint64_t sample_at(uint64_t index)
{
	uint64_t second = (uint64_t)feed.info.audio_rate * feed.info.fps_den;

	return index / feed.info.fps_num * second +
	       index % feed.info.fps_num * second / feed.info.fps_num;
}

static void write_silence(uint64_t index)
{
	static const int32_t silence[SILENCE_MAX * 16];
	uint64_t count;

	if (!feed.info.audio_channels)
		return;
	count = sample_at(index + 1) - sample_at(index);
	(void)fc_write_audio(feed.writer, silence,
			     count < SILENCE_MAX ? (uint32_t)count : SILENCE_MAX);
}

/* A frame that the card did not give: the one before once more, or black. */
static void write_made_up(uint64_t index, uint32_t flags, bool black)
{
	const fc_frame_meta_t meta = {
		.pts_us = fc_pts_us(feed.info.fps_num, feed.info.fps_den, index),
		.flags = flags | (black || !feed.last ? 0 : FC_FRAME_REPEATED) |
			 (feed.broken ? FC_FRAME_DISCONTINUITY : 0),
	};
	uint8_t *to = fc_write_begin(feed.writer);

	if (black || !feed.last)
		draw_black(to);
	else
		memcpy(to, feed.last, feed.info.frame_size);
	feed.last = to;
	feed.broken = false;
	write_silence(index);
	commit(&meta);
}

/* The input lost frames. A second of them is made up, so that counts and sound stay right for who has no
 * times; what is longer is a jump. */
static void fill_up(uint64_t index)
{
	uint64_t lost = index - feed.next;

	fc_writer_dropped(feed.writer, lost);
	if (lost > feed.info.fps_num / feed.info.fps_den || !feed.last)
		feed.broken = true;
	else
		while (feed.next < index && !feed.fault)
			write_made_up(feed.next++, 0, false);
}

static void set_signal(bool signal)
{
	if (signal == feed.signal)
		return;
	feed.signal = signal;
	if (feed.writer)
		(void)fc_writer_set_state(feed.writer, signal ? FC_STATE_LIVE : FC_STATE_NO_SIGNAL);
	say(signal ? "signal" : "no signal");
}

void feed_frame(const struct feed_frame *frame)
{
	uint64_t index = frame->index;

	pthread_mutex_lock(&feed.mutex);
	if (!ring_open())
		goto out;
	if (!has_rows(frame)) {
		if (!feed.said)
			say("the card's frames have rows of %ld bytes: left out", frame->row_bytes);
		feed.said = true;
		goto out;
	}
	if (!feed.signal)
		feed.broken = fc_writer_position(feed.writer) > 0;
	set_signal(true);
	if (!feed.last || index < feed.next)
		feed.next = index;
	if (index > feed.next)
		fill_up(index);
	if (!feed.fault) {
		const fc_frame_meta_t meta = {
			.pts_us = fc_pts_us(feed.info.fps_num, feed.info.fps_den, index),
			.timecode = frame->timecode,
			.flags = feed.broken ? FC_FRAME_DISCONTINUITY : 0,
		};
		uint8_t *to = fc_write_begin(feed.writer);

		copy_rows(to, frame);
		if (feed.info.audio_channels && frame->samples)
			(void)fc_write_audio(feed.writer, frame->sound, frame->samples);
		feed.last = to;
		feed.broken = false;
		feed.next = index + 1;
		commit(&meta);
	}
out:
	pthread_mutex_unlock(&feed.mutex);
}

void feed_no_signal(uint64_t index)
{
	pthread_mutex_lock(&feed.mutex);
	if (feed.writer && !feed.fault) {
		set_signal(false);
		if (feed.options->no_signal == NO_SIGNAL_STOP)
			fc_writer_heartbeat(feed.writer);
		else
			write_made_up(index, FC_FRAME_NO_SIGNAL,
				      feed.options->no_signal == NO_SIGNAL_BLACK);
		feed.next = index + 1;
	}
	pthread_mutex_unlock(&feed.mutex);
}

void feed_lock(const struct feed_format *format)
{
	pthread_mutex_lock(&feed.mutex);
	if (!feed.known || memcmp(&feed.format, format, sizeof *format) != 0) {
		if (feed.writer)
			ring_close();
		feed.format = *format;
		feed.known = true;
		feed.retry_ns = 0;
		feed.signal = true;
		say("format %ux%u %u/%u", format->width, format->height, format->fps_num,
		    format->fps_den);
	}
	pthread_mutex_unlock(&feed.mutex);
}

/* --- life ----------------------------------------------------------------------------------- */

int feed_open(const struct options *options)
{
	const char *which;
	int error;

	feed.options = options;
	if (!options->fifo)
		return 0;
	error = fifo_open(options->video_fifo, options->channels ? options->audio_fifo : NULL,
			  &which);
	if (error)
		say("fault: %s: %s", which,
		    error == -EEXIST ? "is there and is no FIFO" : strerror(-error));
	return error ? 1 : 0;
}

int feed_fault(void)
{
	int fault;

	pthread_mutex_lock(&feed.mutex);
	fault = feed.fault;
	pthread_mutex_unlock(&feed.mutex);
	return fault;
}

void feed_close(void)
{
	char fault[SERVICE_FAULT_SIZE];
	bool had;
	int status;

	pthread_mutex_lock(&feed.mutex);
	had = feed.writer && feed.options->shm && !feed.fault;
	if (feed.writer)
		ring_close();
	feed.known = false;
	pthread_mutex_unlock(&feed.mutex);
	if (feed.options->fifo)
		fifo_close();
	if (!had)
		return;
	if (feed.options->alone) {
		(void)fc_slot_remove(feed.options->slot, 0);
		return;
	}
	status = service_remove(&feed.options->service, feed.options->slot, fault);
	if (status < 200 || status >= 300)
		say("slot not given back: %s", fault);
}
