/* sfu_stream: a stream of numbered RTP packets that look like VP8 or H.264, and what checks them.
 *
 *   ┌ codec's head ┐┌ "RM" flags pt │ number 8 │ sent 8 │ frame 4 │ n-th 2 │ of 2 ┐┌ fill ┐┌ sum 4 ┐
 *
 * The sum is over all before it, so that a packet is known to be whole; the numbers say what is missing or
 * came twice, whatever the server does with sequence numbers and times; the moment it was sent says how
 * long it took, on one machine. Pure; thread: any. */
#pragma once

#include <stdbool.h>

#include "core/bytes.h"

#define STREAM_LEAST 64u
#define STREAM_MOST  1200u

struct stream_packet {
	bool h264, key;
	uint64_t number;
	int64_t sent_us;
	uint32_t frame;
	uint16_t place, count; /* of the frame's packets */
};

/* Writes len bytes of payload. */
void stream_write(const struct stream_packet *packet, uint8_t *out, size_t len);

/* Whether a payload is one of these, whole. */
bool stream_read(struct bytes payload, struct stream_packet *out);
