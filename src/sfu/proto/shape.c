#include "sfu/proto/shape.h"

#include "core/reader.h"
#include "core/writer.h"
#include "sfu/proto/bits.h"

#define UNIT_MAX 512u /* bytes of a parameter set */
#define UNITS    4u   /* of one kind */

/* The units of a picture that say what it is; kinds: by types, which are single bits of a mask elsewhere. */
struct units {
	struct bytes unit[UNITS];
	unsigned count;
};

static void add_unit(struct units *units, struct bytes unit)
{
	for (unsigned i = 0; i < units->count; i++)
		if (bytes_equal(units->unit[i], unit))
			return;
	if (units->count < UNITS && unit.len <= UNIT_MAX)
		units->unit[units->count++] = unit;
}

static bool next_unit(struct reader *r, struct bytes *unit)
{
	if (reader_left(r) == 0)
		return false;
	*unit = reader_take(r, reader_be32(r));
	return reader_ok(r);
}

/* H.264 7.4.1, H.265 7.4.2: without the bytes that keep start codes from being in it. */
static struct bytes unescape(struct bytes unit, uint8_t room[UNIT_MAX])
{
	size_t n = 0, zeros = 0;

	for (size_t i = 0; i < unit.len; i++) {
		if (zeros >= 2 && unit.at[i] == 3) {
			zeros = 0;
			continue;
		}
		zeros = unit.at[i] ? 0 : zeros + 1;
		room[n++] = unit.at[i];
	}
	return bytes_of(room, n);
}

static void put_units(struct writer *w, const struct units *units)
{
	for (unsigned i = 0; i < units->count; i++) {
		writer_be(w, units->unit[i].len, 2);
		writer_put(w, units->unit[i]);
	}
}

/* --- H.264 ----------------------------------------------------------------------------------- */

struct depth {
	uint32_t chroma, luma_bits, chroma_bits; /* bits: those above 8 */
};

/* 7.3.2.1.1.1: what is in it does not matter here. */
static void skip_scaling_list(struct bits *b, unsigned size)
{
	int32_t last = 8, next = 8;

	for (unsigned i = 0; i < size && bits_ok(b); i++) {
		if (next)
			next = (int32_t)(((uint32_t)last + (uint32_t)bits_se(b)) & 255);
		last = next ? next : last;
	}
}

static bool h264_has_depth(uint32_t profile)
{
	static const uint8_t high[] = {100, 110, 122, 244, 44,  83, 86,
				       118, 128, 138, 139, 134, 135};

	for (size_t i = 0; i < sizeof high; i++)
		if (profile == high[i])
			return true;
	return false;
}

static void read_h264_depth(struct bits *b, struct depth *depth)
{
	depth->chroma = bits_ue(b);
	if (depth->chroma == 3)
		bits_skip(b, 1);
	depth->luma_bits = bits_ue(b);
	depth->chroma_bits = bits_ue(b);
	bits_skip(b, 1);
	if (bits_take(b, 1))
		for (unsigned i = 0; i < (depth->chroma == 3 ? 12u : 8u); i++)
			if (bits_take(b, 1))
				skip_scaling_list(b, i < 6 ? 16 : 64);
}

static void skip_h264_order(struct bits *b)
{
	uint32_t type = bits_ue(b);

	if (type == 0) {
		bits_ue(b);
	} else if (type == 1) {
		bits_skip(b, 1);
		bits_se(b);
		bits_se(b);
		for (uint32_t n = bits_ue(b); n && bits_ok(b); n--)
			bits_se(b);
	}
}

