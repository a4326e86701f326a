/* A frame in each format is drawn small as arithmetic of its own says that it should: the pixels are first
 * spread out one by one, by the definitions of the formats, and averaged over whole boxes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/check.h"
#include "framecache/thumbnail.h"

struct colour {
	double r, g, b; /* 0 to 1 */
};

/* Smooth, so that samples stand for their boxes, and different at each place and in each colour. */
static struct colour colour_at(double x, double y)
{
	return (struct colour){.5 + .45 * sin(3 * x + y), .5 + .45 * cos(2 * y - x),
			       .5 + .45 * sin(4 * y + 2 * x + 1)};
}

/* ITU-R BT.601, BT.709 and BT.2020 give these two weights; all else follows from them. */
static void weights(uint32_t colour, double *kr, double *kb)
{
	*kr = colour == FC_COLOUR_BT601 ? .299 : colour == FC_COLOUR_BT709 ? .2126 : .2627;
	*kb = colour == FC_COLOUR_BT601 ? .114 : colour == FC_COLOUR_BT709 ? .0722 : .0593;
}

struct yuv {
	unsigned y, cb, cr; /* of 10 bits */
};

static struct yuv yuv_of(struct colour c, uint32_t colour)
{
	double kr, kb, y;

	weights(colour, &kr, &kb);
	y = kr * c.r + (1 - kr - kb) * c.g + kb * c.b;
	return (struct yuv){(unsigned)lround(64 + 876 * y),
			    (unsigned)lround(512 + 896 * (c.b - y) / (2 - 2 * kb)),
			    (unsigned)lround(512 + 896 * (c.r - y) / (2 - 2 * kr))};
}

/* The frame ends where the memory does: a byte too far is a fault. */
struct frame {
	fc_info_t info;
	uint8_t *room, *data;
	size_t room_len;
};

static struct frame frame_make(uint32_t format, uint32_t colour, uint32_t width, uint32_t height)
{
	struct frame frame = {.info = {.width = width,
				       .height = height,
				       .pixel_format = format,
				       .colour = colour,
				       .plane_count = 1}};
	fc_info_t *info = &frame.info;
	size_t page = (size_t)sysconf(_SC_PAGESIZE), len;

	switch (format) {
	case FC_PIX_V210: info->plane_row_bytes[0] = (width + 47) / 48 * 128; break;
	case FC_PIX_RGBA: info->plane_row_bytes[0] = width * 4; break;
	case FC_PIX_NV12: info->plane_row_bytes[0] = width; break;
	default: info->plane_row_bytes[0] = width * 2;
	}
	len = (size_t)info->plane_row_bytes[0] * height;
	if (format == FC_PIX_NV12 || format == FC_PIX_P010) {
		info->plane_count = 2;
		info->plane_offset[1] = (uint32_t)len;
		info->plane_row_bytes[1] = info->plane_row_bytes[0];
		len += len / 2;
	}
	info->frame_size = (uint32_t)len;
	frame.room_len = (len + page - 1) / page * page + page;
	frame.room = mmap(NULL, frame.room_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	CHECK(frame.room != MAP_FAILED);
	CHECK(mprotect(frame.room + frame.room_len - page, page, PROT_NONE) == 0);
	frame.data = frame.room + frame.room_len - page - len;
	return frame;
}

static void put_v210(uint8_t *row, uint32_t i, unsigned value)
{
	uint32_t word;

	memcpy(&word, row + i / 3 * 4, 4);
	word |= value << i % 3 * 10;
	memcpy(row + i / 3 * 4, &word, 4);
}

static void put_u16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value << 6);
	at[1] = (uint8_t)(value << 6 >> 8);
}

static void put_pixel(struct frame *frame, uint32_t x, uint32_t y, struct colour c)
{
	const fc_info_t *info = &frame->info;
	struct yuv v = yuv_of(c, info->colour);
	uint8_t *row = frame->data + (size_t)info->plane_row_bytes[0] * y;
	uint8_t *chroma =
		frame->data + info->plane_offset[1] + (size_t)info->plane_row_bytes[1] * (y / 2);

	switch (info->pixel_format) {
	case FC_PIX_UYVY422:
		row[x * 2 + 1] = (uint8_t)((v.y + 2) / 4);
		row[x * 2] = (uint8_t)(((x % 2 ? v.cr : v.cb) + 2) / 4);
		break;
	case FC_PIX_V210:
		put_v210(row, x * 2 + 1, v.y);
		put_v210(row, x * 2, x % 2 ? v.cr : v.cb);
		break;
	case FC_PIX_NV12:
		row[x] = (uint8_t)((v.y + 2) / 4);
		if (y % 2 == 0)
			chroma[x] = (uint8_t)(((x % 2 ? v.cr : v.cb) + 2) / 4);
		break;
	case FC_PIX_P010:
		put_u16(row + (size_t)x * 2, v.y);
		if (y % 2 == 0)
			put_u16(chroma + (size_t)x * 2, x % 2 ? v.cr : v.cb);
		break;
	default:
		row[x * 4] = (uint8_t)lround(255 * c.r);
		row[x * 4 + 1] = (uint8_t)lround(255 * c.g);
		row[x * 4 + 2] = (uint8_t)lround(255 * c.b);
		row[x * 4 + 3] = (uint8_t)(x + y); /* alpha counts for nothing */
	}
}

