#include "radio/proto/flac.h"

#include "core/reader.h"
#include "radio/proto/tag.h"

#define MAGIC           BYTES("fLaC")
#define BLOCK_HEADER    4u
#define STREAMINFO_SIZE 34u
#define CHAIN_SIZE      (4u + BLOCK_HEADER + STREAMINFO_SIZE)
/* Subframe header and the CRC-16: less cannot follow a frame header, which has 6 at least. */
#define FRAME_REST_MIN 3u
#define FRAME_MIN      (6u + FRAME_REST_MIN)
/* What stands behind a frame is known from as many bytes: a frame header has 16 at most, a tag's
 * TAG_LOOK_MAX. A frame whose end lies beyond the window is given out in pieces. */
#define LOOK_MAX TAG_LOOK_MAX
#define WINDOW   (FRAMER_UNIT_MAX - LOOK_MAX)

enum block_type { /* RFC 9639, section 8.1 */
		  BLOCK_STREAMINFO = 0,
		  BLOCK_PADDING = 1,
		  BLOCK_SEEKTABLE = 3,
		  BLOCK_PICTURE = 6,
		  BLOCK_FORBIDDEN = 127,
};

/* x^16 + x^15 + x^2 + 1, from 0, most significant bit first (RFC 9639, section 9.3). Over a frame and
 * its own CRC it is 0. */
static const uint16_t crc16_table[256] = {
	0x0000, 0x8005, 0x800F, 0x000A, 0x801B, 0x001E, 0x0014, 0x8011, 0x8033, 0x0036, 0x003C,
	0x8039, 0x0028, 0x802D, 0x8027, 0x0022, 0x8063, 0x0066, 0x006C, 0x8069, 0x0078, 0x807D,
	0x8077, 0x0072, 0x0050, 0x8055, 0x805F, 0x005A, 0x804B, 0x004E, 0x0044, 0x8041, 0x80C3,
	0x00C6, 0x00CC, 0x80C9, 0x00D8, 0x80DD, 0x80D7, 0x00D2, 0x00F0, 0x80F5, 0x80FF, 0x00FA,
	0x80EB, 0x00EE, 0x00E4, 0x80E1, 0x00A0, 0x80A5, 0x80AF, 0x00AA, 0x80BB, 0x00BE, 0x00B4,
	0x80B1, 0x8093, 0x0096, 0x009C, 0x8099, 0x0088, 0x808D, 0x8087, 0x0082, 0x8183, 0x0186,
	0x018C, 0x8189, 0x0198, 0x819D, 0x8197, 0x0192, 0x01B0, 0x81B5, 0x81BF, 0x01BA, 0x81AB,
	0x01AE, 0x01A4, 0x81A1, 0x01E0, 0x81E5, 0x81EF, 0x01EA, 0x81FB, 0x01FE, 0x01F4, 0x81F1,
	0x81D3, 0x01D6, 0x01DC, 0x81D9, 0x01C8, 0x81CD, 0x81C7, 0x01C2, 0x0140, 0x8145, 0x814F,
	0x014A, 0x815B, 0x015E, 0x0154, 0x8151, 0x8173, 0x0176, 0x017C, 0x8179, 0x0168, 0x816D,
	0x8167, 0x0162, 0x8123, 0x0126, 0x012C, 0x8129, 0x0138, 0x813D, 0x8137, 0x0132, 0x0110,
	0x8115, 0x811F, 0x011A, 0x810B, 0x010E, 0x0104, 0x8101, 0x8303, 0x0306, 0x030C, 0x8309,
	0x0318, 0x831D, 0x8317, 0x0312, 0x0330, 0x8335, 0x833F, 0x033A, 0x832B, 0x032E, 0x0324,
	0x8321, 0x0360, 0x8365, 0x836F, 0x036A, 0x837B, 0x037E, 0x0374, 0x8371, 0x8353, 0x0356,
	0x035C, 0x8359, 0x0348, 0x834D, 0x8347, 0x0342, 0x03C0, 0x83C5, 0x83CF, 0x03CA, 0x83DB,
	0x03DE, 0x03D4, 0x83D1, 0x83F3, 0x03F6, 0x03FC, 0x83F9, 0x03E8, 0x83ED, 0x83E7, 0x03E2,
	0x83A3, 0x03A6, 0x03AC, 0x83A9, 0x03B8, 0x83BD, 0x83B7, 0x03B2, 0x0390, 0x8395, 0x839F,
	0x039A, 0x838B, 0x038E, 0x0384, 0x8381, 0x0280, 0x8285, 0x828F, 0x028A, 0x829B, 0x029E,
	0x0294, 0x8291, 0x82B3, 0x02B6, 0x02BC, 0x82B9, 0x02A8, 0x82AD, 0x82A7, 0x02A2, 0x82E3,
	0x02E6, 0x02EC, 0x82E9, 0x02F8, 0x82FD, 0x82F7, 0x02F2, 0x02D0, 0x82D5, 0x82DF, 0x02DA,
	0x82CB, 0x02CE, 0x02C4, 0x82C1, 0x8243, 0x0246, 0x024C, 0x8249, 0x0258, 0x825D, 0x8257,
	0x0252, 0x0270, 0x8275, 0x827F, 0x027A, 0x826B, 0x026E, 0x0264, 0x8261, 0x0220, 0x8225,
	0x822F, 0x022A, 0x823B, 0x023E, 0x0234, 0x8231, 0x8213, 0x0216, 0x021C, 0x8219, 0x0208,
	0x820D, 0x8207, 0x0202,
};

