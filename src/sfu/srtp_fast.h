/* srtp_fast: AES-128-GCM for SRTP by Intel's multi-buffer library, where that is there: a third of what a packet
 * costs through OpenSSL, as it is one call, without a context to set up.
 *
 *   fast_open ─▶ libIPSec_MB.so.1 there, and a processor for it? ─▶ fast_key ─▶ fast_seal
 *
 * It is looked for at the start of a server that was built with its header (libipsec-mb-dev); without it
 * srtp.c seals with OpenSSL, and the packets are the same. Thread: fast_open before others; then any. */
#pragma once

#include "core/bytes.h"

struct fast_key;

/* Whether it can be used from now on. */
bool fast_open(void);
/* No more, for keys that are made later. */
void fast_close(void);
bool fast_is_open(void);

/* NULL: no memory, or it is not open. 0.8 kB. */
struct fast_key *fast_key_create(const uint8_t key[16]);
void fast_key_destroy(struct fast_key *key);

/* in, sealed, and behind it a tag of 16 bytes. */
void fast_seal(const struct fast_key *key, const uint8_t iv[12], struct bytes aad, struct bytes in,
	       uint8_t *out);
