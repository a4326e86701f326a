#include "y4m.h"

#include <stdio.h>

static const struct kind {
	const char *name;
	uint32_t bytes;              /* of a sample */
	uint32_t chroma_w, chroma_h; /* one sample of chroma for so many of luma */
} kinds[] = {
	[FC_PIX_UYVY422] = {"422", 1, 2, 1},   [FC_PIX_V210] = {"422p10 XYSCSS=422P10", 2, 2, 1},
	[FC_PIX_NV12] = {"420mpeg2", 1, 2, 2}, [FC_PIX_P010] = {"420p10 XYSCSS=420P10", 2, 2, 2},
	[FC_PIX_RGBA] = {"444", 1, 1, 1},
};

/* fc_open() lets no other formats through. */
static const struct kind *kind_of(const fc_info_t *info)
{
	return &kinds[info->pixel_format];
}

static size_t luma_size(const fc_info_t *info)
{
	return (size_t)info->width * info->height * kind_of(info)->bytes;
}

static size_t chroma_size(const fc_info_t *info)
{
	const struct kind *kind = kind_of(info);

	return luma_size(info) / kind->chroma_w / kind->chroma_h;
}

size_t y4m_frame_size(const fc_info_t *info)
{
	return luma_size(info) + 2 * chroma_size(info);
}

size_t y4m_header(const fc_info_t *info, char *buf, size_t size)
{
	static const char scans[] = {'?', 'p', 't', 'b'};
	int len = snprintf(buf, size, "YUV4MPEG2 W%u H%u F%u:%u I%c A1:1 C%s\n", info->width,
			   info->height, info->fps_num, info->fps_den, scans[info->scan % 4],
			   kind_of(info)->name);

	return len > 0 && (size_t)len < size ? (size_t)len : 0;
}

/* --- formats -------------------------------------------------------------------------------- */

struct planes {
	uint8_t *y, *u, *v;
};

static void row_uyvy(uint32_t width, const uint8_t *from, struct planes *to)
{
	for (uint32_t x = 0; x < width; x += 2, from += 4) {
		*to->u++ = from[0];
		*to->y++ = from[1];
		*to->v++ = from[2];
		*to->y++ = from[3];
	}
}

static uint8_t *put_ten(uint8_t *to, uint32_t value)
{
	*to++ = (uint8_t)value;
	*to++ = (uint8_t)(value >> 8);
	return to;
}

static void row_v210(uint32_t width, const uint8_t *from, struct planes *to)
{
	for (uint32_t x = 0; x < width; x += 6, from += 16) {
		uint32_t ten[12];

		for (uint32_t word = 0; word < 4; word++) {
			uint32_t three = (uint32_t)from[word * 4] |
					 (uint32_t)from[word * 4 + 1] << 8 |
					 (uint32_t)from[word * 4 + 2] << 16 |
					 (uint32_t)from[word * 4 + 3] << 24;

			for (uint32_t i = 0; i < 3; i++)
				ten[word * 3 + i] = three >> 10 * i & 1023;
		}
		for (uint32_t pair = 0; pair < 3 && x + pair * 2 < width; pair++) {
			to->u = put_ten(to->u, ten[pair * 4]);
			to->y = put_ten(to->y, ten[pair * 4 + 1]);
			to->v = put_ten(to->v, ten[pair * 4 + 2]);
			to->y = put_ten(to->y, ten[pair * 4 + 3]);
		}
	}
}

static uint8_t clamp(int32_t value)
{
	return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* BT.709, limited range, in 1/65536. */
static void row_rgba(uint32_t width, const uint8_t *from, struct planes *to)
{
	for (uint32_t x = 0; x < width; x++, from += 4) {
		int32_t r = from[0], g = from[1], b = from[2];

		*to->y++ = clamp((11966 * r + 40254 * g + 4064 * b + (16 << 16) + 32768) >> 16);
		*to->u++ = clamp((-6596 * r - 22189 * g + 28784 * b + (128 << 16) + 32768) >> 16);
		*to->v++ = clamp((28784 * r - 26145 * g - 2640 * b + (128 << 16) + 32768) >> 16);
	}
}

static void row_luma(uint32_t width, uint32_t bytes, const uint8_t *from, struct planes *to)
{
	for (uint32_t x = 0; x < width; x++, from += bytes)
		if (bytes == 2)
			to->y = put_ten(to->y, (uint32_t)(from[0] | from[1] << 8) >> 6);
		else
			*to->y++ = from[0];
}

static void row_chroma(uint32_t width, uint32_t bytes, const uint8_t *from, struct planes *to)
{
	for (uint32_t x = 0; x < width; x += 2, from += 2 * bytes)
		if (bytes == 2) {
			to->u = put_ten(to->u, (uint32_t)(from[0] | from[1] << 8) >> 6);
			to->v = put_ten(to->v, (uint32_t)(from[2] | from[3] << 8) >> 6);
		} else {
			*to->u++ = from[0];
			*to->v++ = from[1];
		}
}

void y4m_frame(const fc_info_t *info, const uint8_t *from, uint8_t *to)
{
	struct planes planes = {to, to + luma_size(info), to + luma_size(info) + chroma_size(info)};
	uint32_t bytes = kind_of(info)->bytes;

	for (uint32_t y = 0; y < info->height; y++) {
		const uint8_t *row =
			from + info->plane_offset[0] + (size_t)y * info->plane_row_bytes[0];
		const uint8_t *pairs =
			from + info->plane_offset[1] + (size_t)(y / 2) * info->plane_row_bytes[1];

		switch (info->pixel_format) {
		case FC_PIX_UYVY422: row_uyvy(info->width, row, &planes); break;
		case FC_PIX_V210: row_v210(info->width, row, &planes); break;
		case FC_PIX_RGBA: row_rgba(info->width, row, &planes); break;
		default:
			row_luma(info->width, bytes, row, &planes);
			if (y % 2 == 0)
				row_chroma(info->width, bytes, pairs, &planes);
		}
	}
}
