/* offer: what we say to a server whose room is to be carried on here: so many audios and videos that we
 * receive, each in every codec that is carried (RFC 8829 5.2, draft-ietf-wish-whep-03 4.2). Its answer is read
 * by sdp_parse and judged by answer_choose(ANSWER_CALLER).
 *
 * Sans-I/O, no allocation. Thread: any. */
#pragma once

#include "sfu/proto/answer.h"

#define OFFER_MEDIA_MAX 12u
#define OFFER_MAX       49152u /* bytes, with so many media and sixteen candidates */

/* Audios first. At most OFFER_MEDIA_MAX in all. */
void offer_write(const struct answer_local *local, unsigned audios, unsigned videos,
		 struct writer *w);

/* An answer's first candidate that can be called over UDP at an address of that kind, and of whose
 * address we know; false: it has none. */
bool offer_candidate(struct bytes answer, bool v4_only, struct sdp_candidate *out);