static uint16_t crc16_step(uint16_t crc, uint8_t byte)
{
	return (uint16_t)(crc << 8 ^ crc16_table[crc >> 8 ^ byte]);
}

/* x^8 + x^2 + x + 1 (RFC 9639, section 9.1.8); 0 over a header and its own CRC. */
static uint8_t crc8(struct bytes in)
{
	uint8_t crc = 0;

	for (size_t i = 0; i < in.len; i++) {
		crc ^= in.at[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (uint8_t)(crc << 1 ^ (crc & 0x80 ? 0x07 : 0));
	}
	return crc;
}

/* The coded number (section 9.1.5): UTF-8's scheme, stretched to 36 bits in seven bytes. */
static bool skip_coded_number(struct reader *r)
{
	uint8_t first = reader_u8(r);
	unsigned more = 0;

	if (first < 0x80)
		return true;
	for (uint8_t bit = 0x40; first & bit; bit >>= 1)
		more++;
	if (more == 0 || more > 6)
		return false;
	for (; more > 0; more--)
		if ((reader_u8(r) & 0xC0) != 0x80 && reader_ok(r))
			return false;
	return true;
}

static uint32_t take_block_size(struct reader *r, uint32_t code)
{
	switch (code) { /* section 9.1.1; 0 is reserved */
	case 0: return 0;
	case 1: return 192;
	case 6: return reader_u8(r) + 1u;
	case 7: return reader_be16(r) + 1u;
	default: return code < 6 ? 144u << code : 1u << code;
	}
}

static uint32_t take_sample_rate(struct reader *r, uint32_t code, uint32_t info_rate)
{
	static const uint32_t rates[12] = {0,     88200, 176400, 192000, 8000,  16000,
					   22050, 24000, 32000,  44100,  48000, 96000};

	switch (code) { /* section 9.1.2 */
	case 0: return info_rate;
	case 12: return reader_u8(r) * 1000u;
	case 13: return reader_be16(r);
	case 14: return reader_be16(r) * 10u;
	default: return rates[code];
	}
}

/* The frame header (section 9.1), confirmed by its CRC-8. */
static enum look look_frame(const struct flac_framer *framer, struct bytes in,
			    struct flac_header *header)
{
	static const uint8_t sample_bits[8] = {0, 8, 12, 0, 16, 20, 24, 32};
	struct reader r = reader_of(in);

	if (in.len && in.at[0] != 0xFF)
		return LOOK_NO;
	if (in.len < 4)
		return in.len > 1 && (in.at[1] & 0xFE) != 0xF8 ? LOOK_NO : LOOK_SHORT;

	uint32_t fixed = reader_be32(&r);
	uint32_t size_code = fixed >> 12 & 15;
	uint32_t rate_code = fixed >> 8 & 15;
	uint32_t channels = fixed >> 4 & 15;
	uint32_t bits_code = fixed >> 1 & 7;

	if (fixed >> 17 != 0x7FFC || size_code == 0 || rate_code == 15 || channels > 10 ||
	    bits_code == 3 || (fixed & 1) || !skip_coded_number(&r))
		return LOOK_NO;
	header->samples = take_block_size(&r, size_code);
	header->sample_rate = take_sample_rate(&r, rate_code, framer->info_rate);
	header->channels =
		channels < 8 ? channels + 1 : 2; /* 8 to 10: stereo with a side channel */
	header->sample_bits = bits_code ? sample_bits[bits_code] : framer->info_bits;
	reader_skip(&r, 1);
	if (!reader_ok(&r))
		return LOOK_SHORT;
	header->len = in.len - reader_left(&r);
	if (crc8(bytes_first(in, header->len)) || header->samples > 65535 ||
	    (rate_code >= 12 && header->sample_rate == 0))
		return LOOK_NO;
	return LOOK_YES;
}

/* "fLaC" and the header of the STREAMINFO, which always comes first (section 8). */
static enum look look_chain(struct bytes in)
{
	struct reader r = reader_of(in);
	enum look look = look_magic(in, MAGIC);

	if (look != LOOK_YES)
		return look;
	reader_skip(&r, 4);
	uint32_t header = reader_be32(&r);

	if (!reader_ok(&r))
		return LOOK_SHORT;
	return (header & 0x7FFFFFFF) == STREAMINFO_SIZE ? LOOK_YES : LOOK_NO;
}

/* Whether something begins here that can stand behind a whole frame. */
static enum look look_start(const struct flac_framer *framer, struct bytes in)
{
	struct flac_header header;
	uint64_t tag_size;

	if (in.len == 0)
		return LOOK_SHORT;
	switch (in.at[0]) {
	case 0xFF: return look_frame(framer, in, &header);
	case 'f': return look_chain(in);
	default: return tag_look(in, &tag_size);
	}
}

/* No frame is longer than its samples as they are, but for the headers of the subframes; an eighth
 * and some are left for encoders that do worse. */
static uint32_t frame_bound(const struct flac_header *header)
{
	uint32_t bits = header->sample_bits ? header->sample_bits : 32;
	uint32_t bytes = header->channels * (header->samples * (bits + 1) / 8 + 16);

	return 64 + bytes + bytes / 8;
}

static void begin_frame(struct flac_framer *framer, const struct flac_header *header)
{
	framer->phase = FLAC_FRAME;
	framer->frame = *header;
	framer->begun = false;
	framer->given = 0;
	framer->seen = 0;
	framer->crc = 0;
	framer->suspected = false;
}

/* "fLaC" and STREAMINFO (section 8.2) are one unit: neither is of use alone. */
static enum framer_status begin_chain(struct flac_framer *framer, struct bytes in, bool end,
				      struct unit *unit)
{
	struct reader r = reader_of(in);

	if (in.len < CHAIN_SIZE)
		return end ? cut_skip(in, unit) : FRAMER_MORE;
	reader_skip(&r, 4);
	bool last = reader_u8(&r) & 0x80;

	reader_skip(&r, 3 + 10); /* length; block and frame sizes */
	uint64_t values = reader_be64(&r);

	framer->info_rate = (uint32_t)(values >> 44);
	framer->info_bits = (uint32_t)(values >> 36 & 31) + 1;
	framer->about.sample_rate = framer->info_rate;
	framer->about.channels = (uint32_t)(values >> 41 & 7) + 1;
	framer->phase = last ? FLAC_HUNT : FLAC_BLOCK;
	framer->synced = last;
	return cut_unit(bytes_first(in, CHAIN_SIZE), UNIT_HEADER | UNIT_CHAIN, 0, unit);
}

static enum framer_status hunt(struct flac_framer *framer, struct bytes in, bool end,
			       struct unit *unit)
{
	struct flac_header header;
	enum look look = LOOK_NO;
	size_t junk;

	for (junk = 0; junk < in.len && junk < FRAMER_UNIT_MAX; junk++) {
		look = look_start(framer, bytes_skip(in, junk));
		if (look == LOOK_YES || (look == LOOK_SHORT && !end))
			break;
	}
	if (junk) {
		framer->synced = false;
		return cut_skip(bytes_first(in, junk), unit);
	}
	if (look == LOOK_SHORT)
		return FRAMER_MORE;
	if (look_chain(in) == LOOK_YES)
		return begin_chain(framer, in, end, unit);
	if (tag_look(in, &framer->tag_left) == LOOK_YES)
		return cut_skip_counted(&framer->tag_left, in, unit);
	look_frame(framer, in, &header);
	begin_frame(framer, &header);
	return FRAMER_MORE;
}

static enum framer_status begin_block(struct flac_framer *framer, struct bytes in, bool end,
				      struct unit *unit)
{
	struct reader r = reader_of(in);
	uint32_t header = reader_be32(&r);
	uint32_t type = header >> 24 & 127;

	if (!reader_ok(&r))
		return end ? cut_skip(in, unit) : FRAMER_MORE;
	if (type == BLOCK_FORBIDDEN) {
		framer->phase = FLAC_HUNT;
		framer->synced = false;
		return FRAMER_MORE;
	}
	framer->block_left = BLOCK_HEADER + (header & 0xFFFFFF);
	framer->block_last = header >> 31;
	framer->block_dropped =
		!framer->block_last &&
		(type == BLOCK_PADDING || type == BLOCK_SEEKTABLE || type == BLOCK_PICTURE);
	framer->block_flags = UNIT_HEADER;
	framer->phase = FLAC_BLOCK_BODY;
	return FRAMER_MORE;
}

static enum framer_status next_block_piece(struct flac_framer *framer, struct bytes in, bool end,
					   struct unit *unit)
{
	uint32_t left = framer->block_left;
	struct bytes piece = bytes_first(in, left < FRAMER_UNIT_MAX ? left : FRAMER_UNIT_MAX);
	bool whole = piece.len == left || piece.len == FRAMER_UNIT_MAX;
	uint32_t flags = framer->block_flags;

	if (!whole && !framer->block_dropped)
		return end ? cut_skip(in, unit) : FRAMER_MORE;
	framer->block_left -= (uint32_t)piece.len;
	framer->block_flags |= UNIT_PART;
	if (framer->block_left == 0) {
		framer->phase = framer->block_last ? FLAC_HUNT : FLAC_BLOCK;
		framer->synced = framer->block_last;
	}
	return framer->block_dropped ? cut_skip(piece, unit) : cut_unit(piece, flags, 0, unit);
}

/* Gives out the first len bytes of the input as this frame's, its first piece or a later one. */
static enum framer_status give_frame(struct flac_framer *framer, struct bytes in, size_t len,
				     struct unit *unit)
{
	uint32_t duration = 0;
	uint32_t flags = UNIT_PART;

	if (!framer->begun) {
		flags = UNIT_KEY;
		duration = play_clock_us(&framer->clock, framer->frame.samples,
					 framer->frame.sample_rate);
		framer->about.sample_rate = framer->frame.sample_rate;
		framer->about.channels = framer->frame.channels;
	}
	framer->begun = true;
	framer->given += (uint32_t)len;
	return cut_unit(bytes_first(in, len), flags, duration, unit);
}

/* The frame ends at this offset. It is 0 when the last piece turned out to be the last. */
static enum framer_status end_frame(struct flac_framer *framer, struct bytes in, size_t at,
				    struct unit *unit)
{
	framer->phase = FLAC_HUNT;
	framer->synced = true;
	return at ? give_frame(framer, in, at, unit) : FRAMER_MORE;
}

/* The window is full and the frame may be longer still. Cut at a suspect, so that it stays at the
 * beginning of the input until it is known what it is. */
static enum framer_status give_piece(struct flac_framer *framer, struct bytes in, size_t seen,
				     struct unit *unit)
{
	size_t len = framer->suspected && framer->suspect ? framer->suspect : WINDOW;

	framer->suspected = framer->suspected && framer->suspect;
	framer->suspect = 0;
	framer->seen = seen - len;
	return give_frame(framer, in, len, unit);
}

/* What was taken for a frame has no end that its CRC confirms: it is damaged, or never was one.
 * Goes on at the suspect, with the CRC over what was seen of it; else behind all that was seen. */
static enum framer_status lose_frame(struct flac_framer *framer, struct bytes in, size_t seen,
				     struct unit *unit)
{
	size_t len = framer->suspected ? framer->suspect : seen;
	bool begun = framer->begun;
	uint16_t crc = framer->suspect_crc;
	struct flac_header header;

	framer->phase = FLAC_HUNT;
	framer->synced = false;
	if (framer->suspected && len) {
		look_frame(framer, bytes_skip(in, len), &header);
		begin_frame(framer, &header);
		framer->seen = seen - len;
		framer->crc = crc;
		/* Whoever got the beginning gets the rest: decoders mend a frame, not half of one. */
		if (begun)
			return cut_unit(bytes_first(in, len), UNIT_PART, 0, unit);
	}
	return len ? cut_skip(bytes_first(in, len), unit) : FRAMER_MORE;
}

/* Looks for a header inside a frame. In a sound frame it is chance (sync code and CRC-8 within the
 * data) and the frame's own CRC will tell; behind a damaged frame it is the next one. The last one
 * seen counts, as the one before may have been damaged too. */
static enum look look_suspect(struct flac_framer *framer, struct bytes in, size_t at)
{
	const struct flac_header *frame = &framer->frame;
	struct flac_header header;
	enum look look = look_frame(framer, bytes_skip(in, at), &header);

	if (look == LOOK_YES && framer->synced &&
	    (header.sample_rate != frame->sample_rate || header.channels != frame->channels ||
	     header.sample_bits != frame->sample_bits))
		return LOOK_NO;
	if (look == LOOK_YES) {
		framer->suspected = true;
		framer->suspect = at;
		framer->suspect_crc = 0;
	}
	return look;
}

static enum framer_status next_frame(struct flac_framer *framer, struct bytes in, bool end,
				     struct unit *unit)
{
	uint32_t left = frame_bound(&framer->frame) - framer->given;
	size_t limit = left < WINDOW ? left : WINDOW;
	size_t least = framer->begun ? 0 : framer->frame.len + FRAME_REST_MIN;
	size_t at;

	for (at = framer->seen; at <= limit; at++) {
		enum look look = LOOK_NO;

		if (framer->crc == 0 && at >= least) {
			look = look_start(framer, bytes_skip(in, at));
			if (look == LOOK_YES || (look == LOOK_SHORT && end))
				return end_frame(framer, in, at, unit);
		} else if (framer->suspected && framer->suspect_crc == 0 &&
			   at >= framer->suspect + FRAME_MIN) {
			look = look_start(framer, bytes_skip(in, at));
			if (look == LOOK_YES || (look == LOOK_SHORT && end))
				return lose_frame(framer, in, at, unit);
		} else if (at < in.len && in.at[at] == 0xFF && at >= least) {
			look = look_suspect(framer, in, at);
		}
		if (at == in.len || (look == LOOK_SHORT && !end)) {
			framer->seen = at;
			/* What the end of the stream cut off is no frame. */
			return end ? lose_frame(framer, in, at, unit) : FRAMER_MORE;
		}
		framer->crc = crc16_step(framer->crc, in.at[at]);
		if (framer->suspected)
			framer->suspect_crc = crc16_step(framer->suspect_crc, in.at[at]);
	}
	if (left > WINDOW && (framer->synced || framer->begun))
		return give_piece(framer, in, at, unit);
	return lose_frame(framer, in, at, unit);
}

void flac_init(struct flac_framer *framer)
{
	*framer = (struct flac_framer){.about.codec = "flac", .phase = FLAC_HUNT};
}

static enum framer_status take_step(struct flac_framer *framer, struct bytes in, bool end,
				    struct unit *unit)
{
	switch (framer->phase) {
	case FLAC_HUNT: return hunt(framer, in, end, unit);
	case FLAC_BLOCK: return begin_block(framer, in, end, unit);
	case FLAC_BLOCK_BODY: return next_block_piece(framer, in, end, unit);
	case FLAC_FRAME: return next_frame(framer, in, end, unit);
	}
	return FRAMER_MORE;
}

enum framer_status flac_next(struct flac_framer *framer, struct bytes in, bool end,
			     struct unit *unit)
{
	enum framer_status status;
	enum flac_phase before;

	if (in.len == 0)
		return FRAMER_MORE;
	if (framer->tag_left)
		return cut_skip_counted(&framer->tag_left, in, unit);
	/* A step may find out that something else begins here, without having used a byte. */
	do {
		before = framer->phase;
		status = take_step(framer, in, end, unit);
	} while (status == FRAMER_MORE && framer->phase != before);
	return status;
}
