#include "sfu/proto/codec.h"

#include "core/reader.h"

static const char *const names[CODEC_COUNT] = {"",     "opus", "PCMU", "PCMA", "G722",
					       "H264", "VP8",  "VP9",  "AV1",  "H265"};

enum codec codec_of(struct bytes name)
{
	for (unsigned i = 1; i < CODEC_COUNT; i++)
		if (bytes_equal_nocase(name, bytes_str(names[i])))
			return (enum codec)i;
	return CODEC_NONE;
}

const char *codec_name(enum codec codec)
{
	return names[codec];
}

bool codec_is_video(enum codec codec)
{
	return codec >= CODEC_H264;
}

/* RFC 6184 5: a sequence parameter set or a slice of an IDR picture. */
static bool h264_nal_is_key(uint8_t head)
{
	unsigned type = head & 31u;

	return type == 5 || type == 7;
}

static bool h264_begins(struct bytes in)
{
	struct reader r = reader_of(in);
	uint8_t head = reader_u8(&r), fragment;

	switch (head & 31u) {
	case 24: /* STAP-A: units, each behind its length */
		while (reader_ok(&r) && reader_left(&r) > 2) {
			struct bytes unit = reader_take(&r, reader_be16(&r));

			if (unit.len && h264_nal_is_key(unit.at[0]))
				return true;
		}
		return false;
	case 28: /* FU-A: the first fragment says it */
		fragment = reader_u8(&r);
		return reader_ok(&r) && fragment >> 7 && h264_nal_is_key(fragment);
	default: return reader_ok(&r) && h264_nal_is_key(head);
	}
}

/* RFC 7798 1.1.4: pictures that need no other are 16 to 23, parameter sets 32 to 34. */
static bool h265_type_is_key(unsigned type)
{
	return (type >= 16 && type <= 23) || (type >= 32 && type <= 34);
}

static bool h265_begins(struct bytes in)
{
	struct reader r = reader_of(in);
	unsigned type = reader_be16(&r) >> 9 & 63u;

	if (!reader_ok(&r))
		return false;
	if (type == 48) { /* AP */
		while (reader_ok(&r) && reader_left(&r) > 2) {
			struct bytes unit = reader_take(&r, reader_be16(&r));

			if (unit.len && h265_type_is_key(unit.at[0] >> 1 & 63u))
				return true;
		}
		return false;
	}
	if (type == 49) { /* FU */
		uint8_t fragment = reader_u8(&r);

		return reader_ok(&r) && fragment >> 7 && h265_type_is_key(fragment & 63u);
	}
	return h265_type_is_key(type);
}

/* RFC 7741 4.2, 4.3. */
static bool vp8_begins(struct bytes in)
{
	struct reader r = reader_of(in);
	uint8_t first = reader_u8(&r), more = first & 0x80 ? reader_u8(&r) : 0;

	if (more & 0x80 && reader_u8(&r) & 0x80)
		reader_skip(&r, 1); /* a picture id of 15 bits */
	if (more & 0x40)
		reader_skip(&r, 1);
	if (more & 0x30)
		reader_skip(&r, 1);
	/* S, partition 0, and P of the first byte of the frame: 0 is a key frame. */
	return (first & 0x17) == 0x10 && (reader_u8(&r) & 1) == 0 && reader_ok(&r);
}

/* RFC 9628 4.2: I P L F B E V Z. A frame that begins, predicts nothing and is of the lowest layer. */
static bool vp9_begins(struct bytes in)
{
	struct reader r = reader_of(in);
	uint8_t first = reader_u8(&r);

	if (!reader_ok(&r) || first & 0x40 || !(first & 0x08))
		return false;
	if (first & 0x80 && reader_u8(&r) & 0x80)
		reader_skip(&r, 1);
	if (first & 0x20 && reader_u8(&r) & 0x0e)
		return false; /* a spatial layer above the lowest */
	return reader_ok(&r);
}

/* AV1 RTP 4.4: Z Y W W N; N is the first packet of a coded video sequence. */
static bool av1_begins(struct bytes in)
{
	return in.len > 1 && (in.at[0] & 0x88) == 0x08;
}

bool codec_begins_key(enum codec codec, struct bytes payload)
{
	switch (codec) {
	case CODEC_H264: return h264_begins(payload);
	case CODEC_VP8: return vp8_begins(payload);
	case CODEC_VP9: return vp9_begins(payload);
	case CODEC_AV1: return av1_begins(payload);
	case CODEC_H265: return h265_begins(payload);
	case CODEC_OPUS:
	case CODEC_PCMU:
	case CODEC_PCMA:
	case CODEC_G722: return true; /* each packet stands alone */
	case CODEC_NONE:
	case CODEC_COUNT: break;
	}
	return false;
}
