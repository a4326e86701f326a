#include "guarded.h"

#include "core/clock.h"
#include "core/lookout.h"

static void moments_add_and_order(void **state)
{
	mono_t t = {1000};

	(void)state;
	assert_int_equal(mono_add_us(t, 5).us, 1005);
	assert_int_equal(mono_add_ms(t, 5).us, 6000);
	assert_int_equal(mono_since_us(mono_add_ms(t, 2), t), 2000);
	assert_true(mono_before(t, mono_add_us(t, 1)));
	assert_false(mono_before(t, t));
	assert_int_equal(mono_min(t, MONO_NEVER).us, 1000);
	assert_int_equal(mono_min(MONO_NEVER, t).us, 1000);
}

static void never_stays_never(void **state)
{
	(void)state;
	assert_int_equal(mono_add_us(MONO_NEVER, 1).us, INT64_MAX);
	assert_int_equal(mono_add_us((mono_t){INT64_MAX - 3}, 3).us, INT64_MAX);
	assert_int_equal(mono_add_ms((mono_t){1}, INT64_MAX / 1000).us,
			 INT64_MAX / 1000 * 1000 + 1);
}

static void a_moment_before_is_not_never(void **state)
{
	(void)state;
	assert_int_equal(mono_add_us((mono_t){1000}, -5).us, 995);
	assert_int_equal(mono_add_ms((mono_t){5000}, -5).us, 0);
	assert_int_equal(mono_add_ms((mono_t){5000}, INT64_MAX).us, INT64_MAX);
	assert_int_equal(mono_add_us((mono_t){INT64_MIN + 1}, -5).us, INT64_MIN);
}

static void a_look_that_comes_late_judges_nobody_once(void **state)
{
	struct lookout look = {0};
	mono_t t = {5000000};

	(void)state;
	assert_true(lookout_counts(&look, t, 250));
	assert_true(lookout_counts(&look, t = mono_add_ms(t, 750), 250));
	assert_false(lookout_counts(&look, t = mono_add_ms(t, 751), 250));
	assert_true(lookout_counts(&look, t = mono_add_ms(t, 0), 250));
	assert_true(lookout_counts(&look, t = mono_add_ms(t, 250), 250));
	/* Always late: every other one counts. */
	assert_false(lookout_counts(&look, t = mono_add_ms(t, 5000), 250));
	assert_true(lookout_counts(&look, t = mono_add_ms(t, 5000), 250));
	assert_false(lookout_counts(&look, t = mono_add_ms(t, 5000), 250));
}

static void the_clock_does_not_go_back(void **state)
{
	mono_t before = mono_now();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		mono_t now = mono_now();

		assert_false(mono_before(now, before));
		before = now;
	}
	assert_true(wall_now_us() > 1600000000000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moments_add_and_order),
		cmocka_unit_test(never_stays_never),
		cmocka_unit_test(a_moment_before_is_not_never),
		cmocka_unit_test(a_look_that_comes_late_judges_nobody_once),
		cmocka_unit_test(the_clock_does_not_go_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
