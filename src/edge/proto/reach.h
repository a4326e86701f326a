/* reach: is this address one of the world's, or of a network that only insiders can call?
 *
 * What an administrator's browser, a stranger's redirect or a name that changes its address gives
 * the server to call must not be a way into the machines around it: loopback, private and shared
 * networks, link-local ones (the metadata services of clouds), multicast and all that is reserved.
 * IPv4 addresses inside IPv6 ones (mapped, NAT64, 6to4) count as what they are inside. Pure. */
#pragma once

#include "edge/proto/address.h"

bool reach_is_internal(const struct address *address);
