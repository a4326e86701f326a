#include "sfu/proto/clip.h"

#include "core/check.h"
#include "guarded.h"

/* Three pictures of VP8, the second of 2,300 bytes; a time base of 1/10 s, and one that is left out. */
static struct bytes ivf(uint8_t *buf, size_t size, const char *fourcc)
{
	static const uint8_t head[8] = {0, 0, 32, 0};
	static const size_t sizes[] = {20, 2300, 30};
	static const uint8_t at[] = {0, 1, 3};
	struct writer w = writer_of(buf, size);

	writer_str(&w, "DKIF");
	writer_put(&w, bytes_of(head, 4));
	writer_str(&w, fourcc);
	writer_put(&w, bytes_of("\x40\x01\xb4\0\x0a\0\0\0\x01\0\0\0\x03\0\0\0\0\0\0\0", 20));
	for (unsigned i = 0; i < 3; i++) {
		writer_u8(&w, (uint8_t)sizes[i]);
		writer_u8(&w, (uint8_t)(sizes[i] >> 8));
		writer_be(&w, 0, 2);
		writer_u8(&w, at[i]);
		writer_put(&w, bytes_of("\0\0\0\0\0\0\0", 7));
		writer_u8(&w, i == 1 ? 0x11 : 0x10); /* the last bit: not a key picture */
		for (size_t n = 1; n < sizes[i]; n++)
			writer_u8(&w, (uint8_t)n);
	}
	assert_true(writer_ok(&w));
	return writer_done(&w);
}

static void test_vp8(void **state)
{
	uint8_t buf[4096], out[CLIP_PAYLOAD_MAX];
	struct bytes file = guarded(ivf(buf, sizeof buf, "VP80"));
	static const int64_t at[] = {0, 100000, 300000};
	static const unsigned payloads[] = {1, 3, 1};
	struct clip_picture picture;
	struct clip clip;

	(void)state;
	assert_null(clip_open(file, 25, &clip));
	assert_int_equal(clip.codec, CODEC_VP8);
	assert_int_equal(clip.width, 320);
	assert_int_equal(clip.pictures, 3);
	assert_int_equal(clip.length_us, 400000);
	assert_int_equal(clip.key_gap_us, 300000);
	for (unsigned turn = 0; turn < 2; turn++, clip_rewind(&clip)) {
		for (unsigned i = 0; i < 3; i++) {
			bool marker = false;
			unsigned count = 0;

			assert_true(clip_next(&clip, &picture));
			assert_int_equal(picture.at_us, at[i]);
			assert_int_equal(picture.key, i != 1);
			picture.id = 0x1234;
			for (;; count++) {
				struct writer w = writer_of(out, sizeof out);
				bool was = marker;

				if (!clip_payload(clip.codec, &picture, &w, &marker))
					break;
				assert_false(was);
				assert_int_equal(out[0], count ? 0x80 : 0x90);
				assert_memory_equal(out + 1, "\x80\x92\x34", 3);
				assert_int_equal(codec_begins_key(CODEC_VP8, writer_done(&w)),
						 i != 1 && count == 0);
			}
			assert_true(marker);
			assert_int_equal(count, payloads[i]);
		}
		assert_false(clip_next(&clip, &picture));
	}
	guarded_free(file);
}

/* Cut off anywhere it is a shorter film or none, and nothing behind its end is looked at. */
static void test_cut_off(void **state)
{
	uint8_t buf[4096];
	struct bytes whole = ivf(buf, sizeof buf, "VP80");

	(void)state;
	for (size_t len = 0; len < whole.len; len++) {
		struct bytes file = guarded(bytes_first(whole, len));
		struct clip clip;
		unsigned want = len < 32 + 12 + 20 ? 0 : len < 32 + 24 + 2320 ? 1 : 2;

		if (clip_open(file, 25, &clip))
			clip.pictures = 0;
		assert_int_equal(clip.pictures, want);
		guarded_free(file);
	}
}

#define SPS "\0\0\0\1\x67\x42\xc0\x0d\x11"
#define PPS "\0\0\1\x68\xce"
#define AUD "\0\0\1\x09\x10"

