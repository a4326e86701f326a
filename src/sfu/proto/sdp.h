/* sdp: session descriptions (RFC 8866) of WebRTC (RFC 8829): what an offer or an answer says, and
 * the fragments of RFC 8840.
 *
 *   v= o= s= t= a=…          the session          struct sdp
 *   m=audio … a=…            a medium of it         └ media[0]  formats, extensions, layers, sources
 *   m=video … a=…                                   └ media[1]
 *
 * Strict where a mistake would be ours to pay (numbers, tokens, lengths), tolerant of lines and
 * attributes that are not known. What does not fit the tables is an error, never cut. Parsed parts
 * point into the text. Sans-I/O, no allocation. Thread: any. */
#pragma once

#include "core/bytes.h"
#include "sfu/proto/codec.h"

#define SDP_MEDIA_MAX   20u
#define SDP_FORMATS_MAX 64u
#define SDP_EXTS_MAX    32u
#define SDP_RIDS_MAX    8u
#define SDP_SSRCS_MAX   16u

enum sdp_status {
	SDP_OK,
	SDP_NOT,   /* no session description */
	SDP_BAD,   /* a line cannot be read: fault, line */
	SDP_LARGE, /* more of something than is looked at */
};

enum sdp_kind { SDP_AUDIO, SDP_VIDEO, SDP_APPLICATION, SDP_OTHER };

enum sdp_direction { SDP_SENDRECV, SDP_SENDONLY, SDP_RECVONLY, SDP_INACTIVE };

enum sdp_setup { SDP_SETUP_NONE, SDP_ACTPASS, SDP_ACTIVE, SDP_PASSIVE, SDP_HOLDCONN };

/* Feedback (RFC 4585, RFC 5104). */
#define SDP_FB_NACK 1u
#define SDP_FB_PLI  2u
#define SDP_FB_FIR  4u
#define SDP_FB_REMB 8u
#define SDP_FB_TWCC 16u

/* Header extensions that are known. */
enum sdp_ext_kind {
	SDP_EXT_OTHER,
	SDP_EXT_MID,
	SDP_EXT_RID,
	SDP_EXT_REPAIRED_RID,
	SDP_EXT_SEND_TIME,
	SDP_EXT_TWCC,
	SDP_EXT_ORIENTATION,
	SDP_EXT_KINDS,
};

struct sdp_format {
	uint8_t pt;
	uint8_t channels;
	uint8_t feedback; /* SDP_FB_… */
	bool rtx;         /* retransmissions of apt (RFC 4588) */
	uint8_t apt;
	enum codec codec;
	uint32_t clock;
	struct bytes name; /* as rtpmap has it */
	struct bytes fmtp; /* the parameters; empty: none */
};

struct sdp_ext {
	uint8_t id;
	enum sdp_ext_kind kind;
	struct bytes uri;
};

struct sdp_rid {
	struct bytes id;
	bool send;
};

struct sdp_ssrc {
	uint32_t ssrc;
	uint32_t repaired; /* it retransmits that one (FID); 0: it is a source itself */
	bool simulcast;    /* one of a SIM group */
};

/* What may stand in the session for all media, and in each. */
struct sdp_transport {
	struct bytes ufrag, pwd;
	struct bytes hash, fingerprint; /* "sha-256", "AB:CD:…" */
	enum sdp_setup setup;
};

struct sdp_media {
	enum sdp_kind kind;
	struct bytes kind_text, protocol, formats_text;
	struct bytes mid, msid;
	uint16_t port;
	bool rtcp_mux, bundled, bundle_only, simulcast;
	enum sdp_direction direction;
	struct sdp_transport transport;
	unsigned format_count, ext_count, rid_count, ssrc_count;
	struct sdp_format format[SDP_FORMATS_MAX]; /* in the order of the m= line */
	struct sdp_ext ext[SDP_EXTS_MAX];
	struct sdp_rid rid[SDP_RIDS_MAX];
	struct sdp_ssrc ssrc[SDP_SSRCS_MAX];
};

struct sdp {
	struct bytes bundle; /* the mids of the first BUNDLE group */
	struct sdp_transport transport;
	enum sdp_direction direction;
	bool ice_lite, trickle, ice2, mixed; /* mixed: one- and two-byte extensions (RFC 8285) */
	unsigned media_count;
	struct sdp_media media[SDP_MEDIA_MAX];
	unsigned line; /* where it went wrong, from 1 */
	const char *fault;
};

enum sdp_status sdp_parse(struct bytes in, struct sdp *out);

/* What holds for a medium: its own or the session's. */
struct sdp_transport sdp_transport_of(const struct sdp *sdp, const struct sdp_media *media);

/* The value of a parameter in fmtp ("apt=96;profile-level-id=42e01f"); at NULL: it is not there. */
struct bytes sdp_parameter(struct bytes fmtp, const char *name);

struct sdp_format *sdp_format_of(struct sdp_media *media, uint8_t pt);

/* The retransmission format of one; NULL when it has none. */
const struct sdp_format *sdp_rtx_of(const struct sdp_media *media, uint8_t pt);

/* The id under which a medium has an extension; 0: it has not. */
uint8_t sdp_ext_id(const struct sdp_media *media, enum sdp_ext_kind kind);

const char *sdp_ext_uri(enum sdp_ext_kind kind);

/* --- fragments: application/trickle-ice-sdpfrag ----------------------------------------------- */

struct sdp_fragment {
	struct bytes ufrag, pwd;
	unsigned candidates; /* how many there are */
	bool end;            /* of candidates */
};

enum sdp_status sdp_parse_fragment(struct bytes in, struct sdp_fragment *out);

/* --- candidates -------------------------------------------------------------------------------- */

struct sdp_candidate {
	struct bytes address; /* an IP address or a name */
	uint16_t port;
	bool udp, tcp;
	uint32_t priority;
};

/* "foundation component transport priority address port typ type …" behind "candidate:". */
bool sdp_parse_candidate(struct bytes in, struct sdp_candidate *out);

/* The next a=candidate of a text (a description or fragment). */
bool sdp_next_candidate(struct bytes *rest, struct sdp_candidate *out);
