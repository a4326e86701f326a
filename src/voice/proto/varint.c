#include "voice/proto/varint.h"

/* All forms but the nested complement. */
static uint64_t read_plain(struct reader *r, uint8_t first)
{
	if (first < 0x80)
		return first;
	if (first < 0xc0)
		return (uint64_t)(first & 0x3f) << 8 | reader_u8(r);
	if (first < 0xe0)
		return (uint64_t)(first & 0x1f) << 16 | reader_be16(r);
	if (first < 0xf0)
		return (uint64_t)(first & 0x0f) << 24 | reader_be(r, 3);
	if (first < 0xf4)
		return reader_be32(r);
	if (first < 0xf8)
		return reader_be64(r);
	if (first >= 0xfc)
		return ~(uint64_t)(first & 3);
	r->failed = true; /* a complement in a complement: nobody writes it */
	return 0;
}

uint64_t varint_read(struct reader *r)
{
	uint8_t first = reader_u8(r);
	bool complement = first >= 0xf8 && first < 0xfc;
	uint64_t value = read_plain(r, complement ? reader_u8(r) : first);

	if (!reader_ok(r))
		return 0;
	return complement ? ~value : value;
}

void varint_write(struct writer *w, uint64_t value)
{
	if (value >> 63 && ~value <= 3) {
		writer_u8(w, (uint8_t)(0xfc | ~value));
		return;
	}
	if (value >> 63 && ~value <= UINT32_MAX) {
		writer_u8(w, 0xf8);
		value = ~value;
	}
	if (value < 0x80) {
		writer_u8(w, (uint8_t)value);
	} else if (value < 0x4000) {
		writer_be(w, value | 0x8000, 2);
	} else if (value < 0x200000) {
		writer_be(w, value | 0xc00000, 3);
	} else if (value < 0x10000000) {
		writer_be(w, value | 0xe0000000, 4);
	} else if (value <= UINT32_MAX) {
		writer_u8(w, 0xf0);
		writer_be(w, value, 4);
	} else {
		writer_u8(w, 0xf4);
		writer_be(w, value, 8);
	}
}
