/* tls_crypto: keys and AEADs of TLS records, on OpenSSL's EVP; the only file that computes.
 *
 *   traffic secret ──▶ key, iv ──▶ sealer / opener ──▶ one record at a time
 *        └──▶ the next secret (key update)
 *
 * A context (EVP_CIPHER_CTX) holds the expanded key and is used for all records of one direction; it
 * is made again from the key where it is missing. Any thread, one at a time a context. */
#pragma once

#include <openssl/types.h>

#include "core/check.h"
#include "edge/proto/tls_record.h"

#define TLS_SECRET_MAX 48u
#define TLS_KEY_MAX    32u

enum tls_suite {
	TLS_SUITE_AES_128_GCM,
	TLS_SUITE_AES_256_GCM,
	TLS_SUITE_CHACHA20_POLY1305,
};

/* Of one direction. */
struct tls_keys {
	uint8_t secret[TLS_SECRET_MAX]; /* of 1.3 */
	uint8_t key[TLS_KEY_MAX];
	uint8_t iv[TLS_IV_LEN];
};

/* Fetches the algorithms, once, before there are threads. False: this OpenSSL lacks one. */
MUST_CHECK bool tls_crypto_init(void);
void tls_crypto_fini(void);

/* Makes key and iv of keys->secret: RFC 8446 section 7.3. False: no memory. */
MUST_CHECK bool tls_keys_of_secret(enum tls_suite suite, struct tls_keys *keys);

/* Makes the next secret, and its keys: RFC 8446 section 7.2. */
MUST_CHECK bool tls_keys_next(enum tls_suite suite, struct tls_keys *keys);

/* What TLS 1.2 expands into keys: RFC 5246 section 6.3. */
struct tls_master {
	struct bytes secret;
	uint8_t client_random[32], server_random[32];
	bool sha384;
};

MUST_CHECK bool tls_keys_of_master(enum tls_suite suite, const struct tls_master *master,
				   struct tls_keys *client, struct tls_keys *server);

/* NULL: no memory. */
EVP_CIPHER_CTX *tls_cipher_create(enum tls_suite suite, const uint8_t *key, bool seals);
void tls_cipher_destroy(EVP_CIPHER_CTX **cipher);

/* Seals the pieces, one behind the other, and the last byte if there is one, to out; the tag behind
 * it. False: OpenSSL failed, and nothing of it may be sent. */
MUST_CHECK bool tls_seal(EVP_CIPHER_CTX *cipher, const uint8_t nonce[TLS_IV_LEN], struct bytes aad,
			 const struct bytes *pieces, size_t count, const uint8_t *last,
			 uint8_t *out);

/* Opens sealed (with its tag) to out, which may be where it lies. False: it was not sealed so. */
MUST_CHECK bool tls_open(EVP_CIPHER_CTX *cipher, const uint8_t nonce[TLS_IV_LEN], struct bytes aad,
			 struct bytes sealed, uint8_t *out);

/* Overwrites what must not stay in memory. */
void tls_wipe(void *at, size_t len);
