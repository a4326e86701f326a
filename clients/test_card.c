#include "test_card.h"

#include <string.h>

#define BLACK 16u
#define WHITE 235u

struct test_card test_card_of(const fc_info_t *info)
{
	return (struct test_card){
		.width = info->width,
		.height = info->height,
		.format = info->pixel_format,
		.fps_num = info->fps_num,
		.fps_den = info->fps_den,
		.plane_offset = {info->plane_offset[0], info->plane_offset[1]},
		.row_bytes = {info->plane_row_bytes[0], info->plane_row_bytes[1]},
		.audio_rate = info->audio_rate,
		.audio_channels = info->audio_channels,
	};
}

bool test_card_beeps(const struct test_card *card, uint64_t n)
{
	/* Milliseconds into the second that the frame begins in. */
	uint64_t ms = (n % card->fps_num) * card->fps_den * 1000 / card->fps_num;

	return ms % 1000 < 100;
}

static uint8_t luma(const struct test_card *card, uint64_t n, uint32_t x, uint32_t y)
{
	if (y < card->height / 16) {
		uint32_t bit = 63 - x * 64 / card->width;

		return n >> bit & 1 ? WHITE : BLACK;
	}
	if (x >= card->width / 4 * 3 && y >= card->height / 4 * 3)
		return test_card_beeps(card, n) ? WHITE : BLACK;
	return (uint8_t)(BLACK + (x + y + 3 * n) % (WHITE - BLACK));
}

/* Colour drifts with the frame and lies across the picture: so pairs of chroma that are exchanged or
 * shifted are noticed. */
static uint8_t blue(const struct test_card *card, uint64_t n, uint32_t x)
{
	return (uint8_t)(64 + (x * 64 / card->width + n) % 128);
}

static uint8_t red(const struct test_card *card, uint64_t n, uint32_t y)
{
	return (uint8_t)(64 + (y * 64 / card->height + 2 * n) % 128);
}

/* --- rows ----------------------------------------------------------------------------------- */

static void row_uyvy(const struct test_card *card, uint64_t n, uint32_t y, uint8_t *to)
{
	for (uint32_t x = 0; x < card->width; x += 2) {
		*to++ = blue(card, n, x);
		*to++ = luma(card, n, x, y);
		*to++ = red(card, n, y);
		*to++ = luma(card, n, x + 1, y);
	}
}

/* Three of 10 bits in each word, little-endian: Cb Y Cr, Y Cb Y, Cr Y Cb, Y Cr Y. */
static void row_v210(const struct test_card *card, uint64_t n, uint32_t y, uint8_t *to)
{
	uint32_t groups = (card->width + 5) / 6;

	for (uint32_t i = 0; i < groups; i++) {
		uint16_t ten[12] = {0};

		for (uint32_t pair = 0; pair < 3 && i * 6 + pair * 2 < card->width; pair++) {
			uint32_t x = i * 6 + pair * 2;

			ten[pair * 4] = (uint16_t)(blue(card, n, x) << 2);
			ten[pair * 4 + 1] = (uint16_t)(luma(card, n, x, y) << 2);
			ten[pair * 4 + 2] = (uint16_t)(red(card, n, y) << 2);
			ten[pair * 4 + 3] = (uint16_t)(luma(card, n, x + 1, y) << 2);
		}
		for (uint32_t word = 0; word < 4; word++) {
			uint32_t three = ten[word * 3] | (uint32_t)ten[word * 3 + 1] << 10 |
					 (uint32_t)ten[word * 3 + 2] << 20;

			for (uint32_t byte = 0; byte < 4; byte++)
				*to++ = (uint8_t)(three >> 8 * byte);
		}
	}
}

static void row_rgba(const struct test_card *card, uint64_t n, uint32_t y, uint8_t *to)
{
	for (uint32_t x = 0; x < card->width; x++) {
		uint8_t grey = luma(card, n, x, y);

		*to++ = grey;
		*to++ = grey;
		*to++ = grey;
		*to++ = 255;
	}
}

/* Bytes of a sample: 1, or 2 with its 10 bits on top. */
static uint8_t *put(uint8_t *to, uint32_t bytes, uint8_t value)
{
	if (bytes == 2)
		*to++ = 0;
	*to++ = value;
	return to;
}

static void row_luma(const struct test_card *card, uint64_t n, uint32_t y, uint8_t *to)
{
	for (uint32_t x = 0; x < card->width; x++)
		to = put(to, card->format == FC_PIX_P010 ? 2 : 1, luma(card, n, x, y));
}

static void row_chroma(const struct test_card *card, uint64_t n, uint32_t y, uint8_t *to)
{
	uint32_t bytes = card->format == FC_PIX_P010 ? 2 : 1;

	for (uint32_t x = 0; x < card->width; x += 2) {
		to = put(to, bytes, blue(card, n, x));
		to = put(to, bytes, red(card, n, y));
	}
}

void test_card_draw(const struct test_card *card, uint64_t n, uint8_t *to)
{
	bool planar = card->format == FC_PIX_NV12 || card->format == FC_PIX_P010;

	for (uint32_t y = 0; y < card->height; y++) {
		uint8_t *row = to + card->plane_offset[0] + (size_t)y * card->row_bytes[0];

		memset(row, 0, card->row_bytes[0]);
		switch (card->format) {
		case FC_PIX_UYVY422: row_uyvy(card, n, y, row); break;
		case FC_PIX_V210: row_v210(card, n, y, row); break;
		case FC_PIX_RGBA: row_rgba(card, n, y, row); break;
		default: row_luma(card, n, y, row); break;
		}
		if (planar && y % 2 == 0)
			row_chroma(card, n, y,
				   to + card->plane_offset[1] +
					   (size_t)(y / 2) * card->row_bytes[1]);
	}
}

/* --- sound ---------------------------------------------------------------------------------- */

uint64_t test_card_sample(const struct test_card *card, uint64_t n)
{
	uint64_t second = (uint64_t)card->audio_rate * card->fps_den;

	return n / card->fps_num * second + n % card->fps_num * second / card->fps_num;
}

/* A parabola for each half wave is sine enough: no two machines differ on it. */
static int32_t tone(uint64_t sample, uint32_t rate)
{
	int64_t at =
		(int64_t)(sample % rate * 2000 % (2ull * rate)); /* two halves a wave, in 1/rate */
	int64_t half = at < rate ? at : at - rate;
	int64_t height = half * (rate - half) * 4 * (1 << 20) / ((int64_t)rate * rate);

	return (int32_t)((at < rate ? height : -height) * 512);
}

uint32_t test_card_sound(const struct test_card *card, uint64_t n, int32_t *to)
{
	uint64_t first = test_card_sample(card, n), end = test_card_sample(card, n + 1);
	bool beeps = test_card_beeps(card, n);

	for (uint64_t i = first; i < end; i++)
		for (uint32_t c = 0; c < card->audio_channels; c++)
			*to++ = beeps ? tone(i + c, card->audio_rate) : 0;
	return (uint32_t)(end - first);
}
