/* ogg_pages: reads an Ogg stream page by page as RFC 3533 says, strictly, for who has written one. It
 * shares nothing with the writer. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/bytes.h"

struct ogg_page {
	unsigned flags;
	uint64_t granule;
	uint32_t serial, number;
	struct bytes lacing, body;
};

static inline uint64_t ogg_number(const uint8_t *at, unsigned count)
{
	uint64_t value = 0;

	while (count-- > 0)
		value = value << 8 | at[count];
	return value;
}

/* Bit by bit: section 6, checksum. */
static inline uint32_t ogg_checksum(const uint8_t *at, size_t len)
{
	uint32_t crc = 0;

	for (size_t i = 0; i < len; i++) {
		uint8_t byte = i >= 22 && i < 26 ? 0 : at[i];

		for (unsigned bit = 8; bit-- > 0;) {
			bool high = crc >> 31 != (uint32_t)(byte >> bit & 1);

			crc = crc << 1 ^ (high ? 0x04c11db7u : 0);
		}
	}
	return crc;
}

/* The first page of *in, which moves behind it. False: there is none, or it is not right. */
static inline bool ogg_page_read(struct bytes *in, struct ogg_page *page)
{
	const uint8_t *at = in->at;
	size_t len = 27;

	if (in->len < len || memcmp(at, "OggS", 4) != 0 || at[4] != 0)
		return false;
	len += at[26];
	if (in->len < len)
		return false;
	for (unsigned i = 0; i < at[26]; i++)
		len += at[27 + i];
	if (in->len < len || ogg_number(at + 22, 4) != ogg_checksum(at, len))
		return false;
	*page = (struct ogg_page){
		.flags = at[5],
		.granule = ogg_number(at + 6, 8),
		.serial = (uint32_t)ogg_number(at + 14, 4),
		.number = (uint32_t)ogg_number(at + 18, 4),
		.lacing = bytes_of(at + 27, at[26]),
		.body = bytes_of(at + 27 + at[26], len - 27 - at[26]),
	};
	*in = bytes_skip(*in, len);
	return true;
}

/* The first packet of a page, all of which end in it. False: there is none. */
static inline bool ogg_packet_read(struct ogg_page *page, struct bytes *packet)
{
	size_t len = 0, i = 0;

	while (i < page->lacing.len && page->lacing.at[i] == 255)
		len += page->lacing.at[i++];
	if (i == page->lacing.len)
		return false;
	len += page->lacing.at[i++];
	*packet = bytes_first(page->body, len);
	page->lacing = bytes_skip(page->lacing, i);
	page->body = bytes_skip(page->body, len);
	return packet->len == len;
}
