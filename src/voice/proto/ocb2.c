#include "voice/proto/ocb2.h"

#define BLOCKS_MAX (OCB2_PLAIN_MAX / OCB2_BLOCK + 1)

/* A block as a polynomial over GF(2), the first byte's high bit its highest term. */
struct block {
	uint64_t high, low;
};

static inline uint64_t load64(const uint8_t *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof word);
	return __builtin_bswap64(word);
}

static inline void store64(uint8_t *at, uint64_t word)
{
	word = __builtin_bswap64(word);
	memcpy(at, &word, sizeof word);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "load64() turns the bytes around");

static inline struct block load(const uint8_t *at)
{
	return (struct block){load64(at), load64(at + 8)};
}

static inline void store(uint8_t *at, struct block b)
{
	store64(at, b.high);
	store64(at + 8, b.low);
}

static inline struct block add(struct block a, struct block b)
{
	return (struct block){a.high ^ b.high, a.low ^ b.low};
}

/* Times x, modulo x^128 + x^7 + x^2 + x + 1, in the time that it always takes. */
static inline struct block twice(struct block b)
{
	return (struct block){b.high << 1 | b.low >> 63, b.low << 1 ^ (0x87 & -(b.high >> 63))};
}

static inline struct block first_delta(const struct block_cipher *cipher, const void *key,
				       const uint8_t nonce[OCB2_BLOCK])
{
	uint8_t buf[OCB2_BLOCK];

	memcpy(buf, nonce, sizeof buf);
	cipher->encrypt(key, buf, 1);
	return load(buf);
}

/* How many blocks come before the last, which has 1 to 16 bytes (none in an empty message). */
static inline size_t whole_blocks(size_t len)
{
	return len ? (len - 1) / OCB2_BLOCK : 0;
}

static void make_tag(const struct block_cipher *cipher, const void *key, struct block delta,
		     struct block sum, uint8_t tag[OCB2_BLOCK])
{
	store(tag, add(add(delta, twice(delta)), sum));
	cipher->encrypt(key, tag, 1);
}

/* eprint 2019/311 section 9: 15 zeroes in the last block but one are what the attack starts from. */
static inline bool is_risky(struct block b)
{
	return b.high == 0 && b.low >> 8 == 0;
}

bool ocb2_seal(const struct block_cipher *cipher, const void *key, const uint8_t nonce[OCB2_BLOCK],
	       struct bytes plain, uint8_t *out, uint8_t tag[OCB2_BLOCK])
{
	uint8_t buf[BLOCKS_MAX * OCB2_BLOCK], last[OCB2_BLOCK];
	struct block deltas[BLOCKS_MAX], delta = first_delta(cipher, key, nonce), sum = {0, 0};
	size_t count = whole_blocks(plain.len), left = plain.len - count * OCB2_BLOCK;
	bool turned = false;

	for (size_t i = 0; i < count; i++) {
		struct block m = load(plain.at + i * OCB2_BLOCK);

		if (i + 1 == count && is_risky(m)) {
			m.high ^= UINT64_C(1) << 56; /* the lowest bit of the first byte */
			turned = true;
		}
		delta = deltas[i] = twice(delta);
		sum = add(sum, m);
		store(buf + i * OCB2_BLOCK, add(m, delta));
	}
	delta = twice(delta);
	store(buf + count * OCB2_BLOCK, add(delta, (struct block){0, left * 8}));
	cipher->encrypt(key, buf, count + 1);

	const uint8_t *pad = buf + count * OCB2_BLOCK;

	memcpy(last, pad, sizeof last);
	if (left)
		memcpy(last, plain.at + count * OCB2_BLOCK, left);
	sum = add(sum, load(last));
	for (size_t i = 0; i < count; i++)
		store(out + i * OCB2_BLOCK, add(load(buf + i * OCB2_BLOCK), deltas[i]));
	for (size_t i = 0; i < left; i++)
		out[count * OCB2_BLOCK + i] = last[i] ^ pad[i];
	make_tag(cipher, key, delta, sum, tag);
	return turned;
}

bool ocb2_open(const struct block_cipher *cipher, const void *key, const uint8_t nonce[OCB2_BLOCK],
	       struct bytes sealed, uint8_t *out, uint8_t tag[OCB2_BLOCK])
{
	uint8_t buf[BLOCKS_MAX * OCB2_BLOCK], last[OCB2_BLOCK];
	struct block deltas[BLOCKS_MAX], delta = first_delta(cipher, key, nonce), sum = {0, 0};
	size_t count = whole_blocks(sealed.len), left = sealed.len - count * OCB2_BLOCK;

	for (size_t i = 0; i < count; i++) {
		delta = deltas[i] = twice(delta);
		store(buf + i * OCB2_BLOCK, add(load(sealed.at + i * OCB2_BLOCK), delta));
	}
	delta = twice(delta);
	uint8_t *pad = buf + count * OCB2_BLOCK;

	store(pad, add(delta, (struct block){0, left * 8}));
	cipher->encrypt(key, pad, 1);
	if (count)
		cipher->decrypt(key, buf, count);

	memcpy(last, pad, sizeof last);
	for (size_t i = 0; i < left; i++)
		last[i] ^= sealed.at[count * OCB2_BLOCK + i];
	struct block final = load(last);
	/* Section 9: in a forgery the last block is 2^m·Δ but for its length. */
	bool forged = is_risky(add(final, delta));

	sum = final;
	for (size_t i = 0; i < count; i++) {
		struct block m = add(load(buf + i * OCB2_BLOCK), deltas[i]);

		sum = add(sum, m);
		store(out + i * OCB2_BLOCK, m);
	}
	if (left)
		memcpy(out + count * OCB2_BLOCK, last, left);
	make_tag(cipher, key, delta, sum, tag);
	return !forged;
}
