/* The pipes into a feed's process: what ends when all is to end. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "outlet.h"

/* As many as a process that was stopped for a very long time has missed. */
#define MISSED (1ull << 40)

static const fc_config_t shape = {.width = 32,
				  .height = 16,
				  .fps_num = 25,
				  .fps_den = 1,
				  .pixel_format = FC_PIX_UYVY422,
				  .audio_channels = 2};

static char directory[] = "/tmp/outlet-XXXXXX";

static int setup(void **state)
{
	(void)state;
	return mkdtemp(directory) && setenv("FC_DIR", directory, 1) == 0
		       ? fc_slot_create("s", &shape, 0)
		       : -1;
}

static int teardown(void **state)
{
	(void)state;
	return fc_slot_remove("s", 0) == 0 ? rmdir(directory) : -1;
}

/* Where everything is taken at once, nobody waits: there too it has to be asked whether all is to stop. */
static void nobody_is_served_for_ever(bool raw)
{
	fc_slot_t *slot = fc_open("s");
	uint8_t pixels[32 * 16 * 2] = {0};
	fc_frame_t frame = {.index = 0, .size = sizeof pixels, .data = pixels};
	struct outlet outlet;
	atomic_bool stop;
	fc_info_t info;

	assert_non_null(slot);
	atomic_init(&stop, false);
	fc_info(slot, &info);
	assert_true(outlet_open(&outlet, &info, open("/dev/null", O_WRONLY | O_CLOEXEC),
				raw ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1, raw, &stop));
	assert_true(outlet_frame(&outlet, slot, &frame, pixels, NULL));
	atomic_store(&stop, true);
	frame.index = 1;
	assert_true(outlet_frame(&outlet, slot, &frame, pixels, pixels));
	frame.index = MISSED;
	alarm(20);
	assert_false(outlet_frame(&outlet, slot, &frame, pixels, pixels));
	alarm(0);
	outlet_close(&outlet);
	fc_close(slot);
}

static void repeats_end_when_all_is_to_end(void **state)
{
	(void)state;
	nobody_is_served_for_ever(true);
}

static void silence_ends_when_all_is_to_end(void **state)
{
	(void)state;
	nobody_is_served_for_ever(false);
}

/* A process that reads both pipes, each with a thread of its own. */
static void *reader(void *context)
{
	static _Thread_local char taken[65536];
	int fd = *(int *)context;
	uint64_t sum = 0;
	ssize_t n;

	while ((n = read(fd, taken, sizeof taken)) > 0)
		sum += (uint64_t)n;
	close(fd);
	return (void *)(uintptr_t)sum;
}

/* Ten minutes are missing: 15,000 frames and 230 MB of silence, of which little waits here. */
static void silence_goes_with_the_repeats_and_does_not_pile_up(void **state)
{
	const uint64_t missed = 15000;
	fc_slot_t *slot = fc_open("s");
	uint8_t pixels[32 * 16 * 2] = {0};
	fc_frame_t frame = {.index = 0, .size = sizeof pixels, .data = pixels};
	int video[2], sound[2];
	pthread_t readers[2];
	struct outlet outlet;
	void *taken[2];
	atomic_bool stop;
	fc_info_t info;

	(void)state;
	assert_non_null(slot);
	atomic_init(&stop, false);
	fc_info(slot, &info);
	assert_int_equal(pipe2(video, O_CLOEXEC) | pipe2(sound, O_CLOEXEC), 0);
	fcntl(video[1], F_SETFL, O_NONBLOCK);
	fcntl(sound[1], F_SETFL, O_NONBLOCK);
	assert_int_equal(pthread_create(&readers[0], NULL, reader, &video[0]), 0);
	assert_int_equal(pthread_create(&readers[1], NULL, reader, &sound[0]), 0);
	assert_true(outlet_open(&outlet, &info, video[1], sound[1], true, &stop));
	assert_true(outlet_frame(&outlet, slot, &frame, pixels, NULL));
	frame.index = missed;
	assert_true(outlet_frame(&outlet, slot, &frame, pixels, pixels));
	assert_in_range(outlet.owed_size, 0, 10 * 48000 * 2 * 4);
	outlet_close(&outlet);
	pthread_join(readers[0], &taken[0]);
	pthread_join(readers[1], &taken[1]);
	assert_int_equal((uintptr_t)taken[0], (missed + 1) * sizeof pixels);
	/* The samples of the last frame are its own: it has none. */
	assert_in_range((uintptr_t)taken[1], (missed - 1) * 1920 * 8, missed * 1920 * 8);
	fc_close(slot);
}

