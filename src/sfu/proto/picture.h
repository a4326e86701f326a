/* picture: the numbers of pictures that VP8 and VP9 carry inside the payload, read and written anew, so that
 * a viewer who is shown another stream finds them going on as if it were one.
 *
 *   payload ┌ descriptor: … picture id, 15 bits … TL0PICIDX, 8 bits … ┐┌ picture ┐
 *
 * A decoder's side keeps pictures in the order of their numbers and finds by them which picture needs which:
 * one that jumps back looks late and is thrown away. H.264, H.265 and AV1 (without its dependency descriptor,
 * which is not passed on) have none. Sans-I/O, no allocation. Thread: any. */
#pragma once

#include "sfu/proto/codec.h"

struct picture {
	uint8_t id_at, tl0_at; /* offsets in the payload; 0: it has none */
	uint16_t id;           /* modulo 32768 */
	uint8_t tl0;
};

/* What a payload says. A picture id of 7 bits is left alone, as if there were none. */
struct picture picture_read(enum codec codec, struct bytes payload);

/* Writes other numbers to the payload that picture was read from. */
void picture_write(uint8_t *payload, const struct picture *picture, uint16_t id, uint8_t tl0);

/* What is added to a stream's numbers so that they go on, and the highest that came of it. */
struct picture_shift {
	uint16_t id;
	uint8_t tl0;
};

struct picture_count {
	uint16_t id;
	uint8_t tl0;
	bool begun;
};

/* The shift for a stream whose first picture is this. */
struct picture_shift picture_follow(const struct picture_count *count, const struct picture *first);

/* Writes the shifted numbers and counts them. */
void picture_move(uint8_t *payload, const struct picture *picture, struct picture_shift shift,
		  struct picture_count *count);
