#include "irc/irc_index.h"

#include <stdio.h>
#include <stdlib.h>

#include "guarded.h"

#define COUNT 2000

struct thing {
	struct irc_named named;
	char name[16];
	bool in;
};

static struct thing things[COUNT];

static void check(const struct irc_index *index, enum irc_casemap map)
{
	uint32_t at = 0, count = 0;

	for (int i = 0; i < COUNT; i++) {
		struct irc_named *found = irc_index_find(index, map, bytes_str(things[i].name));

		assert_ptr_equal(found, things[i].in ? &things[i].named : NULL);
	}
	while (irc_index_next(index, &at))
		count++;
	assert_int_equal(count, index->used);
}

static void test_put_drop_rehash(void **state)
{
	struct irc_index index = {0};

	(void)state;
	srand(1);
	for (int i = 0; i < COUNT; i++) {
		snprintf(things[i].name, sizeof things[i].name, "nick[%d]", i);
		things[i].named.name = things[i].name;
	}
	for (int round = 0; round < 8; round++) {
		for (int i = 0; i < COUNT; i++) {
			if (rand() % 2)
				continue;
			if (things[i].in)
				irc_index_drop(&index, &things[i].named);
			else
				assert_true(irc_index_put(&index, IRC_RFC1459, &things[i].named));
			things[i].in = !things[i].in;
		}
		check(&index, IRC_RFC1459);
	}
	if (!things[5].in) {
		assert_true(irc_index_put(&index, IRC_RFC1459, &things[5].named));
		things[5].in = true;
	}
	assert_non_null(irc_index_find(&index, IRC_RFC1459, BYTES("NICK{5}")));
	irc_index_rehash(&index, IRC_ASCII);
	check(&index, IRC_ASCII);
	assert_null(irc_index_find(&index, IRC_ASCII, BYTES("NICK{5}")));
	assert_non_null(irc_index_find(&index, IRC_ASCII, BYTES("NICK[5]")));
	irc_index_fini(&index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_put_drop_rehash)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
