/* flac: whatever arrives and however it is split, the same headers and frames come out, each frame
 * of an input that fits a unit confirmed by its CRC-16, and no byte is lost.
 *
 * The first four bytes say how the rest is split, whether its CRCs are put right first (chance would
 * never find them), and where a long run goes in that makes frames and blocks larger than a unit. */
#include "property.h"

#define FRAMING_CHECK(what) PROPERTY(what)
#include "../tests/unit/framing.h"
#include "radio/proto/flac.h"

#define RUN      80000u
#define MEND_8   1u
#define MEND_16  2u
#define LONG_RUN 4u

static struct flac_framer framer;

static enum framer_status next(void *from, struct bytes in, bool end, struct unit *unit)
{
	return flac_next(from, in, end, unit);
}

static uint32_t crc_msb(const uint8_t *at, size_t len, unsigned width, uint32_t poly)
{
	uint32_t crc = 0;

	for (size_t i = 0; i < len; i++) {
		crc ^= (uint32_t)at[i] << (width - 8);
		for (int bit = 0; bit < 8; bit++)
			crc = crc << 1 ^ (crc >> (width - 1) & 1 ? poly : 0);
		crc &= (1u << width) - 1;
	}
	return crc;
}

/* Where the CRC-8 of a header stands: behind the coded number and what the codes ask for. */
static size_t crc8_place(const uint8_t *at)
{
	size_t number = 1;
	unsigned size_code = at[2] >> 4;
	unsigned rate_code = at[2] & 15;

	for (uint8_t bit = 0x40; at[4] & 0x80 && number < 7 && at[4] & bit; bit >>= 1)
		number++;
	return 4 + number + (size_code == 6) + 2u * (size_code == 7) + (rate_code == 12) +
	       2u * (rate_code == 13 || rate_code == 14);
}

static void mend(uint8_t *at, size_t len, unsigned what)
{
	size_t frame = 0;

	for (size_t i = 0; i + 16 <= len; i++) {
		if (at[i] != 0xFF || (at[i + 1] & 0xFE) != 0xF8)
			continue;
		size_t place = crc8_place(at + i);

		if (what & MEND_8)
			at[i + place] = (uint8_t)crc_msb(at + i, place, 8, 0x07);
		if (what & MEND_16 && frame && i - frame > 12) {
			uint32_t crc = crc_msb(at + frame, i - frame - 2, 16, 0x8005);

			at[i - 2] = (uint8_t)(crc >> 8);
			at[i - 1] = (uint8_t)crc;
		}
		frame = i;
		i += place;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cuts whole, split;
	static uint8_t buffer[RUN + 65536];

	if (size < 4 || size > 65536)
		return 0;
	size_t head = (size - 4) * data[3] / 256;
	size_t run = data[2] & LONG_RUN ? RUN : 0;

	memcpy(buffer, data + 4, head);
	memset(buffer + head, 0x11, run);
	memcpy(buffer + head + run, data + 4 + head, size - 4 - head);
	struct bytes in = bytes_of(buffer, size - 4 + run);

	mend(buffer, in.len, data[2]);
	flac_init(&framer);
	framing_run(next, &framer, in, FRAMING_WHOLE, &whole);
	flac_init(&framer);
	framing_run(next, &framer, in,
		    (struct framing_feed){.step = data[0] * 8u + 1 + run / 16, .seed = data[1]},
		    &split);
	PROPERTY(framing_same(&whole, &split));
	for (size_t i = 0; i < whole.count; i++) {
		const struct cut *cut = &whole.list[i];
		const uint8_t *at = in.at + cut->at;

		if (cut->skip)
			continue;
		if (cut->flags & UNIT_CHAIN) {
			PROPERTY(cut->len == 42 && memcmp(at, "fLaC", 4) == 0);
		} else if (cut->flags & UNIT_HEADER) {
			PROPERTY(cut->flags == UNIT_HEADER && i > 0);
			PROPERTY(cut->len == 4 + (size_t)(at[1] << 16 | at[2] << 8 | at[3]) ||
				 cut->at + cut->len == in.len || whole.list[i + 1].skip);
		} else {
			PROPERTY(cut->flags == UNIT_KEY);
			PROPERTY(at[0] == 0xFF && (at[1] & 0xFE) == 0xF8);
			/* Pieces are given out before the CRC is known. */
			PROPERTY(in.len >= FRAMER_UNIT_MAX - 32 ||
				 (cut->pieces == 1 && crc_msb(at, cut->len, 16, 0x8005) == 0));
		}
	}
	return 0;
}
