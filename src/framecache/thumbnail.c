#include "framecache/thumbnail.h"

#include <string.h>

#include "core/check.h"

#define SAMPLES 4u /* of a box, in each direction */

/* Y, Cb, Cr of 10 bits; or red, green, blue of 8. */
struct sample {
	uint32_t a, b, c;
};

struct source {
	const fc_info_t *info;
	const uint8_t *data;
	struct sample (*at)(const struct source *source, uint32_t x, uint32_t y);
};

/* --- one pixel of each format ------------------------------------------------------------------- */

static const uint8_t *row_of(const struct source *source, uint32_t plane, uint32_t y)
{
	return source->data + source->info->plane_offset[plane] +
	       (size_t)source->info->plane_row_bytes[plane] * y;
}

/* Cb Y Cr Y: two pixels. */
static struct sample uyvy_at(const struct source *source, uint32_t x, uint32_t y)
{
	const uint8_t *two = row_of(source, 0, y) + (size_t)(x / 2) * 4;

	return (struct sample){two[1 + x % 2 * 2] * 4u, two[0] * 4u, two[2] * 4u};
}

/* Number i of the 10-bit values of a row: three in each word of 32 bits, little end first. */
static uint32_t v210_value(const uint8_t *row, uint32_t i)
{
	const uint8_t *at = row + (size_t)(i / 3) * 4;
	uint32_t word =
		at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;

	return word >> i % 3 * 10 & 1023;
}

/* Cb Y Cr Y, as above, of 10 bits. */
static struct sample v210_at(const struct source *source, uint32_t x, uint32_t y)
{
	const uint8_t *row = row_of(source, 0, y);
	uint32_t two = x / 2 * 4;

	return (struct sample){v210_value(row, two + 1 + x % 2 * 2), v210_value(row, two),
			       v210_value(row, two + 2)};
}

/* Y, and beneath it Cb Cr of each four pixels. */
static struct sample nv12_at(const struct source *source, uint32_t x, uint32_t y)
{
	const uint8_t *chroma = row_of(source, 1, y / 2) + (size_t)(x / 2) * 2;

	return (struct sample){row_of(source, 0, y)[x] * 4u, chroma[0] * 4u, chroma[1] * 4u};
}

/* The upper 10 bits of 16, little end first. */
static uint32_t p010_value(const uint8_t *at)
{
	return (at[0] | (uint32_t)at[1] << 8) >> 6;
}

static struct sample p010_at(const struct source *source, uint32_t x, uint32_t y)
{
	const uint8_t *chroma = row_of(source, 1, y / 2) + (size_t)(x / 2) * 4;

	return (struct sample){p010_value(row_of(source, 0, y) + (size_t)x * 2), p010_value(chroma),
			       p010_value(chroma + 2)};
}

static struct sample rgba_at(const struct source *source, uint32_t x, uint32_t y)
{
	const uint8_t *at = row_of(source, 0, y) + (size_t)x * 4;

	return (struct sample){at[0], at[1], at[2]};
}

/* --- colours ------------------------------------------------------------------------------------ */

/* What Cr gives to red; Cb and Cr to green; Cb to blue, for values of the narrow range. */
struct matrix {
	float red, green_b, green_r, blue;
};

static struct matrix matrix_of(const fc_info_t *info)
{
	static const struct matrix bt601 = {1.59603f, 0.39176f, 0.81297f, 2.01723f};
	static const struct matrix bt709 = {1.79274f, 0.21325f, 0.53291f, 2.11240f};
	static const struct matrix bt2020 = {1.67867f, 0.18733f, 0.65042f, 2.14177f};

	switch (info->colour) {
	case FC_COLOUR_BT601: return bt601;
	case FC_COLOUR_BT709: return bt709;
	case FC_COLOUR_BT2020: return bt2020;
	default: return info->height > 576 ? bt709 : bt601;
	}
}

static uint8_t byte_of(float value)
{
	/* NOLINTNEXTLINE(bugprone-incorrect-roundings): what is rounded is positive */
	return value <= 0 ? 0 : value >= 255 ? 255 : (uint8_t)(value + .5f);
}

/* BMP has blue first. */
static void put_yuv(const struct matrix *matrix, float y, float cb, float cr, uint8_t *out)
{
	y = (y - 64) * 1.16438f / 4;
	cb = (cb - 512) / 4;
	cr = (cr - 512) / 4;
	out[0] = byte_of(y + matrix->blue * cb);
	out[1] = byte_of(y - matrix->green_b * cb - matrix->green_r * cr);
	out[2] = byte_of(y + matrix->red * cr);
}

