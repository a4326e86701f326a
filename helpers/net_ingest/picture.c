#include "picture.h"

#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <string.h>

enum AVPixelFormat picture_format(uint32_t pixel_format)
{
	switch (pixel_format) {
	case FC_PIX_UYVY422: return AV_PIX_FMT_UYVY422;
	case FC_PIX_V210: return AV_PIX_FMT_YUV422P10LE;
	case FC_PIX_NV12: return AV_PIX_FMT_NV12;
	case FC_PIX_P010: return AV_PIX_FMT_P010LE;
	case FC_PIX_RGBA: return AV_PIX_FMT_RGBA;
	default: return AV_PIX_FMT_NONE;
	}
}

bool picture_start(struct picture *picture, const fc_info_t *info)
{
	*picture = (struct picture){.info = *info, .format = picture_format(info->pixel_format)};
	if (info->pixel_format != FC_PIX_V210)
		return true;
	picture->planar = av_frame_alloc();
	if (!picture->planar)
		return false;
	picture->planar->format = picture->format;
	picture->planar->width = (int)info->width;
	picture->planar->height = (int)info->height;
	return av_frame_get_buffer(picture->planar, 0) == 0;
}

void picture_stop(struct picture *picture)
{
	sws_freeContext(picture->sws[0]);
	sws_freeContext(picture->sws[1]);
	av_frame_free(&picture->planar);
	*picture = (struct picture){.format = AV_PIX_FMT_NONE};
}

static void planes_of(const fc_info_t *info, uint8_t *at, uint8_t *data[4], int row_bytes[4])
{
	for (uint32_t i = 0; i < 4; i++) {
		bool there = i < info->plane_count;

		data[i] = there ? at + info->plane_offset[i] : NULL;
		row_bytes[i] = there ? (int)info->plane_row_bytes[i] : 0;
	}
}

/* --- v210: six pixels in four words of three times ten bits ---------------------------------------- */

/* The lowest and the highest four values are the cable's own (SMPTE 274M). */
static uint32_t ten(uint32_t value)
{
	return value < 4 ? 4 : value > 1019 ? 1019 : value;
}

static uint32_t three(uint32_t a, uint32_t b, uint32_t c)
{
	return ten(a) | ten(b) << 10 | ten(c) << 20;
}

static void put_word(uint8_t *at, uint32_t word)
{
	at[0] = (uint8_t)word;
	at[1] = (uint8_t)(word >> 8);
	at[2] = (uint8_t)(word >> 16);
	at[3] = (uint8_t)(word >> 24);
}

static void v210_group(const uint16_t luma[6], const uint16_t blue[3], const uint16_t red[3],
		       uint8_t to[16])
{
	put_word(to, three(blue[0], luma[0], red[0]));
	put_word(to + 4, three(luma[1], blue[1], luma[2]));
	put_word(to + 8, three(red[1], luma[3], blue[2]));
	put_word(to + 12, three(luma[4], red[2], luma[5]));
}

/* What is beyond the picture is zero: in a group that is cut short, and in groups up to the end of the row. */
static void v210_row(const uint16_t *y, const uint16_t *u, const uint16_t *v, uint32_t width,
		     uint8_t *to, uint32_t row_bytes)
{
	uint32_t whole = width / 6, left = width % 6;
	uint8_t *end = to + row_bytes;

	for (uint32_t i = 0; i < whole; i++, to += 16)
		v210_group(y + 6 * i, u + 3 * i, v + 3 * i, to);
	memset(to, 0, (size_t)(end - to));
	y += 6 * whole;
	u += 3 * whole;
	v += 3 * whole;
	if (left >= 2) {
		put_word(to, three(u[0], y[0], v[0]));
		put_word(to + 4, left == 2 ? ten(y[1]) : three(y[1], u[1], y[2]));
	}
	if (left == 4)
		put_word(to + 8, ten(v[1]) | ten(y[3]) << 10);
}

static const uint16_t *row_of(const AVFrame *frame, int plane, uint32_t row)
{
	return (const void *)(frame->data[plane] + (ptrdiff_t)row * frame->linesize[plane]);
}

static void v210_pack(const fc_info_t *info, const AVFrame *frame, uint8_t *at)
{
	for (uint32_t row = 0; row < info->height; row++)
		v210_row(row_of(frame, 0, row), row_of(frame, 1, row), row_of(frame, 2, row),
			 info->width, at + (size_t)row * info->plane_row_bytes[0],
			 info->plane_row_bytes[0]);
}

/* --- swscale -------------------------------------------------------------------------------------- */

static bool is_rgb(enum AVPixelFormat format)
{
	return av_pix_fmt_desc_get(format)->flags & AV_PIX_FMT_FLAG_RGB;
}

static bool is_full(const AVFrame *frame)
{
	return frame->color_range == AVCOL_RANGE_JPEG && !is_rgb(frame->format);
}

/* Matrix and range matter where YUV meets RGB, and where the input uses the full range. */
static void colours_set(struct SwsContext *sws, const AVFrame *frame, enum AVPixelFormat to,
			int height)
{
	bool full = is_full(frame), from_rgb = is_rgb(frame->format);
	int space = frame->colorspace != AVCOL_SPC_UNSPECIFIED && frame->colorspace != AVCOL_SPC_RGB
			    ? (int)frame->colorspace
		    : height >= 720 ? SWS_CS_ITU709
				    : SWS_CS_ITU601;
	const int *matrix = sws_getCoefficients(space);

	if (!full && !from_rgb && !is_rgb(to))
		return;
	(void)sws_setColorspaceDetails(sws, matrix, full || from_rgb, matrix, is_rgb(to), 0,
				       1 << 16, 1 << 16);
}

