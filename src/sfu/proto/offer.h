/* offer: what we say to a server whose room is to be carried on here: one audio and one video that we
 * receive, in every codec that is carried (RFC 8829 5.2, draft-ietf-wish-whep-03 4.2). Its answer is read
 * by sdp_parse and judged by answer_choose(ANSWER_CALLER).
 *
 * Sans-I/O, no allocation. Thread: any. */
#pragma once

#include "sfu/proto/answer.h"

#define OFFER_MAX 8192u /* bytes, with sixteen candidates */

void offer_write(const struct answer_local *local, struct writer *w);

/* An answer's first candidate that can be called over UDP at an address of that kind, and of whose
 * address we know; false: it has none. */
bool offer_candidate(struct bytes answer, bool v4_only, struct sdp_candidate *out);
