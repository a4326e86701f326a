/* chunked: the decoder at every split, its bounds, and the encoder. */
#include "edge/proto/chunked.h"

#include "expect.h"

/* Decodes pieces of at most `step` bytes; what came out is in *out. */
static enum chunked_status decode(struct bytes in, size_t step, struct writer *out, size_t *used)
{
	struct chunked chunked = {0};
	enum chunked_status status = CHUNKED_MORE;
	struct bytes data;

	*used = 0;
	while (*used < in.len && status != CHUNKED_END && status != CHUNKED_BAD) {
		struct bytes piece = guarded(bytes_first(bytes_skip(in, *used), step));
		size_t n;

		status = chunked_next(&chunked, piece, &data, &n);
		assert_in_range(n, 1, piece.len);
		if (status == CHUNKED_MORE)
			assert_int_equal(n, piece.len);
		assert_int_equal(data.len > 0, status == CHUNKED_DATA);
		writer_put(out, data);
		*used += n;
		guarded_free(piece);
	}
	if (status == CHUNKED_END || status == CHUNKED_BAD) {
		size_t n;

		assert_int_equal(chunked_next(&chunked, BYTES("5\r\n"), &data, &n), status);
		assert_int_equal(n, 0);
	}
	/* Data is handed out before what follows it is looked at. */
	return status == CHUNKED_DATA ? CHUNKED_MORE : status;
}

struct row {
	const char *wire;
	enum chunked_status status;
	const char *data;
	size_t left; /* bytes behind the end */
};

static const struct row rows[] = {
	/* RFC 9112 7.1 as most write it */
	{"4\r\nWiki\r\n5\r\npedia\r\nE\r\n in\r\n\r\nchunks.\r\n0\r\n\r\n", CHUNKED_END,
	 "Wikipedia in\r\n\r\nchunks.", 0},
	{"0\r\n\r\nGET / HTTP/1.1\r\n", CHUNKED_END, "", 16},
	{"000\r\n\r\n", CHUNKED_END, "", 0},
	{"a\r\n0123456789\r\n0\r\n\r\n", CHUNKED_END, "0123456789", 0},
	{"1;name=value;q=\"a b\"\r\nx\r\n0;end\r\n\r\n", CHUNKED_END, "x", 0},
	{"1 \t \r\nx\r\n0 ;a\r\n\r\n", CHUNKED_END, "x", 0},
	{"1\r\nx\r\n0\r\nExpires: now\r\nA: b\r\n\r\n!", CHUNKED_END, "x", 1},
	{"5\r\nhel", CHUNKED_MORE, "hel", 0},
	{"5\r\nhello\r\n", CHUNKED_MORE, "hello", 0},
	{"5\r\nhello\r\n0\r\n", CHUNKED_MORE, "hello", 0},
	{"0\r\nA: b\r\n", CHUNKED_MORE, "", 0},

	{"\r\n", CHUNKED_BAD, "", 1},
	{"x\r\n", CHUNKED_BAD, "", 2},
	{"-1\r\n", CHUNKED_BAD, "", 3},
	{" 1\r\nx\r\n", CHUNKED_BAD, "", 6},
	{"0x1\r\nx\r\n", CHUNKED_BAD, "", 6},
	{"1\nx\n0\n\n", CHUNKED_BAD, "", 5},
	{"1\rx", CHUNKED_BAD, "", 0},
	{"1 2\r\n", CHUNKED_BAD, "", 2},
	{"1;a\nb\r\nx\r\n", CHUNKED_BAD, "", 6},
	{"1;a\rb\r\nx\r\n", CHUNKED_BAD, "", 5},
	{"1\r\nxy\r\n0\r\n\r\n", CHUNKED_BAD, "x", 7},
	{"1\r\nx\n0\r\n\r\n", CHUNKED_BAD, "x", 5},
	{"1\r\nx\r0\r\n\r\n", CHUNKED_BAD, "x", 4},
	{"0\r\n\n", CHUNKED_BAD, "", 0},
	{"0\r\n\rx", CHUNKED_BAD, "", 0},
	{"0\r\nA: b\nc\r\n\r\n", CHUNKED_BAD, "", 5},
	{"0\r\nA: b\rc\r\n\r\n", CHUNKED_BAD, "", 4},
	{"10000000000000000\r\n", CHUNKED_BAD, "", 2},
	{"fFfFfFfFfFfFfFfF\r\nx", CHUNKED_MORE, "x", 0},
};

static void bodies_come_out_the_same_at_every_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct bytes wire = bytes_str(rows[i].wire);

		for (size_t step = 1; step <= wire.len; step++) {
			char buf[128];
			struct writer out = writer_of(buf, sizeof buf);
			size_t used;

			if (decode(wire, step, &out, &used) != rows[i].status)
				fail_msg("status of \"%s\" in steps of %zu", rows[i].wire, step);
			expect_written(&out, rows[i].data);
			assert_int_equal(wire.len - used, rows[i].left);
		}
	}
}

/* Both ends of a bound: what just fits, and one byte more. */
static enum chunked_status decode_filled(const char *head, size_t fill, const char *tail)
{
	char text[CHUNKED_TRAILER_MAX + 64];
	char buf[16];
	struct writer w = writer_of(text, sizeof text);
	struct writer out = writer_of(buf, sizeof buf);
	size_t used;

	writer_str(&w, head);
	writer_fill(&w, 'x', fill);
	writer_str(&w, tail);
	assert_true(writer_ok(&w));
	return decode(writer_done(&w), SIZE_MAX, &out, &used);
}

static void what_is_skipped_is_bounded(void **state)
{
	(void)state;
	/* "0;" and CR LF count, too. */
	assert_int_equal(decode_filled("0;", CHUNKED_LINE_MAX - 4, "\r\n\r\n"), CHUNKED_END);
	assert_int_equal(decode_filled("0;", CHUNKED_LINE_MAX - 2, "\r\n\r\n"), CHUNKED_BAD);
	/* The bound is on each line, not on all. */
	assert_int_equal(decode_filled("1;yyyyyyyyyyyyyyyyyy\r\nx\r\n0;", CHUNKED_LINE_MAX - 4,
				       "\r\n\r\n"),
			 CHUNKED_END);
	assert_int_equal(decode_filled("0\r\nA:", CHUNKED_TRAILER_MAX - 5, "\r\n\r\n"),
			 CHUNKED_END);
	assert_int_equal(decode_filled("0\r\nA:\r\nA:", CHUNKED_TRAILER_MAX - 5, "\r\n\r\n"),
			 CHUNKED_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_come_out_the_same_at_every_split),
		cmocka_unit_test(what_is_skipped_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
