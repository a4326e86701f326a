/* RTP, RTCP and what is made of them: parts lie inside the packet, loops end, and what is written is read.
 * The first byte says what the rest is. */
#include "property.h"
#include "sfu/proto/codec.h"
#include "sfu/proto/missing.h"
#include "sfu/proto/picture.h"
#include "sfu/proto/rtcp.h"
#include "sfu/proto/rtp.h"
#include "sfu/proto/splice.h"
#include "sfu/proto/twcc.h"

/* Other numbers are read as they were written, and nothing else is. */
static void check_picture(enum codec codec, struct bytes payload)
{
	struct picture picture = picture_read(codec, payload), other;
	uint8_t copy[2048];

	if (payload.len > sizeof copy)
		return;
	PROPERTY(!picture.id_at || picture.id_at + 2u <= payload.len);
	PROPERTY(picture.tl0_at <= payload.len && picture.id < 32768);
	if (payload.len)
		memcpy(copy, payload.at, payload.len);
	picture_write(copy, &picture, picture.id ^ 0x5555u, picture.tl0 ^ 0xaau);
	other = picture_read(codec, bytes_of(copy, payload.len));
	PROPERTY(other.id_at == picture.id_at && other.tl0_at == picture.tl0_at);
	PROPERTY(!picture.id_at || other.id == (picture.id ^ 0x5555u));
	PROPERTY(!picture.tl0_at || other.tl0 == (picture.tl0 ^ 0xaau));
	picture_write(copy, &picture, picture.id, picture.tl0);
	PROPERTY(payload.len == 0 || memcmp(copy, payload.at, payload.len) == 0);
}

static void check_rtp(struct bytes in)
{
	struct rtp_element element;
	struct bytes rest, payload;
	struct rtp rtp;
	uint16_t seq;

	if (!rtp_parse(in, &rtp))
		return;
	PROPERTY(part_inside(rtp.payload, in) && part_inside(rtp.extension, in));
	PROPERTY(rtp.header.len >= RTP_HEADER && rtp.header.len + rtp.payload.len <= in.len);
	rest = rtp.extension;
	while (rtp_next_element(&rtp, &rest, &element)) {
		PROPERTY(element.id != 0 && part_inside(element.value, rtp.extension));
		PROPERTY(part_inside(rest, rtp.extension));
	}
	if (rtp_open_rtx(&rtp, &seq, &payload))
		PROPERTY(part_inside(payload, rtp.payload) && payload.len == rtp.payload.len - 2);
	for (unsigned codec = 0; codec < CODEC_COUNT; codec++) {
		(void)codec_begins_key((enum codec)codec, rtp.payload);
		check_picture((enum codec)codec, rtp.payload);
	}
}

static void check_feedback(const struct rtcp *rtcp)
{
	struct twcc_report report;
	struct bytes entries, rest;
	uint16_t seq, behind;
	uint32_t media;
	uint64_t bits;
	int64_t at;
	unsigned count = 0;

	if (!rtcp_read_feedback(rtcp, &media, &entries))
		return;
	rest = entries;
	while (rest.len && rtcp_next_nack(&rest, &seq, &behind))
		PROPERTY(part_inside(rest, entries));
	(void)rtcp_read_remb(entries, &bits);
	if (!twcc_read(entries, &report))
		return;
	while (twcc_next(&report, &seq, &at))
		count++;
	PROPERTY(count <= 65535);
}

static void check_rtcp(struct bytes in)
{
	struct rtcp_report report;
	struct rtcp_sender sender;
	struct bytes rest = in, reports;
	struct rtcp rtcp;
	bool broken;

	while (rtcp_next(&rest, &rtcp, &broken)) {
		PROPERTY(part_inside(rtcp.body, in) && part_inside(rest, in));
		if (rtcp_read_sender(&rtcp, &sender, &reports))
			while (reports.len && rtcp_next_report(&reports, &report))
				PROPERTY(part_inside(reports, in));
		check_feedback(&rtcp);
	}
	PROPERTY(broken || rest.len == 0);
}

/* Numbers as they come: nothing new comes twice, and reports of arrivals read as they were written. */
static void check_numbers(struct bytes in)
{
	static struct missing missing;
	static struct twcc twcc;
	struct rtp_count count = {0};
	struct reader r = reader_of(in);
	mono_t now = {1000000};
	uint16_t due[64];
	uint8_t buf[1300];

	memset(&missing, 0, sizeof missing);
	memset(&twcc, 0, sizeof twcc);
	while (reader_left(&r) >= 3) {
		uint16_t seq = reader_be16(&r);
		int64_t number = rtp_count16(&count, seq);
		struct writer w = writer_of(buf, sizeof buf);

		now = mono_add_us(now, (int64_t)reader_u8(&r) * 997);
		PROPERTY((uint16_t)number == seq);
		if (missing_came(&missing, number, now) == MISSING_NEW)
			PROPERTY(missing_came(&missing, number, now) != MISSING_NEW);
		PROPERTY(missing.count <= MISSING_MAX);
		PROPERTY(missing_due(&missing, now, 0, due, 64) <= 64);
		twcc_came(&twcc, seq, now);
		if (twcc_write(&twcc, 1, 2, &w))
			check_rtcp(writer_done(&w));
	}
}

/* Whatever pieces a stream is made of, its numbers go out once each, and are found again. */
static void check_splice(struct bytes in)
{
	struct splice splice;
	struct reader r = reader_of(in);
	mono_t now = {1000000};
	uint64_t track = 0;
	int64_t out_seq, out_ts, seq, base = 0;

	splice_init(&splice, 90000, 7, 9);
	while (reader_left(&r) >= 4) {
		uint8_t what = reader_u8(&r);
		int64_t number = base + reader_u8(&r), ts = reader_be16(&r) * 90;

		now = mono_add_ms(now, what >> 2);
		if ((what & 3) == 0 || track == 0) {
			base = number + (int64_t)what * 1000;
			number = base;
			splice_begin(&splice, ++track, number, ts, ts + what, now);
		}
		if (!splice_map(&splice, number, ts, now, &out_seq, &out_ts))
			continue;
		PROPERTY(out_seq < splice.next_out && out_ts <= splice.last_out_ts);
		PROPERTY(splice_find(&splice, (uint16_t)out_seq, &seq) == &splice.piece[0]);
		PROPERTY(seq == number);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size < 8192 ? size : 8192), rest = bytes_skip(in, 1);

	if (in.len == 0)
		return 0;
	switch (in.at[0] & 3) {
	case 0: check_rtp(rest); break;
	case 1: check_rtcp(rest); break;
	case 2: check_numbers(rest); break;
	default: check_splice(rest); break;
	}
	return 0;
}
