/* base64: RFC 4648 section 4, strict in what it takes.
 *
 * Strict: padding must be there, the bits behind the last byte must be zero, and no byte may stand
 * outside the alphabet. So one text has one spelling, and two checks cannot see two passwords.
 * The buffers are the caller's; wiping secrets is his too. Pure. */
#pragma once

#include "core/bytes.h"
#include "core/writer.h"

/* Room that the encoding of n bytes takes. */
#define BASE64_SIZE(n) (((n) + 2) / 3 * 4)

/* False when in is no base64 or w has no room; then w is as it was. */
bool base64_decode(struct bytes in, struct writer *w);

void base64_encode(struct bytes in, struct writer *w);
