#include "sfu/proto/sprop.h"

#include "core/reader.h"
#include "edge/proto/base64.h"
#include "sfu/proto/sdp.h"
#include "sfu/proto/shape.h"

enum { H264_IDR = 5, H264_SPS = 7, H264_PPS = 8, H264_STAP_A = 24, H264_FU_A = 28 };
enum { H265_IRAP = 16, H265_IRAP_LAST = 23, H265_VPS = 32, H265_PPS = 34, H265_AP = 48, H265_FU };

/* Kinds of sets in the order that decoders want them in; H.264 has all in one list. */
struct list {
	const char *parameter;
	unsigned type;
};

static const struct list h264_lists[] = {
	{"sprop-parameter-sets", H264_SPS}, {"sprop-parameter-sets", H264_PPS}, {NULL, 0}};
static const struct list h265_lists[] = {
	{"sprop-vps", H265_VPS}, {"sprop-sps", H265_VPS + 1}, {"sprop-pps", H265_PPS}, {NULL, 0}};
static const struct list no_lists[] = {{NULL, 0}};

static const struct list *lists_of(enum codec codec)
{
	return codec == CODEC_H264 ? h264_lists : codec == CODEC_H265 ? h265_lists : no_lists;
}

static unsigned type_of(enum codec codec, uint8_t first)
{
	return codec == CODEC_H264 ? first & 31u : first >> 1 & 63u;
}

bool sprop_are_said(enum codec codec, struct bytes fmtp)
{
	for (const struct list *list = lists_of(codec); list->parameter; list++)
		if (sdp_parameter(fmtp, list->parameter).at)
			return true;
	return false;
}

struct bytes sprop_set(const struct sprop *sprop, unsigned number)
{
	size_t begin = number ? sprop->end[number - 1] : 0;

	return bytes_of(sprop->room + begin, sprop->end[number] - begin);
}

/* The sets of one type out of a list; others are left out. False: it is none, or too long. */
static bool read_list(enum codec codec, struct bytes text, unsigned type, struct sprop *out,
		      struct writer *w)
{
	while (text.len) {
		struct bytes one = bytes_trim(bytes_cut(&text, ','));
		size_t begin = w->len;

		if (!base64_decode(one, w) || w->len == begin)
			return false;
		if (type_of(codec, w->at[begin]) != type) {
			w->len = begin;
			continue;
		}
		if (out->count == SPROP_SETS)
			return false;
		out->end[out->count++] = (uint16_t)w->len;
	}
	return true;
}

/* As a decoder would read them. */
static bool are_whole(enum codec codec, const struct sprop *sprop)
{
	uint8_t room[SPROP_SIZE + 4 * SPROP_SETS];
	struct writer w = writer_of(room, sizeof room);
	struct shape shape;

	for (unsigned i = 0; i < sprop->count; i++) {
		writer_be(&w, sprop_set(sprop, i).len, 4);
		writer_put(&w, sprop_set(sprop, i));
	}
	return writer_ok(&w) && shape_read(codec, writer_done(&w), 0, &shape);
}

bool sprop_read(enum codec codec, struct bytes fmtp, struct sprop *out)
{
	struct writer w = writer_of(out->room, sizeof out->room);
	bool good = true;

	out->count = 0;
	for (const struct list *list = lists_of(codec); list->parameter && good; list++)
		good = read_list(codec, sdp_parameter(fmtp, list->parameter), list->type, out, &w);
	if (!good || !out->count || !are_whole(codec, out))
		out->count = 0;
	return out->count > 0;
}

void sprop_strip(struct bytes fmtp, struct writer *w)
{
	bool any = false;

	while (fmtp.len) {
		struct bytes one = bytes_trim(bytes_cut(&fmtp, ';'));

		if (!one.len || bytes_start_with_nocase(one, BYTES("sprop-")))
			continue;
		if (any)
			writer_u8(w, ';');
		writer_put(w, one);
		any = true;
	}
}

/* --- where they belong ----------------------------------------------------------------------- */

enum begins { BEGINS_NOTHING, BEGINS_SETS, BEGINS_PICTURE };

static enum begins kind_of(enum codec codec, unsigned type)
{
	if (codec == CODEC_H264)
		return type == H264_SPS || type == H264_PPS ? BEGINS_SETS
		       : type == H264_IDR                   ? BEGINS_PICTURE
							    : BEGINS_NOTHING;
	if (type >= H265_VPS && type <= H265_PPS)
		return BEGINS_SETS;
	return type >= H265_IRAP && type <= H265_IRAP_LAST ? BEGINS_PICTURE : BEGINS_NOTHING;
}

/* RFC 6184 5.7.1, RFC 7798 4.4.2: several units at once. */
static enum begins look_at_all(enum codec codec, struct reader *r)
{
	while (reader_ok(r) && reader_left(r) > 2) {
		struct bytes unit = reader_take(r, reader_be16(r));
		enum begins begins =
			unit.len ? kind_of(codec, type_of(codec, unit.at[0])) : BEGINS_NOTHING;

		if (begins != BEGINS_NOTHING)
			return begins;
	}
	return BEGINS_NOTHING;
}

static enum begins look_at(enum codec codec, struct bytes payload)
{
	struct reader r = reader_of(payload);
	unsigned type = type_of(codec, reader_u8(&r));
	uint8_t fragment;

	if (codec == CODEC_H265)
		reader_skip(&r, 1);
	if (type == (codec == CODEC_H264 ? H264_STAP_A : H265_AP))
		return look_at_all(codec, &r);
	if (type == (codec == CODEC_H264 ? H264_FU_A : H265_FU)) {
		fragment = reader_u8(&r);
		if (!(fragment & 0x80))
			return BEGINS_NOTHING;
		type = codec == CODEC_H264 ? fragment & 31u : fragment & 63u;
	}
	return reader_ok(&r) ? kind_of(codec, type) : BEGINS_NOTHING;
}

/* How many sets stand before this packet; -1: nobody knows. */
static int64_t moved(const struct sprop_places *places, unsigned sets, int64_t seq)
{
	uint64_t at = places->count;
	uint64_t oldest = at > SPROP_PLACES ? at - SPROP_PLACES : 0;

	while (at > oldest && places->first[(at - 1) % SPROP_PLACES] > seq)
		at--;
	return at == oldest && oldest ? -1 : (int64_t)at * sets;
}

void sprop_again(struct sprop_places *places)
{
	places->keyed = places->own = false;
}

enum sprop_order sprop_insert(struct sprop_places *places, const struct sprop *sprop,
			      enum codec codec, struct bytes payload, int64_t *seq, int64_t ts)
{
	bool newest = !places->begun || *seq > places->highest;
	bool next = !places->begun || *seq == places->highest + 1;
	enum begins begins = sprop->count ? look_at(codec, payload) : BEGINS_NOTHING;
	enum sprop_order order = SPROP_PASS;
	int64_t by;

	/* Numbers stay where they are: sets are as many as they were. */
	places->own |= begins == BEGINS_SETS;
	if (newest) {
		places->begun = true;
		places->highest = *seq;
	}
	if (begins == BEGINS_PICTURE && newest && (!places->keyed || ts != places->ts)) {
		places->keyed = true;
		places->ts = ts;
		/* Behind a hole it may be the middle of a picture, which sets would tear. */
		if (next && !places->own) {
			places->first[places->count++ % SPROP_PLACES] = *seq;
			order = SPROP_INSERT;
		}
	}
	by = moved(places, sprop->count, *seq);
	if (by < 0)
		return SPROP_LATE;
	*seq += by;
	return order;
}
