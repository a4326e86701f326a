#include "core/buffer.h"

#include <stdlib.h>

static bool buffer_reserve(struct buffer *buffer, size_t size)
{
	uint8_t *at = size <= BUFFER_MAX ? realloc(buffer->at, size) : NULL;

	if (!at) {
		buffer->failed = true;
		buffer->len = 0;
		return false;
	}
	buffer->at = at;
	buffer->size = size;
	return true;
}

struct writer buffer_writer(struct buffer *buffer)
{
	if (buffer->size == 0)
		buffer_reserve(buffer, 4096);
	return writer_of(buffer->at, buffer->size);
}

bool buffer_again(struct buffer *buffer, const struct writer *w)
{
	if (writer_ok(w)) {
		buffer->len = w->len;
		return false;
	}
	return !buffer->failed && buffer_reserve(buffer, buffer->size * 2);
}

bool buffer_put(struct buffer *buffer, struct bytes in)
{
	if (buffer->failed)
		return false;
	if (in.len > buffer->size - buffer->len) {
		size_t size = buffer->size ? buffer->size : 256;

		while (size < buffer->len + in.len)
			size *= 2;
		if (!buffer_reserve(buffer, size))
			return false;
	}
	if (in.len)
		memcpy(buffer->at + buffer->len, in.at, in.len);
	buffer->len += in.len;
	return true;
}

void buffer_fini(struct buffer *buffer)
{
	free(buffer->at);
	*buffer = (struct buffer){0};
}
