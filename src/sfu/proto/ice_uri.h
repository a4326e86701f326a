/* ice_uri: whether a text names a STUN or TURN server as browsers take it (RFC 7064 3.1, RFC 7065 3.1).
 *
 *   stun:HOST[:PORT]  stuns:HOST[:PORT]  turn:HOST[:PORT][?transport=udp]  turns:HOST[:PORT][?transport=tcp]
 *
 * Pure; nothing is resolved. A transport is one that there is: of ext-transport there is none. */
#pragma once

#include "core/bytes.h"

bool ice_uri_is_good(struct bytes uri);
