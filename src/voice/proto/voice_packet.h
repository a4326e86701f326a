/* voice_packet: the voice in a datagram or in the tunnel, in the form before Mumble 1.5 and in the
 * one since, read, and written for those who hear it.
 *
 *     legacy    type << 5 | target · [session] · frame · length | 0x2000 · Opus · [3 floats]
 *     protobuf  0 · message Audio
 *
 *     from a client ──▶ voice_packet_parse() ──▶ who may hear it? ──▶ voice_packet_write() ──▶ them
 *
 * The Opus bytes are never touched: what is written carries exactly those that were read, so one
 * who speaks in one form is heard in the other. A session has one form for both directions, by
 * its version: the HUB knows it. The codecs before Opus exist in the legacy form only.
 *
 * Sources: Mumble's docs/dev/network-protocol/voice_data.md, MumbleUDP.proto.
 * Sans-I/O, no allocation. Thread: any. Nothing here is encrypted: see crypt_state. */
#pragma once

#include "core/reader.h"
#include "core/writer.h"

#define VOICE_PACKET_MAX    1020u /* a datagram of 1,024 bytes less its crypt header */
#define VOICE_OPUS_MAX      0x1fffu
#define VOICE_POSITION_SIZE 12u

enum voice_form {
	VOICE_LEGACY,
	VOICE_PROTOBUF, /* both sides are 1.5 or later */
};

enum voice_side {
	VOICE_FROM_CLIENT,
	VOICE_FROM_SERVER, /* names the session that speaks */
};

enum voice_codec { /* the types of the legacy form */
		   VOICE_CELT_ALPHA = 0,
		   VOICE_SPEEX = 2,
		   VOICE_CELT_BETA = 3,
		   VOICE_OPUS = 4,
};

/* Targets that a client may name; 1 to 30 are its VoiceTargets. */
#define VOICE_TARGET_NORMAL   0u
#define VOICE_TARGET_LOOPBACK 31u

/* Why somebody hears it. */
enum voice_context {
	VOICE_SPOKEN = 0,
	VOICE_SHOUTED = 1,   /* a whisper to a channel */
	VOICE_WHISPERED = 2, /* a whisper to the user */
	VOICE_LISTENED = 3,  /* the user listens to a channel that he is not in; spoken in legacy */
};

struct voice_packet {
	enum voice_codec codec;
	uint32_t target;      /* from a client: a target; from a server: an enum voice_context */
	uint32_t session;     /* from a server only */
	uint64_t frame;       /* number of the first audio frame, 10 ms each */
	struct bytes payload; /* Opus: one packet of it; else the frames with their length bytes */
	bool last;            /* the speaker pauses after this */
	bool has_position;
	uint8_t position[VOICE_POSITION_SIZE]; /* three floats, little-endian */
	float volume;                          /* protobuf, from a server: a factor; 0: none */
};

enum voice_kind {
	VOICE_IS_AUDIO,
	VOICE_IS_PING,
	VOICE_IS_NOTHING, /* of a later version, or junk */
};

/* What a decrypted packet is, by its first byte. */
enum voice_kind voice_packet_kind(struct bytes in, enum voice_form form);

/* False: no voice packet; *packet is not meant to be read. */
bool voice_packet_parse(struct bytes in, enum voice_form form, enum voice_side side,
			struct voice_packet *packet);

/* False (and w as it was) where the form has no way to say it or w has no room: a codec before
 * Opus in protobuf, a packet without audio in protobuf, a target beyond 31 in legacy. */
bool voice_packet_write(const struct voice_packet *packet, enum voice_form form,
			enum voice_side side, struct writer *w);

/* What a listener gets of what a client sent: from that session, for that reason, with the
 * speaker's position only for those in the same place. */
bool voice_packet_forward(const struct voice_packet *packet, uint32_t session,
			  enum voice_context why, bool with_position, float volume,
			  enum voice_form form, struct writer *w);