/* One field of an interlaced picture, or all of one that is not. */
static int scale(struct picture *picture, const AVFrame *frame, uint8_t *const to[4],
		 const int row_bytes[4], int field, bool fields)
{
	const uint8_t *from[4] = {0};
	uint8_t *into[4] = {0};
	int from_bytes[4] = {0}, into_bytes[4] = {0};
	int step = fields ? 2 : 1, height = frame->height / step;
	struct SwsContext **sws = &picture->sws[fields];

	*sws = sws_getCachedContext(*sws, frame->width, height, frame->format,
				    (int)picture->info.width, (int)picture->info.height / step,
				    picture->format, SWS_BICUBIC, NULL, NULL, NULL);
	if (!*sws)
		return AVERROR(EINVAL);
	colours_set(*sws, frame, picture->format, frame->height);
	for (int i = 0; i < 4; i++) {
		if (frame->data[i])
			from[i] = frame->data[i] + (ptrdiff_t)field * frame->linesize[i];
		if (to[i])
			into[i] = to[i] + (ptrdiff_t)field * row_bytes[i];
		from_bytes[i] = frame->linesize[i] * step;
		into_bytes[i] = row_bytes[i] * step;
	}
	height = sws_scale(*sws, from, from_bytes, 0, height, into, into_bytes);
	return height < 0 ? height : 0;
}

/* Lines of colour that two fields share belong to neither: each field is converted by itself. */
static bool by_fields(const struct picture *picture, const AVFrame *frame)
{
	const AVPixFmtDescriptor *from = av_pix_fmt_desc_get(frame->format);
	const AVPixFmtDescriptor *to = av_pix_fmt_desc_get(picture->format);

	return frame->interlaced_frame && frame->height % 4 == 0 && picture->info.height % 4 == 0 &&
	       (from->log2_chroma_h != to->log2_chroma_h ||
		frame->height != (int)picture->info.height);
}

static int convert(struct picture *picture, const AVFrame *frame, uint8_t *to[4], int row_bytes[4])
{
	int error;

	if (frame->format == picture->format && frame->width == (int)picture->info.width &&
	    frame->height == (int)picture->info.height && !is_full(frame)) {
		av_image_copy(to, row_bytes, (const uint8_t **)(uintptr_t)frame->data,
			      frame->linesize, picture->format, frame->width, frame->height);
		return 0;
	}
	if (!by_fields(picture, frame))
		return scale(picture, frame, to, row_bytes, 0, false);
	error = scale(picture, frame, to, row_bytes, 0, true);
	return error ? error : scale(picture, frame, to, row_bytes, 1, true);
}

int picture_draw(struct picture *picture, const AVFrame *frame, uint8_t *at)
{
	const AVFrame *planar = frame;
	uint8_t *to[4];
	int row_bytes[4], error;

	if (!picture->planar) {
		planes_of(&picture->info, at, to, row_bytes);
		return convert(picture, frame, to, row_bytes);
	}
	if (frame->format != picture->format || frame->width != (int)picture->info.width ||
	    frame->height != (int)picture->info.height || is_full(frame)) {
		error = convert(picture, frame, picture->planar->data, picture->planar->linesize);
		if (error)
			return error;
		planar = picture->planar;
	}
	v210_pack(&picture->info, planar, at);
	return 0;
}

/* --- straight into the slot ----------------------------------------------------------------------- */

bool picture_direct_ok(const AVCodecContext *codec)
{
	const AVCodecDescriptor *about = avcodec_descriptor_get(codec->codec_id);

	return about && (about->props & AV_CODEC_PROP_INTRA_ONLY) &&
	       !(about->props & AV_CODEC_PROP_REORDER) &&
	       (codec->codec->capabilities & AV_CODEC_CAP_DR1) &&
	       !(codec->active_thread_type & FF_THREAD_FRAME);
}

static void give_back(void *opaque, uint8_t *data)
{
	/* The memory is the slot's. */
	(void)opaque;
	(void)data;
}

bool picture_lend(const struct picture *picture, AVCodecContext *codec, AVFrame *frame, uint8_t *at)
{
	const fc_info_t *info = &picture->info;
	int width = frame->width, height = frame->height, align[AV_NUM_DATA_POINTERS];
	int row_bytes[4];

	if (frame->format != picture->format || picture->planar || width != (int)info->width ||
	    height != (int)info->height || is_full(frame))
		return false;
	/* What the decoder wants to be there around the picture must be there, or not be wanted. */
	avcodec_align_dimensions2(codec, &width, &height, align);
	if (height > frame->height)
		return false;
	planes_of(info, at, frame->data, row_bytes);
	for (uint32_t i = 0; i < info->plane_count; i++) {
		if (row_bytes[i] % align[i] ||
		    row_bytes[i] < av_image_get_linesize(frame->format, width, (int)i))
			return false;
		frame->linesize[i] = row_bytes[i];
	}
	frame->extended_data = frame->data;
	frame->buf[0] = av_buffer_create(at, info->frame_size, give_back, NULL, 0);
	return frame->buf[0];
}
