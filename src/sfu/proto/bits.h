/* bits: a run of bytes read bit by bit, the highest first, with a sticky error, as the headers of H.264, H.265,
 * VP9 and AV1 are written. Sans-I/O, no allocation. Thread: any. */
#pragma once

#include "core/bytes.h"

struct bits {
	struct bytes in;
	size_t at; /* bits taken */
	bool failed;
};

static inline struct bits bits_of(struct bytes in)
{
	return (struct bits){.in = in};
}

static inline bool bits_ok(const struct bits *b)
{
	return !b->failed;
}

/* The next n bits, at most 32. */
static inline uint32_t bits_take(struct bits *b, unsigned n)
{
	uint32_t value = 0;

	if (b->failed || n > b->in.len * 8 - b->at) {
		b->failed = true;
		return 0;
	}
	for (; n; n--, b->at++)
		value = value << 1 | ((uint32_t)b->in.at[b->at / 8] >> (7 - b->at % 8) & 1u);
	return value;
}

static inline void bits_skip(struct bits *b, size_t n)
{
	if (b->failed || n > b->in.len * 8 - b->at)
		b->failed = true;
	else
		b->at += n;
}

/* ue(v) of H.264 9.1 and H.265 9.2; AV1's uvlc() is the same. */
static inline uint32_t bits_ue(struct bits *b)
{
	unsigned zeros = 0;

	while (zeros < 32 && !b->failed && bits_take(b, 1) == 0)
		zeros++;
	if (zeros == 32) {
		b->failed = true;
		return 0;
	}
	return (1u << zeros) - 1 + bits_take(b, zeros);
}

static inline int32_t bits_se(struct bits *b)
{
	uint32_t k = bits_ue(b);

	return k & 1 ? (int32_t)(k / 2 + 1) : -(int32_t)(k / 2);
}
