#include "voice/proto/ocb2.h"

#include "core/check.h"
#include "voice.h"
#include "voice/voice_cipher.h"

static const uint8_t counting[40] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13,
				     14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
				     28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39};

static const struct block_cipher *ciphers[2];
static size_t cipher_count;

static int choose(void **state)
{
	(void)state;
	cipher_count = 0;
	if (voice_cipher_native())
		ciphers[cipher_count++] = voice_cipher_native();
	ciphers[cipher_count++] = &voice_cipher_openssl;
	return 0;
}

/* --- the mode as its definition reads, a byte at a time and a call a block: the reference ------- */

static void twice(uint8_t b[16])
{
	uint8_t carry = b[0] >> 7;

	for (int i = 0; i < 15; i++)
		b[i] = (uint8_t)(b[i] << 1 | b[i + 1] >> 7);
	b[15] = (uint8_t)(b[15] << 1 ^ (carry ? 0x87 : 0));
}

static void add(uint8_t to[16], const uint8_t from[16])
{
	for (int i = 0; i < 16; i++)
		to[i] ^= from[i];
}

/* No counter-measure, as before 2020. */
static void reference_seal(const struct voice_key *key, const uint8_t nonce[16], struct bytes plain,
			   uint8_t *out, uint8_t tag[16])
{
	const struct block_cipher *cipher = &voice_cipher_openssl;
	uint8_t delta[16], sum[16] = {0}, block[16], pad[16];
	size_t at = 0, left;

	memcpy(delta, nonce, 16);
	cipher->encrypt(key, delta, 1);
	for (; plain.len - at > 16; at += 16) {
		twice(delta);
		memcpy(block, plain.at + at, 16);
		add(sum, block);
		add(block, delta);
		cipher->encrypt(key, block, 1);
		add(block, delta);
		memcpy(out + at, block, 16);
	}
	twice(delta);
	left = plain.len - at;
	memset(pad, 0, 16);
	pad[14] = (uint8_t)(left * 8 >> 8);
	pad[15] = (uint8_t)(left * 8);
	add(pad, delta);
	cipher->encrypt(key, pad, 1);
	memcpy(block, pad, 16);
	for (size_t i = 0; i < left; i++) {
		block[i] = plain.at[at + i];
		out[at + i] = block[i] ^ pad[i];
	}
	add(sum, block);
	memcpy(block, delta, 16);
	twice(block);
	add(block, delta);
	add(block, sum);
	cipher->encrypt(key, block, 1);
	memcpy(tag, block, 16);
}

/* --- */

/* draft-krovetz-ocb-00; Mumble tests itself with the same. */
static void the_drafts_vectors_come_out(void **state)
{
	static const uint8_t empty_tag[16] = {0xbf, 0x31, 0x08, 0x13, 0x07, 0x73, 0xad, 0x5e,
					      0xc7, 0x0e, 0xc6, 0x9e, 0x78, 0x75, 0xa7, 0xb0};
	static const uint8_t long_tag[16] = {0x9d, 0xb0, 0xcd, 0xf8, 0x80, 0xf7, 0x3e, 0x3e,
					     0x10, 0xd4, 0xeb, 0x32, 0x17, 0x76, 0x66, 0x88};
	static const uint8_t sealed[40] = {0xf7, 0x5d, 0x6b, 0xc8, 0xb4, 0xdc, 0x8d, 0x66,
					   0xb8, 0x36, 0xa2, 0xb0, 0x8b, 0x32, 0xa6, 0x36,
					   0x9f, 0x1c, 0xd3, 0xc5, 0x22, 0x8d, 0x79, 0xfd,
					   0x6c, 0x26, 0x7f, 0x5f, 0x6a, 0xa7, 0xb2, 0x31,
					   0xc7, 0xdf, 0xb9, 0xd5, 0x99, 0x51, 0xae, 0x9c};
	struct voice_key key;
	uint8_t out[40], tag[16];

	(void)state;
	voice_key_init(&key, counting);
	for (size_t i = 0; i < cipher_count; i++) {
		assert_false(ocb2_seal(ciphers[i], &key, counting, bytes_of(NULL, 0), out, tag));
		assert_bytes(bytes_of(tag, 16), bytes_of(empty_tag, 16));
		assert_false(
			ocb2_seal(ciphers[i], &key, counting, bytes_of(counting, 40), out, tag));
		assert_bytes(bytes_of(out, 40), bytes_of(sealed, 40));
		assert_bytes(bytes_of(tag, 16), bytes_of(long_tag, 16));
		assert_true(ocb2_open(ciphers[i], &key, counting, bytes_of(sealed, 40), out, tag));
		assert_bytes(bytes_of(out, 40), bytes_of(counting, 40));
		assert_bytes(bytes_of(tag, 16), bytes_of(long_tag, 16));
	}
}

static uint32_t chance_state = 1;

static uint8_t chance(void)
{
	chance_state = chance_state * 1664525u + 1013904223u;
	return (uint8_t)(chance_state >> 24);
}

