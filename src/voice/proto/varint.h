/* varint: the integers of Mumble's datagrams before protobuf: short ones in few bytes.
 *
 *     0xxxxxxx                        7 bits
 *     10xxxxxx + 1 byte              14 bits
 *     110xxxxx + 2 bytes             21 bits
 *     1110xxxx + 3 bytes             28 bits
 *     111100__ + 4 bytes             32 bits
 *     111101__ + 8 bytes             64 bits
 *     111110__ + a varint            its complement
 *     111111xx                       the complement of 2 bits
 *
 * Big-endian. Source: Mumble's docs/dev/network-protocol/voice_data.md. Not the varint of
 * protobuf. Pure. */
#pragma once

#include "core/reader.h"
#include "core/writer.h"

#define VARINT_MAX 9u /* bytes of the longest that is written */

/* The next one; the reader fails where none is. */
uint64_t varint_read(struct reader *r);

/* In as few bytes as it takes; nine at most. */
void varint_write(struct writer *w, uint64_t value);
