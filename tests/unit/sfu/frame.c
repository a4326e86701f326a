#include "sfu/proto/frame.h"

#include "guarded.h"

static const uint8_t stream[] = {0, 3, 'a', 'b', 'c', 0, 0, 0, 1, 'd'};

/* However it is cut, the packets are the same; each part ends at an unmapped page. */
static void test_each_cut(void **state)
{
	(void)state;
	for (size_t cut = 0; cut <= sizeof stream; cut++) {
		uint8_t kept[sizeof stream];
		size_t len = 0, count = 0, sizes[4];

		for (unsigned half = 0; half < 2; half++) {
			size_t from = half ? cut : 0, to = half ? sizeof stream : cut;
			struct bytes in, packet, whole;

			memcpy(kept + len, stream + from, to - from);
			whole = in = guarded(bytes_of(kept, len + to - from));
			while (frame_next(&in, 3, &packet) == FRAME_WHOLE)
				sizes[count++] = packet.len;
			len = in.len;
			memcpy(kept, in.at, len);
			guarded_free(whole);
		}
		assert_int_equal(len, 0);
		assert_int_equal(count, 3);
		assert_int_equal(sizes[0] * 100 + sizes[1] * 10 + sizes[2], 301);
	}
}

static void test_too_long(void **state)
{
	struct bytes in = bytes_of(stream, sizeof stream), packet;

	(void)state;
	assert_int_equal(frame_next(&in, 2, &packet), FRAME_LONG);
	assert_int_equal(in.len, sizeof stream);
	/* Said as soon as the length is there. */
	in.len = 2;
	assert_int_equal(frame_next(&in, 2, &packet), FRAME_LONG);
	in.len = 1;
	assert_int_equal(frame_next(&in, 2, &packet), FRAME_PART);
}

static void test_heads(void **state)
{
	uint8_t head[2];
	struct writer w = writer_of(head, sizeof head);

	(void)state;
	frame_write_head(&w, 0x1234);
	assert_true(writer_ok(&w) && head[0] == 0x12 && head[1] == 0x34);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_cut),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_heads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
