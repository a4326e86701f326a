/* ocb2: OCB2, the mode that Mumble's voice is encrypted in, over any block cipher of 128 bits.
 *
 *     nonce ─E─▶ Δ      C[i] = E(M[i] ^ 2^i·Δ) ^ 2^i·Δ          all blocks but the last
 *                       pad  = E(length ^ 2^m·Δ)                the last one, 0 to 16 bytes
 *                       tag  = E(M[1] ^ … ^ (C[m] ‖ 0 ^ pad) ^ 3·2^m·Δ)
 *
 * Sources: P. Rogaway, "Efficient Instantiations of Tweakable Blockciphers" (2004), Figure 3, whose
 * vectors are in draft-krovetz-ocb-00; the attacks and what helps against them: Inoue, Iwata,
 * Minematsu and Poettering, "Cryptanalysis of OCB2" (eprint 2019/311), section 9.
 *
 * The attack needs a message whose last block but one is the length of a block, 15 zeroes and a
 * byte. Digital silence makes such ones. As Mumble does since 1.3.4, one bit of that block is then
 * turned before it is encrypted (the receiver sees it turned), and what looks like the forgery that
 * the attack makes is refused.
 *
 * All blocks of a packet go through the cipher in one call, so that one with a pipeline can fill
 * it. Pure: no allocation. Thread: any, one at a time for a key. Nonces and what may come when are
 * crypt_state's. */
#pragma once

#include "core/bytes.h"

#define OCB2_BLOCK     16u
#define OCB2_PLAIN_MAX 1020u /* more than this is never sealed: a datagram of Mumble's */

/* AES-128, somewhere else. blocks: count times 16 bytes, each changed on its own, in place. */
struct block_cipher {
	void (*encrypt)(const void *key, uint8_t *blocks, size_t count);
	void (*decrypt)(const void *key, uint8_t *blocks, size_t count);
};

/* Encrypts plain (at most OCB2_PLAIN_MAX bytes) to out, which has as many and may be plain itself.
 * Returns whether a bit had to be turned. */
bool ocb2_seal(const struct block_cipher *cipher, const void *key, const uint8_t nonce[OCB2_BLOCK],
	       struct bytes plain, uint8_t *out, uint8_t tag[OCB2_BLOCK]);

/* Decrypts sealed (at most OCB2_PLAIN_MAX bytes) to out, which may be sealed itself, and says what
 * the tag must be: nothing of out is to be trusted before the caller has compared it. False: this
 * is what a forgery looks like, whatever its tag. */
bool ocb2_open(const struct block_cipher *cipher, const void *key, const uint8_t nonce[OCB2_BLOCK],
	       struct bytes sealed, uint8_t *out, uint8_t tag[OCB2_BLOCK]);
