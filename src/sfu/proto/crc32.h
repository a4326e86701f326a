/* crc32: the checksum of ITU-T V.42, least significant bit first, which STUN's fingerprint is made
 * with. Pure. */
#pragma once

#include "core/bytes.h"

uint32_t crc32_of(struct bytes in);
