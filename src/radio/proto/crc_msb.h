/* crc_msb: the CRC-32 that shifts its most significant bit out first, polynomial 0x04C11DB7.
 *
 * Ogg pages start it at 0 (RFC 3533 section 6); tables of a transport stream at 0xFFFFFFFF, and come
 * out as 0 when their own CRC field is included (ISO 13818-1 annex A). Nothing is inverted at the
 * end. It is not the CRC of zip and Ethernet, which shifts the other way. Pure. */
#pragma once

#include "core/bytes.h"

/* The register after in. Runs may be cut anywhere. */
uint32_t crc_msb_update(uint32_t crc, struct bytes in);
