#include "core/side_thread.h"
#include "guarded.h"

#include <sched.h>
#include <stdatomic.h>

#define MESSAGES 5000u

struct letter {
	struct message message;
	unsigned number;
};

static struct side_thread side;
static struct letter letters[MESSAGES];
static uint64_t at_most;
static atomic_uint threads, rounds, taken;
static bool in_order; /* the thread's while it runs */

static void take_all(void *unused)
{
	bool stop = false;

	(void)unused;
	atomic_fetch_add(&threads, 1);
	while (!stop) {
		struct message *list = side_thread_take(&side, at_most, &stop);

		atomic_fetch_add(&rounds, 1);
		for (; list; list = list->next) {
			in_order = in_order && container_of(list, struct letter, message)->number ==
						       atomic_load(&taken) % MESSAGES;
			atomic_fetch_add(&taken, 1);
		}
	}
}

static void begin(uint64_t sleep)
{
	at_most = sleep;
	in_order = true;
	atomic_store(&threads, 0);
	atomic_store(&rounds, 0);
	atomic_store(&taken, 0);
	assert_int_equal(side_thread_start(&side, take_all), 0);
}

static void give_all(void)
{
	for (unsigned i = 0; i < MESSAGES; i++) {
		letters[i].number = i;
		side_thread_give(&side, &letters[i].message);
	}
}

static int end(void **state)
{
	(void)state;
	side_thread_fini(&side);
	return side.runs || side.made;
}

/* However long it would sleep; the last of them a moment before it is stopped. */
static void what_is_given_comes_once_and_in_order(void **state)
{
	(void)state;
	begin(SIDE_THREAD_ANY);
	give_all();
	side_thread_stop(&side);
	assert_int_equal(taken, MESSAGES);
	assert_true(in_order);
}

static void a_wake_is_never_slept_through(void **state)
{
	(void)state;
	side_thread_wake(&side);
	begin(SIDE_THREAD_ANY);
	for (unsigned i = 0; i < 1000; i++) {
		unsigned before = atomic_load(&rounds);

		side_thread_wake(&side);
		while (atomic_load(&rounds) == before)
			sched_yield();
	}
	assert_int_equal(taken, 0);
}

static void a_round_comes_without_any(void **state)
{
	(void)state;
	begin(1000000);
	while (atomic_load(&rounds) < 5)
		sched_yield();
}

static void it_is_one_thread_and_may_begin_again(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		begin(1000000);
		assert_int_equal(side_thread_start(&side, take_all), 0);
		give_all();
		side_thread_stop(&side);
		side_thread_stop(&side);
		assert_int_equal(threads, 1);
		assert_int_equal(taken, MESSAGES);
		assert_true(in_order);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(what_is_given_comes_once_and_in_order, end),
		cmocka_unit_test_teardown(a_wake_is_never_slept_through, end),
		cmocka_unit_test_teardown(a_round_comes_without_any, end),
		cmocka_unit_test_teardown(it_is_one_thread_and_may_begin_again, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
