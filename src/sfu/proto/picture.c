#include "sfu/proto/picture.h"

#include "core/reader.h"

#define ID_MASK 0x7fffu

static uint8_t here(struct bytes payload, const struct reader *r)
{
	return (uint8_t)(payload.len - reader_left(r));
}

static void read_id(struct bytes payload, struct reader *r, struct picture *picture)
{
	uint8_t at = here(payload, r), high = reader_u8(r);

	if (!(high & 0x80))
		return;
	picture->id_at = at;
	picture->id = (uint16_t)((high & 0x7f) << 8 | reader_u8(r));
}

static void read_tl0(struct bytes payload, struct reader *r, struct picture *picture)
{
	picture->tl0_at = here(payload, r);
	picture->tl0 = reader_u8(r);
}

/* RFC 7741 4.2: X R N S R PID, then I L T K. */
static void read_vp8(struct bytes payload, struct reader *r, struct picture *picture)
{
	uint8_t more = reader_u8(r) & 0x80 ? reader_u8(r) : 0;

	if (more & 0x80)
		read_id(payload, r, picture);
	if (more & 0x40)
		read_tl0(payload, r, picture);
}

/* RFC 9628 4.2: I P L F B E V Z; TL0PICIDX only where F, flexible mode, is not set. */
static void read_vp9(struct bytes payload, struct reader *r, struct picture *picture)
{
	uint8_t first = reader_u8(r);

	if (first & 0x80)
		read_id(payload, r, picture);
	if (first & 0x20) {
		reader_skip(r, 1);
		if (!(first & 0x10))
			read_tl0(payload, r, picture);
	}
}

struct picture picture_read(enum codec codec, struct bytes payload)
{
	struct picture picture = {0};
	struct reader r = reader_of(payload);

	if (codec == CODEC_VP8)
		read_vp8(payload, &r, &picture);
	else if (codec == CODEC_VP9)
		read_vp9(payload, &r, &picture);
	return reader_ok(&r) ? picture : (struct picture){0};
}

void picture_write(uint8_t *payload, const struct picture *picture, uint16_t id, uint8_t tl0)
{
	if (picture->id_at) {
		payload[picture->id_at] = (uint8_t)(0x80 | (id >> 8 & 0x7f));
		payload[picture->id_at + 1] = (uint8_t)id;
	}
	if (picture->tl0_at)
		payload[picture->tl0_at] = tl0;
}

struct picture_shift picture_follow(const struct picture_count *count, const struct picture *first)
{
	if (!count->begun)
		return (struct picture_shift){0, 0};
	return (struct picture_shift){(uint16_t)((count->id + 1u - first->id) & ID_MASK),
				      (uint8_t)(count->tl0 + 1u - first->tl0)};
}

void picture_move(uint8_t *payload, const struct picture *picture, struct picture_shift shift,
		  struct picture_count *count)
{
	uint16_t id = (picture->id + shift.id) & ID_MASK;
	uint8_t tl0 = (uint8_t)(picture->tl0 + shift.tl0);

	if (!picture->id_at && !picture->tl0_at)
		return;
	picture_write(payload, picture, id, tl0);
	if (!count->begun || (picture->id_at && ((id - count->id) & ID_MASK) < ID_MASK / 2))
		count->id = id;
	if (!count->begun || (picture->tl0_at && (int8_t)(uint8_t)(tl0 - count->tl0) > 0))
		count->tl0 = tl0;
	count->begun = true;
}
