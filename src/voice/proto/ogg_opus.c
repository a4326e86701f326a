#include "voice/proto/ogg_opus.h"

#include <string.h>

#define SECOND     48000u
#define PAGE_FIRST 2u
#define PAGE_LAST  4u

/* RFC 3533 section 6: polynomial 0x04C11DB7, from the most significant bit, nothing inverted. */
static uint32_t checksum(struct bytes page)
{
	static const uint32_t nibbles[16] = {0x00000000, 0x04c11db7, 0x09823b6e, 0x0d4326d9,
					     0x130476dc, 0x17c56b6b, 0x1a864db2, 0x1e475005,
					     0x2608edb8, 0x22c9f00f, 0x2f8ad6d6, 0x2b4bcb61,
					     0x350c9b64, 0x31cd86d3, 0x3c8ea00a, 0x384fbdbd};
	uint32_t crc = 0;

	for (size_t i = 0; i < page.len; i++) {
		crc = crc << 4 ^ nibbles[(crc >> 28 ^ page.at[i] >> 4) & 15];
		crc = crc << 4 ^ nibbles[(crc >> 28 ^ page.at[i]) & 15];
	}
	return crc;
}

static void write_page(struct ogg_opus *ogg, unsigned flags, uint64_t granule, struct writer *w)
{
	size_t start = w->len;
	uint32_t crc;

	writer_put(w, BYTES("OggS"));
	writer_u8(w, 0);
	writer_u8(w, (uint8_t)flags);
	writer_le(w, granule, 8);
	writer_le(w, ogg->serial, 4);
	writer_le(w, ogg->pages++, 4);
	writer_le(w, 0, 4);
	writer_u8(w, (uint8_t)ogg->segments);
	writer_put(w, bytes_of(ogg->lacing, ogg->segments));
	writer_put(w, bytes_of(ogg->body, ogg->len));
	ogg->segments = ogg->len = 0;
	ogg->paged = ogg->samples;
	if (!writer_ok(w))
		return;
	crc = checksum(bytes_of(w->at + start, w->len - start));
	for (unsigned i = 0; i < 4; i++)
		w->at[start + 22 + i] = (uint8_t)(crc >> (8 * i));
}

static void add(struct ogg_opus *ogg, struct bytes packet)
{
	size_t rest = packet.len;

	for (; rest >= 255; rest -= 255)
		ogg->lacing[ogg->segments++] = 255;
	ogg->lacing[ogg->segments++] = (uint8_t)rest;
	memcpy(ogg->body + ogg->len, packet.at, packet.len);
	ogg->len += (uint32_t)packet.len;
}

uint32_t opus_samples(struct bytes packet)
{
	static const uint16_t silk[4] = {480, 960, 1920, 2880};
	uint32_t config, frame, count;

	if (packet.len == 0)
		return 0;
	config = packet.at[0] >> 3;
	if (config < 12)
		frame = silk[config & 3];
	else if (config < 16)
		frame = config & 1 ? 960 : 480;
	else
		frame = 120u << (config & 3);
	switch (packet.at[0] & 3) {
	case 0: count = 1; break;
	case 3: count = packet.len > 1 ? packet.at[1] & 63 : 0; break;
	default: count = 2; break;
	}
	return frame * count <= 5760 ? frame * count : 0;
}

static struct bytes tag(struct bytes text)
{
	return bytes_first(text, 500);
}

void ogg_opus_head(struct ogg_opus *ogg, uint32_t serial, struct bytes artist, struct bytes title,
		   struct writer *w)
{
	uint8_t room[1200];
	struct writer head = writer_of(room, sizeof room);

	memset(ogg, 0, sizeof *ogg);
	ogg->serial = serial;
	writer_put(&head, BYTES("OpusHead")); /* RFC 7845 5.1 */
	writer_u8(&head, 1);
	writer_u8(&head, 1);
	writer_le(&head, OGG_OPUS_PRE_SKIP, 2);
	writer_le(&head, SECOND, 4);
	writer_le(&head, 0, 2);
	writer_u8(&head, 0);
	add(ogg, writer_done(&head));
	write_page(ogg, PAGE_FIRST, 0, w);
	head = writer_of(room, sizeof room);
	writer_put(&head, BYTES("OpusTags")); /* 5.2 */
	writer_le(&head, 8, 4);
	writer_put(&head, BYTES("ringmain"));
	writer_le(&head, 2, 4);
	writer_le(&head, 7 + tag(artist).len, 4);
	writer_put(&head, BYTES("ARTIST="));
	writer_put(&head, tag(artist));
	writer_le(&head, 6 + tag(title).len, 4);
	writer_put(&head, BYTES("TITLE="));
	writer_put(&head, tag(title));
	add(ogg, writer_done(&head));
	write_page(ogg, 0, 0, w);
}

bool ogg_opus_put(struct ogg_opus *ogg, struct bytes packet, struct writer *w)
{
	uint32_t samples = opus_samples(packet);

	if (samples == 0 || packet.len > OGG_OPUS_BODY / 2)
		return false;
	/* One packet stays back, so that the last page has something to end with. */
	if (ogg->segments && (ogg->samples - ogg->paged >= SECOND ||
			      ogg->segments + packet.len / 255 + 1 > sizeof ogg->lacing ||
			      ogg->len + packet.len > sizeof ogg->body))
		write_page(ogg, 0, ogg->samples, w);
	add(ogg, packet);
	ogg->samples += samples;
	return true;
}

bool ogg_opus_pad(struct ogg_opus *ogg, uint64_t samples, struct writer *w)
{
	/* Opus at full band, mono, 20 and 10 ms of nothing: CELT frames whose silence flag is set. */
	static const uint8_t long_one[] = {0xf8, 0xff, 0xfe}, short_one[] = {0xf0, 0xff, 0xfe};
	uint32_t pages = ogg->pages;

	while (ogg->pages == pages && ogg->samples + 480 <= samples)
		(void)ogg_opus_put(ogg,
				   ogg->samples + 960 <= samples ? bytes_of(long_one, 3)
								 : bytes_of(short_one, 3),
				   w);
	return ogg->samples + 480 <= samples;
}

void ogg_opus_end(struct ogg_opus *ogg, struct writer *w)
{
	write_page(ogg, PAGE_LAST, ogg->samples, w);
}
