/* mumble_crypt: one side's datagrams at the other, in order and not. */
#include "mumble_crypt.h"

#include "guarded.h"

#define LEN 40u

struct ends {
	struct mumble_crypt client, server;
};

static void start(struct ends *ends)
{
	static const uint8_t key[OCB2_BLOCK] = "0123456789abcdef",
			     a[OCB2_BLOCK] = {0xf0, 0xff, 0xff}, b[OCB2_BLOCK] = {7};

	*ends = (struct ends){0};
	assert_true(mumble_crypt_start(&ends->client, bytes_of(key, 16), bytes_of(a, 16),
				       bytes_of(b, 16)));
	assert_true(mumble_crypt_start(&ends->server, bytes_of(key, 16), bytes_of(b, 16),
				       bytes_of(a, 16)));
}

static void stop(struct ends *ends)
{
	mumble_crypt_fini(&ends->client);
	mumble_crypt_fini(&ends->server);
}

static void seal(struct ends *ends, uint8_t fill, uint8_t out[LEN + MUMBLE_CRYPT_HEAD])
{
	uint8_t plain[LEN];

	/* Not zeroes: of those OCB2 turns a bit, see ocb2.h. */
	memset(plain, fill ^ 0x55, sizeof plain);
	mumble_crypt_seal(&ends->client, bytes_of(plain, sizeof plain), out);
}

static bool opens(struct ends *ends, const uint8_t *sealed, uint8_t fill)
{
	uint8_t out[LEN + MUMBLE_CRYPT_HEAD];
	struct bytes got =
		mumble_crypt_open(&ends->server, bytes_of(sealed, LEN + MUMBLE_CRYPT_HEAD), out);

	for (size_t i = 0; i < got.len; i++)
		assert_int_equal(got.at[i], fill ^ 0x55);
	assert_true(got.len == 0 || got.len == LEN);
	return got.len == LEN;
}

static void test_a_thousand_in_order(void **state)
{
	struct ends ends;

	(void)state;
	start(&ends);
	for (unsigned i = 0; i < 1000; i++) {
		uint8_t sealed[LEN + MUMBLE_CRYPT_HEAD];

		uint8_t fill = (uint8_t)(i % 0x55);

		seal(&ends, fill, sealed);
		assert_true(opens(&ends, sealed, fill));
		assert_false(opens(&ends, sealed, fill));
	}
	assert_int_equal(ends.server.good, 1000);
	assert_int_equal(ends.server.lost, 0);
	stop(&ends);
}

static void test_late_ones_are_taken_once_and_loss_is_counted(void **state)
{
	uint8_t sealed[40][LEN + MUMBLE_CRYPT_HEAD];
	struct ends ends;

	(void)state;
	start(&ends);
	for (uint8_t i = 0; i < 40; i++)
		seal(&ends, i, sealed[i]);
	assert_true(opens(&ends, sealed[0], 0));
	assert_true(opens(&ends, sealed[20], 20));
	assert_int_equal(ends.server.lost, 19);
	assert_true(opens(&ends, sealed[5], 5));
	assert_false(opens(&ends, sealed[5], 5));
	assert_int_equal(ends.server.lost, 18);
	assert_int_equal(ends.server.late, 1);
	assert_true(opens(&ends, sealed[39], 39));
	/* 33 behind the last. */
	assert_false(opens(&ends, sealed[6], 6));
	assert_true(opens(&ends, sealed[10], 10));
	stop(&ends);
}

static void test_what_was_touched_is_not_opened(void **state)
{
	uint8_t sealed[LEN + MUMBLE_CRYPT_HEAD];
	struct ends ends;

	(void)state;
	start(&ends);
	seal(&ends, 9, sealed);
	for (size_t i = 0; i < sizeof sealed; i++) {
		sealed[i] ^= 0x40;
		assert_false(opens(&ends, sealed, 9));
		sealed[i] ^= 0x40;
	}
	assert_true(opens(&ends, sealed, 9));
	stop(&ends);
}

static void test_after_a_resync_the_next_one_is_taken(void **state)
{
	uint8_t sealed[LEN + MUMBLE_CRYPT_HEAD];
	struct ends ends;

	(void)state;
	start(&ends);
	for (unsigned i = 0; i < 200; i++)
		seal(&ends, 1, sealed);
	/* 200 ahead looks like 56 behind. */
	assert_false(opens(&ends, sealed, 1));
	mumble_crypt_resync(&ends.server, bytes_of(ends.client.out, OCB2_BLOCK));
	seal(&ends, 2, sealed);
	assert_true(opens(&ends, sealed, 2));
	stop(&ends);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_thousand_in_order),
		cmocka_unit_test(test_late_ones_are_taken_once_and_loss_is_counted),
		cmocka_unit_test(test_what_was_touched_is_not_opened),
		cmocka_unit_test(test_after_a_resync_the_next_one_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
