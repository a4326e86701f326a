/* sign: lets whoever gets a request of ours know that it is of ours, and when it was made.
 *
 *     X-Ringmain-Timestamp: 1795232221
 *     X-Ringmain-Signature: sha256=hex(HMAC-SHA256(secret, "1795232221." + body))      (RFC 2104)
 *
 * The receiver makes the same over the bytes it got and refuses what is older than some minutes. Any
 * thread. */
#pragma once

#include "core/bytes.h"

#define SIGN_LINE_MAX 128u

struct signature {
	char timestamp[SIGN_LINE_MAX]; /* both are whole header lines */
	char signature[SIGN_LINE_MAX];
};

/* seconds: since 1970. */
void sign_body(struct signature *out, const char *secret, struct bytes body, int64_t seconds);
