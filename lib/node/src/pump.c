#include "pump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STEP_MS     50
#define REPORT_NS   1000000000ull
#define REPEATS_MAX 100000u
#define CHUNK       1024u

struct pump {
	fc_slot_t *slot;
	fc_info_t info;
	enum pump_kind kind;
	int fd;
	pthread_t thread;
	atomic_bool stopping;
	bool joined;
	struct pump_report report;
	uint64_t reported_ns;
	uint64_t sample; /* the next one of PUMP_AUDIO */
	bool begun;
	uint8_t *now, *before; /* frames */
	void (*told)(void *whom, const struct pump_report *report);
	void *whom;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void tell(struct pump *pump)
{
	pump->reported_ns = now_ns();
	pump->report.position = fc_position(pump->slot);
	pump->report.lag = fc_lag(pump->slot);
	pump->told(pump->whom, &pump->report);
	pump->report.changed = false;
}

static bool put(struct pump *pump, const void *data, size_t len)
{
	const uint8_t *at = data;

	/* Also where the other end takes all at once: what was missed may be hours. */
	if (atomic_load(&pump->stopping))
		return false;
	while (len) {
		struct pollfd ready = {.fd = pump->fd, .events = POLLOUT};
		ssize_t n = write(pump->fd, at, len);

		if (n > 0) {
			at += n;
			len -= (size_t)n;
			pump->report.bytes += (uint64_t)n;
			continue;
		}
		if (n == -1 && errno != EAGAIN && errno != EINTR) {
			pump->report.error = errno;
			return false;
		}
		(void)poll(&ready, 1, STEP_MS);
		if (atomic_load(&pump->stopping))
			return false;
		if (now_ns() - pump->reported_ns >= REPORT_NS)
			tell(pump);
	}
	return true;
}

/* --- one frame ---------------------------------------------------------------------------------- */

static bool put_picture(struct pump *pump, const fc_frame_t *frame)
{
	uint8_t *other = pump->before;
	uint64_t lost = pump->begun ? frame->lost : 0;
	bool good = true;

	for (uint64_t i = 0; i < lost && i < REPEATS_MAX && good; i++) {
		good = put(pump, pump->before, pump->info.frame_size);
		pump->report.repeated += good;
	}
	good = good && put(pump, pump->now, pump->info.frame_size);
	pump->before = pump->now;
	pump->now = other;
	return good;
}

static bool put_sound(struct pump *pump, const fc_frame_t *frame)
{
	static _Thread_local int32_t samples[CHUNK * FC_CHANNELS_MAX];
	uint64_t end = frame->audio_first + frame->audio_samples;

	if (!pump->begun)
		pump->sample = frame->audio_first;
	while (pump->sample < end) {
		uint64_t left = end - pump->sample;
		uint32_t count = left < CHUNK ? (uint32_t)left : CHUNK;
		size_t size = (size_t)count * pump->info.audio_channels * sizeof *samples;

		if (fc_read_audio(pump->slot, pump->sample, count, samples) != FC_OK) {
			memset(samples, 0, size);
			pump->report.repeated += count;
		}
		if (!put(pump, samples, size))
			return false;
		pump->sample += count;
	}
	return true;
}

static bool take(struct pump *pump, const fc_frame_t *frame)
{
	bool good = true;

	pump->report.lost += pump->begun ? frame->lost : 0;
	if (pump->kind == PUMP_VIDEO)
		good = put_picture(pump, frame);
	else if (pump->kind == PUMP_AUDIO)
		good = put_sound(pump, frame);
	pump->begun = true;
	pump->report.frames += good;
	return good;
}

static void state_take(struct pump *pump, int state)
{
	if (state == FC_TIMEOUT)
		state = fc_state(pump->slot);
	pump->report.changed |= pump->report.state != state;
	pump->report.state = state;
}

static bool step(struct pump *pump)
{
	fc_frame_t *frame;
	int result = pump->kind == PUMP_VIDEO ? fc_copy_frame(pump->slot, &frame, pump->now,
							      pump->info.frame_size, STEP_MS)
					      : fc_read_frame(pump->slot, &frame, STEP_MS);
	bool good = result != FC_SUPERSEDED && result != FC_BROKEN;

	state_take(pump, result);
	if (result == FC_OK)
		good = take(pump, frame);
	if (good && (pump->report.changed || now_ns() - pump->reported_ns >= REPORT_NS))
		tell(pump);
	return good;
}

static void *run(void *argument)
{
	struct pump *pump = argument;

	while (!atomic_load(&pump->stopping) && step(pump))
		;
	pump->report.over = true;
	tell(pump);
	return NULL;
}

/* --- life --------------------------------------------------------------------------------------- */

static bool buffers_make(struct pump *pump)
{
	if (pump->kind != PUMP_VIDEO)
		return true;
	pump->now = malloc(pump->info.frame_size);
	pump->before = malloc(pump->info.frame_size);
	return pump->now && pump->before;
}

/* Signals are for the threads of Node; a pipe whose other end is gone is an error of the write. */
static int thread_start(struct pump *pump)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&pump->thread, NULL, run, pump);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

struct pump *pump_start(const char *slot_id, enum pump_kind kind, int fd, int where,
			void (*told)(void *whom, const struct pump_report *report), void *whom)
{
	struct pump *pump = calloc(1, sizeof *pump);
	int error = 0;

	if (!pump)
		return NULL;
	pump->kind = kind;
	pump->told = told;
	pump->whom = whom;
	pump->joined = true;
	pump->fd = fd == -1 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	pump->slot = fc_open(slot_id);
	if (!pump->slot || (fd != -1 && pump->fd == -1))
		goto fail;
	fc_info(pump->slot, &pump->info);
	fc_seek(pump->slot, where, 0);
	pump->report.state = FC_TIMEOUT;
	if (pump->fd != -1)
		(void)fcntl(pump->fd, F_SETFL, fcntl(pump->fd, F_GETFL) | O_NONBLOCK);
	errno = kind == PUMP_AUDIO && !pump->info.audio_channels ? ENODATA : ENOMEM;
	if ((kind == PUMP_AUDIO && !pump->info.audio_channels) || !buffers_make(pump))
		goto fail;
	error = thread_start(pump);
	if (error) {
		errno = error;
		goto fail;
	}
	pump->joined = false;
	return pump;
fail:
	error = errno;
	pump_free(pump);
	errno = error;
	return NULL;
}

void pump_stop(struct pump *pump)
{
	if (!pump || pump->joined)
		return;
	atomic_store(&pump->stopping, true);
	pthread_join(pump->thread, NULL);
	pump->joined = true;
}

void pump_free(struct pump *pump)
{
	if (!pump)
		return;
	pump_stop(pump);
	fc_close(pump->slot);
	if (pump->fd != -1)
		close(pump->fd);
	free(pump->now);
	free(pump->before);
	free(pump);
}
