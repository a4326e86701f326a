#include "sfu/proto/pace.h"

#include "guarded.h"

#define RATE 8000000u /* a byte a microsecond */

/* Packets of 1,200 bytes as long as there is something left: how many bytes leave in so long. */
static int64_t leaves(struct pace *pace, int64_t from_us, int64_t us, int64_t turn_us)
{
	int64_t sum = 0;

	for (int64_t t = 0; t < us; t += turn_us) {
		mono_t now = {from_us + t};

		while (pace_left(pace, now, RATE) > 0) {
			pace_spend(pace, 1200);
			sum += 1200;
		}
	}
	return sum;
}

/* Whatever the turns are like, the rate holds, and no turn takes more than the depth and a packet. */
static void test_the_rate_holds(void **state)
{
	static const int64_t turns[] = {500, 1000, 2000, 7000, 10000};

	(void)state;
	for (size_t i = 0; i < sizeof turns / sizeof *turns; i++) {
		struct pace pace = {0};
		int64_t first = leaves(&pace, 1000000, 1, 1), sum;

		assert_true(first >= PACE_DEPTH_US && first < PACE_DEPTH_US + 1200);
		sum = first + leaves(&pace, 1000000 + turns[i], 1000000, turns[i]);
		assert_true(sum > 990000 && sum < 1000000 + PACE_DEPTH_US + 2 * 1200);
	}
}

static void test_a_pause_saves_no_more_than_the_depth(void **state)
{
	struct pace pace = {0};

	(void)state;
	(void)leaves(&pace, 1000000, 1, 1);
	assert_true(leaves(&pace, 90000000, 1, 1) < PACE_DEPTH_US + 1200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_rate_holds),
		cmocka_unit_test(test_a_pause_saves_no_more_than_the_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
