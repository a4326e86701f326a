/* voice_ping: does UDP get through, and what is on this server?
 *
 *     in a session   encrypted   0x20 · varint            echoed as it is (legacy)
 *                                1 · message Ping         the same with the timestamp (protobuf)
 *     for the list   plain       0000 · 8 bytes           answered with 24 bytes (legacy)
 *                                1 · message Ping, wants  answered with the same and the numbers
 *
 * The list's question comes from anybody, with any source address. The answer in legacy has twice
 * its bytes, in protobuf up to nine times: whoever sends answers must ration them.
 *
 * Sources: voice_data.md, MumbleUDP.proto, and for the list what Mumble's server sends.
 * Sans-I/O, no allocation. Thread: any. */
#pragma once

#include "voice/proto/voice_packet.h"

#define VOICE_PING_MAX 64u /* bytes of the longest that is written */

struct voice_ping {
	enum voice_form form;
	uint64_t timestamp; /* the client's business: it comes back as it was */
	bool wants_info;    /* protobuf only; never true in a session's ping of legacy */
	bool has_info;
	uint64_t version; /* of the server, as mumble_version_v2(); legacy carries less of it */
	uint32_t users, max_users;
	uint32_t bandwidth; /* bits a second that one may send */
};

/* A ping in a session, decrypted. */
bool voice_ping_parse(struct bytes in, enum voice_form form, struct voice_ping *ping);
void voice_ping_write(const struct voice_ping *ping, struct writer *w);

/* A plain datagram that asks what is here. False: it is none (most likely it is encrypted). What
 * has a field of an answer or an unknown one is none either. */
bool list_ping_parse(struct bytes in, struct voice_ping *ping);

/* The answer: the question with the numbers filled in. */
void list_ping_write(const struct voice_ping *ping, struct writer *w);
