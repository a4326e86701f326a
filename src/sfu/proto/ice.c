#include "sfu/proto/ice.h"

struct bytes ice_ufrag_of(const struct stun *request)
{
	size_t colon = bytes_find(request->username, ':');

	return colon < request->username.len ? bytes_first(request->username, colon)
					     : (struct bytes){NULL, 0};
}

static void refuse(const struct stun *request, unsigned code, const char *reason, struct bytes key,
		   stun_hmac *hmac, struct writer *w)
{
	stun_begin(w, STUN_ERROR, STUN_BINDING, request->id);
	stun_put_error(w, code, reason);
	if (code == 420)
		stun_put_unknown(w, request);
	stun_end(w, key, hmac);
	/* Of who has shown no password nobody knows whether he is where he says: nothing goes there that is longer
	 * than what came. */
	if (!key.at && w->len > request->message.len)
		w->len = 0;
}

/* RFC 8445 7.3: "ours:theirs". Theirs is compared where it is known. */
static bool name_fits(const struct ice_names *names, const struct stun *request)
{
	struct bytes ours = ice_ufrag_of(request);
	struct bytes theirs = bytes_skip(request->username, ours.len + 1);

	return bytes_equal(ours, bytes_str(names->ufrag)) &&
	       (names->peer_ufrag[0] == '\0' || bytes_equal(theirs, bytes_str(names->peer_ufrag)));
}

void ice_answer(const struct ice_names *names, const struct stun *request,
		const struct address *from, stun_hmac *hmac, struct writer *w,
		struct ice_check *check)
{
	struct bytes none = {NULL, 0}, key;

	*check = (struct ice_check){0};
	if (request->class != STUN_REQUEST || request->method != STUN_BINDING)
		return;
	/* RFC 8489 9.1.3 */
	if (!request->username.at || !request->integrity.at) {
		refuse(request, 400, "Bad Request", none, hmac, w);
		return;
	}
	if (!names || !name_fits(names, request) ||
	    !stun_is_authentic(request, bytes_str(names->pwd), hmac)) {
		refuse(request, 401, "Unauthorized", none, hmac, w);
		return;
	}
	key = bytes_str(names->pwd);
	if (request->unknown_count) {
		refuse(request, 420, "Unknown Attribute", key, hmac, w);
		return;
	}
	/* RFC 8445 6.1.1: a lite agent is controlled, so its peer must not be. */
	if (request->controlled) {
		refuse(request, 487, "Role Conflict", key, hmac, w);
		return;
	}
	*check = (struct ice_check){
		.authentic = true,
		.nominated = request->use_candidate,
		.priority = request->priority,
	};
	stun_begin(w, STUN_SUCCESS, STUN_BINDING, request->id);
	stun_put_mapped(w, from, request->id);
	stun_end(w, key, hmac);
}

void ice_write_check(const struct ice_names *names, struct bytes id, uint32_t priority,
		     uint64_t tie_breaker, bool nominate, stun_hmac *hmac, struct writer *w)
{
	stun_begin(w, STUN_REQUEST, STUN_BINDING, id);
	stun_put_username(w, bytes_str(names->peer_ufrag), bytes_str(names->ufrag));
	stun_put_role(w, true, tie_breaker);
	if (nominate)
		stun_put_use_candidate(w);
	stun_put_priority(w, priority);
	stun_end(w, bytes_str(names->peer_pwd), hmac);
}

bool ice_is_answer(const struct ice_names *names, const struct stun *answer, struct bytes id,
		   stun_hmac *hmac)
{
	return answer->class == STUN_SUCCESS && answer->method == STUN_BINDING &&
	       bytes_equal(answer->id, id) &&
	       stun_is_authentic(answer, bytes_str(names->peer_pwd), hmac);
}