static uint32_t u32_at(const uint8_t *at)
{
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* The mean of all that the box covers. */
static struct colour box_mean(const fc_info_t *info, uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
	struct colour sum = {0};
	double n = 0;

	for (uint32_t j = y * info->height / h; j < (y + 1) * info->height / h; j++) {
		for (uint32_t i = x * info->width / w; i < (x + 1) * info->width / w; i++, n++) {
			struct colour c =
				colour_at((double)i / info->width, (double)j / info->height);

			sum.r += c.r;
			sum.g += c.g;
			sum.b += c.b;
		}
	}
	return (struct colour){sum.r / n, sum.g / n, sum.b / n};
}

static void expect_near(const uint8_t *bgr, struct colour c, double most)
{
	assert_true(fabs(bgr[2] - 255 * c.r) <= most);
	assert_true(fabs(bgr[1] - 255 * c.g) <= most);
	assert_true(fabs(bgr[0] - 255 * c.b) <= most);
}

static void expect_drawn(uint32_t format, uint32_t colour, uint32_t width, uint32_t height,
			 uint32_t small_width, uint32_t small_height)
{
	struct frame frame = frame_make(format, colour, width, height);
	static uint8_t bmp[THUMBNAIL_BYTES_MAX];
	uint32_t stride = (small_width * 3 + 3) / 4 * 4;

	for (uint32_t y = 0; y < height; y++)
		for (uint32_t x = 0; x < width; x++)
			put_pixel(&frame, x, y, colour_at((double)x / width, (double)y / height));
	/* What the slot does not say is known from its height. */
	if (colour == (height > 576 ? FC_COLOUR_BT709 : FC_COLOUR_BT601))
		frame.info.colour = FC_COLOUR_UNKNOWN;
	assert_int_equal(thumbnail_draw(&frame.info, frame.data, bmp), 54 + stride * small_height);
	assert_memory_equal(bmp, "BM", 2);
	assert_int_equal(u32_at(bmp + 2), 54 + stride * small_height);
	assert_int_equal(u32_at(bmp + 10), 54);
	assert_int_equal(u32_at(bmp + 18), small_width);
	assert_int_equal(u32_at(bmp + 22), small_height);
	assert_int_equal(u32_at(bmp + 26), 1 | 24 << 16);
	for (uint32_t y = 0; y < small_height; y++)
		for (uint32_t x = 0; x < small_width; x++)
			expect_near(bmp + 54 + (size_t)stride * (small_height - 1 - y) + x * 3,
				    box_mean(&frame.info, x, y, small_width, small_height), 4);
	munmap(frame.room, frame.room_len);
}

static void test_format(void **state)
{
	uint32_t format = *(uint32_t *)*state;

	expect_drawn(format, FC_COLOUR_BT709, 1920, 1080, 160, 90);
	expect_drawn(format, FC_COLOUR_BT709, 1280, 720, 160, 90);
	expect_drawn(format, FC_COLOUR_BT601, 720, 576, 112, 90);
	expect_drawn(format, FC_COLOUR_BT2020, 1998, 1080, 160,
		     86); /* v210: 30 pixels into a group */
	expect_drawn(format, FC_COLOUR_BT709, 608, 1080, 50, 90);
}

/* No smaller picture is made larger, and none is without a pixel. */
static void test_sides(void **state)
{
	static uint8_t bmp[THUMBNAIL_BYTES_MAX];
	static const uint32_t sides[][4] = {
		{2, 2, 2, 2},      {64, 32, 64, 32},   {16384, 2, 160, 1},
		{2, 16384, 1, 90}, {160, 90, 160, 90},
	};

	(void)state;
	for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
		struct frame frame =
			frame_make(FC_PIX_UYVY422, FC_COLOUR_BT709, sides[i][0], sides[i][1]);

		thumbnail_draw(&frame.info, frame.data, bmp);
		assert_int_equal(u32_at(bmp + 18), sides[i][2]);
		assert_int_equal(u32_at(bmp + 22), sides[i][3]);
		munmap(frame.room, frame.room_len);
	}
}

/* Beyond black and white there is nothing. */
static void test_extremes(void **state)
{
	struct frame frame = frame_make(FC_PIX_UYVY422, FC_COLOUR_BT709, 2, 2);
	uint8_t bmp[THUMBNAIL_BYTES_MAX];

	(void)state;
	memset(frame.data, 255, frame.info.frame_size);
	thumbnail_draw(&frame.info, frame.data, bmp);
	assert_int_equal(bmp[54], 255);
	assert_int_equal(bmp[56], 255);
	memset(frame.data, 0, frame.info.frame_size);
	thumbnail_draw(&frame.info, frame.data, bmp);
	assert_int_equal(bmp[54], 0);
	assert_int_equal(bmp[56], 0);
	munmap(frame.room, frame.room_len);
}

int main(void)
{
	static uint32_t formats[] = {FC_PIX_UYVY422, FC_PIX_V210, FC_PIX_NV12, FC_PIX_P010,
				     FC_PIX_RGBA};
	const struct CMUnitTest tests[] = {
		{"uyvy422", test_format, NULL, NULL, &formats[0]},
		{"v210", test_format, NULL, NULL, &formats[1]},
		{"nv12", test_format, NULL, NULL, &formats[2]},
		{"p010", test_format, NULL, NULL, &formats[3]},
		{"rgba", test_format, NULL, NULL, &formats[4]},
		cmocka_unit_test(test_sides),
		cmocka_unit_test(test_extremes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
