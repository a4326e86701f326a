/* lockout: guesses are slowed down, and nothing that they do reaches who knows his password. Time is
 * an argument here, so hours pass at once. */
#include "edge/lockout.h"

#include "core/estate.h"
#include "edge/auth.h"
#include "expect.h"

/* A server that dies gives nothing back, and so does the test of what comes after it. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}

static const struct lockout_rules rules = {5, 50, 600000, 30000};

static mono_t at_s(int64_t s)
{
	return mono_add_ms((mono_t){0}, s * 1000);
}

static struct address address_of(const char *text)
{
	struct address address;

	assert_true(address_parse_ip(bytes_str(text), &address));
	return address;
}

static struct address address_number(uint32_t n)
{
	char text[32];

	snprintf(text, sizeof text, "10.%u.%u.%u", n >> 16 & 255, n >> 8 & 255, n & 255);
	return address_of(text);
}

static struct lockout_try try_of(const struct address *peer, const char *account,
				 const char *password)
{
	struct bytes parts[] = {bytes_str(password), BYTES("stored")};

	return lockout_try_of(LOCKOUT_PEOPLE, peer, bytes_str(account), parts, 2);
}

/* How many guesses until it is told to wait, at most count. */
static unsigned guess(const struct address *peer, const char *account, unsigned count, int64_t s)
{
	unsigned wait_s;

	for (unsigned i = 0; i < count; i++) {
		char password[32];
		struct lockout_try try;

		snprintf(password, sizeof password, "%s %u %lld", account, i, (long long)s);
		try = try_of(peer, account, password);
		if (lockout_ask(&rules, &try, at_s(s), &wait_s) == LOCKOUT_WAIT)
			return i;
		lockout_wrong(&rules, &try, at_s(s));
	}
	return count;
}

static int setup(void **state)
{
	(void)state;
	lockout_reset();
	return 0;
}

static void waits_double_and_end(void **state)
{
	struct address peer = address_of("192.0.2.1");
	int64_t now = 1000, wait = 30;
	unsigned wait_s;

	(void)state;
	assert_int_equal(guess(&peer, "admin", 10, now), 5);
	for (int i = 0; i < 10; i++) {
		char password[16];
		struct lockout_try try;

		snprintf(password, sizeof password, "again %d", i);
		try = try_of(&peer, "admin", password);
		assert_int_equal(lockout_ask(&rules, &try, at_s(now), &wait_s), LOCKOUT_WAIT);
		assert_int_equal(wait_s, wait);
		assert_int_equal(lockout_ask(&rules, &try, at_s(now + wait - 1), &wait_s),
				 LOCKOUT_WAIT);
		assert_int_equal(wait_s, 1);
		now += wait;
		assert_int_equal(lockout_ask(&rules, &try, at_s(now), &wait_s), LOCKOUT_GO);
		wait = wait * 2 > 30 * 128 ? 30 * 128 : wait * 2;
		assert_int_equal(lockout_wrong(&rules, &try, at_s(now)), wait * 1000);
	}
	/* All is forgotten at last. */
	now += wait + 600;
	assert_int_equal(guess(&peer, "admin", 10, now), 5);
}

static void who_was_right_at_the_same_address_goes_through(void **state)
{
	struct address nat = address_of("192.0.2.1"), other = address_of("192.0.2.2");
	struct lockout_try good = try_of(&nat, "/live", "right");
	struct lockout_try elsewhere = try_of(&other, "/live", "right");
	unsigned wait_s;

	(void)state;
	lockout_right(&good, at_s(1));
	assert_int_equal(guess(&nat, "/live", 100, 2), 5);
	assert_int_equal(lockout_ask(&rules, &good, at_s(3), &wait_s), LOCKOUT_GO);
	/* Weeks later too. */
	assert_int_equal(guess(&nat, "/live", 100, 3000000), 5);
	assert_int_equal(lockout_ask(&rules, &good, at_s(3000001), &wait_s), LOCKOUT_GO);
	/* Whoever is right for the first time at that address waits as all do. */
	lockout_right(&elsewhere, at_s(3000001));
	assert_int_equal(lockout_ask(&rules, &elsewhere, at_s(3000002), &wait_s), LOCKOUT_GO);
	good = try_of(&nat, "/other", "right");
	assert_int_equal(lockout_ask(&rules, &good, at_s(3000002), &wait_s), LOCKOUT_WAIT);
}

