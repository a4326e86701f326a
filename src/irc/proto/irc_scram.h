/* irc_scram: the server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677): who logs in shows that he knows the
 * password, and we that we knew it, without it going over the wire.
 *
 *   client-first ─▶ irc_scram_user: whose key ─▶ irc_scram_challenge ─▶ server-first
 *   client-final ─▶ irc_scram_prove ─▶ server-final, or it was another password
 *
 * The key is made from the password once, and does not hold it. Without channel binding: TLS is not ours
 * to ask here. Hashes and nonce are handed in, so it is pure. */
#pragma once

#include "irc/proto/irc_sasl.h"

#define IRC_SCRAM_SALT       16u
#define IRC_SCRAM_ITERATIONS 15000u /* RFC 7677 section 4 */

struct irc_scram_key {
	uint8_t salt[IRC_SCRAM_SALT];
	uint32_t iterations;
	uint8_t stored[IRC_SASL_HASH], server[IRC_SASL_HASH];
};

struct irc_scram {
	const struct irc_sasl_crypto *crypto;
	struct irc_scram_key key;
	char nonce[160];   /* the client's and ours */
	char header[4];    /* "n,," or "y,,", in base64 */
	uint8_t said[900]; /* client-first-bare "," server-first */
	size_t said_len;
};

/* The key of a password. False: the hash says no. */
bool irc_scram_key_make(struct irc_scram_key *key, const struct irc_sasl_crypto *crypto,
			struct bytes password, const uint8_t salt[IRC_SCRAM_SALT],
			unsigned iterations);

/* The name in client-first. False: it is none, or wants what is not spoken here. */
bool irc_scram_user(struct bytes client_first, struct writer *user);

/* nonce: printable, no comma. False: as above, or too long. */
bool irc_scram_challenge(struct irc_scram *scram, const struct irc_sasl_crypto *crypto,
			 const struct irc_scram_key *key, struct bytes client_first,
			 const char *nonce, struct writer *out);

/* False: the proof is wrong, or it is none. */
bool irc_scram_prove(const struct irc_scram *scram, struct bytes client_final, struct writer *out);
