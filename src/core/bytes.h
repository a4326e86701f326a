/* bytes: a run of bytes that somebody else owns: pointer and length, passed by value.
 *
 * What a parser found points into its input through this type, so nothing is copied and nothing
 * needs a terminating NUL. Pure: any thread, no allocation, no I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
	const uint8_t *at;
	size_t len;
};

/* A string literal as bytes, without its NUL. */
#define BYTES(literal) ((struct bytes){(const uint8_t *)("" literal), sizeof("" literal) - 1})

static inline struct bytes bytes_of(const void *at, size_t len)
{
	return (struct bytes){at, len};
}

static inline struct bytes bytes_str(const char *text)
{
	return (struct bytes){(const uint8_t *)text, text ? strlen(text) : 0};
}

/* The first n bytes, or all when there are fewer. */
static inline struct bytes bytes_first(struct bytes in, size_t n)
{
	return (struct bytes){in.at, n < in.len ? n : in.len};
}

/* All but the first n bytes; empty when there are not that many. */
static inline struct bytes bytes_skip(struct bytes in, size_t n)
{
	size_t cut = n < in.len ? n : in.len;

	return (struct bytes){in.at ? in.at + cut : in.at, in.len - cut};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline uint8_t byte_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

/* ASCII only: protocol words are compared so, whatever the locale. */
static inline bool bytes_equal_nocase(struct bytes a, struct bytes b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (byte_lower(a.at[i]) != byte_lower(b.at[i]))
			return false;
	return true;
}

static inline bool bytes_start_with(struct bytes in, struct bytes prefix)
{
	return in.len >= prefix.len && bytes_equal(bytes_first(in, prefix.len), prefix);
}

static inline bool bytes_start_with_nocase(struct bytes in, struct bytes prefix)
{
	return in.len >= prefix.len && bytes_equal_nocase(bytes_first(in, prefix.len), prefix);
}

static inline bool bytes_end_with(struct bytes in, struct bytes suffix)
{
	return in.len >= suffix.len && bytes_equal(bytes_skip(in, in.len - suffix.len), suffix);
}

/* Offset of the first such byte, or in.len when there is none. */
static inline size_t bytes_find(struct bytes in, uint8_t byte)
{
	const uint8_t *hit = in.len ? memchr(in.at, byte, in.len) : NULL;

	return hit ? (size_t)(hit - in.at) : in.len;
}

/* Offset of the first occurrence, ASCII case ignored, or in.len. */
static inline size_t bytes_find_nocase(struct bytes in, struct bytes what)
{
	for (size_t i = 0; i + what.len <= in.len; i++)
		if (bytes_equal_nocase(bytes_of(in.at + i, what.len), what))
			return i;
	return in.len;
}

static inline bool byte_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Without blanks (space, tab, CR, LF) at either end. */
static inline struct bytes bytes_trim(struct bytes in)
{
	while (in.len && byte_blank(in.at[0]))
		in = bytes_skip(in, 1);
	while (in.len && byte_blank(in.at[in.len - 1]))
		in.len--;
	return in;
}

/* Takes what lies before the first such byte and leaves what lies behind it in *rest; without
 * one, takes all and leaves nothing. */
static inline struct bytes bytes_cut(struct bytes *rest, uint8_t byte)
{
	size_t n = bytes_find(*rest, byte);
	struct bytes head = bytes_first(*rest, n);

	*rest = bytes_skip(*rest, n + 1);
	return head;
}

/* An unsigned decimal that fills all of in; false when it is none or larger than max. */
static inline bool bytes_to_u64(struct bytes in, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;

	if (in.len == 0)
		return false;
	for (size_t i = 0; i < in.len; i++) {
		uint64_t digit = (uint64_t)in.at[i] - '0';

		if (in.at[i] < '0' || in.at[i] > '9' || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*out = value;
	return value <= max;
}

/* Copies into buf, cut to fit and always NUL-terminated; returns the length without the NUL. */
static inline size_t bytes_to_str(struct bytes in, char *buf, size_t size)
{
	size_t n = in.len < size ? in.len : size - 1;

	if (n)
		memcpy(buf, in.at, n);
	buf[n] = '\0';
	return n;
}
