#include "sfu/proto/sprop.h"

#include <stdio.h>
#include <stdlib.h>

#include "guarded.h"

/* As ffmpeg says them of x264 and x265. */
#define H264                                                                                     \
	"packetization-mode=1; sprop-parameter-sets=Z0LACtoKEflwEQAAAwABAAADAB6PEiag,aM4PyA==; " \
	"profile-level-id=42C00A"
#define VPS "sprop-vps=QAEMAf//AWAAAAMAkAAAAwAAAwAeugJA"
#define SPS "sprop-sps=QgEBAWAAAAMAkAAAAwAAAwAeoBQgIHy5bpKTC8BaAgAAAwACAAADAB4Q"
#define PPS "sprop-pps=RAHAcYMS"

#define TEXT(text)  guarded(bytes_str(text))
#define UNIT(bytes) guarded(BYTES(bytes))

static struct sprop sprop;

static unsigned type(enum codec codec, unsigned number)
{
	struct bytes set = sprop_set(&sprop, number);

	return codec == CODEC_H264 ? set.at[0] & 31u : set.at[0] >> 1 & 63u;
}

static void test_sets_are_read(void **state)
{
	(void)state;
	assert_true(sprop_read(CODEC_H264, TEXT(H264), &sprop));
	assert_int_equal(sprop.count, 2);
	assert_int_equal(sprop_set(&sprop, 0).len, 24);
	assert_int_equal(type(CODEC_H264, 0), 7);
	assert_true(bytes_equal(sprop_set(&sprop, 1), BYTES("\x68\xce\x0f\xc8")));
	/* Sequence before picture, whatever the order was. */
	assert_true(sprop_read(
		CODEC_H264, TEXT("sprop-parameter-sets=aM4PyA==,Z0LACtoKEflwEQAAAwABAAADAB6PEiag"),
		&sprop));
	assert_int_equal(type(CODEC_H264, 0), 7);
	assert_true(sprop_read(CODEC_H265, TEXT(PPS ";" SPS ";" VPS), &sprop));
	assert_int_equal(sprop.count, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(type(CODEC_H265, i), 32 + i);
}

static void test_what_no_decoder_could_begin_with_is_none(void **state)
{
	static const struct {
		enum codec codec;
		const char *text;
		bool said;
	} cases[] = {
		{CODEC_H264, "packetization-mode=1", false},
		{CODEC_H264, VPS ";" SPS ";" PPS, false},
		{CODEC_VP8, H264, false},
		{CODEC_H264, "sprop-parameter-sets=", true},
		{CODEC_H264, "sprop-parameter-sets=Z0LACtoKEflwEQAAAwABAAADAB6PEiag", true},
		{CODEC_H264, "sprop-parameter-sets=aM4PyA==", true},
		{CODEC_H264, "sprop-parameter-sets=Z0LACtoKEflwEQAAAwABAAADAB6PEiag,aM4PyA", true},
		{CODEC_H264,
		 "sprop-parameter-sets=Z0LACtoKEflwEQAAAwABAAADAB6PEiag,,aM4PyA==", true},
		{CODEC_H264, "sprop-parameter-sets=Z0LACtoK,aM4PyA==", true},
		{CODEC_H265, VPS ";" SPS, true},
		{CODEC_H265, VPS ";" PPS, true},
		{CODEC_H265, "sprop-vps=!;" SPS ";" PPS, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(sprop_are_said(cases[i].codec, TEXT(cases[i].text)),
				 cases[i].said);
		assert_false(sprop_read(cases[i].codec, TEXT(cases[i].text), &sprop));
		assert_int_equal(sprop.count, 0);
	}
}

static void test_more_than_there_is_room_for_is_none(void **state)
{
	char text[4096] = "sprop-parameter-sets=Z0LACtoKEflwEQAAAwABAAADAB6PEiag";

	(void)state;
	for (unsigned i = 1; i < SPROP_SETS; i++) {
		strcat(text, ",aM4PyA==");
		assert_true(sprop_read(CODEC_H264, TEXT(text), &sprop));
	}
	strcat(text, ",aM4PyA==");
	assert_false(sprop_read(CODEC_H264, TEXT(text), &sprop));
	strcpy(text, "sprop-parameter-sets=Z0LACtoKEflwEQAAAwABAAADAB6PEiag,aM4P");
	for (unsigned i = 0; i < SPROP_SIZE / 3; i++)
		strcat(text, "AAAA");
	assert_false(sprop_read(CODEC_H264, TEXT(text), &sprop));
}

static void test_other_parameters_stay(void **state)
{
	char out[200] = "";
	struct writer w = writer_of(out, sizeof out - 1);

	(void)state;
	sprop_strip(TEXT(H264 "; ;max-fs=3"), &w);
	assert_true(bytes_equal(writer_done(&w),
				BYTES("packetization-mode=1;profile-level-id=42C00A;max-fs=3")));
}

/* --- where they belong ----------------------------------------------------------------------- */

static struct sprop_places places;
static enum codec codec;

static void come(int64_t seq, int64_t ts, struct bytes payload, enum sprop_order order,
		 int64_t expected)
{
	assert_int_equal(sprop_insert(&places, &sprop, codec, payload, &seq, ts), order);
	if (order != SPROP_LATE)
		assert_int_equal(seq, expected);
}

static void begin(enum codec of, const char *fmtp)
{
	codec = of;
	places = (struct sprop_places){0};
	assert_true(sprop_read(of, TEXT(fmtp), &sprop));
}

#define IDR   UNIT("\x65\x88")
#define SLICE UNIT("\x41\x9a")

static void test_they_stand_before_each_key_picture(void **state)
{
	(void)state;
	begin(CODEC_H264, H264);
	come(10, 0, SLICE, SPROP_PASS, 10);
	come(11, 1, UNIT("\x06\x05"), SPROP_PASS, 11);
	come(12, 1, UNIT("\x7c\x85"), SPROP_INSERT, 14); /* a fragment that begins */
	come(13, 1, UNIT("\x7c\x05"), SPROP_PASS, 15);   /* its next */
	come(14, 1, IDR, SPROP_PASS, 16);                /* another slice of the picture */
	come(16, 2, SLICE, SPROP_PASS, 18);
	come(15, 2, SLICE, SPROP_PASS, 17);
	come(17, 3, UNIT("\x78\x00\x02\x06\x05\x00\x02\x65\x88"), SPROP_INSERT, 21);
	/* From before, sent again. */
	come(9, 0, SLICE, SPROP_PASS, 9);
	come(18, 4, SLICE, SPROP_PASS, 22);
}

static void test_who_sends_his_own_is_left_alone(void **state)
{
	(void)state;
	begin(CODEC_H264, H264);
	come(10, 0, IDR, SPROP_INSERT, 12);
	come(11, 1, UNIT("\x78\x00\x02\x67\x88\x00\x02\x65\x88"), SPROP_PASS, 13);
	come(12, 2, IDR, SPROP_PASS, 14);
	/* Another program. */
	sprop_again(&places);
	come(13, 3, IDR, SPROP_INSERT, 17);
}

static void test_a_key_picture_that_comes_late_is_as_it_is(void **state)
{
	(void)state;
	begin(CODEC_H264, H264);
	come(10, 0, SLICE, SPROP_PASS, 10);
	come(12, 1, SLICE, SPROP_PASS, 12);
	come(11, 1, IDR, SPROP_PASS, 11);
	for (int64_t i = 13; i < 13 + SPROP_PLACES; i++)
		come(i, i, IDR, SPROP_INSERT, i + 2 * (i - 12));
	come(9, 0, SLICE, SPROP_PASS, 9);
	come(13 + SPROP_PLACES, 100, IDR, SPROP_INSERT, 13 + 3 * SPROP_PLACES + 2);
	come(8, 0, SLICE, SPROP_LATE, 0);
}

static void test_of_h265_too(void **state)
{
	(void)state;
	begin(CODEC_H265, VPS ";" SPS ";" PPS);
	come(1, 0, UNIT("\x02\x01\xd0"), SPROP_PASS, 1);
	come(2, 1, UNIT("\x28\x01\xaf"), SPROP_INSERT, 5);     /* IDR_N_LP */
	come(3, 2, UNIT("\x62\x01\x95\xaf"), SPROP_INSERT, 9); /* a fragment of CRA */
	come(4, 2, UNIT("\x62\x01\x15\xaf"), SPROP_PASS, 10);
	come(5, 3, UNIT("\x60\x01\x00\x03\x4e\x01\x05\x00\x03\x26\x01\xaf"), SPROP_INSERT, 14);
	come(6, 4, UNIT("\x42\x01\x01"), SPROP_PASS, 15);
	come(7, 5, UNIT("\x26\x01\xaf"), SPROP_PASS, 16);
	come(8, 6, UNIT("\x62"), SPROP_PASS, 17);
	come(9, 6, UNIT(""), SPROP_PASS, 18);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sets_are_read),
		cmocka_unit_test(test_what_no_decoder_could_begin_with_is_none),
		cmocka_unit_test(test_more_than_there_is_room_for_is_none),
		cmocka_unit_test(test_other_parameters_stay),
		cmocka_unit_test(test_they_stand_before_each_key_picture),
		cmocka_unit_test(test_who_sends_his_own_is_left_alone),
		cmocka_unit_test(test_a_key_picture_that_comes_late_is_as_it_is),
		cmocka_unit_test(test_of_h265_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
