#include "sfu/proto/unpack.h"

#include <stdlib.h>

#include "core/check.h"
#include "guarded.h"
#include "hex.h"
#include "sfu/proto/shape.h"

/* Payloads of one frame, a bar between them; what comes of them, "" when it is broken. */
static const struct {
	const char *what;
	enum codec codec;
	const char *payloads, *frame;
	bool key;
} known[] = {
	{"a unit", CODEC_H264, "41 9a 01", "00000003 41 9a 01", false},
	{"units together", CODEC_H264, "78 0002 6742 0002 68ce 0003 658804",
	 "00000002 6742 00000002 68ce 00000003 658804", true},
	{"fragments", CODEC_H264, "7c 85 88 01|7c 05 02|7c 45 03", "00000005 65 88 01 02 03", true},
	{"what says nothing", CODEC_H264, "09f0|41 9a|0cff", "00000002 419a", false},
	{"a fragment without a beginning", CODEC_H264, "7c 05 02|7c 45 03", "", false},
	{"one without an end", CODEC_H264, "7c 85 88", "", false},
	{"one that begins twice", CODEC_H264, "7c 85 88|7c 85 88|7c 45 03", "", false},
	{"a unit amid fragments", CODEC_H264, "7c 85 88|41 9a|7c 45 03", "", false},
	{"units that are cut", CODEC_H264, "78 0002 6742 0003 68ce", "", false},
	{"interleaved", CODEC_H264, "79 0000 0002 6742", "", false},
	{"a unit", CODEC_H265, "2601 af01", "00000004 2601 af01", true},
	{"units together", CODEC_H265, "6001 0003 400101 0003 0201d0",
	 "00000003 400101 00000003 0201d0", false},
	{"fragments", CODEC_H265, "6201 93 af|6201 13 01|6201 53 02", "00000005 2601 af 01 02",
	 true},
	{"no head", CODEC_H265, "62", "", false},
	{"packets", CODEC_VP8, "10 30 01|00 02 03", "30 01 02 03", true},
	{"with numbers", CODEC_VP8, "90 f0 80 01 07 20 31 01|80 80 01 02", "31 01 02", false},
	{"without a beginning", CODEC_VP8, "00 02 03", "", false},
	{"a whole one", CODEC_VP9, "0c 82 49", "82 49", true},
	{"with a structure", CODEC_VP9, "8a 81 01 18 0140 00f0 01 04 01 82 49|84 81 01 83",
	 "82 49 83", true},
	{"from two", CODEC_VP9, "dc 8101 03 04 86", "86", false},
	{"from four", CODEC_VP9, "dc 8101 03 03 03 04 86", "", false},
	{"flexible", CODEC_VP9, "dc 8101 02 86", "86", false},
	{"layers", CODEC_VP9, "2c 01 01 aa bb|24 03 01 cc|6c 03 01 dd", "", false},
	{"layers", CODEC_VP9, "2c 01 01 aa bb|28 03 01 cc|24 03 01 dd",
	 "aa bb cc dd d9 02000000 02000000 d9", true},
	{"elements", CODEC_AV1, "08 02 12 00 03 08 aa bb 02 30 10", "0a 02 aa bb 32 01 10", true},
	{"with a count", CODEC_AV1, "28 02 08 aa 30 10 11", "0a 01 aa 32 02 10 11", true},
	{"a part", CODEC_AV1, "50 30 40|d0 41|90 42", "32 03 40 41 42", false},
	{"a size it has", CODEC_AV1, "10 32 02 40 41", "32 02 40 41", false},
	{"a size that is too long", CODEC_AV1, "10 32 03 40 41", "", false},
	{"a part without a beginning", CODEC_AV1, "90 42", "", false},
	{"one without an end", CODEC_AV1, "50 30 40", "", false},
	{"a packet", CODEC_OPUS, "fc ff fe", "fc ff fe", true},
};

static uint8_t room[4096], buf[256], wanted[256];

/* Each in memory that ends where it does. */
static enum unpack_status feed(const char *text, struct unpack *unpack, size_t cut,
			       struct unpacked *out)
{
	char one[256];

	while (*text) {
		size_t n = strcspn(text, "|");
		struct bytes payload;

		memcpy(one, text, n);
		one[n] = '\0';
		text += n + (text[n] == '|');
		payload = from_hex(one, buf);
		payload = guarded(bytes_first(payload, payload.len > cut ? payload.len - cut : 0));
		(void)unpack_put(unpack, payload, 77, *text == '\0');
		guarded_free(payload);
	}
	return unpack_end(unpack, out);
}

static void test_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(known); i++) {
		struct unpack unpack;
		struct unpacked out;
		enum unpack_status status;

		unpack_init(&unpack, known[i].codec, room, sizeof room);
		/* Twice: nothing is left of the first. */
		for (unsigned again = 0; again < 2; again++) {
			status = feed(known[i].payloads, &unpack, 0, &out);
			if (!known[i].frame[0]) {
				if (status != UNPACK_BROKEN)
					print_message("%s\n", known[i].what);
				assert_int_equal(status, UNPACK_BROKEN);
				continue;
			}
			if (status != UNPACK_FRAME)
				print_message("%s\n", known[i].what);
			assert_int_equal(status, UNPACK_FRAME);
			assert_same(out.frame, from_hex(known[i].frame, wanted));
			assert_int_equal(out.key, known[i].key);
			assert_int_equal(out.ts, 77);
		}
	}
}

