/* buffer: a run of bytes that grows, for replies whose length is not known beforehand.
 *
 * Written through a struct writer, again and larger when it did not fit:
 *
 *     struct writer w;
 *     do {
 *             w = buffer_writer(&buffer);
 *             write_page(&w, …);
 *     } while (buffer_again(&buffer, &w));
 *
 * so that whoever writes needs no allocation and no second path for "too long". Thread: the
 * owner's. Not for packet paths. */
#pragma once

#include "core/writer.h"

#define BUFFER_MAX (64u << 20)

struct buffer {
	uint8_t *at;
	size_t len;
	size_t size;
	bool failed; /* out of memory, or over BUFFER_MAX: len is 0 */
};

/* An empty writer over all of the buffer. */
struct writer buffer_writer(struct buffer *buffer);

/* Whether to write once more, into a larger buffer. When not: the bytes are there, or failed. */
bool buffer_again(struct buffer *buffer, const struct writer *w);

/* A copy of bytes; false when there is no memory. */
bool buffer_put(struct buffer *buffer, struct bytes in);

static inline struct bytes buffer_bytes(const struct buffer *buffer)
{
	return bytes_of(buffer->at, buffer->len);
}

/* Frees what it holds. Accepts a zeroed one. */
void buffer_fini(struct buffer *buffer);
