/* Which frame a picture becomes, and which samples lie before it. */
#include "guarded.h"

#include "timeline.h"

static void times_in_whole_milliseconds_are_frames_without_a_hole(void **state)
{
	struct timeline line = {.fps_num = 60000, .fps_den = 1001};
	uint64_t missing;

	(void)state;
	assert_int_equal(timeline_place(&line, 5000000, &missing), TIMELINE_JUMP);
	timeline_begin(&line, 5000000);
	for (int64_t n = 0; n < 100000; n++) {
		int64_t ms = (n * 1001000 + 30000) / 60000;

		assert_int_equal(timeline_place(&line, 5000000 + ms * 1000, &missing),
				 TIMELINE_FRAME);
		assert_int_equal(missing, 0);
		line.next++;
	}
}

static void holes_doubles_and_leaps_are_told_apart(void **state)
{
	struct timeline line = {.fps_num = 25, .fps_den = 1};
	uint64_t missing;

	(void)state;
	timeline_begin(&line, 0);
	line.next = 10;
	assert_int_equal(timeline_place(&line, 400000, &missing), TIMELINE_FRAME);
	assert_int_equal(missing, 0);
	assert_int_equal(timeline_place(&line, 520000, &missing), TIMELINE_FRAME);
	assert_int_equal(missing, 3);
	assert_int_equal(timeline_place(&line, 360000, &missing), TIMELINE_DROP);
	assert_int_equal(timeline_place(&line, 1400000, &missing), TIMELINE_FRAME);
	assert_int_equal(missing, 25);
	assert_int_equal(timeline_place(&line, 1440000, &missing), TIMELINE_JUMP);
	assert_int_equal(timeline_place(&line, -640000, &missing), TIMELINE_JUMP);
	assert_int_equal(timeline_place(&line, INT64_MAX / 2, &missing), TIMELINE_JUMP);
}

static void samples_are_cut_by_the_same_ruler(void **state)
{
	const struct timeline line = {.fps_num = 30000, .fps_den = 1001, .origin_us = 1000000};
	int64_t sum = 0;

	(void)state;
	for (int64_t n = 0; n < 30000; n++) {
		int64_t count =
			timeline_samples(&line, n + 1, 48000) - timeline_samples(&line, n, 48000);

		assert_in_range(count, 1601, 1602);
		sum += count;
	}
	assert_int_equal(sum, 1001 * 48000);
	assert_int_equal(timeline_sample_at(&line, 1000000, 48000), 0);
	assert_int_equal(timeline_sample_at(&line, 500000, 48000), -24000);
	assert_int_equal(timeline_sample_at(&line, 2000010, 48000), 48000);
	assert_int_equal(timeline_sample_at(&line, 2000011, 48000), 48001);
}

/* The undefined-behaviour sanitizer judges the sums. */
static void times_at_the_end_of_the_world_are_leaps(void **state)
{
	static const int64_t times[] = {INT64_MIN, -((int64_t)1 << 60), (int64_t)1 << 60,
					INT64_MAX};
	struct timeline line = {.fps_num = 1000000, .fps_den = 1};
	uint64_t missing;

	(void)state;
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		timeline_begin(&line, times[i]);
		assert_int_equal(timeline_place(&line, times[i], &missing), TIMELINE_FRAME);
		assert_int_equal(timeline_sample_at(&line, times[i], 192000), 0);
		for (size_t j = 0; j < sizeof times / sizeof *times; j++)
			if (i != j) {
				int64_t at = timeline_sample_at(&line, times[j], 192000);

				assert_int_equal(timeline_place(&line, times[j], &missing),
						 TIMELINE_JUMP);
				assert_int_equal(at > 0, times[j] > times[i]);
			}
	}
}

static void rates_that_are_meant_are_found(void **state)
{
	static const uint32_t cases[][4] = {
		{2997, 100, 30000, 1001}, {5994, 100, 60000, 1001},      {59940, 1001, 59940, 1001},
		{30, 1, 30, 1},           {24000, 1001, 24000, 1001},    {23976, 1000, 24000, 1001},
		{15, 1, 15, 1},           {1000000, 16683, 60000, 1001}, {2999, 100, 2999, 100},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint32_t num = cases[i][0], den = cases[i][1];

		timeline_rate_tidy(&num, &den);
		assert_int_equal(num, cases[i][2]);
		assert_int_equal(den, cases[i][3]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_in_whole_milliseconds_are_frames_without_a_hole),
		cmocka_unit_test(holes_doubles_and_leaps_are_told_apart),
		cmocka_unit_test(samples_are_cut_by_the_same_ruler),
		cmocka_unit_test(times_at_the_end_of_the_world_are_leaps),
		cmocka_unit_test(rates_that_are_meant_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
