/* rtp: packets of RFC 3550 5.1 with their header extensions (RFC 8285), and their retransmissions
 * (RFC 4588).
 *
 *    V P X  CC  M   PT    sequence      timestamp   SSRC   CSRC …   profile len extension …  payload
 *   +-+-+-+----+-+-------+-------------+-----------+------+--------+-----------------------+-------- …
 *
 * Parsed parts point into the packet. Sans-I/O, no allocation. Thread: any. */
#pragma once

#include "core/reader.h"
#include "core/writer.h"

#define RTP_HEADER 12u

struct rtp {
	uint8_t pt;
	bool marker;
	uint16_t seq;
	uint32_t ts;
	uint32_t ssrc;
	bool padded;
	uint16_t profile;       /* of the extension */
	struct bytes extension; /* at NULL: there is none */
	struct bytes header;    /* all before the payload */
	struct bytes payload;   /* without padding */
};

/* Whether it is RTCP rather than RTP, of packets whose first byte says one of them (RFC 5761 4). */
bool rtp_is_rtcp(struct bytes in);

/* The header alone, as far as it is sent in the clear; payload is all behind it. */
bool rtp_parse_header(struct bytes in, struct rtp *out);

/* With the padding taken off. */
bool rtp_parse(struct bytes in, struct rtp *out);

/* The fixed header, without CSRC and padding; the X bit where extended. */
void rtp_write_header(struct writer *w, const struct rtp *rtp, bool extended);

/* The elements of an extension, one- and two-byte form. Starts with at = extension. */
struct rtp_element {
	uint8_t id;
	struct bytes value;
};

bool rtp_next_element(const struct rtp *rtp, struct bytes *rest, struct rtp_element *out);

/* The value of that id; at NULL when there is none. id 0 is nobody's. */
struct bytes rtp_element(const struct rtp *rtp, uint8_t id);

/* Numbers that count up for ever, from those of 16 or 32 bits. */
struct rtp_count {
	bool begun;
	int64_t last;
};

int64_t rtp_count16(struct rtp_count *count, uint16_t number);
int64_t rtp_count32(struct rtp_count *count, uint32_t number);

/* What was sent again: the original sequence number and payload (RFC 4588 4). False when there is
 * nothing in it. */
bool rtp_open_rtx(const struct rtp *rtx, uint16_t *seq, struct bytes *payload);
