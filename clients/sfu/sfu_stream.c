#include "sfu_stream.h"

#include "core/reader.h"
#include "core/writer.h"

#define HEAD 8u /* of the codec: as much as it takes, then zeroes */
#define MARK 0x524du

/* A sum that is quick on long words and that any change of a byte changes. */
static uint32_t sum_of(const uint8_t *at, size_t len)
{
	uint64_t sum = 0x9e3779b97f4a7c15u, word;

	for (; len >= 8; at += 8, len -= 8) {
		memcpy(&word, at, 8);
		sum = (sum ^ word) * 0xff51afd7ed558ccdu;
		sum ^= sum >> 32;
	}
	for (; len; at++, len--)
		sum = (sum ^ *at) * 0xff51afd7ed558ccdu;
	return (uint32_t)(sum ^ sum >> 29);
}

/* What codec.c and decoders look at first. */
static void write_head(const struct stream_packet *packet, struct writer *w)
{
	bool first = packet->place == 0, last = packet->place + 1 == packet->count;

	if (packet->h264) {
		/* FU-A of an IDR or another slice (RFC 6184 5.8). */
		writer_u8(w, 0x7c);
		writer_u8(w, (uint8_t)((first ? 0x80 : 0) | (last && !first ? 0x40 : 0) |
				       (packet->key ? 5 : 1)));
		writer_fill(w, 0, HEAD - 2);
	} else {
		/* RFC 7741 4.2, 4.3: S where the frame begins; P of its first byte is 0 in a key picture. */
		writer_u8(w, first ? 0x10 : 0);
		writer_u8(w, packet->key ? 0x50 : 0x51);
		writer_fill(w, 0, HEAD - 2);
	}
}

void stream_write(const struct stream_packet *packet, uint8_t *out, size_t len)
{
	struct writer w = writer_of(out, len);

	write_head(packet, &w);
	writer_be(&w, MARK, 2);
	writer_u8(&w, packet->key);
	writer_u8(&w, packet->h264);
	writer_be(&w, packet->number, 8);
	writer_be(&w, (uint64_t)packet->sent_us, 8);
	writer_be(&w, packet->frame, 4);
	writer_be(&w, packet->place, 2);
	writer_be(&w, packet->count, 2);
	for (size_t at = writer_done(&w).len; at + 4 < len; at++)
		writer_u8(&w, (uint8_t)(packet->number * 31 + at));
	writer_be(&w, sum_of(out, len - 4), 4);
}

bool stream_read(struct bytes payload, struct stream_packet *out)
{
	struct reader r = reader_of(payload), end;

	if (payload.len < STREAM_LEAST)
		return false;
	reader_skip(&r, HEAD);
	if (reader_be16(&r) != MARK)
		return false;
	end = reader_of(bytes_skip(payload, payload.len - 4));
	if (reader_be32(&end) != sum_of(payload.at, payload.len - 4))
		return false;
	out->key = reader_u8(&r);
	out->h264 = reader_u8(&r);
	out->number = reader_be64(&r);
	out->sent_us = (int64_t)reader_be64(&r);
	out->frame = reader_be32(&r);
	out->place = reader_be16(&r);
	out->count = reader_be16(&r);
	return reader_ok(&r);
}
