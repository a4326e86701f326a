/* mumble_crypt: one side's datagrams at the other, in order and not. */
#include "mumble_crypt.h"

#include "../../random.h"
#include "guarded.h"
#include "voice/proto/crypt_state.h"

#define LEN    40u
#define SECOND INT64_C(1000000)

struct ends {
	struct mumble_crypt client, server;
};

static mono_t now = {1};

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
	struct bytes got = mumble_crypt_open(&ends->server,
					     bytes_of(sealed, LEN + MUMBLE_CRYPT_HEAD), out, now);

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

/* As Mumble's clients do: five seconds after the last good one, and each five from then on. */
static void test_who_has_lost_too_many_asks_where_the_server_is(void **state)
{
	uint8_t sealed[LEN + MUMBLE_CRYPT_HEAD];
	struct ends ends;

	(void)state;
	start(&ends);
	seal(&ends, 1, sealed);
	assert_true(opens(&ends, sealed, 1));
	for (unsigned i = 0; i < 128; i++)
		seal(&ends, 1, sealed);
	for (int i = 0; i < 12 * 50; i++, now = mono_add_us(now, SECOND / 50)) {
		seal(&ends, 1, sealed);
		assert_false(opens(&ends, sealed, 1));
		assert_int_equal(mumble_crypt_asks(&ends.server, now), i == 251 || i == 502);
	}
	assert_int_equal(ends.server.stale + ends.server.repeated + ends.server.forged, 600);
	mumble_crypt_resync(&ends.server, bytes_of(ends.client.out, OCB2_BLOCK));
	seal(&ends, 2, sealed);
	assert_true(opens(&ends, sealed, 2));
	assert_false(mumble_crypt_asks(&ends.server, mono_add_us(now, 5 * SECOND)));
	stop(&ends);
}

/* --- what the server seals --------------------------------------------------------------------- */

static EVP_CIPHER_CTX *contexts[2];

static void run(int which, uint8_t *blocks, size_t count)
{
	int len;

	EVP_CipherUpdate(contexts[which], blocks, &len, blocks, (int)(count * OCB2_BLOCK));
}

static void run_decrypt(const void *key, uint8_t *blocks, size_t count)
{
	(void)key;
	run(0, blocks, count);
}

static void run_encrypt(const void *key, uint8_t *blocks, size_t count)
{
	(void)key;
	run(1, blocks, count);
}

static const struct block_cipher aes = {run_encrypt, run_decrypt};
static const struct crypt_key server_key = {&aes, NULL};

struct crossing {
	struct mumble_crypt client;
	struct crypt_in peer; /* the server's eyes, in the client's place */
	struct crypt_nonce base;
};

static void cross(struct crossing *crossing)
{
	static const uint8_t key[OCB2_BLOCK] = "0123456789abcdef", a[OCB2_BLOCK] = {3},
			     b[OCB2_BLOCK] = {0x90, 0xfe, 0xff, 0xff};

	*crossing = (struct crossing){.base = crypt_nonce_read(b)};
	assert_true(mumble_crypt_start(&crossing->client, bytes_of(key, 16), bytes_of(a, 16),
				       bytes_of(b, 16)));
	crypt_in_start(&crossing->peer, crossing->base);
	for (int i = 0; i < 2; i++) {
		contexts[i] = EVP_CIPHER_CTX_new();
		assert_int_equal(
			EVP_CipherInit_ex(contexts[i], EVP_aes_128_ecb(), NULL, key, NULL, i), 1);
		EVP_CIPHER_CTX_set_padding(contexts[i], 0);
	}
}

static void crossed(struct crossing *crossing)
{
	mumble_crypt_fini(&crossing->client);
	for (int i = 0; i < 2; i++)
		EVP_CIPHER_CTX_free(contexts[i]);
}

/* The server's n-th datagram at the client; both programs' eyes see the same in it. */
static bool comes(struct crossing *crossing, uint64_t n)
{
	uint8_t plain[LEN], sealed[LEN + CRYPT_HEAD], out[LEN + CRYPT_HEAD];
	struct bytes datagram = bytes_of(sealed, sizeof sealed), got;
	struct mumble_crypt *client = &crossing->client;
	enum crypt_status status;

	memset(plain, (int)(n % 100) + 1, sizeof plain);
	crypt_seal(server_key, crypt_nonce_add(crossing->base, n), bytes_of(plain, LEN), sealed);
	got = mumble_crypt_open(client, datagram, out, now);
	if (got.len)
		assert_memory_equal(out, plain, LEN);
	status = crypt_open(&crossing->peer, server_key, datagram, out);
	assert_int_equal(got.len, status == CRYPT_GOOD ? LEN : 0);
	assert_int_equal(client->good, crossing->peer.good);
	assert_int_equal(client->late, crossing->peer.late);
	assert_int_equal(client->lost, crossing->peer.lost);
	return got.len > 0;
}

/* A worker that is left out with datagrams in its hand, while another goes on: those that more than 29 of
 * the other's have overtaken are too late, as for Mumble's clients, and nothing else. */
static void test_what_a_worker_held_too_long_is_all_that_is_lost(void **state)
{
	(void)state;
	for (unsigned others = 1; others < 125; others++) {
		struct crossing crossing;
		unsigned held = 4, taken = 0;

		cross(&crossing);
		for (uint64_t n = 1; n <= 10; n++)
			assert_true(comes(&crossing, n));
		for (uint64_t n = 11 + held; n < 11 + held + others; n++)
			assert_true(comes(&crossing, n));
		for (uint64_t n = 11; n < 11 + held; n++)
			taken += comes(&crossing, n);
		assert_int_equal(taken, others <= 26 ? 4 : others >= 30 ? 0 : 30 - others);
		assert_int_equal(crossing.client.stale, held - taken);
		assert_int_equal(crossing.client.lost, held - taken);
		for (uint64_t n = 11 + held + others; n < 300; n++)
			assert_true(comes(&crossing, n));
		assert_int_equal(crossing.client.repeated + crossing.client.forged, 0);
		crossed(&crossing);
	}
}

/* Any order, loss and repetition, but for a jump by 128: the server takes that for ahead, the client does not. */
static void test_both_take_the_same_of_what_comes(void **state)
{
	struct random random = random_start("mumble_crypt");

	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		struct crossing crossing;
		uint64_t highest = 0;

		cross(&crossing);
		for (unsigned i = 0; i < 100; i++) {
			uint64_t n = random_percent(&random, 20)
					     ? highest + 127 - random_below(&random, 255)
					     : highest + random_below(&random, 5);

			if ((int64_t)n > 0 && comes(&crossing, n) && n > highest)
				highest = n;
		}
		assert_true(crossing.client.good > 0);
		crossed(&crossing);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_thousand_in_order),
		cmocka_unit_test(test_late_ones_are_taken_once_and_loss_is_counted),
		cmocka_unit_test(test_what_was_touched_is_not_opened),
		cmocka_unit_test(test_after_a_resync_the_next_one_is_taken),
		cmocka_unit_test(test_who_has_lost_too_many_asks_where_the_server_is),
		cmocka_unit_test(test_what_a_worker_held_too_long_is_all_that_is_lost),
		cmocka_unit_test(test_both_take_the_same_of_what_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