/* Who reads no sound at all is found out before there are hundreds of megabytes of it. */
static void sound_that_nobody_reads_ends_the_process(void **state)
{
	fc_slot_t *slot = fc_open("s");
	uint8_t pixels[32 * 16 * 2] = {0};
	fc_frame_t frame = {.index = 0, .size = sizeof pixels, .data = pixels};
	struct outlet outlet;
	atomic_bool stop;
	fc_info_t info;
	int sound[2];

	(void)state;
	assert_non_null(slot);
	/* Not even a second's wait: the test would take as long as what it stands for. */
	atomic_init(&stop, true);
	fc_info(slot, &info);
	assert_int_equal(pipe2(sound, O_CLOEXEC | O_NONBLOCK), 0);
	assert_true(outlet_open(&outlet, &info, open("/dev/null", O_WRONLY | O_CLOEXEC), sound[1],
				true, &stop));
	while (outlet_frame(&outlet, slot, &frame, pixels, NULL) && frame.index < 1000)
		frame.index++;
	assert_in_range(outlet.owed_size, 0, 10 * 48000 * 2 * 4);
	assert_in_range(frame.index, 250, 999);
	close(sound[0]);
	outlet_close(&outlet);
	fc_close(slot);
}

/* --- ten minutes with losses ------------------------------------------------------------------- */

#define RATE       48000u
#define TEN_MIN    17982u /* frames, 30000/1001 a second */
#define FLASH_EACH 30u
#define MOMENTS    1024u

static const fc_config_t ntsc = {.width = 32,
				 .height = 16,
				 .fps_num = 30000,
				 .fps_den = 1001,
				 .pixel_format = FC_PIX_UYVY422,
				 .ring_depth = 64,
				 .audio_channels = 2};

/* When, in frames or samples, something began to be bright or loud. */
struct moments {
	int fd;
	size_t unit; /* bytes of a frame, of a sample */
	uint64_t units, at[MOMENTS];
	size_t count;
};

static void *moments_read(void *context)
{
	struct moments *moments = context;
	static _Thread_local uint8_t taken[1 << 16];
	size_t len = 0;
	bool before = false;
	ssize_t n;

	while ((n = read(moments->fd, taken + len, sizeof taken - len)) > 0) {
		size_t at = 0;

		for (len += (size_t)n; at + moments->unit <= len; at += moments->unit) {
			bool now = taken[at + 3] != 0;

			if (now && !before && moments->count < MOMENTS)
				moments->at[moments->count++] = moments->units;
			before = now;
			moments->units++;
		}
		len -= at;
		memmove(taken, taken + at, len);
	}
	close(moments->fd);
	return NULL;
}

static void moments_begin(struct moments *moments, size_t unit, pthread_t *thread, int *write_end)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	*moments = (struct moments){.fd = ends[0], .unit = unit};
	*write_end = ends[1];
	assert_int_equal(pthread_create(thread, NULL, moments_read, moments), 0);
}

static uint64_t ntsc_samples(uint64_t frames)
{
	return (frames * RATE * 1001 + 15000) / 30000;
}

