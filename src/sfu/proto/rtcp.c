#include "sfu/proto/rtcp.h"

bool rtcp_next(struct bytes *rest, struct rtcp *out, bool *broken)
{
	struct reader r = reader_of(*rest);
	uint8_t first;
	size_t len;

	*broken = false;
	if (rest->len == 0)
		return false;
	first = reader_u8(&r);
	*out = (struct rtcp){.count = first & 31u, .type = reader_u8(&r)};
	len = 4u * reader_be16(&r);
	out->body = reader_take(&r, len);
	*broken = !reader_ok(&r) || first >> 6 != 2 || out->type < 192 || out->type > 223;
	if (*broken)
		return false;
	if (first & 0x20) {
		uint8_t padding = len ? out->body.at[len - 1] : 0;

		*broken = padding == 0 || padding > len;
		if (*broken)
			return false;
		out->body.len -= padding;
	}
	*rest = bytes_of(r.at, reader_left(&r));
	if (out->body.len >= 4) {
		r = reader_of(out->body);
		out->sender = reader_be32(&r);
		out->body = bytes_skip(out->body, 4);
	}
	return true;
}

bool rtcp_read_sender(const struct rtcp *packet, struct rtcp_sender *out, struct bytes *reports)
{
	struct reader r = reader_of(packet->body);

	out->ntp = reader_be64(&r);
	out->rtp = reader_be32(&r);
	out->packets = reader_be32(&r);
	out->octets = reader_be32(&r);
	*reports = bytes_first(bytes_of(r.at, reader_left(&r)), packet->count * (size_t)24);
	return reader_ok(&r) && packet->type == RTCP_SR;
}

bool rtcp_next_report(struct bytes *reports, struct rtcp_report *out)
{
	struct reader r = reader_of(*reports);
	uint32_t lost;

	out->ssrc = reader_be32(&r);
	lost = reader_be32(&r);
	out->fraction_lost = (uint8_t)(lost >> 24);
	out->lost = (int32_t)(lost << 8) >> 8;
	out->highest = reader_be32(&r);
	out->jitter = reader_be32(&r);
	out->last_sr = reader_be32(&r);
	out->since_sr = reader_be32(&r);
	*reports = bytes_of(r.at, reader_left(&r));
	return reader_ok(&r);
}

bool rtcp_read_feedback(const struct rtcp *packet, uint32_t *media, struct bytes *entries)
{
	struct reader r = reader_of(packet->body);

	*media = reader_be32(&r);
	*entries = bytes_of(r.at, reader_left(&r));
	return reader_ok(&r);
}

bool rtcp_next_nack(struct bytes *entries, uint16_t *seq, uint16_t *behind)
{
	struct reader r = reader_of(*entries);

	*seq = reader_be16(&r);
	*behind = reader_be16(&r);
	*entries = bytes_of(r.at, reader_left(&r));
	return reader_ok(&r);
}

bool rtcp_next_fir(struct bytes *entries, uint32_t *ssrc, uint8_t *number)
{
	struct reader r = reader_of(*entries);

	*ssrc = reader_be32(&r);
	*number = reader_u8(&r);
	reader_skip(&r, 3);
	*entries = bytes_of(r.at, reader_left(&r));
	return reader_ok(&r);
}

bool rtcp_read_remb(struct bytes entries, uint64_t *bits)
{
	struct reader r = reader_of(entries);
	bool remb = bytes_equal(reader_take(&r, 4), BYTES("REMB"));
	uint32_t word = reader_be32(&r);
	unsigned exponent = word >> 18 & 63;

	/* More than anybody has is as much as a reader of JSON can hold. */
	*bits = exponent > 40 ? INT64_MAX / 16 : (uint64_t)(word & 0x3ffff) << exponent;
	return reader_ok(&r) && remb;
}

/* --- writing -------------------------------------------------------------------------------- */

static void put_head(struct writer *w, unsigned count, unsigned type, size_t words)
{
	writer_u8(w, (uint8_t)(0x80 | count));
	writer_u8(w, (uint8_t)type);
	writer_be(w, words, 2);
}

