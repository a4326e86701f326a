/* Datagrams in any order, some of them changed: the receiver takes each at most once, none that was
 * changed, and its counts add up. A cipher that is none (a permutation of bytes) is enough for that. */
#include "voice/proto/crypt_state.h"
#include "property.h"

static void encrypt(const void *key, uint8_t *blocks, size_t count)
{
	const uint8_t *k = key;

	for (size_t i = 0; i < count * OCB2_BLOCK; i += OCB2_BLOCK)
		for (unsigned round = 0; round < 6; round++)
			for (unsigned n = 0; n < OCB2_BLOCK; n++) {
				uint8_t *b = &blocks[i + n];

				*b = (uint8_t)((uint8_t)(*b + k[(n + round) % 16]) * 167u +
					       blocks[i + (n + 15) % 16]);
			}
}

/* The rounds backwards; 167 * 23 is 1 modulo 256. */
static void decrypt(const void *key, uint8_t *blocks, size_t count)
{
	const uint8_t *k = key;

	for (size_t i = 0; i < count * OCB2_BLOCK; i += OCB2_BLOCK)
		for (unsigned round = 6; round-- > 0;)
			for (unsigned n = OCB2_BLOCK; n-- > 0;) {
				uint8_t *b = &blocks[i + n];

				*b = (uint8_t)((uint8_t)(*b - blocks[i + (n + 15) % 16]) * 23u -
					       k[(n + round) % 16]);
			}
}

static const struct block_cipher cipher = {encrypt, decrypt};
static const uint8_t key_bytes[16] = "a key of no use";

/* Each step of the input: two bytes say which datagram comes, and what is done to it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct crypt_key key = {&cipher, key_bytes};
	struct crypt_nonce base = {UINT64_MAX - 40, 3};
	struct crypt_in in = {0};
	static bool taken[70000];
	uint64_t next = 1, good = 0;

	memset(taken, 0, sizeof taken);
	crypt_in_start(&in, base);
	for (size_t i = 0; i + 2 <= size && next < 60000; i += 2) {
		uint64_t n = next + data[i] % 64 - (data[i] >= 128 ? 40 : 0);
		uint8_t plain[40], datagram[CRYPT_HEAD + 40], out[40];
		size_t len = data[i + 1] % 40;
		struct crypt_in before = in;
		enum crypt_status status;

		if (n == 0 || n > 69999)
			continue;
		memset(plain, (int)n | 1, sizeof plain);
		len = crypt_seal(key, crypt_nonce_add(base, n), bytes_of(plain, len), datagram);
		if (data[i + 1] & 0x80)
			datagram[1 + data[i] % (len - 1)] ^= 0x10;
		status = crypt_open(&in, key, bytes_of(datagram, len), out);
		if (status != CRYPT_GOOD) {
			PROPERTY(memcmp(&before, &in, sizeof in) == 0);
			continue;
		}
		if (data[i + 1] & 0x80)
			continue; /* this cipher is weak: a changed one may fit once in a while */
		PROPERTY(!taken[n]);
		PROPERTY(memcmp(out, plain, len - CRYPT_HEAD) == 0);
		taken[n] = true;
		good++;
		PROPERTY(in.good > before.good && in.late <= in.good);
		next = n > next ? n : next;
	}
	PROPERTY(in.good >= good);
	return 0;
}
