/* ice: the lite half of RFC 8445 for one session: answers checks, and says what they mean; and what
 * the other half sends, for who calls another server.
 *
 *   peer ── Binding request ──▶ ice_answer ──▶ Binding answer ──▶ peer
 *                                   └──▶ check: authentic? nominated?
 *
 * A lite agent sends no checks: it answers those of its peer, who controls, and uses the pair that
 * the peer nominates (RFC 8445 7.3, 8.2). Whether a peer is still there it knows by its checks, which
 * go on for ever (RFC 7675). Keys live as long as the session; a restart makes new ones, and those of
 * before stay valid until the first check with the new ones.
 *
 * Sans-I/O, no allocation. Thread: any. */
#pragma once

#include "sfu/proto/stun.h"

#define ICE_UFRAG_MAX 256u /* RFC 8839 5.4 */
#define ICE_PWD_MAX   256u
#define ICE_UFRAG     12u /* characters of ours */
#define ICE_PWD       24u

/* The names of one session, both sides'. */
struct ice_names {
	char ufrag[ICE_UFRAG + 1]; /* ours */
	char pwd[ICE_PWD + 1];
	char peer_ufrag[ICE_UFRAG_MAX + 1];
	char peer_pwd[ICE_PWD_MAX + 1]; /* for who sends checks */
};

/* What a request was. */
struct ice_check {
	bool authentic; /* it was the peer, and the address is its */
	bool nominated;
	uint32_t priority;
};

/* The user name of a request up to the colon, which names the session it is for; empty when it has
 * none. */
struct bytes ice_ufrag_of(const struct stun *request);

/* Answers a Binding request into w; nothing is written where none is due. names NULL: nobody here has
 * this name. */
void ice_answer(const struct ice_names *names, const struct stun *request,
		const struct address *from, stun_hmac *hmac, struct writer *w,
		struct ice_check *check);

/* --- the controlling side ------------------------------------------------------------------- */

void ice_write_check(const struct ice_names *names, struct bytes id, uint32_t priority,
		     uint64_t tie_breaker, bool nominate, stun_hmac *hmac, struct writer *w);

/* Whether this is the peer's good answer to the check with that id. */
bool ice_is_answer(const struct ice_names *names, const struct stun *answer, struct bytes id,
		   stun_hmac *hmac);
