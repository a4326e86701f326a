/* frame: packets in a stream of bytes, each behind its length (RFC 4571 2), as ICE over TCP carries them
 * (RFC 6544 3).
 *
 *   ┌ length, 16 bits ┐┌ packet ┐┌ length ┐┌ packet ┐ …
 *
 * Sans-I/O, no allocation, no state: the caller keeps what is no whole packet yet. Thread: any. */
#pragma once

#include "core/bytes.h"
#include "core/writer.h"

#define FRAME_HEAD 2u
#define FRAME_MAX  65535u /* bytes of a packet */

enum frame_status {
	FRAME_WHOLE, /* a packet was taken off */
	FRAME_PART,  /* more has to come; nothing was taken */
	FRAME_LONG,  /* the next is longer than max: the stream cannot be followed any more */
};

/* The next packet of *in; it may be empty, which means nothing (RFC 4571 2). */
enum frame_status frame_next(struct bytes *in, size_t max, struct bytes *packet);

/* The head of a packet of so many bytes, at most FRAME_MAX. */
void frame_write_head(struct writer *w, size_t len);
