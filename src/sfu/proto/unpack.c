#include "sfu/proto/unpack.h"

#include "core/reader.h"

enum { H264_IDR = 5, H264_AUD = 9, H264_FILLER = 12, H264_STAP_A = 24, H264_FU_A = 28 };
enum {
	H265_IRAP = 16,
	H265_IRAP_LAST = 21,
	H265_AUD = 35,
	H265_FILLER = 38,
	H265_AP = 48,
	H265_FU
};
enum {
	AV1_SEQUENCE = 1,
	AV1_DELIMITER,
	AV1_FRAME_HEADER,
	AV1_FRAME = 6,
	AV1_TILE_LIST = 8,
	AV1_PADDING = 15
};

#define LENGTH 4u /* bytes of a unit's length */

bool unpack_can(enum codec codec)
{
	return codec_is_video(codec) || codec == CODEC_OPUS;
}

void unpack_init(struct unpack *unpack, enum codec codec, void *room, size_t size)
{
	*unpack = (struct unpack){.codec = codec, .frame = writer_of(room, size)};
}

void unpack_clear(struct unpack *unpack)
{
	unpack_init(unpack, unpack->codec, unpack->frame.at, unpack->frame.size);
}

bool unpack_is_other(const struct unpack *unpack, int64_t ts)
{
	return unpack->open && unpack->ts != ts;
}

/* --- units behind their length --------------------------------------------------------------- */

static void unit_begin(struct unpack *unpack)
{
	unpack->unit = true;
	unpack->unit_at = unpack->frame.len + LENGTH;
	writer_fill(&unpack->frame, 0, LENGTH);
}

static void unit_end(struct unpack *unpack)
{
	struct writer length;

	unpack->unit = false;
	if (!writer_ok(&unpack->frame))
		return;
	length = writer_of(unpack->frame.at + unpack->unit_at - LENGTH, LENGTH);
	writer_be(&length, unpack->frame.len - unpack->unit_at, LENGTH);
}

static void put_unit(struct unpack *unpack, struct bytes unit)
{
	/* Between two fragments of one nothing else comes. */
	unpack->broken |= unpack->unit;
	unit_begin(unpack);
	writer_put(&unpack->frame, unit);
	unit_end(unpack);
}

/* --- H.264 ----------------------------------------------------------------------------------- */

static void put_h264(struct unpack *unpack, struct bytes unit)
{
	unsigned type;

	if (unit.len == 0) {
		unpack->broken = true;
		return;
	}
	type = unit.at[0] & 31u;
	unpack->key |= type == H264_IDR;
	if (type != H264_AUD && type != H264_FILLER)
		put_unit(unpack, unit);
}

/* A fragment of a unit whose head of so many bytes was made from those around it: RFC 6184 5.8, RFC 7798
 * 4.4.3. */
static void put_fragment(struct unpack *unpack, struct bytes head, bool first, bool last,
			 struct bytes rest)
{
	if (first == unpack->unit || (first && last)) {
		unpack->broken = true;
		return;
	}
	if (first) {
		unit_begin(unpack);
		writer_put(&unpack->frame, head);
	}
	writer_put(&unpack->frame, rest);
	if (last)
		unit_end(unpack);
}

static void put_h264_payload(struct unpack *unpack, struct bytes in)
{
	struct reader r = reader_of(in);
	uint8_t head = reader_u8(&r), fragment;

	switch (head & 31u) {
	case H264_STAP_A: /* RFC 6184 5.7.1 */
		while (reader_ok(&r) && reader_left(&r))
			put_h264(unpack, reader_take(&r, reader_be16(&r)));
		unpack->broken |= !reader_ok(&r);
		break;
	case H264_FU_A:
		fragment = reader_u8(&r);
		unpack->broken |= !reader_ok(&r);
		unpack->key |= (fragment & 31u) == H264_IDR;
		head = (uint8_t)((head & 0xe0u) | (fragment & 31u));
		put_fragment(unpack, bytes_of(&head, 1), fragment >> 7, fragment >> 6 & 1,
			     bytes_of(r.at, reader_left(&r)));
		break;
	case 25:
	case 26:
	case 27:
	case 29: /* 5.7.2, 5.8: interleaved, which is not agreed on */ unpack->broken = true; break;
	case 0:
	case 30:
	case 31: break; /* 5.4: to be ignored */
	default: put_h264(unpack, in); break;
	}
}

/* --- H.265 ----------------------------------------------------------------------------------- */

static bool h265_is_key(unsigned type)
{
	return type >= H265_IRAP && type <= H265_IRAP_LAST;
}

static void put_h265(struct unpack *unpack, struct bytes unit)
{
	unsigned type;

	if (unit.len < 2) {
		unpack->broken = true;
		return;
	}
	type = unit.at[0] >> 1 & 63u;
	unpack->key |= h265_is_key(type);
	if (type != H265_AUD && type != H265_FILLER)
		put_unit(unpack, unit);
}

