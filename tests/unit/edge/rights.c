/* rights: who may do what on which mount. */
#include "edge/rights.h"

#include "expect.h"

static struct rights rights_of(enum rank rank, const char *mounts)
{
	struct rights rights = {.rank = rank};

	bytes_to_str(bytes_str(mounts), rights.mounts, sizeof rights.mounts);
	return rights;
}

static void rights_hold_for_the_mounts_that_are_named(void **state)
{
	static const struct {
		enum rank rank;
		const char *mounts;
		enum rank need;
		const char *mount;
		bool allowed;
	} rows[] = {
		{RANK_DJ, "/live", RANK_DJ, "/live", true},
		{RANK_DJ, "/live", RANK_DJ, "/live2", false},
		{RANK_DJ, "/live", RANK_DJ, "/liv", false},
		{RANK_DJ, "/a /live", RANK_DJ, "/live", true},
		{RANK_DJ, "/events/*", RANK_DJ, "/events/7", true},
		{RANK_DJ, "/events/*", RANK_DJ, "/events", false},
		{RANK_DJ, "/*.mp3", RANK_DJ, "/a.mp3.mp3", true},
		{RANK_DJ, "/*a*b*", RANK_DJ, "/xaab", true},
		{RANK_DJ, "/*a*b*", RANK_DJ, "/xba", false},
		{RANK_DJ, "*", RANK_DJ, "/live", true},
		{RANK_DJ, "", RANK_DJ, "/live", false},
		{RANK_DJ, "/live", RANK_OPERATOR, "/live", false},
		{RANK_DJ, "/live", RANK_DJ, "", true},
		{RANK_OPERATOR, "", RANK_OPERATOR, "/live", true},
		{RANK_OPERATOR, "", RANK_OPERATOR, "", true},
		{RANK_OPERATOR, "/live", RANK_OPERATOR, "/live", true},
		{RANK_OPERATOR, "/live", RANK_OPERATOR, "/b", false},
		{RANK_OPERATOR, "/live", RANK_OPERATOR, "", false},
		{RANK_OPERATOR, "", RANK_ADMIN, "", false},
		{RANK_ADMIN, "", RANK_ADMIN, "", true},
		{RANK_NONE, "*", RANK_NONE, "", true},
		{RANK_NONE, "*", RANK_NONE, "/live", false},
		{RANK_NONE, "*", RANK_DJ, "/live", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct rights rights = rights_of(rows[i].rank, rows[i].mounts);

		if (rights_allow(&rights, rows[i].need, bytes_str(rows[i].mount)) !=
		    rows[i].allowed)
			fail_msg("row %zu", i);
	}
}

static void a_token_may_no_more_than_its_owner(void **state)
{
	static const struct {
		enum rank inner;
		const char *inner_mounts;
		enum rank outer;
		const char *outer_mounts;
		enum rank both;
		const char *mounts;
	} rows[] = {
		{RANK_ADMIN, "", RANK_DJ, "/a", RANK_DJ, "/a"},
		{RANK_DJ, "/a", RANK_ADMIN, "", RANK_DJ, "/a"},
		{RANK_DJ, "*", RANK_ADMIN, "", RANK_DJ, "*"},
		{RANK_ADMIN, "", RANK_ADMIN, "", RANK_ADMIN, "*"},
		{RANK_DJ, "/a /b", RANK_DJ, "/b /c", RANK_DJ, "/b"},
		{RANK_DJ, "/e/1 /b", RANK_DJ, "/e/*", RANK_DJ, "/e/1"},
		{RANK_DJ, "/b", RANK_DJ, "/c", RANK_NONE, ""},
		{RANK_ADMIN, "", RANK_NONE, "", RANK_NONE, ""},
		/* A token of somebody without mounts: as it is made, and as it is used. */
		{RANK_DJ, "*", RANK_DJ, "", RANK_DJ, ""},
		{RANK_DJ, "", RANK_DJ, "", RANK_DJ, ""},
		{RANK_DJ, "", RANK_ADMIN, "", RANK_DJ, ""},
		{RANK_DJ, "", RANK_NONE, "", RANK_NONE, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct rights inner = rights_of(rows[i].inner, rows[i].inner_mounts);
		struct rights outer = rights_of(rows[i].outer, rows[i].outer_mounts);
		struct rights both = rights_within(&inner, &outer);

		assert_int_equal(both.rank, rows[i].both);
		assert_string_equal(both.mounts, rows[i].mounts);
	}
}

static void lists_of_mounts_are_checked(void **state)
{
	char longest[RIGHTS_MOUNTS_SIZE + 1];

	(void)state;
	memset(longest, '/', sizeof longest);
	assert_true(rights_mounts_valid(BYTES("")));
	assert_true(rights_mounts_valid(BYTES("/a  /b/* *")));
	assert_false(rights_mounts_valid(BYTES("a")));
	assert_false(rights_mounts_valid(BYTES("/a b")));
	assert_false(rights_mounts_valid(BYTES("/a\n")));
	assert_true(rights_mounts_valid(bytes_of(longest, RIGHTS_MOUNTS_SIZE - 1)));
	assert_false(rights_mounts_valid(bytes_of(longest, RIGHTS_MOUNTS_SIZE)));
}

static void ranks_have_names(void **state)
{
	enum rank rank;

	(void)state;
	for (int i = RANK_NONE; i <= RANK_ADMIN; i++) {
		assert_true(rank_of_name(bytes_str(rank_name((enum rank)i)), &rank));
		assert_int_equal(rank, i);
	}
	assert_false(rank_of_name(BYTES("king"), &rank));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rights_hold_for_the_mounts_that_are_named),
		cmocka_unit_test(a_token_may_no_more_than_its_owner),
		cmocka_unit_test(lists_of_mounts_are_checked),
		cmocka_unit_test(ranks_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
