#include "sfu/proto/order.h"

#include "guarded.h"

#define WAIT 1000

static struct order order;

static void take(int64_t now, enum order_status expected, int64_t value)
{
	uint64_t place = 0;
	int64_t lost = 0;

	assert_int_equal(order_take(&order, now, WAIT, &place, &lost), expected);
	if (expected == ORDER_PLACE)
		assert_int_equal(place, value);
	if (expected == ORDER_LOST)
		assert_int_equal(lost, value);
}

static void test_what_overtook_is_put_back(void **state)
{
	(void)state;
	order_begin(&order, 10);
	take(0, ORDER_WAIT, 0);
	assert_true(order_came(&order, 10, 1, 0));
	assert_true(order_came(&order, 12, 2, 10));
	assert_true(order_came(&order, 11, 3, 20));
	assert_true(order_came(&order, 11, 4, 20)); /* a double */
	take(20, ORDER_PLACE, 1);
	take(20, ORDER_PLACE, 3);
	take(20, ORDER_PLACE, 2);
	take(20, ORDER_WAIT, 0);
	assert_true(order_came(&order, 11, 5, 30)); /* too late */
	take(2000, ORDER_WAIT, 0);
}

static void test_what_is_lost_is_waited_for_once(void **state)
{
	(void)state;
	order_begin(&order, 10);
	assert_true(order_came(&order, 13, 7, 100));
	assert_true(order_came(&order, 14, 8, 900));
	take(1099, ORDER_WAIT, 0);
	take(1100, ORDER_LOST, 3);
	take(1100, ORDER_PLACE, 7);
	take(1100, ORDER_PLACE, 8);
	/* What is asked for comes in time. */
	assert_true(order_came(&order, 16, 9, 2000));
	take(2500, ORDER_WAIT, 0);
	assert_true(order_came(&order, 15, 10, 2600));
	take(2600, ORDER_PLACE, 10);
	take(2600, ORDER_PLACE, 9);
}

static void test_there_is_room_for_so_many(void **state)
{
	(void)state;
	order_begin(&order, 1);
	for (int64_t n = 2; n <= ORDER_SLOTS; n++)
		assert_true(order_came(&order, n, (uint64_t)n, 0));
	assert_false(order_came(&order, ORDER_SLOTS + 1, 99, 0));
	take(1000, ORDER_LOST, 1);
	assert_true(order_came(&order, ORDER_SLOTS + 1, 99, 0));
	for (int64_t n = 2; n <= ORDER_SLOTS; n++)
		take(0, ORDER_PLACE, n);
	take(0, ORDER_PLACE, 99);
}

static void test_numbers_that_jump_come_out(void **state)
{
	(void)state;
	order_begin(&order, 1);
	assert_true(order_came(&order, 1, 1, 0));
	/* What is there is taken first; then nothing waits, and there is room again. */
	assert_false(order_came(&order, 9001, 2, 0));
	take(0, ORDER_PLACE, 1);
	assert_int_equal(order_first(&order), 0);
	assert_true(order_came(&order, 9001, 2, 0));
	assert_int_equal(order_first(&order), 2);
	take(0, ORDER_LOST, 9000 - ORDER_SLOTS);
	take(999, ORDER_WAIT, 0);
	assert_true(order_came(&order, 9000, 3, 999));
	take(1999, ORDER_LOST, ORDER_SLOTS - 2);
	take(1999, ORDER_PLACE, 3);
	take(1999, ORDER_PLACE, 2);
	take(1999, ORDER_WAIT, 0);
}

/* Wall time may be put back while somebody waits. */
static void test_a_clock_that_is_set_back_holds_nothing_up(void **state)
{
	(void)state;
	order_begin(&order, 1);
	assert_true(order_came(&order, 2, 7, 1000000));
	take(1000000 - WAIT + 1, ORDER_WAIT, 0);
	take(1000000 - WAIT, ORDER_LOST, 1);
	take(1000000 - WAIT, ORDER_PLACE, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_overtook_is_put_back),
		cmocka_unit_test(test_what_is_lost_is_waited_for_once),
		cmocka_unit_test(test_there_is_room_for_so_many),
		cmocka_unit_test(test_numbers_that_jump_come_out),
		cmocka_unit_test(test_a_clock_that_is_set_back_holds_nothing_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
