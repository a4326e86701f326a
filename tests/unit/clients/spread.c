#include "spread.h"

#include "guarded.h"

static void percentiles_are_right_to_a_bucket(void **state)
{
	static struct spread s;

	(void)state;
	assert_int_equal(spread_at(&s, .5), 0);
	for (int64_t v = 1; v <= 100000; v++)
		spread_add(&s, v);
	for (unsigned p = 1; p <= 99; p++) {
		int64_t got = spread_at(&s, p / 100.0), right = p * 1000;

		assert_true(got >= right && got <= right + right / 16 + 1);
	}
	assert_int_equal(spread_at(&s, 1), 100000);
	assert_int_equal(s.max, 100000);
}

static void small_values_are_exact_and_odd_ones_kept(void **state)
{
	static struct spread s;

	(void)state;
	for (int64_t v = 0; v < 32; v++)
		spread_add(&s, v);
	for (int64_t v = 0; v < 32; v++)
		assert_int_equal(spread_upto(&s, v), v + 1);
	spread_add(&s, -5);
	assert_int_equal(spread_upto(&s, 0), 2);
	spread_add(&s, INT64_MAX);
	assert_int_equal(spread_at(&s, 1), INT64_MAX);
	assert_int_equal(s.count, 34);
}

static void merging_is_adding(void **state)
{
	static struct spread a, b, all;

	(void)state;
	for (int64_t v = 0; v < 5000; v++) {
		spread_add(v % 3 ? &a : &b, v * 7);
		spread_add(&all, v * 7);
	}
	spread_merge(&a, &b);
	assert_memory_equal(&a, &all, sizeof(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(percentiles_are_right_to_a_bucket),
		cmocka_unit_test(small_values_are_exact_and_odd_ones_kept),
		cmocka_unit_test(merging_is_adding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