/* However short each is, and however small the room. */
static void test_cut_anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(known); i++)
		for (size_t cut = 0; cut < 24; cut++) {
			struct unpack unpack;
			struct unpacked out;
			uint8_t *small = malloc(cut + 1);

			unpack_init(&unpack, known[i].codec, room, sizeof room);
			(void)feed(known[i].payloads, &unpack, cut, &out);
			unpack_init(&unpack, known[i].codec, small, cut + 1);
			if (feed(known[i].payloads, &unpack, 0, &out) == UNPACK_FRAME)
				assert_true(out.frame.len <= cut + 1);
			free(small);
		}
}

static void test_a_frame_without_a_marker(void **state)
{
	struct unpack unpack;
	struct unpacked out;

	(void)state;
	unpack_init(&unpack, CODEC_H264, room, sizeof room);
	assert_false(unpack_put(&unpack, BYTES("\x41\x01"), 1, false));
	assert_false(unpack_is_other(&unpack, 1));
	assert_true(unpack_is_other(&unpack, 2));
	assert_int_equal(unpack_end(&unpack, &out), UNPACK_FRAME);
	assert_false(unpack_is_other(&unpack, 2));
	assert_int_equal(unpack_end(&unpack, &out), UNPACK_NOTHING);
	/* Padding is no frame, but may end one. */
	assert_false(unpack_put(&unpack, BYTES(""), 2, true));
	assert_false(unpack_put(&unpack, BYTES("\x41\x01"), 2, false));
	assert_true(unpack_put(&unpack, BYTES(""), 2, true));
	assert_int_equal(unpack_end(&unpack, &out), UNPACK_FRAME);
}

/* --- shapes: of 1920 by 1080, as x264, x265, libvpx and SVT-AV1 write them --------------------- */

#define SPS "6742c028da01e0089f970110000003001000000301e0f1832a"
#define VPS "40010c01ffff016000000300900000030000030078959409"
#define HPS "420101016000000300900000030000030078a003c0801107cb965654a4c2f0168080000003008000000784"

static const struct {
	enum codec codec;
	const char *frame;
	size_t need; /* bytes of it */
	const char *setup;
	uint32_t width, height;
} shapes[] = {
	{CODEC_H264, "00000019" SPS "00000004 68ce0fc8 00000002 6588", 37,
	 "01 42c028 ff e1 0019" SPS "01 0004 68ce0fc8", 1920, 1080},
	{CODEC_H265, "00000018" VPS "0000002b" HPS "00000006 4401c073c189", 85,
	 "01 016000000090000000000078 f000 fc fd f8 f8 0000 0f 03 20 0001 0018" VPS
	 "21 0001 002b" HPS "22 0001 0006 4401c073c189",
	 1920, 1080},
	{CODEC_VP8, "30b701 9d012a 8007 3804 00", 10, "", 1920, 1080},
	{CODEC_VP9, "824983420077f0437600", 9, "", 1920, 1080},
	{CODEC_AV1, "0a0b00000042abbfc373efe401 320110", 13,
	 "81 08 0c 00 0a0b00000042abbfc373efe401", 1920, 1080},
};

static void test_shapes(void **state)
{
	struct shape shape, again;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(shapes); i++) {
		struct bytes all = from_hex(shapes[i].frame, buf);

		for (size_t len = 0; len <= all.len; len++) {
			struct bytes in = guarded(bytes_first(all, len));

			assert_int_equal(shape_read(shapes[i].codec, in, 0, &shape),
					 len >= shapes[i].need);
			guarded_free(in);
		}
		assert_int_equal(shape.width, shapes[i].width);
		assert_int_equal(shape.height, shapes[i].height);
		assert_same(bytes_of(shape.setup, shape.setup_len),
			    from_hex(shapes[i].setup, wanted));
		assert_true(shape_read(shapes[i].codec, all, 0, &again));
		assert_true(shape_fits(&shape, &again));
		again.width++;
		assert_int_equal(shape_fits(&shape, &again),
				 shape.codec == CODEC_VP8 || shape.codec == CODEC_VP9);
	}
	assert_true(shape_read(CODEC_OPUS, BYTES("x"), 2, &shape));
	assert_same(bytes_of(shape.setup, shape.setup_len),
		    BYTES("OpusHead\1\2\0\0\x80\xbb\0\0\0\0\0"));
	assert_false(shape_read(CODEC_PCMU, BYTES("x"), 1, &shape));
}

/* A difference of 2^31 - 1, which no encoder writes: for UBSan. */
static void test_scaling_lists_of_any_size(void **state)
{
	static const char sps[] =
		"00000013 67640028ad8000000300fffffffeffffffffff 00000004 68ce0fc8";
	struct bytes in = guarded(from_hex(sps, buf));
	struct shape shape;

	(void)state;
	assert_false(shape_read(CODEC_H264, in, 0, &shape));
	guarded_free(in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_a_frame_without_a_marker),
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_scaling_lists_of_any_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
