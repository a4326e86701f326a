#include "sfu/proto/missing.h"

#include "guarded.h"

static struct missing missing;
static uint16_t due[256];

static mono_t at_ms(int64_t ms)
{
	return mono_add_ms((mono_t){1000000}, ms);
}

static void test_a_gap_is_asked_for_until_it_comes(void **state)
{
	(void)state;
	missing = (struct missing){0};
	assert_int_equal(missing_came(&missing, 10, at_ms(0)), MISSING_NEW);
	assert_int_equal(missing_came(&missing, 13, at_ms(0)), MISSING_NEW);
	assert_int_equal(missing_due(&missing, at_ms(5), 0, due, 256), 0); /* patience */
	assert_int_equal(missing_due(&missing, at_ms(10), 0, due, 256), 2);
	assert_true(due[0] == 11 && due[1] == 12);
	assert_int_equal(missing_due(&missing, at_ms(20), 0, due, 256), 0); /* just asked */
	assert_int_equal(missing_came(&missing, 11, at_ms(25)), MISSING_NEW);
	assert_int_equal(missing_due(&missing, at_ms(40), 0, due, 256), 1);
	assert_int_equal(due[0], 12);
	assert_int_equal(missing_due(&missing, at_ms(70), 100000, due, 256), 0); /* a long way */
	assert_int_equal(missing_came(&missing, 12, at_ms(80)), MISSING_NEW);
	assert_int_equal(missing_due(&missing, at_ms(500), 0, due, 256), 0);
}

/* Everything takes 200 ms to come again: once that is known nobody is asked twice. */
static void test_a_long_way_is_learnt(void **state)
{
	unsigned asked = 0, first = 0;
	int64_t due_at[8] = {0};

	(void)state;
	missing = (struct missing){0};
	missing_came(&missing, 0, at_ms(0));
	for (int64_t ms = 0, n = 1; ms < 10000; ms += 20) {
		/* Every fifth is lost, ... */
		if (++n % 5)
			missing_came(&missing, n, at_ms(ms));
		for (unsigned i = 0; i < 8; i++) {
			/* ... and comes 200 ms after it was first asked for. */
			if (due_at[i] && ms >= due_at[i] / 100000 + 200) {
				missing_came(&missing, due_at[i] % 100000, at_ms(ms));
				due_at[i] = 0;
			}
		}
		for (unsigned i = missing_due(&missing, at_ms(ms), 0, due, 256); i > 0; i--) {
			unsigned at = due[i - 1] / 5 % 8;

			if (!due_at[at])
				due_at[at] = ms * 100000 + due[i - 1];
			asked++;
		}
		if (ms == 1000)
			first = asked;
	}
	assert_in_range(missing.answer_us, 180000, 260000);
	assert_in_range(first, 10, 40);
	assert_in_range(asked - first, 88, 110); /* of 90 */
	assert_int_equal(missing.given_up, 0);
}

static void test_doubles(void **state)
{
	(void)state;
	missing = (struct missing){0};
	for (int64_t i = 0; i < 3000; i++)
		assert_int_equal(missing_came(&missing, i, at_ms(i)), MISSING_NEW);
	assert_int_equal(missing_came(&missing, 2999, at_ms(3000)), MISSING_DOUBLE);
	assert_int_equal(missing_came(&missing, 2500, at_ms(3000)), MISSING_DOUBLE);
	assert_int_equal(missing_came(&missing, 1000, at_ms(3000)), MISSING_OLD);
	assert_int_equal(missing.doubles, 2);
}

static void test_nobody_is_asked_for_ever(void **state)
{
	unsigned asked = 0;

	(void)state;
	missing = (struct missing){0};
	missing_came(&missing, 1, at_ms(0));
	missing_came(&missing, 3, at_ms(0));
	for (int64_t ms = 0; ms < 10000; ms += 20)
		asked += missing_due(&missing, at_ms(ms), 0, due, 256);
	assert_true(asked > 3 && asked < 20);
	assert_int_equal(missing.given_up, 1);
}

static void test_a_flood_of_gaps_is_bounded(void **state)
{
	(void)state;
	missing = (struct missing){0};
	for (int64_t i = 0; i < 2000; i += 2)
		missing_came(&missing, i, at_ms(i / 100));
	assert_true(missing_due(&missing, at_ms(30), 0, due, 256) <= MISSING_MAX);
	assert_true(missing.given_up > 0);
}

static void test_a_jump_is_a_new_beginning(void **state)
{
	(void)state;
	missing = (struct missing){0};
	missing_came(&missing, 1, at_ms(0));
	assert_int_equal(missing_came(&missing, 20000, at_ms(0)), MISSING_NEW);
	assert_int_equal(missing_due(&missing, at_ms(100), 0, due, 256), 0);
	assert_int_equal(missing_came(&missing, 20001, at_ms(0)), MISSING_NEW);
}

/* What is sealed with a number twice is readable. */
static void test_no_number_is_new_twice(void **state)
{
	static bool came[70000];
	int64_t at = 40000;

	(void)state;
	missing = (struct missing){.taken = 39990};
	for (unsigned i = 0; i < 200000; i++) {
		/* Mostly on, at times far back or ahead. */
		int64_t number = at + (i % 7 == 3 ? -(int64_t)(i * 7919u % 45000u) : 1);

		if (i % 9001 == 9000)
			number = at + 4000;
		if (number < 0 || number >= 70000 ||
		    missing_came(&missing, number, at_ms(i)) != MISSING_NEW)
			continue;
		assert_false(came[number]);
		assert_true(number >= 39990);
		came[number] = true;
		at = number > at ? number : at;
	}
	assert_true(at > 60000);
}

static void test_reports(void **state)
{
	int32_t lost;

	(void)state;
	missing = (struct missing){0};
	for (int64_t i = 0; i < 100; i++)
		if (i % 4)
			missing_came(&missing, i, at_ms(i));
	assert_int_equal(missing_report(&missing, &lost), 24 * 256 / 99); /* from 1 on */
	assert_int_equal(lost, 24);
	for (int64_t i = 100; i < 200; i++)
		missing_came(&missing, i, at_ms(i));
	assert_int_equal(missing_report(&missing, &lost), 0);
	assert_int_equal(lost, 24);
}

static void test_jitter(void **state)
{
	(void)state;
	missing = (struct missing){0};
	for (int64_t i = 0; i < 200; i++)
		missing_jitter(&missing, i * 3000, 500 + i * 3000 + (i % 2 ? 900 : 0));
	assert_in_range(missing.jitter >> 4, 800, 900);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_gap_is_asked_for_until_it_comes),
		cmocka_unit_test(test_a_long_way_is_learnt),
		cmocka_unit_test(test_doubles),
		cmocka_unit_test(test_nobody_is_asked_for_ever),
		cmocka_unit_test(test_a_flood_of_gaps_is_bounded),
		cmocka_unit_test(test_a_jump_is_a_new_beginning),
		cmocka_unit_test(test_no_number_is_new_twice),
		cmocka_unit_test(test_reports),
		cmocka_unit_test(test_jitter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