/* A frame that is white and loud, or black and silent. */
static void ntsc_write(fc_writer_t *writer, uint64_t k)
{
	static int32_t samples[2 * 2000];
	const fc_frame_meta_t meta = {.pts_us = fc_pts_us(30000, 1001, k)};
	const int value = k % FLASH_EACH == 10 ? 1 : 0;
	uint32_t count = (uint32_t)(ntsc_samples(k + 1) - ntsc_samples(k));

	memset(fc_write_begin(writer), value, 32 * 16 * 2);
	memset(samples, value, sizeof samples);
	assert_int_equal(fc_write_audio(writer, samples, count), FC_OK);
	assert_int_equal(fc_write_commit(writer, &meta), FC_OK);
}

static void ntsc_pass(struct outlet *outlet, fc_slot_t *slot, uint32_t seed)
{
	static uint8_t both[2][32 * 16 * 2];
	fc_writer_t *writer = fc_writer_open("ntsc");
	uint64_t behind = 0;
	fc_frame_t *frame;
	bool any = false;

	assert_non_null(writer);
	for (uint64_t k = 0; k < TEN_MIN; k++) {
		ntsc_write(writer, k);
		seed = seed * 1664525 + 1013904223;
		/* Now and then it does not read for up to 150 frames, of which the ring has 63. */
		if (behind == 0 && seed >> 25 == 0)
			behind = seed >> 8 & 0xff;
		if (behind > 0 && k + 1 < TEN_MIN) {
			behind--;
			continue;
		}
		while (fc_copy_frame(slot, &frame, both[0], sizeof both[0], 0) == FC_OK) {
			assert_true(
				outlet_frame(outlet, slot, frame, both[0], any ? both[1] : NULL));
			memcpy(both[1], both[0], sizeof both[0]);
			any = true;
		}
	}
	fc_writer_close(writer);
}

static void flash_and_beep_stay_together_for_ten_minutes_of_losses(void **state)
{
	static struct moments flashes, beeps;
	pthread_t threads[2];
	struct outlet outlet;
	atomic_bool stop;
	fc_info_t info;
	fc_slot_t *slot;
	int video, sound;
	uint64_t lost;

	(void)state;
	assert_int_equal(fc_slot_create("ntsc", &ntsc, 0), 0);
	slot = fc_open("ntsc");
	assert_non_null(slot);
	fc_info(slot, &info);
	fc_seek(slot, FC_SEEK_OLDEST, 0);
	atomic_init(&stop, false);
	moments_begin(&flashes, 32 * 16 * 2, &threads[0], &video);
	moments_begin(&beeps, 8, &threads[1], &sound);
	assert_true(outlet_open(&outlet, &info, video, sound, true, &stop));
	ntsc_pass(&outlet, slot, 7);
	lost = fc_lost(slot);
	assert_in_range(lost, 1000, TEN_MIN / 2);
	assert_int_equal(outlet.repeated, lost);
	outlet_close(&outlet);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	assert_int_equal(flashes.units, TEN_MIN);
	assert_in_range(beeps.units, ntsc_samples(TEN_MIN) - RATE / 25,
			ntsc_samples(TEN_MIN) + RATE / 25);
	assert_int_equal(flashes.count, beeps.count);
	assert_in_range(flashes.count, 200, 600);
	for (size_t i = 0; i < flashes.count; i++) {
		int64_t off = (int64_t)beeps.at[i] - (int64_t)ntsc_samples(flashes.at[i]);

		assert_in_range(off + 1602, 0, 2 * 1602);
	}
	fc_close(slot);
	assert_int_equal(fc_slot_remove("ntsc", 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(repeats_end_when_all_is_to_end),
		cmocka_unit_test(silence_ends_when_all_is_to_end),
		cmocka_unit_test(silence_goes_with_the_repeats_and_does_not_pile_up),
		cmocka_unit_test(sound_that_nobody_reads_ends_the_process),
		cmocka_unit_test(flash_and_beep_stay_together_for_ten_minutes_of_losses),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