static void each_length_is_as_defined_and_comes_back(void **state)
{
	uint8_t raw[16], nonce[16], plain[OCB2_PLAIN_MAX], want[OCB2_PLAIN_MAX], tag[16], back[16];

	(void)state;
	for (size_t len = 0; len <= OCB2_PLAIN_MAX; len++) {
		struct voice_key key;
		uint8_t want_tag[16];
		struct bytes in;

		for (int i = 0; i < 16; i++) {
			raw[i] = chance();
			nonce[i] = chance();
		}
		for (size_t i = 0; i < len; i++)
			plain[i] = chance() | 1; /* nothing that must be turned */
		voice_key_init(&key, raw);
		in = guarded(bytes_of(plain, len));
		reference_seal(&key, nonce, in, want, want_tag);
		for (size_t i = 0; i < cipher_count; i++) {
			uint8_t out[OCB2_PLAIN_MAX];

			assert_false(ocb2_seal(ciphers[i], &key, nonce, in, out, tag));
			assert_bytes(bytes_of(out, len), bytes_of(want, len));
			assert_bytes(bytes_of(tag, 16), bytes_of(want_tag, 16));
			/* in place */
			assert_true(
				ocb2_open(ciphers[i], &key, nonce, bytes_of(out, len), out, back));
			assert_bytes(bytes_of(out, len), in);
			assert_bytes(bytes_of(back, 16), bytes_of(want_tag, 16));
			if (len) {
				want[len - 1 - len / 2] ^= 4;
				(void)ocb2_open(ciphers[i], &key, nonce, bytes_of(want, len), out,
						back);
				assert_memory_not_equal(back, want_tag, 16);
				want[len - 1 - len / 2] ^= 4;
			}
		}
		guarded_free(in);
	}
}

/* eprint 2019/311 section 4.1, the minimal forgery: from a message whose first block is the length
 * of a block, one of a single block that fits its tag, without the key. */
static void the_known_forgery(const struct voice_key *key, const uint8_t nonce[16],
			      const uint8_t sealed[32], const uint8_t second[16],
			      uint8_t forged[16], uint8_t tag[16])
{
	(void)key;
	(void)nonce;
	memcpy(forged, sealed, 16);
	forged[15] ^= 128;
	memcpy(tag, second, 16);
	add(tag, sealed + 16);
}

static void a_forgery_is_refused_though_its_tag_is_right(void **state)
{
	uint8_t plain[32] = {[15] = 128, [16] = 0xaa, [31] = 0xbb}, sealed[32], tag[16];
	uint8_t forged[16], forged_tag[16], out[32], right[16];
	struct voice_key key;

	(void)state;
	voice_key_init(&key, counting);
	reference_seal(&key, counting, bytes_of(plain, 32), sealed, tag);
	the_known_forgery(&key, counting, sealed, plain + 16, forged, forged_tag);
	assert_false(ocb2_open(voice_cipher(), &key, counting, bytes_of(forged, 16), out, right));
	/* The tag would have let it in. */
	assert_bytes(bytes_of(right, 16), bytes_of(forged_tag, 16));
}

static void what_a_forgery_starts_from_is_never_sent(void **state)
{
	static const struct {
		size_t len;
		size_t zeroes_at;
		uint8_t last;
		bool turned;
	} cases[] = {
		{32, 0, 128, true},   {32, 0, 0, true},      {32, 0, 255, true},
		{17, 0, 128, true},   {48, 16, 8, true},     {48, 0, 8, false},
		{16, 0, 128, false},  {40, 16, 1, true},     {40, 0, 128, false},
		{1000, 976, 7, true}, {1000, 960, 7, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		uint8_t plain[1000], sealed[1000], out[1000], tag[16], got[16];
		struct bytes in = bytes_of(plain, cases[i].len);
		struct voice_key key;

		voice_key_init(&key, counting);
		memset(plain, 0x55, sizeof plain);
		memset(plain + cases[i].zeroes_at, 0, 15);
		plain[cases[i].zeroes_at + 15] = cases[i].last;
		assert_int_equal(ocb2_seal(voice_cipher(), &key, counting, in, sealed, tag),
				 cases[i].turned);
		assert_true(ocb2_open(voice_cipher(), &key, counting, bytes_of(sealed, in.len), out,
				      got));
		assert_bytes(bytes_of(got, 16), bytes_of(tag, 16));
		if (cases[i].turned)
			plain[cases[i].zeroes_at] ^= 1; /* and nothing else */
		assert_bytes(bytes_of(out, in.len), in);
		if (in.len == 32 && cases[i].last == 128) {
			uint8_t forged[16], forged_tag[16];

			plain[cases[i].zeroes_at] ^= 1;
			the_known_forgery(&key, counting, sealed, plain + 16, forged, forged_tag);
			(void)ocb2_open(voice_cipher(), &key, counting, bytes_of(forged, 16), out,
					got);
			assert_memory_not_equal(got, forged_tag, 16);
		}
	}
	voice_cipher_thread_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_drafts_vectors_come_out),
		cmocka_unit_test(each_length_is_as_defined_and_comes_back),
		cmocka_unit_test(a_forgery_is_refused_though_its_tag_is_right),
		cmocka_unit_test(what_a_forgery_starts_from_is_never_sent),
	};

	return cmocka_run_group_tests(tests, choose, NULL);
}
