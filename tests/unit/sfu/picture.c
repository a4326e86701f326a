#include "sfu/proto/picture.h"

#include "core/check.h"
#include "guarded.h"

static const struct {
	const char *what;
	enum codec codec;
	uint8_t bytes[8];
	size_t need; /* bytes of the descriptor */
	uint8_t id_at, tl0_at;
	uint16_t id;
	uint8_t tl0;
} known[] = {
	{"VP8, plain", CODEC_VP8, {0x10, 1, 2}, 1, 0, 0, 0, 0},
	{"VP8, 15 bits", CODEC_VP8, {0x90, 0x80, 0x81, 0x02}, 4, 2, 0, 0x102, 0},
	{"VP8, 7 bits", CODEC_VP8, {0x90, 0xc0, 0x21, 0x07}, 4, 0, 3, 0, 7},
	{"VP8, all", CODEC_VP8, {0x90, 0xf0, 0xff, 0xfe, 0xfd, 0x20}, 5, 2, 4, 0x7ffe, 0xfd},
	{"VP9, none", CODEC_VP9, {0x08}, 1, 0, 0, 0, 0},
	{"VP9, flexible", CODEC_VP9, {0xb8, 0x81, 0x02, 0x00}, 4, 1, 0, 0x102, 0},
	{"VP9, not flexible", CODEC_VP9, {0xa8, 0x81, 0x02, 0x00, 0x09}, 5, 1, 4, 0x102, 9},
	{"H264", CODEC_H264, {0x90, 0x80, 0x81, 0x02}, 0, 0, 0, 0, 0},
};

static void test_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(known); i++) {
		for (size_t len = 0; len <= sizeof known[i].bytes; len++) {
			struct bytes in = guarded(bytes_of(known[i].bytes, len));
			struct picture picture = picture_read(known[i].codec, in);
			bool whole = len >= known[i].need;

			assert_int_equal(picture.id_at, whole ? known[i].id_at : 0);
			assert_int_equal(picture.tl0_at, whole ? known[i].tl0_at : 0);
			assert_int_equal(picture.id, whole ? known[i].id : 0);
			assert_int_equal(picture.tl0, whole ? known[i].tl0 : 0);
			guarded_free(in);
		}
	}
}

/* Three pictures of one stream, then three of another, numbered anywhere. */
static void test_they_go_on(void **state)
{
	static const uint16_t ids[] = {0x7ffd, 5, 0};
	static const uint8_t tl0s[] = {254, 9, 0};
	struct picture_count count = {0};
	uint16_t expected = 0x7ffd;
	uint8_t expected_tl0 = 254;

	(void)state;
	for (unsigned s = 0; s < 3; s++) {
		struct picture_shift shift = {0};

		for (unsigned n = 0; n < 3; n++) {
			uint8_t in[] = {0x90, 0xc0, 0, 0, 0};
			struct picture picture = picture_read(CODEC_VP8, BYTES("\x90\xc0\x80\0\0"));
			struct picture out;

			picture_write(in, &picture, (uint16_t)(ids[s] + n), (uint8_t)(tl0s[s] + n));
			picture = picture_read(CODEC_VP8, bytes_of(in, sizeof in));
			if (n == 0)
				shift = picture_follow(&count, &picture);
			picture_move(in, &picture, shift, &count);
			out = picture_read(CODEC_VP8, bytes_of(in, sizeof in));
			assert_int_equal(out.id, expected);
			assert_int_equal(out.tl0, expected_tl0);
			expected = (expected + 1) & 0x7fff;
			expected_tl0++;
		}
	}
}

/* What comes late does not count back. */
static void test_late(void **state)
{
	struct picture_count count = {0};
	uint8_t in[] = {0x90, 0xc0, 0x80, 9, 9};
	struct picture ninth = picture_read(CODEC_VP8, bytes_of(in, sizeof in));
	struct picture third = ninth, none = {0};

	(void)state;
	third.id = 3;
	third.tl0 = 3;
	picture_move(in, &ninth, (struct picture_shift){0, 0}, &count);
	picture_move(in, &third, (struct picture_shift){0, 0}, &count);
	picture_move(in, &none, (struct picture_shift){7, 7}, &count);
	assert_true(count.begun && count.id == 9 && count.tl0 == 9);
	assert_int_equal(in[3], 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_they_go_on),
		cmocka_unit_test(test_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
