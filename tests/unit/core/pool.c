#include "core/pool.h"
#include "guarded.h"

#include "../../random.h"
#include "oom.h"

#ifdef RINGMAIN_ARENA_MALLOC
#	define KEPT(spare) 0u
#else
#	define KEPT(spare) (spare)
#endif

static void objects_are_zeroed_and_apart(void **state)
{
	struct random random = random_start("pool");
	struct pool pool;
	uint8_t *object[40] = {NULL};

	(void)state;
	pool_init(&pool, 24, 8);
	for (int round = 0; round < 5000; round++) {
		unsigned i = (unsigned)random_below(&random, 40);

		if (object[i]) {
			for (int j = 0; j < 24; j++)
				assert_int_equal(object[i][j], i + 1);
			pool_give(&pool, object[i]);
			object[i] = NULL;
		} else {
			object[i] = pool_take(&pool);
			for (int j = 0; j < 24; j++)
				assert_int_equal(object[i][j], 0);
			memset(object[i], (int)i + 1, 24);
		}
		assert_true(pool.unused <= KEPT(8));
	}
	for (int i = 0; i < 40; i++)
		pool_give(&pool, object[i]);
	assert_int_equal(pool.used, 0);
	assert_int_equal(pool.unused, KEPT(8));
	pool_fini(&pool);
}

static void given_back_is_used_again(void **state)
{
	struct pool pool;
	void *first;

	(void)state;
	pool_init(&pool, 1, 1); /* smaller than the link of the free list */
	first = pool_take(&pool);
	pool_give(&pool, first);
	assert_int_equal(pool.unused, KEPT(1));
	oom_arm(0);
	first = pool_take(&pool);
	assert_int_equal(oom_disarm(), KEPT(1) == 0); /* no malloc when one was kept */
	assert_int_equal(first != NULL, KEPT(1));
	pool_give(&pool, first);
	pool_give(&pool, NULL);
	pool_fini(&pool);
}

static void refused_memory_is_null_and_not_counted(void **state)
{
	struct pool pool;
	void *object;

	(void)state;
	pool_init(&pool, 100, 4);
	oom_arm(0);
	assert_null(pool_take(&pool));
	assert_true(oom_disarm());
	assert_int_equal(pool.used, 0);
	object = pool_take(&pool);
	assert_non_null(object);
	pool_give(&pool, object);
	pool_fini(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_zeroed_and_apart),
		cmocka_unit_test(given_back_is_used_again),
		cmocka_unit_test(refused_memory_is_null_and_not_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
