#include "core/arena.h"
#include "guarded.h"

#include "../../random.h"
#include "oom.h"

static bool all_zero(const uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (at[i])
			return false;
	return true;
}

/* Pieces are zeroed, aligned, and none lies in another: each is filled and looked at again. */
static void pieces_are_apart(void **state)
{
	struct random random = random_start("arena");

	(void)state;
	for (int round = 0; round < 50; round++) {
		struct {
			uint8_t *at;
			size_t len;
		} piece[100];
		struct arena arena;

		arena_init(&arena, 1 << 20);
		for (unsigned i = 0; i < 100; i++) {
			piece[i].len = random_percent(&random, 10) ? random_below(&random, 6000)
								   : random_below(&random, 100);
			piece[i].at = arena_take(&arena, piece[i].len);
			assert_non_null(piece[i].at);
			assert_int_equal((uintptr_t)piece[i].at % _Alignof(max_align_t), 0);
			assert_true(all_zero(piece[i].at, piece[i].len));
			memset(piece[i].at, (int)i + 1, piece[i].len);
		}
		for (unsigned i = 0; i < 100; i++)
			for (size_t j = 0; j < piece[i].len; j++)
				assert_int_equal(piece[i].at[j], i + 1);
		arena_fini(&arena);
	}
}

static void the_limit_holds(void **state)
{
	struct arena arena;
	size_t got = 0;

	(void)state;
	arena_init(&arena, 4096);
	assert_null(arena_take(&arena, 4097));
	while (arena_take(&arena, 16))
		got += 16;
	assert_int_equal(got, 4096);
	assert_null(arena_take(&arena, 1));
	arena_fini(&arena);
	assert_non_null(arena_take(&arena, 4096));
	arena_fini(&arena);
	arena_init(&arena, 0);
	assert_null(arena_take(&arena, 1));
	arena_fini(&arena);
}

/* The block's own head came on top and wrapped: a few bytes were given out as all there are. */
static void more_than_can_be_is_null_without_a_limit(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, SIZE_MAX);
	for (size_t i = 0; i < 16; i++)
		assert_null(arena_take(&arena, SIZE_MAX - i));
	assert_int_equal(arena.taken, 0);
	arena_fini(&arena);
}

static void refused_memory_is_null_and_nothing_is_lost(void **state)
{
	bool hit = true;

	(void)state;
	for (unsigned n = 0; hit; n++) {
		struct arena arena;
		unsigned got = 0;

		arena_init(&arena, 1 << 20);
		oom_arm(n);
		for (int i = 0; i < 20; i++)
			got += arena_take(&arena, 1000) != NULL;
		hit = oom_disarm();
		assert_int_equal(got, hit ? 19 : 20);
		assert_non_null(arena_take(&arena, 1000));
		arena_fini(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_apart),
		cmocka_unit_test(the_limit_holds),
		cmocka_unit_test(more_than_can_be_is_null_without_a_limit),
		cmocka_unit_test(refused_memory_is_null_and_nothing_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
