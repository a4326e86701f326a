/* crypt_state: datagrams under a key: which number each has, which may still come, what was lost.
 *
 *     0        1         4
 *     +--------+---------+---------------- … -+
 *     | number | tag, 3  | sealed packet      |     number: the lowest byte of the nonce
 *     +--------+---------+---------------- … -+
 *
 * Each direction has a nonce that counts up by one with each datagram, as a number of 128 bits whose
 * lowest byte comes first. The receiver finds the rest of it from the byte: up to 128 ahead of the
 * highest that it has seen, or less than 30 behind. One that was there already is refused, whatever
 * its tag. Only what fits its tag moves anything.
 *
 *     crypt_seal(n-th of a direction) ──▶ datagram ──▶ crypt_open(what came so far)
 *
 * Sealing has no state but the count, which the caller keeps: whoever draws a number from it may
 * seal, on any thread. Opening is one thread's.
 *
 * Sources: Mumble's docs/dev/network-protocol, and what Mumble 1.2 to 1.5 do on the wire.
 * Pure: no allocation. When to ask for another nonce is the HUB's business. */
#pragma once

#include "voice/proto/ocb2.h"

#define CRYPT_HEAD     4u
#define CRYPT_MAX      (CRYPT_HEAD + OCB2_PLAIN_MAX) /* bytes of the longest datagram */
#define CRYPT_LATE_MAX 29                            /* so far behind the highest at most */

struct crypt_nonce {
	uint64_t low, high;
};

struct crypt_nonce crypt_nonce_read(const uint8_t at[OCB2_BLOCK]);
void crypt_nonce_write(struct crypt_nonce nonce, uint8_t at[OCB2_BLOCK]);
struct crypt_nonce crypt_nonce_add(struct crypt_nonce nonce, uint64_t n);

/* A key, and what does the work with it. */
struct crypt_key {
	const struct block_cipher *cipher;
	const void *key;
};

/* The datagram of this nonce into out, which has CRYPT_HEAD + plain.len bytes (plain at most
 * OCB2_PLAIN_MAX). Returns its length. */
size_t crypt_seal(struct crypt_key key, struct crypt_nonce nonce, struct bytes plain, uint8_t *out);

/* What came from a peer. */
struct crypt_in {
	struct crypt_nonce highest; /* of all that were good; at first the one before the first */
	uint64_t seen;              /* bit n: highest - n was good */
	uint32_t good, late, lost;  /* late ones are no longer lost */
};

/* As after the peer has said that its last nonce was this one. The counts go on. */
void crypt_in_start(struct crypt_in *in, struct crypt_nonce last);

enum crypt_status {
	CRYPT_GOOD,
	CRYPT_BAD_SIZE, /* no datagram of this kind */
	CRYPT_REPLAYED, /* has been here */
	CRYPT_STALE,    /* too far behind to know */
	CRYPT_FORGED, /* the tag is not right: another key, another nonce, or somebody's attempt */
};

/* Decrypts into out (datagram.len - CRYPT_HEAD bytes). Only CRYPT_GOOD changes *in. */
enum crypt_status crypt_open(struct crypt_in *in, struct crypt_key key, struct bytes datagram,
			     uint8_t *out);

/* Whether a datagram that begins with this byte could be the next from there, without decrypting it:
 * within so many of the highest, ahead or behind, and not there before. */
bool crypt_may_be(const struct crypt_in *in, uint8_t number, unsigned within);