static void test_h264(void **state)
{
	/* A key picture of two slices, another picture, and zeroes behind it. */
	static const char text[] = AUD SPS PPS "\0\0\1\x65\x88\x80"
					       "\0\0\1\x65\x20\x11" AUD "\0\0\1\x41\x9a\x12"
					       "\0\0\1\x0c\xff\x80\0\0\0";
	static const char *const units[] = {"\x67\x42\xc0\x0d\x11", "\x68\xce", "\x65\x88\x80",
					    "\x65\x20\x11", "\x41\x9a\x12"};
	struct bytes file = guarded(bytes_of(text, sizeof text - 1));
	struct clip_picture picture;
	struct clip clip;
	unsigned unit = 0;

	(void)state;
	assert_null(clip_open(file, 20, &clip));
	assert_int_equal(clip.codec, CODEC_H264);
	assert_string_equal(clip.profile, "42c00d");
	assert_int_equal(clip.pictures, 2);
	assert_int_equal(clip.length_us, 100000);
	while (clip_next(&clip, &picture)) {
		uint8_t out[CLIP_PAYLOAD_MAX];
		struct writer w = writer_of(out, sizeof out);
		bool marker;

		assert_int_equal(picture.key, unit == 0);
		while (clip_payload(clip.codec, &picture, &w, &marker)) {
			assert_true(bytes_equal(writer_done(&w), bytes_str(units[unit])));
			assert_int_equal(marker, unit >= 3);
			unit++;
			w = writer_of(out, sizeof out);
		}
	}
	assert_int_equal(unit, COUNT_OF(units));
	guarded_free(file);
}

/* RFC 6184 5.8: what was cut into fragments is whole again. */
static void test_fragments(void **state)
{
	static uint8_t text[6000];
	struct writer w = writer_of(text, sizeof text), whole;
	uint8_t out[CLIP_PAYLOAD_MAX], joined[6000];
	struct clip_picture picture;
	struct clip clip;
	unsigned count = 0;
	size_t from;
	bool marker = false;

	(void)state;
	writer_put(&w, BYTES(SPS PPS "\0\0\1"));
	from = w.len;
	writer_put(&w, BYTES("\x65\x88"));
	while (w.len < from + 3000)
		writer_u8(&w, (uint8_t)(w.len % 251 + 1));
	assert_null(clip_open(writer_done(&w), 25, &clip));
	assert_true(clip_next(&clip, &picture));
	whole = writer_of(joined, sizeof joined);
	for (;; count++) {
		struct writer one = writer_of(out, sizeof out);

		if (!clip_payload(clip.codec, &picture, &one, &marker))
			break;
		if (count < 2)
			continue;
		assert_int_equal(out[0], 0x7c);
		assert_int_equal(out[1], count == 2 ? 0x85 : count == 4 ? 0x45 : 0x05);
		assert_int_equal(marker, count == 4);
		if (count == 2)
			writer_u8(&whole, (uint8_t)((out[0] & 0xe0) | (out[1] & 31)));
		writer_put(&whole, bytes_skip(writer_done(&one), 2));
	}
	assert_int_equal(count, 5);
	assert_true(bytes_equal(writer_done(&whole), bytes_skip(writer_done(&w), from)));
}

static void test_what_is_none(void **state)
{
	uint8_t buf[4096];
	struct clip clip;

	(void)state;
	assert_non_null(clip_open(BYTES(""), 25, &clip));
	assert_non_null(clip_open(BYTES("<p>no film"), 25, &clip));
	assert_non_null(clip_open(ivf(buf, sizeof buf, "VP90"), 25, &clip));
	/* No key picture; one that lacks its parameter sets. */
	assert_non_null(clip_open(BYTES(SPS PPS "\0\0\1\x41\x9a\x12"), 25, &clip));
	assert_non_null(clip_open(BYTES(SPS PPS "\0\0\1\x65\x88\x12"
						"\0\0\1\x65\x88\x12"),
				  25, &clip));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vp8),          cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_h264),         cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_what_is_none),
	};

	return cmocka_run_group_tests_name("sfu_clip", tests, NULL, NULL);
}
