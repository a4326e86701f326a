#include "fifo.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fc_client.h"
#include "options.h"

#define STEP_MS    100
#define PIPE_BYTES (1 << 20)
#define CHUNK      1024u /* samples at once */

static struct {
	pthread_mutex_t mutex;
	pthread_t video_thread, audio_thread;
	const char *video, *audio;
	int fd;          /* of the ring; -1: none */
	uint64_t ring;   /* +1 for each other one */
	uint64_t start;  /* +1 for each time that the picture began */
	uint64_t sample; /* with this one */
	uint64_t its_ring;
	bool running, over;
} fifo = {.mutex = PTHREAD_MUTEX_INITIALIZER, .fd = -1};

/* One stream: a ring that is followed, and the FIFO that it goes to. */
struct stream {
	const char *path;
	fc_slot_t *slot;
	uint64_t ring;
	int out;
};

static void nap(void)
{
	const struct timespec step = {0, STEP_MS * 1000000};

	nanosleep(&step, NULL);
}

/* Whether what the stream reads is still what is to be read. */
static bool holds(const struct stream *stream)
{
	bool same;

	pthread_mutex_lock(&fifo.mutex);
	same = !fifo.over && fifo.ring == stream->ring;
	pthread_mutex_unlock(&fifo.mutex);
	return same;
}

static bool is_over(void)
{
	bool over;

	pthread_mutex_lock(&fifo.mutex);
	over = fifo.over;
	pthread_mutex_unlock(&fifo.mutex);
	return over;
}

/* What will be no different at once: who asks again at once asks all the time. */
static bool is_for_good(int result)
{
	return result != FC_OK && result != FC_TIMEOUT && result != FC_NOSIGNAL &&
	       result != FC_STALLED;
}

/* --- beginning and ending ------------------------------------------------------------------- */

static bool ring_take(struct stream *stream)
{
	pthread_mutex_lock(&fifo.mutex);
	stream->ring = fifo.ring;
	stream->slot = fifo.fd == -1 ? NULL : fc_open_fd(fifo.fd);
	pthread_mutex_unlock(&fifo.mutex);
	return stream->slot;
}