void rtcp_write_sr(struct writer *w, uint32_t ssrc, const struct rtcp_sender *sender)
{
	put_head(w, 0, RTCP_SR, 6);
	writer_be(w, ssrc, 4);
	writer_be(w, sender->ntp, 8);
	writer_be(w, sender->rtp, 4);
	writer_be(w, sender->packets, 4);
	writer_be(w, sender->octets, 4);
}

static void put_report(struct writer *w, const struct rtcp_report *report)
{
	writer_be(w, report->ssrc, 4);
	writer_u8(w, report->fraction_lost);
	writer_be(w, (uint32_t)report->lost & 0xffffff, 3);
	writer_be(w, report->highest, 4);
	writer_be(w, report->jitter, 4);
	writer_be(w, report->last_sr, 4);
	writer_be(w, report->since_sr, 4);
}

void rtcp_write_rr(struct writer *w, uint32_t ssrc, const struct rtcp_report *reports,
		   unsigned count)
{
	put_head(w, count, RTCP_RR, 1 + 6 * (size_t)count);
	writer_be(w, ssrc, 4);
	for (unsigned i = 0; i < count; i++)
		put_report(w, &reports[i]);
}

void rtcp_write_cname(struct writer *w, uint32_t ssrc, struct bytes cname)
{
	/* RFC 3550 6.5: a chunk ends with one zero at least, and on a word. */
	size_t item = 2 + cname.len, words = item / 4 + 1;

	put_head(w, 1, RTCP_SDES, 1 + words);
	writer_be(w, ssrc, 4);
	writer_u8(w, 1);
	writer_u8(w, (uint8_t)cname.len);
	writer_put(w, cname);
	writer_fill(w, 0, words * 4 - item);
}

void rtcp_write_bye(struct writer *w, uint32_t ssrc)
{
	put_head(w, 1, RTCP_BYE, 1);
	writer_be(w, ssrc, 4);
}

void rtcp_write_pli(struct writer *w, uint32_t ssrc, uint32_t media)
{
	put_head(w, PSFB_PLI, RTCP_PSFB, 2);
	writer_be(w, ssrc, 4);
	writer_be(w, media, 4);
}

void rtcp_write_fir(struct writer *w, uint32_t ssrc, uint32_t media, uint8_t number)
{
	put_head(w, PSFB_FIR, RTCP_PSFB, 4);
	writer_be(w, ssrc, 4);
	writer_be(w, 0, 4); /* RFC 5104 4.3.1.2 */
	writer_be(w, media, 4);
	writer_u8(w, number);
	writer_be(w, 0, 3);
}

void rtcp_write_remb(struct writer *w, uint32_t ssrc, uint64_t bits, const uint32_t *media,
		     unsigned count)
{
	unsigned exponent = 0;

	while (bits > 0x3ffff) {
		bits >>= 1;
		exponent++;
	}
	put_head(w, PSFB_AFB, RTCP_PSFB, 4 + (size_t)count);
	writer_be(w, ssrc, 4);
	writer_be(w, 0, 4);
	writer_str(w, "REMB");
	writer_u8(w, (uint8_t)count);
	writer_be(w, exponent << 18 | bits, 3);
	for (unsigned i = 0; i < count; i++)
		writer_be(w, media[i], 4);
}

#define NACK_ENTRIES_MAX 64u

size_t rtcp_write_nack(struct writer *w, uint32_t ssrc, uint32_t media, const uint16_t *seqs,
		       size_t count)
{
	uint16_t first[NACK_ENTRIES_MAX], behind[NACK_ENTRIES_MAX];
	size_t entries = 0, used = 0;

	for (; used < count; used++) {
		uint16_t after = entries ? (uint16_t)(seqs[used] - first[entries - 1]) : 0;

		if (entries && after >= 1 && after <= 16) {
			behind[entries - 1] |= (uint16_t)(1u << (after - 1));
			continue;
		}
		if (entries == NACK_ENTRIES_MAX)
			break;
		first[entries] = seqs[used];
		behind[entries++] = 0;
	}
	put_head(w, RTPFB_NACK, RTCP_RTPFB, 2 + entries);
	writer_be(w, ssrc, 4);
	writer_be(w, media, 4);
	for (size_t i = 0; i < entries; i++) {
		writer_be(w, first[i], 2);
		writer_be(w, behind[i], 2);
	}
	return used;
}