/* --- boxes -------------------------------------------------------------------------------------- */

struct span {
	uint32_t from, len, count; /* and how many samples of it are taken */
};

static struct span span_of(uint32_t i, uint32_t small, uint32_t large)
{
	uint32_t from = (uint32_t)((uint64_t)i * large / small);
	uint32_t len = (uint32_t)((uint64_t)(i + 1) * large / small) - from;

	return (struct span){from, len, len < SAMPLES ? len : SAMPLES};
}

/* In the middle of its share of the span. */
static uint32_t span_place(const struct span *span, uint32_t i)
{
	return span->from + (2 * i + 1) * span->len / (2 * span->count);
}

static void put_box(const struct source *source, const struct matrix *matrix, struct span across,
		    struct span down, uint8_t *out)
{
	float n = (float)(across.count * down.count);
	uint32_t a = 0, b = 0, c = 0;

	for (uint32_t j = 0; j < down.count; j++) {
		for (uint32_t i = 0; i < across.count; i++) {
			struct sample one =
				source->at(source, span_place(&across, i), span_place(&down, j));

			a += one.a;
			b += one.b;
			c += one.c;
		}
	}
	if (source->info->pixel_format == FC_PIX_RGBA) {
		out[0] = byte_of((float)c / n);
		out[1] = byte_of((float)b / n);
		out[2] = byte_of((float)a / n);
	} else {
		put_yuv(matrix, (float)a / n, (float)b / n, (float)c / n, out);
	}
}

/* --- the picture -------------------------------------------------------------------------------- */

static void put_u32(uint8_t *out, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		out[i] = (uint8_t)(value >> 8 * i);
}

/* BITMAPFILEHEADER and BITMAPINFOHEADER. */
static void put_header(uint8_t *out, uint32_t width, uint32_t height, uint32_t len)
{
	memset(out, 0, 54);
	memcpy(out, "BM", 2);
	put_u32(out + 2, len);
	put_u32(out + 10, 54); /* where the pixels begin */
	put_u32(out + 14, 40);
	put_u32(out + 18, width);
	put_u32(out + 22, height);
	out[26] = 1;  /* planes */
	out[28] = 24; /* bits */
	put_u32(out + 34, len - 54);
}

/* As large as it can be without being wider, higher, or larger than the frame. */
static void fit(const fc_info_t *info, uint32_t *width, uint32_t *height)
{
	uint64_t w = info->width, h = info->height;

	*width = info->width < THUMBNAIL_WIDTH_MAX ? info->width : THUMBNAIL_WIDTH_MAX;
	*height = (uint32_t)(h * *width / w);
	if (*height > THUMBNAIL_HEIGHT_MAX) {
		*height = THUMBNAIL_HEIGHT_MAX;
		*width = (uint32_t)(w * THUMBNAIL_HEIGHT_MAX / h);
	}
	*width += *width == 0;
	*height += *height == 0;
}

size_t thumbnail_draw(const fc_info_t *info, const uint8_t *data, uint8_t out[THUMBNAIL_BYTES_MAX])
{
	static struct sample (*const readers[])(const struct source *, uint32_t, uint32_t) = {
		[FC_PIX_UYVY422] = uyvy_at, [FC_PIX_V210] = v210_at, [FC_PIX_NV12] = nv12_at,
		[FC_PIX_P010] = p010_at,    [FC_PIX_RGBA] = rgba_at,
	};
	struct source source = {.info = info, .data = data};
	struct matrix matrix = matrix_of(info);
	uint32_t width, height, stride;

	CHECK(info->pixel_format < sizeof readers / sizeof *readers);
	CHECK(info->width && info->height);
	source.at = readers[info->pixel_format];
	fit(info, &width, &height);
	stride = (width * 3 + 3) & ~3u;
	memset(out, 0, 54 + (size_t)stride * height);
	put_header(out, width, height, 54 + stride * height);
	for (uint32_t y = 0; y < height; y++) {
		/* The lowest row stands first. */
		uint8_t *row = out + 54 + (size_t)stride * (height - 1 - y);

		for (uint32_t x = 0; x < width; x++)
			put_box(&source, &matrix, span_of(x, width, info->width),
				span_of(y, height, info->height), row + (size_t)x * 3);
	}
	return 54 + (size_t)stride * height;
}