/* H.264 7.3.2.1.1. */
static bool read_h264_sps(struct bytes unit, struct shape *out, struct depth *depth)
{
	uint8_t room[UNIT_MAX];
	struct bits b = bits_of(unescape(unit, room));
	uint32_t profile, frames, left, right, top, bottom, x, y;

	bits_skip(&b, 8);
	profile = bits_take(&b, 8);
	bits_skip(&b, 16);
	bits_ue(&b);
	*depth = (struct depth){.chroma = 1};
	if (h264_has_depth(profile))
		read_h264_depth(&b, depth);
	bits_ue(&b);
	skip_h264_order(&b);
	bits_ue(&b);
	bits_skip(&b, 1);
	out->width = bits_ue(&b);
	out->height = bits_ue(&b);
	frames = bits_take(&b, 1);
	bits_skip(&b, frames ? 1 : 2);
	if (!bits_ok(&b) || out->width > 4095 || out->height > 4095 || depth->chroma > 3 ||
	    depth->luma_bits > 6 || depth->chroma_bits > 6)
		return false;
	out->width = (out->width + 1) * 16;
	out->height = (out->height + 1) * 16 * (2 - frames);
	if (!bits_take(&b, 1))
		return bits_ok(&b);
	left = bits_ue(&b);
	right = bits_ue(&b);
	top = bits_ue(&b);
	bottom = bits_ue(&b);
	/* Table 6-1: in samples of colour. */
	x = depth->chroma == 1 || depth->chroma == 2 ? 2 : 1;
	y = (depth->chroma == 1 ? 2 : 1) * (2 - frames);
	if (!bits_ok(&b) || left > 65535 || right > 65535 || top > 65535 || bottom > 65535 ||
	    (left + right) * x >= out->width || (top + bottom) * y >= out->height)
		return false;
	out->width -= (left + right) * x;
	out->height -= (top + bottom) * y;
	return true;
}

static bool read_h264(struct bytes frame, struct shape *out, struct writer *w)
{
	struct reader r = reader_of(frame);
	struct units sps = {0}, pps = {0};
	struct depth depth;
	struct bytes unit;

	while (next_unit(&r, &unit)) {
		unsigned type = unit.len ? unit.at[0] & 31u : 0;

		if (type == 7 && unit.len > 4)
			add_unit(&sps, unit);
		else if (type == 8)
			add_unit(&pps, unit);
	}
	if (!sps.count || !pps.count || !read_h264_sps(sps.unit[0], out, &depth))
		return false;
	writer_u8(w, 1);
	writer_put(w, bytes_of(sps.unit[0].at + 1, 3));
	writer_u8(w, 0xff);
	writer_u8(w, (uint8_t)(0xe0 | sps.count));
	put_units(w, &sps);
	writer_u8(w, (uint8_t)pps.count);
	put_units(w, &pps);
	if (h264_has_depth(sps.unit[0].at[1])) {
		writer_u8(w, (uint8_t)(0xfc | depth.chroma));
		writer_u8(w, (uint8_t)(0xf8 | depth.luma_bits));
		writer_u8(w, (uint8_t)(0xf8 | depth.chroma_bits));
		writer_u8(w, 0);
	}
	return true;
}

/* --- H.265 ----------------------------------------------------------------------------------- */

struct h265 {
	uint32_t sub_layers, nested;
	uint8_t profile[12]; /* general_profile_space to general_level_idc */
	struct depth depth;
};

/* 7.3.3: of the layers below only how long it is. */
static void skip_h265_layers(struct bits *b, uint32_t below)
{
	bool profile[8], level[8];

	for (uint32_t i = 0; i < below; i++) {
		profile[i] = bits_take(b, 1);
		level[i] = bits_take(b, 1);
	}
	if (below)
		bits_skip(b, 2 * (8 - below));
	for (uint32_t i = 0; i < below; i++)
		bits_skip(b, (profile[i] ? 88u : 0) + (level[i] ? 8u : 0));
}

