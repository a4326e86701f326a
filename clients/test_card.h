/* test_card: a moving picture that carries its number, and a beep with a flash once a second.
 *
 *   ┌────────────────────────────────┐  the upper 1/16: 64 blocks, white for the 1s of the number,
 *   │▐ ▌▐▌  ▐▐▌ … number, 64 blocks  │  the first is bit 63
 *   ├────────────────────────────────┤
 *   │ a gradient that moves    ┌─────┤
 *   │ with each frame          │flash│  white while it beeps, else black
 *   └──────────────────────────┴─────┘
 *
 * The number can be read from the luma of any format, before or after an encoder. Every byte of a frame
 * follows from its number, so a frame can be checked whole by drawing it again. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "fc_client.h"

struct test_card {
	uint32_t width, height, format, fps_num, fps_den;
	uint32_t plane_offset[2], row_bytes[2];
	uint32_t audio_rate, audio_channels;
};

struct test_card test_card_of(const fc_info_t *info);

/* Draws frame number n. The padding of rows is zeroed. */
void test_card_draw(const struct test_card *card, uint64_t n, uint8_t *to);

/* Whether frame n has the flash and the beep: the first tenth of each second. */
bool test_card_beeps(const struct test_card *card, uint64_t n);

/* The first sample of frame n, and so of the sound behind frame n - 1. */
uint64_t test_card_sample(const struct test_card *card, uint64_t n);

/* The samples of frame n: 1 kHz while it beeps, each channel a sample ahead of the one before so that none
 * passes for another, else silence. At least
 * test_card_sample(n + 1) - test_card_sample(n) of them fit. Returns how many. */
uint32_t test_card_sound(const struct test_card *card, uint64_t n, int32_t *to);
