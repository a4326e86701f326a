#include "sfu/proto/rtcp.h"

#include "hex.h"

static struct rtcp only(struct writer *w)
{
	struct bytes rest = writer_done(w);
	struct rtcp out;
	bool broken;

	assert_true(writer_ok(w));
	assert_true(rtcp_next(&rest, &out, &broken));
	assert_int_equal(rest.len, 0);
	return out;
}

static void test_reports(void **state)
{
	uint8_t buf[256];
	struct writer w = writer_of(buf, sizeof buf);
	struct rtcp_sender in = {0x0123456789abcdef, 77, 8, 9}, out;
	struct rtcp_report report = {5, 128, -3, 70000, 11, 12, 13}, got;
	struct bytes reports;
	struct rtcp rtcp;

	(void)state;
	rtcp_write_sr(&w, 42, &in);
	rtcp = only(&w);
	assert_int_equal(rtcp.sender, 42);
	assert_true(rtcp_read_sender(&rtcp, &out, &reports));
	assert_true(out.ntp == in.ntp && out.rtp == 77 && out.packets == 8 && out.octets == 9);
	assert_int_equal(reports.len, 0);
	w = writer_of(buf, sizeof buf);
	rtcp_write_rr(&w, 42, &report, 1);
	rtcp = only(&w);
	assert_int_equal(rtcp.type, RTCP_RR);
	reports = rtcp.body;
	assert_true(rtcp_next_report(&reports, &got));
	assert_true(got.ssrc == 5 && got.fraction_lost == 128 && got.lost == -3);
	assert_true(got.highest == 70000 && got.jitter == 11 && got.last_sr == 12 &&
		    got.since_sr == 13);
	assert_false(rtcp_next_report(&reports, &got));
}

static void test_nacks(void **state)
{
	static const uint16_t seqs[] = {65530, 65531, 65533, 3, 10, 100};
	uint8_t buf[256];
	struct writer w = writer_of(buf, sizeof buf);
	uint16_t seq, behind, got[16];
	unsigned count = 0;
	struct bytes entries;
	struct rtcp rtcp;
	uint32_t media;

	(void)state;
	assert_int_equal(rtcp_write_nack(&w, 1, 2, seqs, 6), 6);
	rtcp = only(&w);
	assert_int_equal(rtcp.count, RTPFB_NACK);
	assert_true(rtcp_read_feedback(&rtcp, &media, &entries));
	assert_int_equal(media, 2);
	while (entries.len && rtcp_next_nack(&entries, &seq, &behind)) {
		got[count++] = seq;
		for (unsigned i = 0; i < 16; i++)
			if (behind >> i & 1)
				got[count++] = (uint16_t)(seq + i + 1);
	}
	assert_int_equal(count, 6);
	assert_memory_equal(got, seqs, sizeof seqs);
}

static void test_feedback(void **state)
{
	uint8_t buf[256];
	struct writer w = writer_of(buf, sizeof buf);
	const uint32_t media_in[] = {7, 8};
	struct bytes entries;
	struct rtcp rtcp;
	uint32_t media;
	uint64_t bits;
	uint8_t number;

	(void)state;
	rtcp_write_pli(&w, 1, 9);
	rtcp = only(&w);
	assert_true(rtcp.type == RTCP_PSFB && rtcp.count == PSFB_PLI);
	assert_true(rtcp_read_feedback(&rtcp, &media, &entries) && media == 9);
	w = writer_of(buf, sizeof buf);
	rtcp_write_fir(&w, 1, 9, 200);
	rtcp = only(&w);
	assert_true(rtcp.count == PSFB_FIR && rtcp_read_feedback(&rtcp, &media, &entries));
	assert_true(rtcp_next_fir(&entries, &media, &number) && media == 9 && number == 200);
	w = writer_of(buf, sizeof buf);
	rtcp_write_remb(&w, 1, 2500000, media_in, 2);
	rtcp = only(&w);
	assert_true(rtcp.count == PSFB_AFB && rtcp_read_feedback(&rtcp, &media, &entries));
	assert_true(rtcp_read_remb(entries, &bits));
	assert_true(bits > 2499000 && bits <= 2500000);
	assert_false(rtcp_read_remb(BYTES("REMX1234"), &bits));
	assert_false(rtcp_read_remb(BYTES("REMB"), &bits));
}

static void test_compounds(void **state)
{
	uint8_t buf[256];
	struct writer w = writer_of(buf, sizeof buf);
	struct bytes rest;
	struct rtcp rtcp;
	unsigned count = 0;
	bool broken;

	(void)state;
	rtcp_write_rr(&w, 1, NULL, 0);
	for (size_t len = 0; len < 8; len++)
		rtcp_write_cname(&w, 1, bytes_first(BYTES("ringmain"), len));
	rtcp_write_bye(&w, 1);
	rest = writer_done(&w);
	while (rtcp_next(&rest, &rtcp, &broken)) {
		assert_int_equal(rtcp.sender, 1);
		count++;
	}
	assert_false(broken);
	assert_int_equal(count, 10);
	for (size_t cut = 1; cut < w.len; cut++) {
		struct bytes part = guarded(bytes_first(writer_done(&w), cut));

		rest = part;
		while (rtcp_next(&rest, &rtcp, &broken))
			;
		assert_true(broken || rest.len == 0);
		guarded_free(part);
	}
}

static void test_broken(void **state)
{
	static const char *const bad[] = {
		"80c90001",          /* shorter than it says */
		"40c90001 00000001", /* version 1 */
		"80600001 00000001", /* no type of RTCP */
		"a0c90001 00000000", /* padding of 0 */
		"a0c90001 00000009", /* padding of more than there is */
		"80c9",
	};
	uint8_t buf[64];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct bytes in = guarded(from_hex(bad[i], buf)), rest = in;
		struct rtcp rtcp;
		bool broken;

		assert_false(rtcp_next(&rest, &rtcp, &broken));
		assert_true(broken);
		guarded_free(in);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reports),  cmocka_unit_test(test_nacks),
		cmocka_unit_test(test_feedback), cmocka_unit_test(test_compounds),
		cmocka_unit_test(test_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