static void a_new_password_ends_what_was_right(void **state)
{
	struct address nat = address_of("192.0.2.1");
	struct bytes before[] = {BYTES("right"), BYTES("right")};
	struct bytes after[] = {BYTES("right"), BYTES("changed")};
	struct lockout_try old = lockout_try_of(LOCKOUT_PEOPLE, &nat, BYTES("/live"), before, 2);
	struct lockout_try now = lockout_try_of(LOCKOUT_PEOPLE, &nat, BYTES("/live"), after, 2);
	unsigned wait_s;

	(void)state;
	lockout_right(&old, at_s(1));
	guess(&nat, "/live", 100, 2);
	assert_int_equal(lockout_ask(&rules, &now, at_s(3), &wait_s), LOCKOUT_WAIT);
}

static void the_same_wrong_password_is_one_guess(void **state)
{
	struct address peer = address_of("192.0.2.1");
	struct lockout_try try = try_of(&peer, "/live", "old");
	unsigned wait_s;

	(void)state;
	assert_int_equal(lockout_ask(&rules, &try, at_s(1), &wait_s), LOCKOUT_GO);
	lockout_wrong(&rules, &try, at_s(1));
	for (int s = 2; s < 500; s++)
		assert_int_equal(lockout_ask(&rules, &try, at_s(s), &wait_s), LOCKOUT_WRONG);
	assert_int_equal(guess(&peer, "/live", 100, 500), 4);
}

static void one_customer_of_ipv6_is_one_address(void **state)
{
	struct address a = address_of("2001:db8:0:1::1"), b = address_of("2001:db8:0:1:ffff::2");
	struct address c = address_of("2001:db8:0:2::1");

	(void)state;
	assert_int_equal(guess(&a, "admin", 100, 1), 5);
	assert_int_equal(guess(&b, "admin", 100, 1), 0);
	assert_int_equal(guess(&c, "admin", 100, 1), 5);
}

static void ten_thousand_addresses_guess_at_one_account(void **state)
{
	struct address home = address_of("192.0.2.1"), new_home = address_of("192.0.2.2");
	struct lockout_try good = try_of(&home, "admin", "right");
	struct lockout_try fresh = try_of(&new_home, "admin", "right");
	unsigned wait_s, guesses = 0;

	(void)state;
	lockout_right(&good, at_s(1));
	for (uint32_t i = 0; i < 10000; i++) {
		struct address peer = address_number(i);
		guesses += guess(&peer, "admin", 5, 2 + i / 100);
	}
	/* 50 at once; afterwards one each time that the account's wait is over. */
	assert_in_range(guesses, 50, 53);
	assert_int_equal(lockout_ask(&rules, &good, at_s(103), &wait_s), LOCKOUT_GO);
	assert_int_equal(lockout_ask(&rules, &fresh, at_s(103), &wait_s), LOCKOUT_WAIT);
	/* It ends: the administrator on a journey waits, but not for ever. */
	assert_int_equal(lockout_ask(&rules, &fresh, at_s(103 + (int64_t)wait_s), &wait_s),
			 LOCKOUT_GO);
}

static void full_tables_forget_the_oldest_and_not_who_is_right(void **state)
{
	struct address home = address_of("192.0.2.1"), last;
	struct lockout_try good = try_of(&home, "/live", "right");
	unsigned wait_s;

	(void)state;
	lockout_right(&good, at_s(1));
	for (uint32_t i = 0; i < 5 * LOCKOUT_ADDRESSES; i++) {
		char account[16];

		last = address_number(i);
		snprintf(account, sizeof account, "user %u", i);
		/* Each new address and account has all its guesses, and the newest is remembered. */
		assert_int_equal(guess(&last, account, 100, 2 + i), 5);
	}
	assert_int_equal(guess(&last, "user", 100, 1 + 5 * LOCKOUT_ADDRESSES), 0);
	assert_in_range(lockout_waiting(at_s(1 + 5 * LOCKOUT_ADDRESSES)), 1, 40);
	assert_int_equal(lockout_ask(&rules, &good, at_s(2), &wait_s), LOCKOUT_GO);
}