/* Once somebody reads it: to open it before would block, and to write to it would fail. */
static bool out_open(struct stream *stream)
{
	while (holds(stream)) {
		stream->out = open(stream->path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
		if (stream->out != -1) {
			(void)fcntl(stream->out, F_SETPIPE_SZ, PIPE_BYTES);
			return true;
		}
		nap();
	}
	return false;
}

static void stream_end(struct stream *stream)
{
	if (stream->out != -1)
		close(stream->out);
	fc_close(stream->slot);
	stream->slot = NULL;
	stream->out = -1;
}

/* All of it, however slowly it is read. False: nobody reads any more, or another ring is to be read. */
static bool put(struct stream *stream, const void *data, size_t len)
{
	const uint8_t *at = data;

	while (len) {
		struct pollfd ready = {.fd = stream->out, .events = POLLOUT};
		ssize_t n = write(stream->out, at, len);

		if (n == -1 && errno != EAGAIN && errno != EINTR)
			return false;
		if (n > 0) {
			at += n;
			len -= (size_t)n;
			continue;
		}
		(void)poll(&ready, 1, STEP_MS);
		if (!holds(stream))
			return false;
	}
	return true;
}

/* --- the picture ---------------------------------------------------------------------------- */

static void picture_began(const struct stream *stream, uint64_t sample)
{
	pthread_mutex_lock(&fifo.mutex);
	fifo.start++;
	fifo.sample = sample;
	fifo.its_ring = stream->ring;
	pthread_mutex_unlock(&fifo.mutex);
}

/* now: where the frame is copied to; before: the one that was written last. */
static void frames_pass(struct stream *stream, uint8_t *now, uint8_t *before, size_t size)
{
	bool good = true, begun = false;

	fc_seek(stream->slot, FC_SEEK_NEXT, 0);
	while (good && holds(stream)) {
		fc_frame_t *frame;
		uint8_t *other = before;
		int result = fc_copy_frame(stream->slot, &frame, now, size, STEP_MS);

		if (is_for_good(result))
			nap();
		if (result != FC_OK)
			continue;
		if (!begun)
			picture_began(stream, frame->audio_first);
		for (uint64_t i = 0; begun && good && i < frame->lost; i++)
			good = put(stream, before, size);
		begun = true;
		good = good && put(stream, now, size);
		before = now;
		now = other;
	}
}

static void *video_run(void *unused)
{
	struct stream stream = {.path = fifo.video, .out = -1};

	(void)unused;
	while (!is_over()) {
		fc_info_t info;
		uint8_t *both;

		if (!ring_take(&stream)) {
			nap();
			continue;
		}
		fc_info(stream.slot, &info);
		both = malloc((size_t)info.frame_size * 2);
		if (!both)
			nap();
		else if (out_open(&stream))
			frames_pass(&stream, both, both + info.frame_size, info.frame_size);
		free(both);
		stream_end(&stream);
	}
	return NULL;
}

/* --- the sound ------------------------------------------------------------------------------ */

/* Waits for a beginning of the picture that this stream has not been part of. */
static bool sound_begin(const struct stream *stream, uint64_t *start, uint64_t *sample)
{
	while (holds(stream)) {
		bool begun;

		pthread_mutex_lock(&fifo.mutex);
		begun = fifo.start != *start && fifo.its_ring == stream->ring;
		if (begun) {
			*start = fifo.start;
			*sample = fifo.sample;
		}
		pthread_mutex_unlock(&fifo.mutex);
		if (begun)
			return true;
		nap();
	}
	return false;
}

static bool samples_put(struct stream *stream, uint64_t *at, uint64_t end, uint32_t channels)
{
	static int32_t samples[CHUNK * FC_CHANNELS_MAX];

	while (*at < end) {
		uint32_t count = end - *at < CHUNK ? (uint32_t)(end - *at) : CHUNK;
		size_t size = (size_t)count * channels * sizeof *samples;

		if (fc_read_audio(stream->slot, *at, count, samples) != FC_OK)
			memset(samples, 0, size);
		if (!put(stream, samples, size))
			return false;
		*at += count;
	}
	return true;
}

static void *audio_run(void *unused)
{
	struct stream stream = {.path = fifo.audio, .out = -1};
	uint64_t start = 0;

	(void)unused;
	while (!is_over()) {
		uint64_t at;
		fc_info_t info = {0};

		if (ring_take(&stream))
			fc_info(stream.slot, &info);
		if (info.audio_channels == 0) {
			stream_end(&stream);
			nap();
			continue;
		}
		if (out_open(&stream) && sound_begin(&stream, &start, &at)) {
			bool good = true;

			while (good && holds(&stream)) {
				fc_frame_t *frame;
				int result = fc_read_frame(stream.slot, &frame, STEP_MS);

				if (is_for_good(result))
					nap();
				if (result == FC_OK)
					good = samples_put(&stream, &at,
							   frame->audio_first +
								   frame->audio_samples,
							   info.audio_channels);
			}
		}
		stream_end(&stream);
	}
	return NULL;
}

/* --- life ----------------------------------------------------------------------------------- */

static int make(const char *path)
{
	struct stat st;

	if (mkfifo(path, 0660) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	return lstat(path, &st) == 0 && S_ISFIFO(st.st_mode) ? 0 : -EEXIST;
}

int fifo_open(const char *video, const char *audio, const char **which)
{
	int error = make(*which = video);

	if (!error && audio)
		error = make(*which = audio);
	if (error)
		return error;
	fifo.video = video;
	fifo.audio = audio;
	error = -pthread_create(&fifo.video_thread, NULL, video_run, NULL);
	if (!error && audio)
		error = -pthread_create(&fifo.audio_thread, NULL, audio_run, NULL);
	fifo.running = !error;
	return error;
}

void fifo_follow(int fd)
{
	pthread_mutex_lock(&fifo.mutex);
	if (fifo.fd != -1)
		close(fifo.fd);
	fifo.fd = fd == -1 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	fifo.ring++;
	pthread_mutex_unlock(&fifo.mutex);
}

void fifo_close(void)
{
	pthread_mutex_lock(&fifo.mutex);
	fifo.over = true;
	pthread_mutex_unlock(&fifo.mutex);
	if (!fifo.running)
		return;
	pthread_join(fifo.video_thread, NULL);
	if (fifo.audio)
		pthread_join(fifo.audio_thread, NULL);
}
