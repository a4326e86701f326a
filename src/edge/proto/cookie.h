/* cookie: one value out of a Cookie header (RFC 6265 section 4.2.1).
 *
 *     "a=1; ringmain_session=77ab" → "77ab"
 *
 * The value points into the header. Pure: any thread, no allocation, no I/O. */
#pragma once

#include "core/bytes.h"

/* The first cookie of that name, its quotes taken off; false when there is none. Names are compared
 * byte by byte: they have a case. */
bool cookie_find(struct bytes header, struct bytes name, struct bytes *value);