static void put_h265_payload(struct unpack *unpack, struct bytes in)
{
	struct reader r = reader_of(in);
	uint8_t head[2] = {reader_u8(&r), reader_u8(&r)}, fragment;
	unsigned type = head[0] >> 1 & 63u;

	if (!reader_ok(&r)) {
		unpack->broken = true;
	} else if (type == H265_AP) { /* RFC 7798 4.4.2 */
		while (reader_ok(&r) && reader_left(&r))
			put_h265(unpack, reader_take(&r, reader_be16(&r)));
		unpack->broken |= !reader_ok(&r);
	} else if (type == H265_FU) {
		fragment = reader_u8(&r);
		unpack->broken |= !reader_ok(&r);
		unpack->key |= h265_is_key(fragment & 63u);
		head[0] = (uint8_t)((head[0] & 0x81u) | (fragment & 63u) << 1);
		put_fragment(unpack, bytes_of(head, 2), fragment >> 7, fragment >> 6 & 1,
			     bytes_of(r.at, reader_left(&r)));
	} else if (type < H265_AP) {
		put_h265(unpack, in);
	} else {
		unpack->broken |= type == 50; /* 4.4.4: what is behind a PACI is not looked for */
	}
}

/* --- VP8 ------------------------------------------------------------------------------------- */

static void put_vp8_payload(struct unpack *unpack, struct bytes in)
{
	struct reader r = reader_of(in);
	uint8_t first = reader_u8(&r), more = first & 0x80 ? reader_u8(&r) : 0;
	bool begins = (first & 0x17) == 0x10; /* RFC 7741 4.2: S, partition 0 */

	if (more & 0x80 && reader_u8(&r) & 0x80)
		reader_skip(&r, 1);
	if (more & 0x40)
		reader_skip(&r, 1);
	if (more & 0x30)
		reader_skip(&r, 1);
	if (!reader_ok(&r) || reader_left(&r) == 0 || begins != (unpack->frame.len == 0)) {
		unpack->broken = true;
		return;
	}
	if (begins)
		unpack->key = (r.at[0] & 1) == 0; /* RFC 6386 9.1 */
	writer_put(&unpack->frame, bytes_of(r.at, reader_left(&r)));
}

/* --- VP9 ------------------------------------------------------------------------------------- */

/* RFC 9628 4.2.1: N_S Y G, sizes, and the groups of pictures. */
static void skip_structure(struct reader *r)
{
	uint8_t head = reader_u8(r);

	if (head & 0x10)
		reader_skip(r, 4u * ((head >> 5) + 1u));
	if (!(head & 0x08))
		return;
	for (unsigned n = reader_u8(r); n && reader_ok(r); n--)
		reader_skip(r, reader_u8(r) >> 2 & 3u);
}

/* RFC 9628 4.2: I P L F B E V Z. */
static void put_vp9_payload(struct unpack *unpack, struct bytes in)
{
	struct reader r = reader_of(in);
	uint8_t first = reader_u8(&r);
	bool begins = first & 0x08, ends = first & 0x04;

	if (first & 0x80 && reader_u8(&r) & 0x80)
		reader_skip(&r, 1);
	if (first & 0x20)
		reader_skip(&r, first & 0x10 ? 1 : 2);
	if ((first & 0x50) == 0x50) /* up to three references */
		for (unsigned i = 0; i < 3 && reader_u8(&r) & 1; i++)
			unpack->broken |= i == 2;
	if (first & 0x02)
		skip_structure(&r);
	if (!reader_ok(&r) || reader_left(&r) == 0 || begins == unpack->unit) {
		unpack->broken = true;
		return;
	}
	if (unpack->frame.len == 0)
		unpack->key = !(first & 0x40);
	writer_put(&unpack->frame, bytes_of(r.at, reader_left(&r)));
	unpack->unit = !ends;
	if (!ends)
		return;
	if (unpack->layers < UNPACK_LAYERS)
		unpack->layer_end[unpack->layers++] = unpack->frame.len;
	else
		unpack->broken = true;
}

/* VP9 bitstream Annex B.2. */
static void put_vp9_index(struct unpack *unpack)
{
	uint8_t marker = (uint8_t)(0xd8u | (unpack->layers - 1)); /* sizes of four bytes */
	size_t begin = 0;

	writer_u8(&unpack->frame, marker);
	for (unsigned i = 0; i < unpack->layers; i++) {
		writer_le(&unpack->frame, unpack->layer_end[i] - begin, 4);
		begin = unpack->layer_end[i];
	}
	writer_u8(&unpack->frame, marker);
}

/* --- AV1 ------------------------------------------------------------------------------------- */

/* AV1 4.10.5, as far as sizes of payloads need it. */
static size_t take_leb128(struct reader *r)
{
	size_t value = 0;
	uint8_t byte = 0x80;

	for (unsigned i = 0; i < 5 && byte & 0x80; i++) {
		byte = reader_u8(r);
		value |= (size_t)(byte & 0x7f) << 7 * i;
	}
	r->failed |= byte >> 7;
	return value;
}

