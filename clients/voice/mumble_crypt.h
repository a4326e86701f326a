/* mumble_crypt: the encryption of one client's datagrams, from the client's side.
 *
 *     0            1             4
 *     +------------+-------------+--------- … -+
 *     | nonce's    | first bytes | OCB2 of     |
 *     | low byte   | of the tag  | the packet  |
 *     +------------+-------------+--------- … -+
 *
 * Each side counts its own 128-bit nonce up with every datagram and sends the lowest byte of it. What comes up
 * to WINDOW late is taken once; a jump ahead of up to 127 is loss. Where more is lost nothing opens any more,
 * until the server has said where it is. Written apart from the server's, so that each tries the other.
 *
 * Source: Mumble's docs/dev/network-protocol/establishing_connection.md and what its programs send. */
#pragma once

#include <openssl/evp.h>

#include "core/mono.h"
#include "voice/proto/ocb2.h"
#include "voice/proto/voice_packet.h"

#define MUMBLE_CRYPT_HEAD   4u
#define MUMBLE_CRYPT_WINDOW 29u

struct mumble_crypt {
	EVP_CIPHER_CTX *encrypt, *decrypt;
	uint8_t out[OCB2_BLOCK], in[OCB2_BLOCK]; /* nonces: ours, the server's */
	bool seen[256];                          /* low bytes of late ones that were taken */
	uint32_t good, late, lost, resyncs;
	uint32_t stale, repeated,
		forged;       /* not taken: beyond WINDOW, there before, none of the server's */
	mono_t opened, asked; /* the last good one; the last question where the server is */
	bool ready;
};

/* From CryptSetup: 16 bytes each. False: OpenSSL refused. */
bool mumble_crypt_start(struct mumble_crypt *crypt, struct bytes key, struct bytes client_nonce,
			struct bytes server_nonce);
/* From a later CryptSetup that has only the server's. */
void mumble_crypt_resync(struct mumble_crypt *crypt, struct bytes server_nonce);
void mumble_crypt_fini(struct mumble_crypt *crypt);

/* Encrypts plain (at most VOICE_PACKET_MAX bytes) to out, which has MUMBLE_CRYPT_HEAD more. */
void mumble_crypt_seal(struct mumble_crypt *crypt, struct bytes plain, uint8_t *out);

/* Decrypts to out, which has as many bytes; the packet, or none (len 0) when it is not taken. */
struct bytes mumble_crypt_open(struct mumble_crypt *crypt, struct bytes sealed, uint8_t *out,
			       mono_t now);

/* After one that was not taken: whether to ask now for the server's nonce, as Mumble does: when none was good
 * for five seconds, and each five seconds. */
bool mumble_crypt_asks(struct mumble_crypt *crypt, mono_t now);