/* H.265 7.3.2.2.1. */
static bool read_h265_sps(struct bytes unit, struct shape *out, struct h265 *said)
{
	uint8_t room[UNIT_MAX];
	struct bits b = bits_of(unescape(unit, room));
	uint32_t left, right, top, bottom, x, y;

	bits_skip(&b, 16 + 4);
	said->sub_layers = bits_take(&b, 3) + 1;
	said->nested = bits_take(&b, 1);
	if (said->sub_layers > 7)
		return false;
	for (unsigned i = 0; i < sizeof said->profile; i++)
		said->profile[i] = (uint8_t)bits_take(&b, 8);
	skip_h265_layers(&b, said->sub_layers - 1);
	bits_ue(&b);
	said->depth.chroma = bits_ue(&b);
	if (said->depth.chroma == 3)
		bits_skip(&b, 1);
	out->width = bits_ue(&b);
	out->height = bits_ue(&b);
	if (bits_take(&b, 1)) {
		left = bits_ue(&b);
		right = bits_ue(&b);
		top = bits_ue(&b);
		bottom = bits_ue(&b);
		x = said->depth.chroma == 1 || said->depth.chroma == 2 ? 2 : 1;
		y = said->depth.chroma == 1 ? 2 : 1;
		if (left > 65535 || right > 65535 || top > 65535 || bottom > 65535 ||
		    (left + right) * x >= out->width || (top + bottom) * y >= out->height)
			return false;
		out->width -= (left + right) * x;
		out->height -= (top + bottom) * y;
	}
	said->depth.luma_bits = bits_ue(&b);
	said->depth.chroma_bits = bits_ue(&b);
	return bits_ok(&b) && out->width && out->width <= 65535 && out->height &&
	       out->height <= 65535 && said->depth.chroma <= 3 && said->depth.luma_bits <= 7 &&
	       said->depth.chroma_bits <= 7;
}

static bool read_h265(struct bytes frame, struct shape *out, struct writer *w)
{
	struct reader r = reader_of(frame);
	struct units sets[3] = {0}; /* VPS, SPS, PPS: types 32 to 34 */
	struct h265 said;
	struct bytes unit;

	while (next_unit(&r, &unit)) {
		unsigned type = unit.len > 2 ? unit.at[0] >> 1 & 63u : 0;

		if (type >= 32 && type <= 34)
			add_unit(&sets[type - 32], unit);
	}
	if (!sets[0].count || !sets[1].count || !sets[2].count ||
	    !read_h265_sps(sets[1].unit[0], out, &said))
		return false;
	writer_u8(w, 1);
	writer_put(w, bytes_of(said.profile, sizeof said.profile));
	writer_be(w, 0xf000, 2); /* no word of how it is cut into parts */
	writer_u8(w, 0xfc);
	writer_u8(w, (uint8_t)(0xfc | said.depth.chroma));
	writer_u8(w, (uint8_t)(0xf8 | said.depth.luma_bits));
	writer_u8(w, (uint8_t)(0xf8 | said.depth.chroma_bits));
	writer_be(w, 0, 2);
	writer_u8(w, (uint8_t)(said.sub_layers << 3 | said.nested << 2 | 3));
	writer_u8(w, 3);
	for (unsigned i = 0; i < 3; i++) {
		writer_u8(w, (uint8_t)(32 + i));
		writer_be(w, sets[i].count, 2);
		put_units(w, &sets[i]);
	}
	return true;
}

/* --- VP8, VP9 -------------------------------------------------------------------------------- */

/* RFC 6386 9.1. */
static bool read_vp8(struct bytes frame, struct shape *out)
{
	struct reader r = reader_of(frame);

	reader_skip(&r, 3);
	if (!bytes_equal(reader_take(&r, 3), BYTES("\x9d\x01\x2a")))
		return false;
	out->width = (uint32_t)reader_le(&r, 2) & 0x3fff;
	out->height = (uint32_t)reader_le(&r, 2) & 0x3fff;
	return reader_ok(&r) && out->width && out->height;
}

