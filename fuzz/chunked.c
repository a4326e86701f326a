/* chunked: the same bytes give the same data however they are chopped, and what was encoded is
 * decoded back. The first byte seeds the chopping. */
#include "edge/proto/chunked.h"

#include "property.h"

struct result {
	enum chunked_status status;
	size_t used;
	struct bytes data;
};

/* Pieces of 1 to `most` bytes. */
static struct result decode(struct bytes in, size_t most, uint32_t seed, uint8_t *buf)
{
	struct writer out = writer_of(buf, in.len);
	struct chunked chunked = {0};
	struct result result = {.status = CHUNKED_MORE};

	while (result.used < in.len && result.status != CHUNKED_END &&
	       result.status != CHUNKED_BAD) {
		size_t n;
		struct bytes data;

		seed = seed * 1664525 + 1013904223;
		struct bytes piece =
			bytes_first(bytes_skip(in, result.used), 1 + (seed >> 8) % most);

		result.status = chunked_next(&chunked, piece, &data, &n);
		PROPERTY(n > 0 && n <= piece.len);
		PROPERTY((result.status == CHUNKED_DATA) == (data.len > 0));
		PROPERTY(part_inside(data, piece));
		PROPERTY(result.status != CHUNKED_MORE || n == piece.len);
		/* Data ends where the call stopped. */
		PROPERTY(data.len == 0 || data.at + data.len == piece.at + n);
		writer_put(&out, data);
		result.used += n;
	}
	PROPERTY(writer_ok(&out));
	if (result.status == CHUNKED_DATA)
		result.status = CHUNKED_MORE;
	result.data = writer_done(&out);
	return result;
}

static void check_chopping(struct bytes in, uint32_t seed)
{
	uint8_t *one = malloc(in.len + 1);
	uint8_t *two = malloc(in.len + 1);

	PROPERTY(one && two);
	struct result whole = decode(in, SIZE_MAX / 2, 0, one);
	struct result pieces = decode(in, 1 + seed % 16, seed, two);

	PROPERTY(whole.status == pieces.status && whole.used == pieces.used);
	PROPERTY(bytes_equal(whole.data, pieces.data));
	free(one);
	free(two);
}

static void chunk_write(struct writer *w, struct bytes data)
{
	char size[24];

	if (data.len == 0)
		return;
	snprintf(size, sizeof size, "%zX\r\n", data.len);
	writer_str(w, size);
	writer_put(w, data);
	writer_str(w, "\r\n");
}

static void check_encoding(struct bytes in, uint32_t seed)
{
	/* A chunk of one byte costs six. */
	size_t room = 6 * in.len + 16;
	uint8_t *wire = malloc(room);
	uint8_t *back = malloc(room);
	struct writer w = writer_of(wire, room);

	PROPERTY(wire && back);
	for (struct bytes rest = in; rest.len;) {
		struct bytes part = bytes_first(rest, 1 + seed % 40);

		seed = seed * 1664525 + 1013904223;
		chunk_write(&w, part);
		rest = bytes_skip(rest, part.len);
	}
	writer_str(&w, "0\r\n\r\n");
	PROPERTY(writer_ok(&w));
	struct result result = decode(writer_done(&w), 1 + seed % 64, seed, back);

	PROPERTY(result.status == CHUNKED_END && result.used == w.len);
	PROPERTY(bytes_equal(result.data, in));
	free(wire);
	free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);

	if (size == 0)
		return 0;
	check_chopping(bytes_skip(in, 1), data[0]);
	check_encoding(bytes_skip(in, 1), data[0]);
	return 0;
}
