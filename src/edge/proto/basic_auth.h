/* basic_auth: takes the credentials out of an Authorization header (RFC 7617, RFC 6750).
 *
 *     "Basic c291cmNlOmhhY2ttZQ==" → user "source", password "hackme"
 *
 * It checks nobody: who may do what is the caller's. Both parts point into the caller's buffer,
 * which he wipes when done. The bytes are as the client sent them, UTF-8 or whatever (RFC 7617
 * section 2 leaves it open). Pure: any thread, no allocation, no I/O. */
#pragma once

#include "core/bytes.h"
#include "core/writer.h"

enum basic_auth_status {
	BASIC_AUTH_OK,
	BASIC_AUTH_OTHER, /* another scheme, or no header */
	BASIC_AUTH_BAD,   /* Basic, but not base64 of "user:password", or too long for the buffer */
};

struct basic_auth {
	struct bytes user;     /* without a colon; may be empty */
	struct bytes password; /* may hold colons; may be empty */
};

enum basic_auth_status basic_auth_parse(struct bytes value, struct writer *w,
					struct basic_auth *out);

/* The token of "Bearer token" (RFC 6750 2.1), pointing into value; false when it is not that. */
bool basic_auth_parse_bearer(struct bytes value, struct bytes *token);
