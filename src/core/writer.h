/* writer: puts fields into a caller's buffer, bounded, with a sticky error.
 *
 * After the first overrun every call is a no-op and writer_ok() says false, so the caller writes
 * all its fields and asks once. What was written before the overrun stays. Pure: any thread, no
 * allocation, no I/O. */
#pragma once

#include "bytes.h"

struct writer {
	uint8_t *at;
	size_t len;  /* bytes written */
	size_t size; /* bytes that fit */
	bool failed;
};

static inline struct writer writer_of(void *buf, size_t size)
{
	return (struct writer){buf, 0, size, false};
}

static inline bool writer_ok(const struct writer *w)
{
	return !w->failed;
}

static inline struct bytes writer_done(const struct writer *w)
{
	return bytes_of(w->at, w->len);
}

static inline void writer_put(struct writer *w, struct bytes in)
{
	if (w->failed || in.len > w->size - w->len) {
		w->failed = true;
		return;
	}
	if (in.len)
		memcpy(w->at + w->len, in.at, in.len);
	w->len += in.len;
}

static inline void writer_str(struct writer *w, const char *text)
{
	writer_put(w, bytes_str(text));
}

static inline void writer_u8(struct writer *w, uint8_t byte)
{
	writer_put(w, bytes_of(&byte, 1));
}

/* The same bytes in the other order, where the machine keeps the lowest first. */
static inline uint64_t writer_from_be(uint64_t value)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap64(value);
#else
	return value;
#endif
}

static inline uint64_t writer_from_le(uint64_t value)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return value;
#else
	return __builtin_bswap64(value);
#endif
}

/* Of value the last n bytes, 1 to 8; with n known, one store. */
static inline void writer_be(struct writer *w, uint64_t value, size_t n)
{
	uint64_t field = writer_from_be(value << (64 - 8 * n));

	writer_put(w, bytes_of(&field, n));
}

static inline void writer_le(struct writer *w, uint64_t value, size_t n)
{
	uint64_t field = writer_from_le(value);

	writer_put(w, bytes_of(&field, n));
}

static inline void writer_fill(struct writer *w, uint8_t byte, size_t n)
{
	if (w->failed || n > w->size - w->len) {
		w->failed = true;
		return;
	}
	if (n)
		memset(w->at + w->len, byte, n);
	w->len += n;
}

/* Decimal digits of value. */
static inline void writer_dec(struct writer *w, uint64_t value)
{
	uint8_t digits[20];
	size_t n = sizeof digits;

	do {
		digits[--n] = (uint8_t)('0' + value % 10);
		value /= 10;
	} while (value);
	writer_put(w, bytes_of(digits + n, sizeof digits - n));
}
