/* What waits, by number and by memory. */
#include "guarded.h"

#include "held.h"

static AVFrame *picture(int width, int height)
{
	AVFrame *frame = av_frame_alloc();

	assert_non_null(frame);
	frame->format = AV_PIX_FMT_GRAY8;
	frame->width = width;
	frame->height = height;
	assert_int_equal(av_frame_get_buffer(frame, 0), 0);
	return frame;
}

static bool put(struct held *held, AVFrame **frame, int64_t pts_us)
{
	bool taken = held_put(held, *frame, pts_us);

	/* Taken or not, the frame refers to nothing any more. */
	assert_null((*frame)->buf[0]);
	av_frame_free(frame);
	return taken;
}

static void they_come_out_as_they_went_in(void **state)
{
	struct held held;
	int64_t in = 0, out = 0;

	(void)state;
	assert_true(held_init(&held, 4, 1 << 20));
	assert_null(held_first(&held));
	assert_int_equal(held_span_us(&held), 0);
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 3; i++, in++) {
			AVFrame *frame = picture(16, 16);

			assert_true(put(&held, &frame, in * 1000));
		}
		assert_int_equal(held_span_us(&held), 2000);
		for (int i = 0; i < 3; i++, out++) {
			assert_int_equal(held_first(&held)->pts_us, out * 1000);
			held_drop(&held);
		}
		assert_int_equal(held.bytes, 0);
	}
	held_fini(&held);
}

static void no_more_than_the_number(void **state)
{
	struct held held;

	(void)state;
	assert_true(held_init(&held, 3, 1 << 20));
	for (int i = 0; i < 4; i++) {
		AVFrame *frame = picture(16, 16);

		assert_int_equal(held_is_full(&held), i == 3);
		assert_int_equal(put(&held, &frame, i), i < 3);
	}
	held_drop(&held);
	assert_false(held_is_full(&held));
	held_fini(&held);
}

/* A hundred small pictures may wait, of the huge ones two. */
static void no_more_than_the_memory(void **state)
{
	const size_t most = 6 << 20;
	struct held held;
	AVFrame *frame;
	int taken = 0;

	(void)state;
	assert_true(held_init(&held, 128, most));
	for (int i = 0; i < 100; i++) {
		frame = picture(16, 16);
		assert_true(put(&held, &frame, i));
	}
	while (held.count)
		held_drop(&held);
	for (int i = 0; i < 100; i++) {
		frame = picture(2048, 2048);
		taken += put(&held, &frame, i);
	}
	assert_int_equal(taken, 2);
	assert_true(held_is_full(&held));
	/* One may be larger than all together, or nothing would ever go on. */
	assert_true(held.bytes >= most && held.bytes < most + (6 << 20));
	held_drop(&held);
	assert_false(held_is_full(&held));
	held_fini(&held);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_come_out_as_they_went_in),
		cmocka_unit_test(no_more_than_the_number),
		cmocka_unit_test(no_more_than_the_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
