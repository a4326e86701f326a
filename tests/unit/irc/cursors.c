#include "irc/irc_cursors.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/role.h"
#include "guarded.h"

#define COUNT 10000u /* more than a worker would keep in mind */

static uint32_t taken[COUNT];

static uint32_t take_all(uint64_t buffer)
{
	uint32_t highest = 0;

	enter_worker();
	for (uint32_t i = 0; i < COUNT; i++) {
		taken[i] = irc_cursor_take(buffer, i + 1, 7);
		assert_int_not_equal(taken[i], IRC_NO_ROW);
		if (taken[i] > highest)
			highest = taken[i];
	}
	return highest;
}

static void count_row(void *context, uint32_t row, uint64_t buffer, uint64_t device, uint64_t seq)
{
	uint32_t *count = context;

	assert_true(row && buffer == 2 && device >= 1 && device <= COUNT);
	assert_int_equal(seq, 7);
	++*count;
}

/* However often they are given back, and whoever does it: no more of them are ever in use. */
static void test_rows_are_used_again(void **state)
{
	char directory[] = "/tmp/irc-cursors-XXXXXX", file[64];
	uint32_t count = 0;

	(void)state;
	role_here = ROLE_WORKER;
	assert_non_null(mkdtemp(directory));
	snprintf(file, sizeof file, "%s/irc-cursors", directory);
	assert_int_equal(irc_cursors_open(directory), 0);
	assert_int_equal(take_all(1), COUNT);
	for (uint32_t i = 0; i < COUNT; i++)
		irc_cursor_give(taken[i]);
	assert_int_equal(take_all(1), COUNT);
	for (uint32_t i = 0; i < COUNT; i++)
		irc_cursor_give(taken[i]);
	irc_cursors_close();
	/* By the next server too. */
	assert_int_equal(irc_cursors_open(directory), 0);
	irc_cursors_reclaim();
	assert_int_equal(take_all(2), COUNT);
	irc_cursors_each(count_row, &count);
	assert_int_equal(count, COUNT);
	irc_cursors_close();
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows_are_used_again)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
