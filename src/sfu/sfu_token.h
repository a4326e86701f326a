/* sfu_token: whether a bearer token lets somebody publish to or watch a room: JSON web tokens signed with
 * HS256 (RFC 7519, RFC 7515), and passwords of TURN servers made the same way.
 *
 *   {"room": "studio" or "*", "publish": true, "watch": true, "exp": 1700000000, "nbf": …}
 *
 * A token without "exp" is good for ever, one without "room" for none. Only HS256 is taken, whatever a
 * token says of itself. Thread: any. */
#pragma once

#include "core/bytes.h"
#include "core/writer.h"

enum token_status {
	TOKEN_GOOD,
	TOKEN_NONE,   /* it is no JSON web token */
	TOKEN_FORGED, /* not signed with this secret */
	TOKEN_OLD,    /* or not good yet */
	TOKEN_OTHER,  /* it is for another room, or for other doings */
};

enum token_status token_check(struct bytes token, struct bytes secret, struct bytes room,
			      bool publishes, int64_t now_s);

/* coturn's "use-auth-secret": the user name is when it ends, the password an HMAC-SHA1 of that. */
void token_write_turn_user(struct writer *w, int64_t until_s);
void token_write_turn_password(struct writer *w, struct bytes user, struct bytes secret);