static void an_administrator_forgives(void **state)
{
	struct address peer = address_of("192.0.2.1"), other = address_of("192.0.2.2");

	(void)state;
	guess(&peer, "admin", 10, 1);
	assert_int_equal(lockout_waiting(at_s(2)), 1);
	assert_false(lockout_forget(&other));
	assert_true(lockout_forget(&peer));
	assert_int_equal(lockout_waiting(at_s(2)), 0);
	assert_int_equal(guess(&peer, "admin", 10, 3), 5);
}

static void without_a_number_of_attempts_nobody_waits(void **state)
{
	struct lockout_rules off = {0, 50, 600000, 30000};
	struct address peer = address_of("192.0.2.1");
	struct lockout_try try = try_of(&peer, "admin", "wrong");
	unsigned wait_s;

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(lockout_ask(&off, &try, at_s(1), &wait_s), LOCKOUT_GO);
		assert_int_equal(lockout_wrong(&off, &try, at_s(1)), 0);
	}
}

static void kinds_of_credentials_do_not_know_of_each_other(void **state)
{
	struct address nat = address_of("192.0.2.1");
	struct bytes secret = BYTES("secret");
	struct lockout_try person =
		lockout_try_of(LOCKOUT_PEOPLE, &nat, BYTES("admin"), &secret, 1);
	struct lockout_try encoder =
		lockout_try_of(LOCKOUT_ENCODER, &nat, BYTES("admin"), &secret, 1);
	unsigned wait_s;

	(void)state;
	assert_int_equal(guess(&nat, "admin", 10, 0), 5);
	assert_int_equal(lockout_ask(&rules, &person, at_s(1), &wait_s), LOCKOUT_WAIT);
	assert_int_equal(lockout_ask(&rules, &encoder, at_s(1), &wait_s), LOCKOUT_GO);
	for (int i = 0; i < 5; i++)
		lockout_wrong(&rules, &encoder, at_s(1));
	assert_int_equal(lockout_waiting(at_s(2)), 2);
	assert_true(lockout_forget(&nat));
	assert_int_equal(lockout_waiting(at_s(2)), 0);
	assert_false(lockout_forget(&(struct address){0}));
}

static void the_next_server_knows_who_was_right(void **state)
{
	struct address peer = address_of("192.0.2.1");
	struct lockout_try good, other;
	unsigned wait_s;
	int left;

	(void)state;
	lockout_know();
	assert_int_equal(estate_create(), 0);
	lockout_start();
	good = try_of(&peer, "source", "hackme");
	lockout_right(&good, at_s(1));
	left = estate_fd();
	estate_forget();
	/* Another process: its own key, and no memory but what was left. */
	assert_true(auth_init());
	lockout_know();
	assert_int_equal(estate_adopt(left), 0);
	lockout_start();
	assert_int_equal(guess(&peer, "source", 10, 2), 5);
	good = try_of(&peer, "source", "hackme");
	other = try_of(&peer, "other", "hackme");
	assert_int_equal(lockout_ask(&rules, &good, at_s(3), &wait_s), LOCKOUT_GO);
	assert_int_equal(lockout_ask(&rules, &other, at_s(3), &wait_s), LOCKOUT_WAIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(kinds_of_credentials_do_not_know_of_each_other, setup),
		cmocka_unit_test_setup(waits_double_and_end, setup),
		cmocka_unit_test_setup(who_was_right_at_the_same_address_goes_through, setup),
		cmocka_unit_test_setup(a_new_password_ends_what_was_right, setup),
		cmocka_unit_test_setup(the_same_wrong_password_is_one_guess, setup),
		cmocka_unit_test_setup(one_customer_of_ipv6_is_one_address, setup),
		cmocka_unit_test_setup(ten_thousand_addresses_guess_at_one_account, setup),
		cmocka_unit_test_setup(full_tables_forget_the_oldest_and_not_who_is_right, setup),
		cmocka_unit_test_setup(an_administrator_forgives, setup),
		cmocka_unit_test_setup(the_next_server_knows_who_was_right, setup),
		cmocka_unit_test_setup(without_a_number_of_attempts_nobody_waits, setup),
	};

	if (!auth_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
