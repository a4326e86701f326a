#include "voice/proto/crypt_state.h"

#include "core/check.h"
#include "voice.h"
#include "voice/voice_cipher.h"

static struct voice_key key;
static struct crypt_nonce base;
static struct crypt_in in;

static void begin(uint64_t low, uint64_t high)
{
	static const uint8_t raw[16] = "sixteen bytes ok";

	voice_key_init(&key, raw);
	base = (struct crypt_nonce){low, high};
	memset(&in, 0, sizeof in);
	crypt_in_start(&in, base);
}

/* What the n-th datagram of the peer comes to. */
static enum crypt_status take(uint64_t n)
{
	uint8_t datagram[CRYPT_MAX], out[CRYPT_MAX], text[3] = {(uint8_t)n, (uint8_t)(n >> 8), 7};
	size_t len = crypt_seal(voice_crypt(&key), crypt_nonce_add(base, n), bytes_of(text, 3),
				datagram);
	struct bytes held = guarded(bytes_of(datagram, len));
	enum crypt_status status = crypt_open(&in, voice_crypt(&key), held, out);

	assert_int_equal(len, 7);
	if (status == CRYPT_GOOD)
		assert_memory_equal(out, text, 3);
	guarded_free(held);
	return status;
}

#define assert_counts(g, la, lo)               \
	do {                                   \
		assert_int_equal(in.good, g);  \
		assert_int_equal(in.late, la); \
		assert_int_equal(in.lost, lo); \
	} while (0)

static void in_order_over_every_carry(void **state)
{
	static const struct crypt_nonce starts[] = {{0, 0},
						    {250, 0},
						    {UINT64_MAX - 100, 0},
						    {UINT64_MAX - 100, UINT64_MAX},
						    {65530, 9}};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(starts); i++) {
		begin(starts[i].low, starts[i].high);
		for (uint64_t n = 1; n <= 1000; n++)
			assert_int_equal(take(n), CRYPT_GOOD);
		assert_counts(1000, 0, 0);
	}
}

static void each_is_taken_once(void **state)
{
	(void)state;
	begin(0xf0, 0);
	assert_int_equal(take(1), CRYPT_GOOD);
	assert_int_equal(take(1), CRYPT_REPLAYED);
	assert_int_equal(take(5), CRYPT_GOOD);
	assert_counts(2, 0, 3);
	assert_int_equal(take(1), CRYPT_REPLAYED);
	assert_int_equal(take(3), CRYPT_GOOD);
	assert_int_equal(take(3), CRYPT_REPLAYED);
	assert_counts(3, 1, 2);
	assert_int_equal(take(2), CRYPT_GOOD);
	assert_int_equal(take(4), CRYPT_GOOD);
	assert_counts(5, 3, 0);
	for (uint64_t n = 1; n <= 5; n++)
		assert_int_equal(take(n), CRYPT_REPLAYED);
	/* What had the last nonce before there was any is of somebody else's session. */
	assert_int_equal(take(0), CRYPT_REPLAYED);
}

static void late_ones_have_a_window(void **state)
{
	(void)state;
	begin(1000, 0);
	assert_int_equal(take(100), CRYPT_GOOD);
	assert_int_equal(take(100 - CRYPT_LATE_MAX), CRYPT_GOOD);
	assert_int_equal(take(100 - CRYPT_LATE_MAX - 1), CRYPT_STALE);
	assert_counts(2, 1, 98);
	/* From there on back the byte means the future, where its tag does not fit. */
	assert_int_equal(take(1), CRYPT_STALE);
	begin(1000, 0);
	assert_int_equal(take(200), CRYPT_STALE);
	assert_int_equal(take(128), CRYPT_GOOD);
	assert_int_equal(take(128 + 129), CRYPT_STALE);
	assert_int_equal(take(128 + 100), CRYPT_GOOD);
	assert_counts(2, 0, 127 + 99);
}

