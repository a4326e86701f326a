/* protobuf: the wire format of Protocol Buffers, a field at a time, read and written.
 *
 *     field = tag (number << 3 | wire type) · value
 *     value = varint | 4 bytes | 8 bytes | varint length and so many bytes | a group of fields
 *
 * Source: developers.google.com/protocol-buffers/docs/encoding. Groups, which nobody sends any
 * more, are passed over whole. What a number means is the business of whoever reads: message.def
 * for Mumble's control messages, voice_packet for its datagrams.
 *
 * Sans-I/O, no allocation, no recursion. Thread: any. It knows no schema. */
#pragma once

#include "core/reader.h"
#include "core/writer.h"

#define PROTOBUF_VARINT_MAX 10u /* bytes of the longest varint */
#define PROTOBUF_DEPTH_MAX  8u  /* groups in groups that are passed over */

enum protobuf_wire {
	PROTOBUF_VARINT = 0,
	PROTOBUF_FIXED64 = 1,
	PROTOBUF_BYTES = 2,
	PROTOBUF_GROUP = 3,
	PROTOBUF_GROUP_END = 4,
	PROTOBUF_FIXED32 = 5,
};

struct protobuf_field {
	uint32_t number; /* 1 to 2^29 - 1 */
	enum protobuf_wire wire;
	uint64_t value;     /* VARINT, FIXED64 and FIXED32 */
	struct bytes bytes; /* BYTES: inside what is read */
};

/* A varint; the reader fails when it is longer than ten bytes. Bits beyond the 64th are lost, as in
 * the parsers of Google. */
uint64_t protobuf_varint(struct reader *r);

/* The next field. False at the end, and where no field can be: reader_ok() tells which. */
bool protobuf_next(struct reader *r, struct protobuf_field *field);

/* Bytes that protobuf_put_varint() takes. */
size_t protobuf_varint_len(uint64_t value);
size_t protobuf_tag_len(uint32_t number);

void protobuf_put_varint(struct writer *w, uint64_t value);
void protobuf_put_tag(struct writer *w, uint32_t number, enum protobuf_wire wire);

/* A float and the four bytes it is on the wire. */
uint32_t protobuf_of_float(float value);
float protobuf_to_float(uint32_t bits);
