/* answer: what of an offer is taken, and the answer that says so (RFC 8829 5.3, RFC 9725 4.2,
 * draft-ietf-wish-whep-03 4.2).
 *
 *   offer ── sdp_parse ──▶ struct sdp ── answer_choose ──▶ struct answer ── answer_write ──▶ text
 *                                            └──▶ or why not, for people
 *
 * A publisher's media are received in the first of its codecs that is carried; a viewer's are sent
 * in whichever of its codecs the room has at the time, so all that are carried are taken. Either all
 * media are taken or the offer is refused. Sans-I/O, no allocation. Thread: any. */
#pragma once

#include "core/writer.h"
#include "sfu/proto/sdp.h"

enum answer_role {
	ANSWER_PUBLISHER,
	ANSWER_VIEWER,
	ANSWER_CALLER, /* what is looked at is itself an answer, to an offer of ours: see offer.h */
};

#define ANSWER_FORMATS_MAX 40u

struct answer_medium {
	unsigned count;                     /* of formats taken */
	uint8_t format[ANSWER_FORMATS_MAX]; /* which of the offer's, by their place there */
	uint32_t exts;                      /* bits of enum sdp_ext_kind that are taken */
	bool layers;                        /* simulcast is taken */
	uint32_t ssrc, rtx_ssrc;            /* the caller's, for a viewer */
};

struct answer {
	enum answer_role role;
	unsigned count;
	struct answer_medium media[SDP_MEDIA_MAX];
	const char *fault; /* why not */
};

struct answer_limits {
	unsigned audio, video; /* so many of each at most */
	unsigned tracks;       /* and so many in all with their layers; 0: any number */
	bool twcc;             /* transport-wide feedback rather than REMB, where it is offered */
	bool plain;            /* no ICE and no keys */
};

enum answer_status {
	ANSWER_OK,
	ANSWER_BAD,     /* the offer breaks a rule: 400 */
	ANSWER_REFUSED, /* it asks for what there is not: 422 */
};

enum answer_status answer_choose(const struct sdp *offer, enum answer_role role,
				 const struct answer_limits *limits, struct answer *out);

/* Of that medium only the format of that payload type stays, with its retransmissions. */
void answer_narrow(const struct sdp *offer, struct answer *answer, unsigned medium, uint8_t pt);

/* Who answers. */
struct answer_local {
	uint64_t id, version; /* of o= */
	const char *ufrag, *pwd;
	const char *fingerprint; /* sha-256, "AB:CD:…" */
	struct bytes candidates; /* whole lines "a=candidate:…\r\n" */
	const char *name;        /* the CNAME, and the MediaStream's */
};

void answer_write(const struct sdp *offer, const struct answer *answer,
		  const struct answer_local *local, struct writer *w);
