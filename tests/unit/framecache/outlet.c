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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(repeats_end_when_all_is_to_end),
		cmocka_unit_test(silence_ends_when_all_is_to_end),
		cmocka_unit_test(silence_goes_with_the_repeats_and_does_not_pile_up),
		cmocka_unit_test(sound_that_nobody_reads_ends_the_process),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
