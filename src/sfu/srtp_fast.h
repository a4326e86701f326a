/* srtp_fast: AES-128-GCM for SRTP by Intel's multi-buffer library, where that is there: a third of what a packet
 * costs through OpenSSL, as it is one call, without a context to set up.
 *
 *   fast_open ─▶ libIPSec_MB.so.1 there, and a processor for it? ─▶ fast_key ─▶ fast_seal
 *
 * It is looked for at the start of a server that was built with its header (libipsec-mb-dev); without it
 * srtp.c seals with OpenSSL, and the packets are the same. Thread: fast_open before others; then any. */
#pragma once

#include "core/bytes.h"

#define FAST_TAG 16u

struct fast_key;

/* Whether it can be used from now on, by so many threads side by side: more than that wait for each other. */
bool fast_open(unsigned workers);
/* No more, for keys that are made later. */
void fast_close(void);
bool fast_is_open(void);

/* NULL: no memory, or it is not open. 0.8 kB. */
struct fast_key *fast_key_create(const uint8_t key[16]);
void fast_key_destroy(struct fast_key *key);

/* Brings near what the next needs (core/cache.h). */
void fast_fetch(const struct fast_key *key);

/* in, sealed, and behind it the tag. */
void fast_seal(const struct fast_key *key, const uint8_t iv[12], struct bytes aad, struct bytes in,
	       uint8_t *out);

/* The same with a key that is not kept: for what is rare, at three times the price of a short one. Only where
 * it is open. */
void fast_seal_once(const uint8_t key[16], const uint8_t iv[12], struct bytes aad, struct bytes in,
		    uint8_t *out);

/* And back: in has the tag behind it. False: it was not made with this key; out holds nothing of use. */
bool fast_unseal_once(const uint8_t key[16], const uint8_t iv[12], struct bytes aad,
		      struct bytes in, uint8_t *out);