/* VP9 bitstream 6.2: uncompressed_header of a key frame. */
static bool read_vp9(struct bytes frame, struct shape *out)
{
	struct bits b = bits_of(frame);
	uint32_t profile;

	if (bits_take(&b, 2) != 2)
		return false;
	profile = bits_take(&b, 1);
	profile |= bits_take(&b, 1) << 1;
	if (profile == 3)
		bits_skip(&b, 1);
	if (bits_take(&b, 2) != 0) /* show_existing_frame, and frame_type: KEY_FRAME */
		return false;
	bits_skip(&b, 2);
	if (bits_take(&b, 24) != 0x498342)
		return false;
	if (profile >= 2)
		bits_skip(&b, 1);
	if (bits_take(&b, 3) != 7)
		bits_skip(&b, profile & 1 ? 4 : 1);
	else if (profile & 1)
		bits_skip(&b, 1);
	out->width = bits_take(&b, 16) + 1;
	out->height = bits_take(&b, 16) + 1;
	return bits_ok(&b);
}

/* --- AV1 ------------------------------------------------------------------------------------- */

struct av1 {
	uint32_t profile, level, tier, high, twelve, mono, x, y, position;
};

/* AV1 5.5.3 to 5.5.5: how long decoders may wait. */
static uint32_t read_av1_operation(struct bits *b, struct av1 *said)
{
	uint32_t decoder = 0, delay = 0, length = 0, points;

	if (bits_take(b, 1)) { /* timing_info_present_flag */
		bits_skip(b, 64);
		if (bits_take(b, 1))
			bits_ue(b);
		decoder = bits_take(b, 1);
		if (decoder) {
			length = bits_take(b, 5) + 1;
			bits_skip(b, 32 + 5 + 5);
		}
	}
	delay = bits_take(b, 1);
	points = bits_take(b, 5) + 1;
	for (uint32_t i = 0; i < points && bits_ok(b); i++) {
		uint32_t level, tier;

		bits_skip(b, 12);
		level = bits_take(b, 5);
		tier = level > 7 ? bits_take(b, 1) : 0;
		if (i == 0) {
			said->level = level;
			said->tier = tier;
		}
		if (decoder && bits_take(b, 1))
			bits_skip(b, 2 * length + 1);
		if (delay && bits_take(b, 1))
			bits_skip(b, 4);
	}
	return points;
}

/* 5.5.2. */
static void skip_av1_tools(struct bits *b)
{
	uint32_t order, screen = 2;

	bits_skip(b, 4);
	order = bits_take(b, 1);
	if (order)
		bits_skip(b, 2);
	if (!bits_take(b, 1)) /* seq_choose_screen_content_tools */
		screen = bits_take(b, 1);
	if (screen && !bits_take(b, 1)) /* seq_choose_integer_mv */
		bits_skip(b, 1);
	if (order)
		bits_skip(b, 3);
}

static void read_av1_color(struct bits *b, struct av1 *said)
{
	uint32_t description = 0;

	said->high = bits_take(b, 1);
	said->twelve = said->profile == 2 && said->high ? bits_take(b, 1) : 0;
	said->mono = said->profile == 1 ? 0 : bits_take(b, 1);
	if (bits_take(b, 1))
		description = bits_take(b, 24);
	if (said->mono) {
		bits_skip(b, 1);
		said->x = said->y = 1;
		return;
	}
	if (description == 0x010d00) /* sRGB: nothing more is said */
		return;
	bits_skip(b, 1);
	if (said->profile == 2 && said->twelve) {
		said->x = bits_take(b, 1);
		said->y = said->x ? bits_take(b, 1) : 0;
	} else {
		said->x = said->profile != 1;
		said->y = said->profile == 0;
	}
	if (said->x && said->y)
		said->position = bits_take(b, 2);
}

static bool read_av1_sequence(struct bytes payload, struct shape *out, struct av1 *said)
{
	struct bits b = bits_of(payload);
	uint32_t reduced, wide, high;

	*said = (struct av1){.profile = bits_take(&b, 3)};
	bits_skip(&b, 1);
	reduced = bits_take(&b, 1);
	if (reduced)
		said->level = bits_take(&b, 5);
	else
		read_av1_operation(&b, said);
	wide = bits_take(&b, 4) + 1;
	high = bits_take(&b, 4) + 1;
	out->width = bits_take(&b, wide) + 1;
	out->height = bits_take(&b, high) + 1;
	if (!reduced && bits_take(&b, 1)) /* frame_id_numbers_present_flag */
		bits_skip(&b, 7);
	bits_skip(&b, 3);
	if (!reduced)
		skip_av1_tools(&b);
	bits_skip(&b, 3);
	read_av1_color(&b, said);
	return bits_ok(&b) && said->profile <= 2;
}

