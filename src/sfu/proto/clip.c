#include "sfu/proto/clip.h"

#include "core/reader.h"

#define IVF_HEAD    32u
#define US_A_SECOND 1000000
#define LENGTH_MAX  ((int64_t)3600 * US_A_SECOND)

enum {
	H264_IDR = 5,
	H264_SEI,
	H264_SPS,
	H264_PPS,
	H264_AUD,
	H264_END_SEQUENCE,
	H264_END_STREAM,
	H264_FILLER
};

/* --- IVF ------------------------------------------------------------------------------------------------- */

static const char *open_ivf(struct clip *clip)
{
	struct reader r = reader_of(clip->all);

	reader_skip(&r, 6); /* DKIF and a version */
	size_t head = (size_t)reader_le(&r, 2);
	struct bytes fourcc = reader_take(&r, 4);

	clip->width = (uint32_t)reader_le(&r, 2);
	clip->height = (uint32_t)reader_le(&r, 2);
	clip->rate = (int64_t)reader_le32(&r);
	clip->scale = (int64_t)reader_le32(&r);
	if (!reader_ok(&r) || head < IVF_HEAD || clip->rate == 0 || clip->scale == 0)
		return "its header is none of IVF";
	if (!bytes_equal(fourcc, BYTES("VP80")))
		return "of what IVF holds only VP8 can be shown";
	clip->codec = CODEC_VP8;
	clip->all = bytes_skip(clip->all, head);
	return NULL;
}

static bool next_vp8(struct clip *clip, struct clip_picture *picture)
{
	struct reader r = reader_of(clip->rest);
	size_t size = reader_le32(&r);
	uint64_t at = reader_le64(&r);
	struct bytes frame = reader_take(&r, size);

	if (!reader_ok(&r) || frame.len == 0)
		return false;
	clip->rest = bytes_of(r.at, reader_left(&r));
	/* A time that goes back or runs away is that of the picture before, and one tick. */
	picture->at_us = clip->next_us;
	if (at < (uint64_t)LENGTH_MAX && (int64_t)at <= LENGTH_MAX / clip->scale) {
		double us = (double)at * (double)clip->scale * US_A_SECOND / (double)clip->rate;

		if (us > (double)clip->next_us - (double)clip->tick_us / 2 && us < LENGTH_MAX)
			picture->at_us = (int64_t)us;
	}
	picture->key = (frame.at[0] & 1) == 0; /* RFC 6386 9.1 */
	picture->rest = frame;
	return true;
}

/* --- Annex B --------------------------------------------------------------------------------------------- */

/* The offset of the next start code; len when there is none. */
static size_t start_code(struct bytes in)
{
	for (size_t i = 0; i + 3 <= in.len; i++)
		if (in.at[i] == 0 && in.at[i + 1] == 0 && in.at[i + 2] == 1)
			return i;
	return in.len;
}

/* The next unit that is not empty, off *in, which begins at or before its start code. */
static struct bytes next_unit(struct bytes *in)
{
	struct bytes unit = {0};

	while (in->len && unit.len == 0) {
		struct bytes behind = bytes_skip(*in, start_code(*in) + 3);

		unit = bytes_first(behind, start_code(behind));
		*in = bytes_skip(behind, unit.len);
		/* trailing_zero_8bits, and the first zero of a long start code */
		while (unit.len && unit.at[unit.len - 1] == 0)
			unit.len--;
	}
	return unit;
}

static unsigned type_of(struct bytes unit)
{
	return unit.at[0] & 31u;
}

static bool is_slice(struct bytes unit)
{
	return type_of(unit) >= 1 && type_of(unit) <= H264_IDR;
}

/* 7.4.1.2.3: what cannot come behind a slice of the same picture. first_mb_in_slice 0 is one bit. */
static bool begins_picture(struct bytes unit)
{
	unsigned type = type_of(unit);

	return (type >= H264_SEI && type <= H264_AUD) ||
	       (is_slice(unit) && unit.len > 1 && unit.at[1] & 0x80);
}

static bool next_h264(struct clip *clip, struct clip_picture *picture)
{
	struct bytes at = clip->rest, look = at;
	bool slice = false, sps = false, idr = false;

	for (;;) {
		struct bytes unit = next_unit(&look);

		if (unit.len == 0 || (slice && begins_picture(unit)))
			break;
		sps |= type_of(unit) == H264_SPS;
		idr |= type_of(unit) == H264_IDR;
		slice |= is_slice(unit);
		clip->rest = look;
	}
	if (!slice)
		return false;
	picture->at_us = clip->next_us;
	picture->key = idr && sps;
	picture->bare = idr && !sps;
	picture->rest = bytes_first(at, at.len - clip->rest.len);
	return true;
}

