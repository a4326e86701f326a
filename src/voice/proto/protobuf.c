#include "voice/proto/protobuf.h"

#define TAG_MAX 5u

uint64_t protobuf_varint(struct reader *r)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = reader_u8(r);

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return reader_ok(r) ? value : 0;
	}
	r->failed = true;
	return 0;
}

/* A tag; false where none can be. It has five bytes at most, and 32 bits that count: so the parsers
 * that the other side of a connection uses have it, and what one refuses both should. */
static bool take_tag(struct reader *r, struct protobuf_field *field)
{
	size_t left = reader_left(r);
	uint32_t tag = (uint32_t)protobuf_varint(r);

	if (!reader_ok(r) || left - reader_left(r) > TAG_MAX || tag >> 3 == 0 ||
	    (tag & 7) > PROTOBUF_FIXED32) {
		r->failed = true;
		return false;
	}
	field->number = tag >> 3;
	field->wire = (enum protobuf_wire)(tag & 7);
	return true;
}

/* The value behind a tag that is neither end of a group. */
static void take_value(struct reader *r, struct protobuf_field *field)
{
	field->value = 0;
	field->bytes = bytes_of(NULL, 0);
	switch (field->wire) {
	case PROTOBUF_VARINT: field->value = protobuf_varint(r); break;
	case PROTOBUF_FIXED64: field->value = reader_le64(r); break;
	case PROTOBUF_FIXED32: field->value = reader_le32(r); break;
	case PROTOBUF_BYTES:
		field->value = protobuf_varint(r);
		if (field->value > reader_left(r))
			r->failed = true;
		field->bytes = reader_take(r, (size_t)field->value);
		break;
	case PROTOBUF_GROUP:
	case PROTOBUF_GROUP_END: break;
	}
}

/* Passes over the fields of a group of that number, groups in it too, to behind its end. */
static void skip_group(struct reader *r, uint32_t number)
{
	uint32_t open[PROTOBUF_DEPTH_MAX];
	size_t depth = 0;
	struct protobuf_field field;

	open[depth++] = number;
	while (depth && take_tag(r, &field)) {
		if (field.wire == PROTOBUF_GROUP) {
			if (depth == PROTOBUF_DEPTH_MAX) {
				r->failed = true;
				return;
			}
			open[depth++] = field.number;
		} else if (field.wire == PROTOBUF_GROUP_END) {
			if (open[--depth] != field.number) {
				r->failed = true;
				return;
			}
		} else {
			take_value(r, &field);
		}
	}
}

bool protobuf_next(struct reader *r, struct protobuf_field *field)
{
	while (reader_ok(r) && reader_left(r)) {
		if (!take_tag(r, field))
			return false;
		if (field->wire == PROTOBUF_GROUP_END) {
			r->failed = true;
			return false;
		}
		if (field->wire != PROTOBUF_GROUP) {
			take_value(r, field);
			return reader_ok(r);
		}
		skip_group(r, field->number);
	}
	return false;
}

size_t protobuf_varint_len(uint64_t value)
{
	size_t len = 1;

	while (value >= 0x80) {
		value >>= 7;
		len++;
	}
	return len;
}

size_t protobuf_tag_len(uint32_t number)
{
	return protobuf_varint_len((uint64_t)number << 3);
}

void protobuf_put_varint(struct writer *w, uint64_t value)
{
	uint8_t buf[PROTOBUF_VARINT_MAX];
	size_t len = 0;

	while (value >= 0x80) {
		buf[len++] = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	buf[len++] = (uint8_t)value;
	writer_put(w, bytes_of(buf, len));
}

void protobuf_put_tag(struct writer *w, uint32_t number, enum protobuf_wire wire)
{
	protobuf_put_varint(w, (uint64_t)number << 3 | (uint64_t)wire);
}

uint32_t protobuf_of_float(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof bits);
	return bits;
}

float protobuf_to_float(uint32_t bits)
{
	float value;

	memcpy(&value, &bits, sizeof value);
	return value;
}
