/* The pipes into a feed's process: what ends when all is to end. */
#include <fcntl.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(repeats_end_when_all_is_to_end),
		cmocka_unit_test(silence_ends_when_all_is_to_end),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
