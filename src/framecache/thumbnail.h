/* thumbnail: a frame as a small picture that a browser shows.
 *
 *   frame of the slot's format ──▶ a box for each small pixel: the mean of up to 4 × 4 samples in it
 *                              ──▶ red, green, blue of 8 bits ──▶ BMP, 24 bits, no compression
 *
 * For an eye that asks whether the right camera is on: chroma is taken where it lies, a slot that does not
 * say its colours has those of its size (BT.709 above 576 lines), alpha is left out.
 *
 * The pixels may change while they are looked at, as another process writes them: they are only ever numbers,
 * never places. Whoever draws asks fc_frame_valid() afterwards. Allocates nothing. Any thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "fc_client.h"

#define THUMBNAIL_WIDTH_MAX  160u
#define THUMBNAIL_HEIGHT_MAX 90u
#define THUMBNAIL_BYTES_MAX  (54u + THUMBNAIL_WIDTH_MAX * 3 * THUMBNAIL_HEIGHT_MAX)

/* data: a frame of this shape. Returns the length of the picture. */
size_t thumbnail_draw(const fc_info_t *info, const uint8_t *data, uint8_t out[THUMBNAIL_BYTES_MAX]);
