/* account: the book of who is known: rows come and go, and who reads an old book may go on. */
#include "edge/account.h"

#include "expect.h"

/* Books change on the control thread, with no workers: a baton is home at once. */
static uv_loop_t loop;

static void turn(void)
{
	uv_run(&loop, UV_RUN_NOWAIT);
}

static struct account account_named(const char *name, enum rank rank)
{
	struct account account = {.rights.rank = rank};

	bytes_to_str(bytes_str(name), account.name, sizeof account.name);
	return account;
}

static struct session session_number(uint32_t n, const char *name)
{
	struct session session = {0};

	memcpy(session.id, &n, sizeof n);
	bytes_to_str(bytes_str(name), session.name, sizeof session.name);
	return session;
}

static int start(void **state)
{
	static const struct worker_hooks *const hooks[] = {NULL};

	(void)state;
	role_here = ROLE_CONTROL;
	enter_control();
	uv_loop_init(&loop);
	return workers_start(1, hooks, &loop);
}

static int stop(void **state)
{
	(void)state;
	enter_control();
	workers_stop();
	account_fini();
	turn();
	return uv_loop_close(&loop);
}

static void users_are_put_changed_and_dropped(void **state)
{
	struct account ann = account_named("ann", RANK_DJ), bob = account_named("bob", RANK_ADMIN);

	(void)state;
	enter_control();
	assert_null(account_find(account_book(), BYTES("ann")));
	assert_int_equal(account_put(ACCOUNT_USERS, &ann, 7), 0);
	assert_int_equal(account_put(ACCOUNT_USERS, &bob, 8), 0);
	assert_int_equal(account_find(account_book(), BYTES("ann"))->rights.rank, RANK_DJ);
	assert_int_equal(account_find(account_book(), BYTES("bob"))->rights.rank, RANK_ADMIN);
	assert_null(account_find(account_book(), BYTES("an")));
	assert_null(account_find(account_book(), BYTES("")));
	ann.rights.rank = RANK_OPERATOR;
	assert_int_equal(account_put(ACCOUNT_USERS, &ann, 9), 0);
	assert_int_equal(account_book()->account_count, 2);
	assert_int_equal(account_find(account_book(), BYTES("ann"))->rights.rank, RANK_OPERATOR);
	assert_int_equal(
		*account_seen(ACCOUNT_USERS, account_find(account_book(), BYTES("ann"))->place), 9);
	assert_true(account_drop(ACCOUNT_USERS, ann.name));
	assert_false(account_drop(ACCOUNT_USERS, ann.name));
	assert_null(account_find(account_book(), BYTES("ann")));
	assert_non_null(account_find(account_book(), BYTES("bob")));
	assert_true(account_drop(ACCOUNT_USERS, bob.name));
}

static void too_many_sessions_end_the_one_seen_least_lately(void **state)
{
	struct session session;

	(void)state;
	enter_control();
	for (uint32_t i = 1; i <= ACCOUNT_ROWS_MAX + 3; i++) {
		session = session_number(i, i % 2 ? "ann" : "bob");
		assert_int_equal(account_put(ACCOUNT_SESSIONS, &session, i == 1 ? 100000 : i), 0);
		turn();
	}
	assert_int_equal(account_book()->session_count, ACCOUNT_ROWS_MAX);
	session = session_number(1, "");
	assert_non_null(account_session(account_book(), session.id));
	for (uint32_t i = 2; i <= 4; i++) {
		session = session_number(i, "");
		assert_null(account_session(account_book(), session.id));
	}
	assert_true(account_drop_sessions("ann", false));
	for (uint32_t i = 0; i < account_book()->session_count; i++)
		assert_string_equal(account_book()->sessions[i].name, "bob");
	assert_in_range(account_book()->session_count, 500, 520);
	assert_true(account_drop_sessions("bob", false));
	assert_int_equal(account_book()->session_count, 0);
}

static void too_many_users_are_refused(void **state)
{
	struct account *all = calloc(ACCOUNT_USERS_MAX, sizeof *all), account;
	int64_t *seen = calloc(ACCOUNT_USERS_MAX, sizeof *seen);
	char name[16];

	(void)state;
	enter_control();
	assert_non_null(all);
	assert_non_null(seen);
	for (unsigned i = 0; i < ACCOUNT_USERS_MAX; i++) {
		snprintf(name, sizeof name, "user %u", i);
		all[i] = account_named(name, RANK_DJ);
		seen[i] = i;
	}
	assert_int_equal(account_put_users(all, seen, ACCOUNT_USERS_MAX), 0);
	assert_non_null(account_find(account_book(), BYTES("user 49999")));
	assert_int_equal(*account_seen(ACCOUNT_USERS,
				       account_find(account_book(), BYTES("user 4711"))->place),
			 4711);
	account = account_named("one more", RANK_DJ);
	assert_int_equal(account_put(ACCOUNT_USERS, &account, 0), -ENOSPC);
	assert_int_equal(account_put_users(all, seen, 1), -ENOSPC);
	assert_true(account_drop(ACCOUNT_USERS, all[77].name));
	turn();
	/* The place that is free is taken again. */
	assert_int_equal(account_put(ACCOUNT_USERS, &account, 5), 0);
	turn();
	assert_int_equal(account_find(account_book(), BYTES("one more"))->place, 77);
	account_fini();
	free(all);
	free(seen);
}

static void tokens_go_with_their_owner(void **state)
{
	struct token token = {.id = {1}, .owner = "ann"}, other = {.id = {2}, .owner = "bob"};
	struct token settings = {.id = {3}, .owner = "ann", .of_settings = true};

	(void)state;
	enter_control();
	assert_int_equal(account_put(ACCOUNT_TOKENS, &token, 0), 0);
	assert_int_equal(account_put(ACCOUNT_TOKENS, &other, 0), 0);
	assert_int_equal(account_put(ACCOUNT_TOKENS, &settings, 0), 0);
	assert_true(account_drop_sessions("ann", false));
	assert_non_null(account_token(account_book(), token.id));
	assert_true(account_drop_sessions("ann", true));
	assert_null(account_token(account_book(), token.id));
	assert_non_null(account_token(account_book(), other.id));
	assert_non_null(account_token(account_book(), settings.id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(users_are_put_changed_and_dropped),
		cmocka_unit_test(too_many_sessions_end_the_one_seen_least_lately),
		cmocka_unit_test(too_many_users_are_refused),
		cmocka_unit_test(tokens_go_with_their_owner),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
