#include "voice/voice_cipher.h"

#include <openssl/evp.h>

#include "core/check.h"

/* --- OpenSSL -------------------------------------------------------------------------------- */

/* One of each direction a thread: a key costs less to put in than contexts of all peers would. */
static _Thread_local EVP_CIPHER_CTX *contexts[2];

static void run_openssl(const struct voice_key *key, uint8_t *blocks, size_t count, int encrypts)
{
	EVP_CIPHER_CTX **context = &contexts[encrypts];
	int len = (int)(count * OCB2_BLOCK), made = 0;

	if (!*context) {
		*context = EVP_CIPHER_CTX_new();
		CHECK(*context && EVP_CipherInit_ex(*context, EVP_aes_128_ecb(), NULL, NULL, NULL,
						    encrypts) == 1);
		EVP_CIPHER_CTX_set_padding(*context, 0);
	}
	CHECK(EVP_CipherInit_ex(*context, NULL, NULL, key->raw, NULL, encrypts) == 1 &&
	      EVP_CipherUpdate(*context, blocks, &made, blocks, len) == 1 && made == len);
}

static void openssl_encrypt(const void *key, uint8_t *blocks, size_t count)
{
	run_openssl(key, blocks, count, 1);
}

static void openssl_decrypt(const void *key, uint8_t *blocks, size_t count)
{
	run_openssl(key, blocks, count, 0);
}

const struct block_cipher voice_cipher_openssl = {openssl_encrypt, openssl_decrypt};

void voice_cipher_thread_stop(void)
{
	for (int i = 0; i < 2; i++) {
		EVP_CIPHER_CTX_free(contexts[i]);
		contexts[i] = NULL;
	}
}

/* --- AES-NI --------------------------------------------------------------------------------- */

#ifdef __x86_64__
#	include <wmmintrin.h>

#	define WITH_AES __attribute__((target("aes,sse2")))
#	define ROUNDS   10

WITH_AES static __m128i next_key(__m128i key, __m128i assist)
{
	assist = _mm_shuffle_epi32(assist, 0xff);
	key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
	key = _mm_xor_si128(key, _mm_slli_si128(key, 8));
	return _mm_xor_si128(key, assist);
}

/* FIPS 197 section 5.2; the inverse cipher's keys as in section 5.3.5. */
WITH_AES static void native_expand(struct voice_key *key)
{
	__m128i *e = (__m128i *)(void *)key->encrypt, *d = (__m128i *)(void *)key->decrypt;

	e[0] = _mm_loadu_si128((const __m128i *)(const void *)key->raw);
	e[1] = next_key(e[0], _mm_aeskeygenassist_si128(e[0], 0x01));
	e[2] = next_key(e[1], _mm_aeskeygenassist_si128(e[1], 0x02));
	e[3] = next_key(e[2], _mm_aeskeygenassist_si128(e[2], 0x04));
	e[4] = next_key(e[3], _mm_aeskeygenassist_si128(e[3], 0x08));
	e[5] = next_key(e[4], _mm_aeskeygenassist_si128(e[4], 0x10));
	e[6] = next_key(e[5], _mm_aeskeygenassist_si128(e[5], 0x20));
	e[7] = next_key(e[6], _mm_aeskeygenassist_si128(e[6], 0x40));
	e[8] = next_key(e[7], _mm_aeskeygenassist_si128(e[7], 0x80));
	e[9] = next_key(e[8], _mm_aeskeygenassist_si128(e[8], 0x1b));
	e[10] = next_key(e[9], _mm_aeskeygenassist_si128(e[9], 0x36));
	d[0] = e[ROUNDS];
	for (int i = 1; i < ROUNDS; i++)
		d[i] = _mm_aesimc_si128(e[ROUNDS - i]);
	d[ROUNDS] = e[0];
}

/* Written out, because a block is only in a register where it has a name of its own. */
#	define EIGHT(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#	define TWO(DO)   DO(0) DO(1)
#	define ONE(DO)   DO(0)

#	define BEGIN(n) __m128i b##n = _mm_xor_si128(_mm_loadu_si128(at + (n)), k[0]);
#	define ROUND(n) b##n = ROUND_OF(b##n, k[r]);
#	define END(n)   _mm_storeu_si128(at + (n), LAST_OF(b##n, k[ROUNDS]));

#	define ALL_ROUNDS(SOME)                           \
		{                                          \
			SOME(BEGIN)                        \
			for (int r = 1; r < ROUNDS; r++) { \
				SOME(ROUND)                \
			}                                  \
			SOME(END)                          \
		}

#	define NATIVE(name, schedule)                                                   \
		WITH_AES static void name(const void *of, uint8_t *blocks, size_t count) \
		{                                                                        \
			const struct voice_key *key = of;                                \
			const __m128i *k = (const __m128i *)(const void *)key->schedule; \
			__m128i *at = (__m128i *)(void *)blocks;                         \
                                                                                         \
			for (; count >= 8; at += 8, count -= 8)                          \
				ALL_ROUNDS(EIGHT)                                        \
			for (; count >= 2; at += 2, count -= 2)                          \
				ALL_ROUNDS(TWO)                                          \
			if (count)                                                       \
				ALL_ROUNDS(ONE)                                          \
		}

#	define ROUND_OF _mm_aesenc_si128
#	define LAST_OF  _mm_aesenclast_si128
NATIVE(native_encrypt, encrypt)
#	undef ROUND_OF
#	undef LAST_OF
#	define ROUND_OF _mm_aesdec_si128
#	define LAST_OF  _mm_aesdeclast_si128
NATIVE(native_decrypt, decrypt)

static const struct block_cipher native = {native_encrypt, native_decrypt};

const struct block_cipher *voice_cipher_native(void)
{
	return __builtin_cpu_supports("aes") ? &native : NULL;
}
#else
static void native_expand(struct voice_key *key)
{
	(void)key;
}

const struct block_cipher *voice_cipher_native(void)
{
	return NULL;
}
#endif

/* --- either --------------------------------------------------------------------------------- */

const struct block_cipher *voice_cipher(void)
{
	const struct block_cipher *found = voice_cipher_native();

	return found ? found : &voice_cipher_openssl;
}

void voice_key_init(struct voice_key *key, const uint8_t raw[VOICE_KEY_SIZE])
{
	memcpy(key->raw, raw, VOICE_KEY_SIZE);
	if (voice_cipher_native())
		native_expand(key);
}
