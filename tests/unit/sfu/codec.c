#include "sfu/proto/codec.h"

#include "hex.h"

static const struct {
	enum codec codec;
	const char *hex;
	bool key;
} cases[] = {
	/* H.264: SPS, PPS, IDR, slice; STAP-A with and without; FU-A of an IDR, first and second */
	{CODEC_H264, "6742c01f", true},
	{CODEC_H264, "68ce3c80", false},
	{CODEC_H264, "65888000", true},
	{CODEC_H264, "41888000", false},
	{CODEC_H264, "78 0002 67aa 0002 68bb", true},
	{CODEC_H264, "78 0002 41aa 0002 06bb", false},
	{CODEC_H264, "78 00ff 67aa", false}, /* longer than there is */
	{CODEC_H264, "78 00ff 67aabbcc", false},
	{CODEC_H265, "6001 00ff 420101bb", false},
	{CODEC_H264, "7c 85 00", true},
	{CODEC_H264, "7c 05 00", false},
	{CODEC_H264, "7c 81 00", false},
	/* VP8: plain, with 7 and 15 bits of picture id, all fields; an inter frame; a later partition */
	{CODEC_VP8, "10 50", true},
	{CODEC_VP8, "10 51", false},
	{CODEC_VP8, "90 80 05 50", true},
	{CODEC_VP8, "90 80 8005 50", true},
	{CODEC_VP8, "90 f0 8005 01 20 50", true},
	{CODEC_VP8, "90 f0 8005 01 20 51", false},
	{CODEC_VP8, "00 50", false},
	{CODEC_VP8, "11 50", false},
	{CODEC_VP8, "90 80", false},
	/* VP9: B of I=1; P; not the beginning; upper layer */
	{CODEC_VP9, "88 05 00", true},
	{CODEC_VP9, "c8 05 00", false},
	{CODEC_VP9, "80 05 00", false},
	{CODEC_VP9, "a8 05 02 00", false},
	{CODEC_VP9, "a8 8005 00 00", true},
	/* AV1: N; goes on with a packet before */
	{CODEC_AV1, "18 0a", true},
	{CODEC_AV1, "10 0a", false},
	{CODEC_AV1, "98 0a", false},
	/* H.265: VPS, IDR_W_RADL, trailing picture; AP; FU first and later */
	{CODEC_H265, "4001 00", true},
	{CODEC_H265, "2601 00", true},
	{CODEC_H265, "0201 00", false},
	{CODEC_H265, "6001 0003 420101 0003 440101", true},
	{CODEC_H265, "6201 93 00", true},
	{CODEC_H265, "6201 13 00", false},
	{CODEC_OPUS, "78", true},
};

static void test_where_a_decoder_may_begin(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t buf[64];
		struct bytes in = guarded(from_hex(cases[i].hex, buf));

		if (codec_begins_key(cases[i].codec, in) != cases[i].key)
			print_error("%s %s\n", codec_name(cases[i].codec), cases[i].hex);
		assert_int_equal(codec_begins_key(cases[i].codec, in), cases[i].key);
		for (size_t cut = 0; cut < in.len; cut++) {
			struct bytes part = guarded(bytes_first(in, cut));

			(void)codec_begins_key(cases[i].codec, part);
			guarded_free(part);
		}
		guarded_free(in);
	}
}

static void test_names(void **state)
{
	(void)state;
	assert_int_equal(codec_of(BYTES("Opus")), CODEC_OPUS);
	assert_int_equal(codec_of(BYTES("h264")), CODEC_H264);
	assert_int_equal(codec_of(BYTES("rtx")), CODEC_NONE);
	assert_int_equal(codec_of(BYTES("")), CODEC_NONE);
	for (unsigned i = 1; i < CODEC_COUNT; i++)
		assert_int_equal(codec_of(bytes_str(codec_name((enum codec)i))), i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_where_a_decoder_may_begin),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
