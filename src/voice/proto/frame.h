/* frame: messages on the control channel, each behind its type and length.
 *
 *     0       2               6
 *     +-------+---------------+----------------- … -+
 *     | type  | length        | body                |      both big-endian
 *     +-------+---------------+----------------- … -+
 *
 * Stateless: the connection keeps what has come until a frame is whole. A frame that is longer
 * than its type allows is refused as soon as its head is there, so that a buffer never has to be
 * larger than the longest body of a type that is awaited.
 *
 * Sans-I/O, no allocation. Thread: any. */
#pragma once

#include "voice/proto/message.h"

#define FRAME_HEAD 6u

/* Frames of types nobody knows may come from later clients: so much is passed over. */
#define FRAME_UNKNOWN_MAX 65536u

struct frame {
	uint32_t type; /* an enum message_type, or one that nobody knows */
	struct bytes body;
};

enum frame_status {
	FRAME_MORE,     /* not whole yet: *used is 0 */
	FRAME_WHOLE,    /* *frame lies inside in */
	FRAME_TOO_LONG, /* the peer cannot be followed any further */
};

/* The first frame of in. longest: what bodies may have at most here, on top of what their types
 * allow (small before a peer has said who it is). */
enum frame_status frame_parse(struct bytes in, size_t longest, struct frame *frame, size_t *used);

/* How many bytes the frame that in begins has in all; 0 while its head is not there. */
size_t frame_len(struct bytes in);

/* A frame around any body (a voice packet in the tunnel). */
void frame_write(uint32_t type, struct bytes body, struct writer *w);

/* A frame with that message. */
void frame_write_message(const struct mumble_message *message, struct writer *w);