static void put_leb128(struct writer *w, size_t value)
{
	for (; value > 0x7f; value >>= 7)
		writer_u8(w, (uint8_t)(0x80 | (value & 0x7f)));
	writer_u8(w, (uint8_t)value);
}

/* What lies at the end of the frame is an OBU as the wire has it, mostly without a size: it gets one. */
static void finish_obu(struct unpack *unpack)
{
	struct writer *frame = &unpack->frame, head;
	struct bytes obu = bytes_skip(writer_done(frame), unpack->unit_at);
	struct reader r = reader_of(obu);
	uint8_t first = reader_u8(&r), extension = first & 4 ? reader_u8(&r) : 0, room[8];
	unsigned type = first >> 3 & 15u;
	size_t size = first & 2 ? take_leb128(&r) : reader_left(&r);

	unpack->unit = false;
	if (!writer_ok(frame))
		return;
	if (!reader_ok(&r) || first >> 7 || size > reader_left(&r)) {
		unpack->broken = true;
		return;
	}
	frame->len = unpack->unit_at;
	if (type == AV1_DELIMITER || type == AV1_TILE_LIST || type == AV1_PADDING)
		return;
	unpack->sequence |= type == AV1_SEQUENCE;
	/* 5.9.2: show_existing_frame 0, frame_type KEY_FRAME. */
	if ((type == AV1_FRAME || type == AV1_FRAME_HEADER) && size && r.at[0] >> 5 == 0)
		unpack->key |= unpack->sequence;
	head = writer_of(room, sizeof room);
	writer_u8(&head, first | 2);
	if (first & 4)
		writer_u8(&head, extension);
	put_leb128(&head, size);
	if (head.len + size > frame->size - frame->len) {
		frame->failed = true;
		return;
	}
	memmove(frame->at + frame->len + head.len, r.at, size);
	writer_put(frame, writer_done(&head));
	frame->len += size;
}

/* AV1 RTP 4.3: one element, whole or a part; more: it goes on in the next payload. */
static void put_element(struct unpack *unpack, struct bytes element, bool goes_on, bool more)
{
	if (goes_on != unpack->unit) {
		unpack->broken = true;
		return;
	}
	if (!goes_on)
		unpack->unit_at = unpack->frame.len;
	unpack->unit = true;
	writer_put(&unpack->frame, element);
	if (!more)
		finish_obu(unpack);
}

/* AV1 RTP 4.4: Z Y W W N. */
static void put_av1_payload(struct unpack *unpack, struct bytes in)
{
	struct reader r = reader_of(in);
	uint8_t head = reader_u8(&r);
	unsigned count = head >> 4 & 3u;
	bool goes_on = head >> 7, more = head >> 6 & 1;

	for (unsigned n = 1; reader_ok(&r) && reader_left(&r); n++) {
		size_t size = count && n == count ? reader_left(&r) : take_leb128(&r);
		struct bytes element = reader_take(&r, size);

		if (!reader_ok(&r))
			break;
		put_element(unpack, element, goes_on && n == 1, more && reader_left(&r) == 0);
	}
	unpack->broken |= !reader_ok(&r);
}

/* --- all ------------------------------------------------------------------------------------- */

bool unpack_put(struct unpack *unpack, struct bytes payload, int64_t ts, bool marker)
{
	if (!unpack->open)
		unpack_clear(unpack);
	if (payload.len == 0) /* padding alone */
		return unpack->open && marker;
	unpack->open = true;
	unpack->ts = ts;
	switch (unpack->codec) {
	case CODEC_H264: put_h264_payload(unpack, payload); break;
	case CODEC_H265: put_h265_payload(unpack, payload); break;
	case CODEC_VP8: put_vp8_payload(unpack, payload); break;
	case CODEC_VP9: put_vp9_payload(unpack, payload); break;
	case CODEC_AV1: put_av1_payload(unpack, payload); break;
	case CODEC_OPUS: /* RFC 7587 4.2: one packet */
		writer_put(&unpack->frame, payload);
		unpack->key = true;
		return true;
	case CODEC_PCMU:
	case CODEC_PCMA:
	case CODEC_G722:
	case CODEC_NONE:
	case CODEC_COUNT: unpack->broken = true; break;
	}
	return marker;
}

enum unpack_status unpack_end(struct unpack *unpack, struct unpacked *out)
{
	if (!unpack->open)
		return UNPACK_NOTHING;
	if (unpack->layers > 1)
		put_vp9_index(unpack);
	unpack->open = false;
	if (unpack->broken || unpack->unit || !writer_ok(&unpack->frame))
		return UNPACK_BROKEN;
	*out = (struct unpacked){writer_done(&unpack->frame), unpack->ts, unpack->key};
	return unpack->frame.len ? UNPACK_FRAME : UNPACK_NOTHING;
}
