#include "sfu/proto/rtp.h"

#define PROFILE_ONE_BYTE 0xbedeu
#define PROFILE_TWO_BYTE 0x1000u /* and any low four bits */

bool rtp_is_rtcp(struct bytes in)
{
	return in.len >= 2 && in.at[1] >= 192 && in.at[1] <= 223;
}

bool rtp_parse_header(struct bytes in, struct rtp *out)
{
	struct reader r = reader_of(in);
	uint8_t first = reader_u8(&r), second = reader_u8(&r);

	*out = (struct rtp){.pt = second & 0x7f, .marker = second >> 7, .padded = first >> 5 & 1};
	out->seq = reader_be16(&r);
	out->ts = reader_be32(&r);
	out->ssrc = reader_be32(&r);
	reader_skip(&r, 4u * (first & 0xfu));
	if (first & 0x10) {
		out->profile = reader_be16(&r);
		out->extension = reader_take(&r, 4u * reader_be16(&r));
	}
	if (!reader_ok(&r) || first >> 6 != 2)
		return false;
	out->header = bytes_first(in, (size_t)(r.at - in.at));
	out->payload = bytes_of(r.at, reader_left(&r));
	return true;
}

bool rtp_parse(struct bytes in, struct rtp *out)
{
	uint8_t padding;

	if (!rtp_parse_header(in, out))
		return false;
	if (!out->padded)
		return true;
	if (out->payload.len == 0)
		return false;
	padding = out->payload.at[out->payload.len - 1];
	if (padding == 0 || padding > out->payload.len)
		return false;
	out->payload.len -= padding;
	return true;
}

void rtp_write_header(struct writer *w, const struct rtp *rtp, bool extended)
{
	writer_u8(w, extended ? 0x90 : 0x80);
	writer_u8(w, (uint8_t)(rtp->pt | (rtp->marker ? 0x80 : 0)));
	writer_be(w, rtp->seq, 2);
	writer_be(w, rtp->ts, 4);
	writer_be(w, rtp->ssrc, 4);
}

static bool next_one_byte(struct reader *r, struct rtp_element *out)
{
	uint8_t head = reader_u8(r);

	/* RFC 8285 4.2: 0 is padding, 15 ends it all. */
	out->id = head >> 4;
	if (out->id == 15) {
		r->failed = true;
		return false;
	}
	out->value = out->id ? reader_take(r, (head & 0xfu) + 1u) : (struct bytes){r->at, 0};
	return reader_ok(r);
}

static bool next_two_bytes(struct reader *r, struct rtp_element *out)
{
	out->id = reader_u8(r);
	out->value = out->id ? reader_take(r, reader_u8(r)) : (struct bytes){r->at, 0};
	return reader_ok(r);
}

bool rtp_next_element(const struct rtp *rtp, struct bytes *rest, struct rtp_element *out)
{
	struct reader r = reader_of(*rest);
	bool one = rtp->profile == PROFILE_ONE_BYTE;

	if (!one && (rtp->profile & 0xfff0u) != PROFILE_TWO_BYTE)
		return false;
	while (reader_left(&r)) {
		if (!(one ? next_one_byte(&r, out) : next_two_bytes(&r, out)))
			return false;
		*rest = bytes_of(r.at, reader_left(&r));
		if (out->id)
			return true;
	}
	return false;
}

struct bytes rtp_element(const struct rtp *rtp, uint8_t id)
{
	struct bytes rest = rtp->extension;
	struct rtp_element element;

	while (id && rtp_next_element(rtp, &rest, &element))
		if (element.id == id)
			return element.value;
	return (struct bytes){NULL, 0};
}

/* The nearest number to the last one that has these low bits. */
int64_t rtp_count16(struct rtp_count *count, uint16_t number)
{
	int64_t at = count->begun
			     ? count->last + (int16_t)(uint16_t)(number - (uint16_t)count->last)
			     : number;

	if (!count->begun || at > count->last)
		count->last = at;
	count->begun = true;
	return at;
}

int64_t rtp_count32(struct rtp_count *count, uint32_t number)
{
	int64_t at = count->begun
			     ? count->last + (int32_t)(uint32_t)(number - (uint32_t)count->last)
			     : number;

	if (!count->begun || at > count->last)
		count->last = at;
	count->begun = true;
	return at;
}

bool rtp_open_rtx(const struct rtp *rtx, uint16_t *seq, struct bytes *payload)
{
	struct reader r = reader_of(rtx->payload);

	*seq = reader_be16(&r);
	*payload = bytes_of(r.at, reader_left(&r));
	return reader_ok(&r) && payload->len;
}
