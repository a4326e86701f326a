#include "edge/tls_crypto.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

static const struct suite {
	const char *name;
	size_t key_len;
	size_t secret_len; /* of the hash of 1.3 */
} suites[] = {
	[TLS_SUITE_AES_128_GCM] = {"AES-128-GCM", 16, 32},
	[TLS_SUITE_AES_256_GCM] = {"AES-256-GCM", 32, 48},
	[TLS_SUITE_CHACHA20_POLY1305] = {"ChaCha20-Poly1305", 32, 32},
};

/* Fetching is a search under a lock: done once. */
static EVP_CIPHER *ciphers[COUNT_OF(suites)];

bool tls_crypto_init(void)
{
	for (size_t i = 0; i < COUNT_OF(suites); i++) {
		ciphers[i] = EVP_CIPHER_fetch(NULL, suites[i].name, NULL);
		if (!ciphers[i]) {
			tls_crypto_fini();
			return false;
		}
	}
	return true;
}

void tls_crypto_fini(void)
{
	for (size_t i = 0; i < COUNT_OF(suites); i++) {
		EVP_CIPHER_free(ciphers[i]);
		ciphers[i] = NULL;
	}
}

void tls_wipe(void *at, size_t len)
{
	OPENSSL_cleanse(at, len);
}

/* --- keys ----------------------------------------------------------------------------------- */

/* HKDF-Expand-Label of RFC 8446 section 7.1, for no more than the hash is long: one round. */
static bool expand_label(enum tls_suite suite, const uint8_t *secret, const char *label,
			 uint8_t *out, size_t len)
{
	const EVP_MD *hash = suites[suite].secret_len == 48 ? EVP_sha384() : EVP_sha256();
	uint8_t info[TLS_LABEL_MAX + 1], block[EVP_MAX_MD_SIZE];
	size_t info_len = tls_label_write(label, len, info);
	bool made;

	info[info_len++] = 1;
	made = HMAC(hash, secret, (int)suites[suite].secret_len, info, info_len, block, NULL) !=
	       NULL;
	if (made)
		memcpy(out, block, len);
	tls_wipe(block, sizeof block);
	return made;
}

bool tls_keys_of_secret(enum tls_suite suite, struct tls_keys *keys)
{
	return expand_label(suite, keys->secret, "key", keys->key, suites[suite].key_len) &&
	       expand_label(suite, keys->secret, "iv", keys->iv, sizeof keys->iv);
}

bool tls_keys_next(enum tls_suite suite, struct tls_keys *keys)
{
	uint8_t next[TLS_SECRET_MAX];
	bool made =
		expand_label(suite, keys->secret, "traffic upd", next, suites[suite].secret_len);

	if (made)
		memcpy(keys->secret, next, suites[suite].secret_len);
	tls_wipe(next, sizeof next);
	return made && tls_keys_of_secret(suite, keys);
}

static bool prf(const struct tls_master *master, uint8_t *out, size_t len)
{
	char label[] = "key expansion";
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
	EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	char sha256[] = "SHA256", sha384[] = "SHA384";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
						 master->sha384 ? sha384 : sha256, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET,
						  (void *)(uintptr_t)master->secret.at,
						  master->secret.len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, label, sizeof label - 1),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED,
						  (void *)(uintptr_t)master->server_random, 32),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED,
						  (void *)(uintptr_t)master->client_random, 32),
		OSSL_PARAM_construct_end(),
	};
	bool made = ctx && EVP_KDF_derive(ctx, out, len, params) == 1;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return made;
}

bool tls_keys_of_master(enum tls_suite suite, const struct tls_master *master,
			struct tls_keys *client, struct tls_keys *server)
{
	size_t key_len = suites[suite].key_len;
	/* RFC 5288 section 3: 4 bytes of salt. RFC 7905 section 2: all 12. */
	size_t iv_len = suite == TLS_SUITE_CHACHA20_POLY1305 ? TLS_IV_LEN : 4;
	uint8_t block[2 * (TLS_KEY_MAX + TLS_IV_LEN)];
	bool made = prf(master, block, 2 * (key_len + iv_len));

	if (made) {
		memcpy(client->key, block, key_len);
		memcpy(server->key, block + key_len, key_len);
		memcpy(client->iv, block + 2 * key_len, iv_len);
		memcpy(server->iv, block + 2 * key_len + iv_len, iv_len);
	}
	tls_wipe(block, sizeof block);
	return made;
}

/* --- records -------------------------------------------------------------------------------- */

EVP_CIPHER_CTX *tls_cipher_create(enum tls_suite suite, const uint8_t *key, bool seals)
{
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();

	if (cipher && EVP_CipherInit_ex2(cipher, ciphers[suite], key, NULL, seals, NULL) != 1)
		tls_cipher_destroy(&cipher);
	return cipher;
}

void tls_cipher_destroy(EVP_CIPHER_CTX **cipher)
{
	EVP_CIPHER_CTX_free(*cipher);
	*cipher = NULL;
}

bool tls_seal(EVP_CIPHER_CTX *cipher, const uint8_t nonce[TLS_IV_LEN], struct bytes aad,
	      const struct bytes *pieces, size_t count, const uint8_t *last, uint8_t *out)
{
	int n;

	if (EVP_EncryptInit_ex2(cipher, NULL, NULL, nonce, NULL) != 1 ||
	    EVP_EncryptUpdate(cipher, NULL, &n, aad.at, (int)aad.len) != 1)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (pieces[i].len == 0)
			continue;
		if (EVP_EncryptUpdate(cipher, out, &n, pieces[i].at, (int)pieces[i].len) != 1)
			return false;
		out += n;
	}
	if (last) {
		if (EVP_EncryptUpdate(cipher, out, &n, last, 1) != 1)
			return false;
		out += n;
	}
	return EVP_EncryptFinal_ex(cipher, out, &n) == 1 &&
	       EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TLS_TAG_LEN, out) == 1;
}

bool tls_open(EVP_CIPHER_CTX *cipher, const uint8_t nonce[TLS_IV_LEN], struct bytes aad,
	      struct bytes sealed, uint8_t *out)
{
	size_t len = sealed.len - TLS_TAG_LEN;
	void *tag = (void *)(uintptr_t)(sealed.at + len);
	uint8_t none[TLS_TAG_LEN];
	int n;

	return EVP_DecryptInit_ex2(cipher, NULL, NULL, nonce, NULL) == 1 &&
	       EVP_DecryptUpdate(cipher, NULL, &n, aad.at, (int)aad.len) == 1 &&
	       (len == 0 || EVP_DecryptUpdate(cipher, out, &n, sealed.at, (int)len) == 1) &&
	       EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, TLS_TAG_LEN, tag) == 1 &&
	       EVP_DecryptFinal_ex(cipher, none, &n) == 1;
}