static const char *open_h264(struct clip *clip, unsigned rate)
{
	static const char hex[] = "0123456789abcdef";
	struct bytes look = clip->all, unit;

	clip->codec = CODEC_H264;
	clip->rate = rate;
	clip->scale = 1;
	do
		unit = next_unit(&look);
	while (unit.len && type_of(unit) != H264_SPS);
	if (unit.len < 4)
		return "it is neither IVF nor a stream of H.264";
	for (unsigned i = 0; i < 3; i++) {
		clip->profile[2 * i] = hex[unit.at[1 + i] >> 4];
		clip->profile[2 * i + 1] = hex[unit.at[1 + i] & 15];
	}
	return NULL;
}

/* --- both ------------------------------------------------------------------------------------------------ */

void clip_rewind(struct clip *clip)
{
	clip->rest = clip->all;
	clip->next_us = 0;
}

bool clip_next(struct clip *clip, struct clip_picture *picture)
{
	*picture = (struct clip_picture){0};
	if (!(clip->codec == CODEC_VP8 ? next_vp8(clip, picture) : next_h264(clip, picture)))
		return false;
	clip->next_us = picture->at_us + clip->tick_us;
	return true;
}

const char *clip_open(struct bytes file, unsigned rate, struct clip *clip)
{
	struct clip_picture picture;
	const char *fault;
	int64_t key_us = 0;

	*clip = (struct clip){.all = file};
	fault = bytes_start_with(file, BYTES("DKIF")) ? open_ivf(clip) : open_h264(clip, rate);
	if (fault)
		return fault;
	clip->tick_us = clip->scale * US_A_SECOND / clip->rate;
	if (clip->tick_us < 1000)
		clip->tick_us = 1000;
	if (clip->tick_us > US_A_SECOND)
		clip->tick_us = US_A_SECOND;
	for (clip_rewind(clip); clip_next(clip, &picture); clip->pictures++) {
		if (clip->pictures == 0 && !picture.key)
			return "it does not begin with a key picture";
		if (picture.bare)
			return "a key picture has no parameter sets before it";
		if (picture.at_us - key_us > clip->key_gap_us)
			clip->key_gap_us = picture.at_us - key_us;
		if (picture.key)
			key_us = picture.at_us;
	}
	if (clip->pictures == 0)
		return "there is no picture in it";
	clip->length_us = clip->next_us;
	if (clip->length_us - key_us > clip->key_gap_us)
		clip->key_gap_us = clip->length_us - key_us;
	clip_rewind(clip);
	return NULL;
}

/* --- payloads -------------------------------------------------------------------------------------------- */

/* RFC 7741 4.2: X, S on the first one; I, M and a picture id of 15 bits. */
static bool vp8_payload(struct clip_picture *picture, struct writer *w)
{
	struct bytes part = bytes_first(picture->rest, CLIP_PAYLOAD_MAX - 4);

	writer_u8(w, picture->vp8_begun ? 0x80 : 0x90);
	writer_u8(w, 0x80);
	writer_be(w, 0x8000u | (picture->id & 0x7fffu), 2);
	writer_put(w, part);
	picture->vp8_begun = true;
	picture->rest = bytes_skip(picture->rest, part.len);
	return true;
}

/* What says nothing to a receiver of packets. */
static bool is_idle_unit(struct bytes unit)
{
	return type_of(unit) >= H264_AUD && type_of(unit) <= H264_FILLER;
}

/* RFC 6184 5.6, 5.8: a unit, or a fragment of one (FU-A). */
static bool h264_payload(struct clip_picture *picture, struct writer *w)
{
	struct bytes part;
	bool begins = false;

	while (picture->unit.len == 0) {
		picture->unit = next_unit(&picture->rest);
		if (picture->unit.len == 0)
			return false;
		if (is_idle_unit(picture->unit)) {
			picture->unit.len = 0;
			continue;
		}
		if (picture->unit.len <= CLIP_PAYLOAD_MAX) {
			writer_put(w, picture->unit);
			picture->unit.len = 0;
			return true;
		}
		picture->unit_head = picture->unit.at[0];
		picture->unit = bytes_skip(picture->unit, 1);
		begins = true;
	}
	part = bytes_first(picture->unit, CLIP_PAYLOAD_MAX - 2);
	picture->unit = bytes_skip(picture->unit, part.len);
	writer_u8(w, (uint8_t)((picture->unit_head & 0xe0) | 28));
	writer_u8(w, (uint8_t)((begins ? 0x80 : 0) | (picture->unit.len ? 0 : 0x40) |
			       (picture->unit_head & 31)));
	writer_put(w, part);
	return true;
}

/* Whether nothing is left that would be sent. */
static bool is_done(enum codec codec, const struct clip_picture *picture)
{
	struct bytes look = picture->rest, unit;

	if (codec == CODEC_VP8)
		return look.len == 0;
	if (picture->unit.len)
		return false;
	do
		unit = next_unit(&look);
	while (unit.len && is_idle_unit(unit));
	return unit.len == 0;
}

bool clip_payload(enum codec codec, struct clip_picture *picture, struct writer *w, bool *marker)
{
	if (is_done(codec, picture))
		return false;
	if (!(codec == CODEC_VP8 ? vp8_payload(picture, w) : h264_payload(picture, w)))
		return false;
	*marker = is_done(codec, picture);
	return writer_ok(w);
}
