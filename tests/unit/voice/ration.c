/* What strangers may cost: bounded, and not nothing, however long the machine has been up. */
#include "guarded.h"
#include "voice/voice_ration.h"

#define YEAR_US (INT64_C(365) * 86400 * 1000000)

static unsigned take_all(struct ration *ration, mono_t now)
{
	unsigned taken = 0;

	while (ration_take(ration, 100000, 20000, now))
		taken++;
	return taken;
}

static void it_is_full_at_first_and_fills_again(void **state)
{
	(void)state;
	for (int64_t years = 0; years <= 300; years++) {
		struct ration ration = {0};
		mono_t now = {YEAR_US * years + 1000000};

		assert_int_equal(take_all(&ration, now), 20000);
		now = mono_add_us(now, 15);
		assert_int_equal(take_all(&ration, now), 1);
		now = mono_add_us(now, 100000);
		assert_int_equal(take_all(&ration, now), 10000);
		now = mono_add_us(now, YEAR_US * 5);
		assert_int_equal(take_all(&ration, now), 20000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(it_is_full_at_first_and_fills_again)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