/* More lost than a byte can say: nothing fits any more, until the nonce is told anew. */
static void a_peer_that_is_lost_comes_back_with_its_nonce(void **state)
{
	(void)state;
	begin(7, 7);
	assert_int_equal(take(1), CRYPT_GOOD);
	assert_int_equal(take(1 + 256 + 3), CRYPT_FORGED);
	assert_int_equal(take(1 + 512 + 100), CRYPT_FORGED);
	assert_counts(1, 0, 0);
	crypt_in_start(&in, crypt_nonce_add(base, 614));
	assert_int_equal(take(614), CRYPT_REPLAYED);
	assert_int_equal(take(615), CRYPT_GOOD);
	assert_counts(2, 0, 0);
}

static void what_is_wrong_changes_nothing(void **state)
{
	uint8_t datagram[CRYPT_MAX + 1] = {0}, out[CRYPT_MAX + 1],
				     text[20] = "twenty bytes of text";
	struct crypt_in before;
	size_t len;

	(void)state;
	begin(40, 1);
	assert_int_equal(take(1), CRYPT_GOOD);
	before = in;
	for (size_t n = 0; n < CRYPT_HEAD; n++)
		assert_int_equal(crypt_open(&in, voice_crypt(&key), bytes_of(datagram, n), out),
				 CRYPT_BAD_SIZE);
	assert_int_equal(crypt_open(&in, voice_crypt(&key), bytes_of(datagram, sizeof datagram),
				    out),
			 CRYPT_BAD_SIZE);
	len = crypt_seal(voice_crypt(&key), crypt_nonce_add(base, 2), bytes_of(text, 20), datagram);
	/* Any bit of it but those that say which one it is. */
	for (size_t bit = 8; bit < len * 8; bit++) {
		datagram[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(crypt_open(&in, voice_crypt(&key), bytes_of(datagram, len), out),
				 CRYPT_FORGED);
		datagram[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t n = CRYPT_HEAD; n < len; n++)
		assert_int_equal(crypt_open(&in, voice_crypt(&key), bytes_of(datagram, n), out),
				 CRYPT_FORGED);
	assert_memory_equal(&in, &before, sizeof in);
	assert_int_equal(crypt_open(&in, voice_crypt(&key), bytes_of(datagram, len), out),
			 CRYPT_GOOD);
}

static void guesses_are_as_opening(void **state)
{
	(void)state;
	begin(0x1fa, 0);
	assert_int_equal(take(1), CRYPT_GOOD);
	assert_false(crypt_may_be(&in, 0xfb, 128));
	assert_true(crypt_may_be(&in, 0xfc, 1));
	assert_false(crypt_may_be(&in, 0xfd, 1));
	assert_true(crypt_may_be(&in, 0x7b, 128));
	assert_false(crypt_may_be(&in, 0x7b, 127));
	assert_true(crypt_may_be(&in, 0xf9, 2));
	assert_false(crypt_may_be(&in, 0xf9, 1));
	assert_false(crypt_may_be(&in, 0xfb - CRYPT_LATE_MAX - 1, 128));
}

static void nonces_are_written_as_they_are_read(void **state)
{
	static const uint8_t at[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
	uint8_t back[16];

	(void)state;
	assert_true(crypt_nonce_read(at).low == 0x0807060504030201);
	assert_true(crypt_nonce_read(at).high == 0x100f0e0d0c0b0a09);
	crypt_nonce_write(crypt_nonce_read(at), back);
	assert_memory_equal(at, back, 16);
	assert_true(crypt_nonce_add((struct crypt_nonce){UINT64_MAX, 4}, 1).high == 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order_over_every_carry),
		cmocka_unit_test(each_is_taken_once),
		cmocka_unit_test(late_ones_have_a_window),
		cmocka_unit_test(a_peer_that_is_lost_comes_back_with_its_nonce),
		cmocka_unit_test(what_is_wrong_changes_nothing),
		cmocka_unit_test(guesses_are_as_opening),
		cmocka_unit_test(nonces_are_written_as_they_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
