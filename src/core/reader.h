/* reader: takes fields off a run of bytes, bounded, with a sticky error.
 *
 * After the first overrun every call returns zeroes and changes nothing, so a parser reads all its
 * fields and asks reader_ok() once. Pure: any thread, no allocation, no I/O. */
#pragma once

#include "bytes.h"

struct reader {
	const uint8_t *at;
	const uint8_t *end;
	bool failed;
};

static inline struct reader reader_of(struct bytes in)
{
	return (struct reader){in.at, in.at ? in.at + in.len : in.at, false};
}

static inline bool reader_ok(const struct reader *r)
{
	return !r->failed;
}

static inline size_t reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->at);
}

/* The next n bytes; fails when there are fewer. */
static inline struct bytes reader_take(struct reader *r, size_t n)
{
	struct bytes taken = {r->at, n};

	if (r->failed || n > reader_left(r)) {
		r->failed = true;
		return (struct bytes){r->at, 0};
	}
	r->at += n;
	return taken;
}

static inline void reader_skip(struct reader *r, size_t n)
{
	(void)reader_take(r, n);
}

static inline uint64_t reader_be(struct reader *r, size_t n)
{
	struct bytes field = reader_take(r, n);
	uint64_t value = 0;

	for (size_t i = 0; i < field.len; i++)
		value = value << 8 | field.at[i];
	return value;
}

static inline uint64_t reader_le(struct reader *r, size_t n)
{
	struct bytes field = reader_take(r, n);
	uint64_t value = 0;

	for (size_t i = field.len; i > 0; i--)
		value = value << 8 | field.at[i - 1];
	return value;
}

static inline uint8_t reader_u8(struct reader *r)
{
	return (uint8_t)reader_be(r, 1);
}

static inline uint16_t reader_be16(struct reader *r)
{
	return (uint16_t)reader_be(r, 2);
}

static inline uint32_t reader_be32(struct reader *r)
{
	return (uint32_t)reader_be(r, 4);
}

static inline uint64_t reader_be64(struct reader *r)
{
	return reader_be(r, 8);
}

static inline uint32_t reader_le32(struct reader *r)
{
	return (uint32_t)reader_le(r, 4);
}

static inline uint64_t reader_le64(struct reader *r)
{
	return reader_le(r, 8);
}
