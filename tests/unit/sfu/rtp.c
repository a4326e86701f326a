#include "sfu/proto/rtp.h"

#include "hex.h"

static void test_a_packet_with_everything(void **state)
{
	uint8_t buf[128];
	/* P and X, one CSRC; one-byte extension: id 3 of 1, padding, id 5 of 3; payload 2, padding 2. */
	struct bytes in = guarded(from_hex("b1e01234 00001000 cafebabe 11111111"
					   "bede0002 3061 00 52 010203 00"
					   "aabb0002",
					   buf));
	struct rtp rtp;

	(void)state;
	assert_true(rtp_parse(in, &rtp));
	assert_true(rtp.marker);
	assert_int_equal(rtp.pt, 0x60);
	assert_int_equal(rtp.seq, 0x1234);
	assert_int_equal(rtp.ts, 0x1000);
	assert_int_equal(rtp.ssrc, 0xcafebabe);
	assert_int_equal(rtp.payload.len, 2);
	assert_int_equal(rtp.header.len, 28);
	assert_same(rtp_element(&rtp, 3), BYTES("a"));
	assert_same(rtp_element(&rtp, 5), BYTES("\1\2\3"));
	assert_null(rtp_element(&rtp, 4).at);
	assert_null(rtp_element(&rtp, 0).at);
	for (size_t i = 0; i < 28; i++) {
		struct bytes part = guarded(bytes_first(in, i));

		assert_false(rtp_parse(part, &rtp));
		guarded_free(part);
	}
	guarded_free(in);
}

static void test_two_byte_elements(void **state)
{
	uint8_t buf[64];
	struct bytes in =
		guarded(from_hex("90600001 00000000 00000001 10000002 0f00 0001 10 02 aabb", buf));
	struct rtp rtp;
	struct rtp_element element;
	struct bytes rest;

	(void)state;
	assert_true(rtp_parse(in, &rtp));
	rest = rtp.extension;
	assert_true(rtp_next_element(&rtp, &rest, &element));
	assert_int_equal(element.id, 15);
	assert_int_equal(element.value.len, 0);
	assert_false(rtp_next_element(&rtp, &rest, &element)); /* 01 is as long as 10 hex says */
	guarded_free(in);
}

static void test_bad_padding(void **state)
{
	static const char *const bad[] = {
		"a0600001 00000000 00000001",          /* none there */
		"a0600001 00000000 00000001 aabb00",   /* 0 */
		"a0600001 00000000 00000001 aabb04",   /* more than there is */
		"60600001 00000000 00000001 aabb04",   /* another version */
		"91600001 00000000 00000001 00000001", /* no room for the extension's head */
	};
	uint8_t buf[64];
	struct rtp rtp;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct bytes in = guarded(from_hex(bad[i], buf));

		assert_false(rtp_parse(in, &rtp));
		guarded_free(in);
	}
}

static void test_what_is_written_is_read(void **state)
{
	struct rtp in = {.pt = 96, .marker = true, .seq = 65535, .ts = 0xfffffffe, .ssrc = 5}, out;
	uint8_t buf[16];
	struct writer w = writer_of(buf, sizeof buf);

	(void)state;
	rtp_write_header(&w, &in, false);
	assert_int_equal(w.len, RTP_HEADER);
	assert_true(rtp_parse(writer_done(&w), &out));
	assert_int_equal(out.pt, 96);
	assert_int_equal(out.seq, 65535);
	assert_int_equal(out.ts, 0xfffffffe);
	assert_int_equal(out.ssrc, 5);
	assert_true(out.marker);
}

static void test_numbers_count_up_over_the_wrap(void **state)
{
	struct rtp_count count = {0};

	(void)state;
	assert_int_equal(rtp_count16(&count, 65534), 65534);
	assert_int_equal(rtp_count16(&count, 1), 65537);
	assert_int_equal(rtp_count16(&count, 65535), 65535); /* late */
	assert_int_equal(rtp_count16(&count, 2), 65538);
	for (int64_t i = 2; i < 300000; i++)
		assert_int_equal(rtp_count16(&count, (uint16_t)i), 65536 + i);
	count = (struct rtp_count){0};
	assert_true(rtp_count32(&count, UINT32_MAX) == UINT32_MAX);
	assert_true(rtp_count32(&count, 5) == (int64_t)UINT32_MAX + 6);
}

static void test_rtx(void **state)
{
	uint8_t buf[64];
	struct rtp rtp;
	struct bytes payload;
	uint16_t seq;

	(void)state;
	assert_true(rtp_parse(from_hex("80600001 00000000 00000001 abcd 0102", buf), &rtp));
	assert_true(rtp_open_rtx(&rtp, &seq, &payload));
	assert_int_equal(seq, 0xabcd);
	assert_same(payload, BYTES("\1\2"));
	rtp.payload.len = 2;
	assert_false(rtp_open_rtx(&rtp, &seq, &payload)); /* nothing in it: a probe */
	rtp.payload.len = 1;
	assert_false(rtp_open_rtx(&rtp, &seq, &payload));
}

static void test_rtcp_is_told_apart(void **state)
{
	(void)state;
	assert_true(rtp_is_rtcp(BYTES("\x80\xc8")));
	assert_true(rtp_is_rtcp(BYTES("\x81\xcd")));
	assert_false(rtp_is_rtcp(BYTES("\x80\x60")));
	assert_false(rtp_is_rtcp(BYTES("\x80\xe0"))); /* marker and 96 */
	assert_false(rtp_is_rtcp(BYTES("\x80")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_packet_with_everything),
		cmocka_unit_test(test_two_byte_elements),
		cmocka_unit_test(test_bad_padding),
		cmocka_unit_test(test_what_is_written_is_read),
		cmocka_unit_test(test_numbers_count_up_over_the_wrap),
		cmocka_unit_test(test_rtx),
		cmocka_unit_test(test_rtcp_is_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