/* The first OBU of that type: all of it, and what is in it. Each has a size, as unpack leaves them. */
static bool find_obu(struct bytes frame, unsigned type, struct bytes *obu, struct bytes *payload)
{
	struct reader r = reader_of(frame);

	while (reader_left(&r)) {
		const uint8_t *at = r.at;
		uint8_t head = reader_u8(&r), byte = 0x80;
		size_t size = 0;

		if (head & 4)
			reader_skip(&r, 1);
		for (unsigned i = 0; i < 4 && byte & 0x80; i++) {
			byte = reader_u8(&r);
			size |= (size_t)(byte & 0x7f) << 7 * i;
		}
		*payload = reader_take(&r, size);
		if (!reader_ok(&r) || !(head & 2) || byte & 0x80)
			return false;
		*obu = bytes_of(at, (size_t)(r.at - at));
		if ((head >> 3 & 15u) == type)
			return true;
	}
	return false;
}

static bool read_av1(struct bytes frame, struct shape *out, struct writer *w)
{
	struct bytes obu, payload;
	struct av1 said;

	if (!find_obu(frame, 1, &obu, &payload) || !read_av1_sequence(payload, out, &said))
		return false;
	writer_u8(w, 0x81);
	writer_u8(w, (uint8_t)(said.profile << 5 | said.level));
	writer_u8(w, (uint8_t)(said.tier << 7 | said.high << 6 | said.twelve << 5 | said.mono << 4 |
			       said.x << 3 | said.y << 2 | said.position));
	writer_u8(w, 0);
	writer_put(w, obu);
	return true;
}

/* --- Opus ------------------------------------------------------------------------------------ */

/* RFC 7845 5.1; nothing is to be left out at the beginning: it is cut out of a stream that goes on. */
static void write_opus(unsigned channels, struct writer *w)
{
	writer_str(w, "OpusHead");
	writer_u8(w, 1);
	writer_u8(w, (uint8_t)channels);
	writer_le(w, 0, 2);
	writer_le(w, 48000, 4);
	writer_le(w, 0, 3); /* gain, mapping family */
}

/* --- all ------------------------------------------------------------------------------------- */

static bool read_any(enum codec codec, struct bytes frame, unsigned channels, struct shape *out,
		     struct writer *w)
{
	switch (codec) {
	case CODEC_H264: return read_h264(frame, out, w);
	case CODEC_H265: return read_h265(frame, out, w);
	case CODEC_VP8: return read_vp8(frame, out);
	case CODEC_VP9: return read_vp9(frame, out);
	case CODEC_AV1: return read_av1(frame, out, w);
	case CODEC_OPUS: write_opus(channels, w); return true;
	case CODEC_PCMU:
	case CODEC_PCMA:
	case CODEC_G722:
	case CODEC_NONE:
	case CODEC_COUNT: break;
	}
	return false;
}

bool shape_read(enum codec codec, struct bytes frame, unsigned channels, struct shape *out)
{
	struct writer w = writer_of(out->setup, sizeof out->setup);

	out->codec = codec;
	out->width = out->height = 0;
	if (!read_any(codec, frame, channels, out, &w) || !writer_ok(&w))
		return false;
	out->setup_len = w.len;
	return true;
}

bool shape_fits(const struct shape *a, const struct shape *b)
{
	bool says_itself = a->codec == CODEC_VP8 || a->codec == CODEC_VP9;

	return a->codec == b->codec &&
	       (says_itself || (a->width == b->width && a->height == b->height)) &&
	       bytes_equal(bytes_of(a->setup, a->setup_len), bytes_of(b->setup, b->setup_len));
}
