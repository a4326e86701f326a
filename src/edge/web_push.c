#include "edge/web_push.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORD 4096u
#define TAG    16u

static EVP_PKEY *our_key;
static char our_public[WEB_PUSH_PUBLIC_SIZE];

/* --- keys ----------------------------------------------------------------------------------- */

static bool point_of(EVP_PKEY *key, uint8_t out[WEB_PUSH_KEY_SIZE])
{
	size_t len;

	return EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, out, WEB_PUSH_KEY_SIZE,
					       &len) == 1 &&
	       len == WEB_PUSH_KEY_SIZE;
}

/* Of the point, and with its scalar (or NULL). */
static EVP_PKEY *key_of(const uint8_t point[WEB_PUSH_KEY_SIZE], const BIGNUM *scalar)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;

	if (context && builder &&
	    OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) &&
	    OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point,
					     WEB_PUSH_KEY_SIZE) &&
	    (!scalar || OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, scalar)))
		params = OSSL_PARAM_BLD_to_param(builder);
	if (params &&
	    (EVP_PKEY_fromdata_init(context) != 1 ||
	     EVP_PKEY_fromdata(context, &key, scalar ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
			       params) != 1))
		key = NULL;
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(builder);
	EVP_PKEY_CTX_free(context);
	return key;
}

static EVP_PKEY *key_of_scalar(const uint8_t bytes[32])
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	EC_POINT *point = group ? EC_POINT_new(group) : NULL;
	BIGNUM *scalar = BN_bin2bn(bytes, 32, NULL);
	uint8_t text[WEB_PUSH_KEY_SIZE];
	EVP_PKEY *key = NULL;

	if (point && scalar && EC_POINT_mul(group, point, scalar, NULL, NULL, NULL) == 1 &&
	    EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, text, sizeof text,
			       NULL) == sizeof text)
		key = key_of(text, scalar);
	BN_clear_free(scalar);
	EC_POINT_free(point);
	EC_GROUP_free(group);
	return key;
}

static bool write_key(const char *file)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	FILE *out = fd == -1 ? NULL : fdopen(fd, "w");
	bool good = key && out && PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1;

	if (out)
		good &= fclose(out) == 0;
	EVP_PKEY_free(key);
	return good;
}

static EVP_PKEY *read_key(const char *file)
{
	FILE *in = fopen(file, "re");
	EVP_PKEY *key = in ? PEM_read_PrivateKey(in, NULL, NULL, NULL) : NULL;

	if (in)
		fclose(in);
	if (in && !key)
		errno = EINVAL;
	return key;
}

bool web_push_init(const char *directory)
{
	uint8_t point[WEB_PUSH_KEY_SIZE];
	char file[4200];

	if (our_key)
		return true;
	snprintf(file, sizeof file, "%s/web_push.pem", directory);
	our_key = read_key(file);
	if (!our_key && errno == ENOENT && write_key(file))
		our_key = read_key(file);
	if (!our_key)
		return false;
	if (!point_of(our_key, point)) {
		web_push_fini();
		errno = EINVAL;
		return false;
	}
	sodium_bin2base64(our_public, sizeof our_public, point, sizeof point,
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	return true;
}

void web_push_fini(void)
{
	EVP_PKEY_free(our_key);
	our_key = NULL;
	our_public[0] = '\0';
}

const char *web_push_public(void)
{
	return our_public;
}

static bool decode(uint8_t *out, size_t size, struct bytes text)
{
	size_t len;

	/* Some pad it all the same. */
	while (text.len && text.at[text.len - 1] == '=')
		text.len--;
	return sodium_base642bin(out, size, (const char *)text.at, text.len, NULL, &len, NULL,
				 sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
	       len == size;
}

bool web_push_receiver_of(struct web_push_receiver *receiver, struct bytes p256dh,
			  struct bytes auth)
{
	EVP_PKEY *key;

	if (!decode(receiver->key, sizeof receiver->key, p256dh) ||
	    !decode(receiver->secret, sizeof receiver->secret, auth))
		return false;
	key = key_of(receiver->key, NULL);
	EVP_PKEY_free(key);
	return key != NULL;
}

/* --- sealing -------------------------------------------------------------------------------- */

/* HKDF with SHA-256 (RFC 5869). */
static bool hkdf(struct bytes salt, struct bytes secret, struct bytes info, uint8_t *out,
		 size_t len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret.at,
						  secret.len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt.at,
						  salt.len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info.at,
						  info.len),
		OSSL_PARAM_construct_end(),
	};
	bool good = context && EVP_KDF_derive(context, out, len, params) == 1;

	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
	return good;
}

static bool agree(EVP_PKEY *ours, EVP_PKEY *theirs, uint8_t out[32])
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(ours, NULL);
	size_t len = 32;
	bool good = context && EVP_PKEY_derive_init(context) == 1 &&
		    EVP_PKEY_derive_set_peer(context, theirs) == 1 &&
		    EVP_PKEY_derive(context, out, &len) == 1 && len == 32;

	EVP_PKEY_CTX_free(context);
	return good;
}

static bool encrypt(const uint8_t key[16], const uint8_t nonce[12], struct bytes text,
		    struct writer *out)
{
	static const uint8_t last = 2; /* RFC 8188 section 2: of the last record */
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t sealed[WEB_PUSH_TEXT_MAX + 1], tag[TAG];
	int a = 0, b = 0, c = 0;
	bool good = context &&
		    EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), NULL, key, nonce) == 1 &&
		    EVP_EncryptUpdate(context, sealed, &a, text.at, (int)text.len) == 1 &&
		    EVP_EncryptUpdate(context, sealed + a, &b, &last, 1) == 1 &&
		    EVP_EncryptFinal_ex(context, sealed + a + b, &c) == 1 &&
		    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG, tag) == 1;

	if (good) {
		writer_put(out, bytes_of(sealed, (size_t)a + (size_t)b + (size_t)c));
		writer_put(out, bytes_of(tag, TAG));
	}
	EVP_CIPHER_CTX_free(context);
	return good && writer_ok(out);
}

/* RFC 8291 section 3.4. */
static bool seal(const struct web_push_receiver *receiver, struct bytes text, EVP_PKEY *ours,
		 const uint8_t salt[16], struct writer *out)
{
	EVP_PKEY *theirs = key_of(receiver->key, NULL);
	uint8_t point[WEB_PUSH_KEY_SIZE], shared[32], secret[32], key[16], nonce[12], info[160];
	struct writer w = writer_of(info, sizeof info);
	struct bytes whole_salt = bytes_of(salt, 16);
	bool good = theirs && text.len <= WEB_PUSH_TEXT_MAX && agree(ours, theirs, shared) &&
		    point_of(ours, point);

	writer_put(&w, bytes_of("WebPush: info", sizeof "WebPush: info"));
	writer_put(&w, bytes_of(receiver->key, WEB_PUSH_KEY_SIZE));
	writer_put(&w, bytes_of(point, WEB_PUSH_KEY_SIZE));
	good = good &&
	       hkdf(bytes_of(receiver->secret, WEB_PUSH_SECRET_SIZE), bytes_of(shared, 32),
		    writer_done(&w), secret, sizeof secret) &&
	       hkdf(whole_salt, bytes_of(secret, 32),
		    bytes_of("Content-Encoding: aes128gcm", sizeof "Content-Encoding: aes128gcm"),
		    key, sizeof key) &&
	       hkdf(whole_salt, bytes_of(secret, 32),
		    bytes_of("Content-Encoding: nonce", sizeof "Content-Encoding: nonce"), nonce,
		    sizeof nonce);
	if (good) {
		/* RFC 8188 section 2.1: salt, record size, id of the key. */
		writer_put(out, whole_salt);
		writer_be(out, RECORD, 4);
		writer_u8(out, WEB_PUSH_KEY_SIZE);
		writer_put(out, bytes_of(point, WEB_PUSH_KEY_SIZE));
		good = encrypt(key, nonce, text, out);
	}
	sodium_memzero(shared, sizeof shared);
	sodium_memzero(secret, sizeof secret);
	EVP_PKEY_free(theirs);
	return good;
}

bool web_push_seal_with(const struct web_push_receiver *receiver, struct bytes text,
			const uint8_t scalar[32], const uint8_t salt[16], struct writer *out)
{
	EVP_PKEY *ours = key_of_scalar(scalar);
	bool good = ours && seal(receiver, text, ours, salt, out);

	EVP_PKEY_free(ours);
	return good;
}

bool web_push_seal(const struct web_push_receiver *receiver, struct bytes text, struct writer *out)
{
	EVP_PKEY *ours = EVP_EC_gen("P-256");
	uint8_t salt[16];
	bool good =
		ours && RAND_bytes(salt, sizeof salt) == 1 && seal(receiver, text, ours, salt, out);

	EVP_PKEY_free(ours);
	return good;
}

/* --- who we are ----------------------------------------------------------------------------- */

static void put_base64(char *out, size_t size, const void *in, size_t len)
{
	size_t have = strlen(out);

	sodium_bin2base64(out + have, size - have, in, len,
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

/* ES256 (RFC 7518 section 3.4): r and s, 32 bytes each, of OpenSSL's DER. */
static bool es256(const char *text, uint8_t out[64])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t der[128];
	const uint8_t *at = der;
	size_t len = sizeof der;
	ECDSA_SIG *made = NULL;
	bool good = context &&
		    EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, our_key) == 1 &&
		    EVP_DigestSign(context, der, &len, (const uint8_t *)text, strlen(text)) == 1;

	if (good)
		made = d2i_ECDSA_SIG(NULL, &at, (long)len);
	good = made && BN_bn2binpad(ECDSA_SIG_get0_r(made), out, 32) == 32 &&
	       BN_bn2binpad(ECDSA_SIG_get0_s(made), out + 32, 32) == 32;
	ECDSA_SIG_free(made);
	EVP_MD_CTX_free(context);
	return good;
}

bool web_push_sign(const char *endpoint, const char *contact, int64_t until,
		   char out[WEB_PUSH_SIGNED_MAX])
{
	static const char header[] = "{\"typ\":\"JWT\",\"alg\":\"ES256\"}";
	const char *host = strstr(endpoint, "://");
	size_t origin = host ? (size_t)(host + 3 - endpoint) + strcspn(host + 3, "/?#") : 0;
	char token[700] = "", *claims;
	uint8_t signature[64];
	json_t *tree;

	if (!our_key || !origin || origin > 200)
		return false;
	tree = json_pack("{s:s%, s:I, s:s*}", "aud", endpoint, origin, "exp", (json_int_t)until,
			 "sub", contact[0] ? contact : NULL);
	claims = tree ? json_dumps(tree, JSON_COMPACT) : NULL;
	json_decref(tree);
	if (!claims || strlen(claims) > 400) {
		free(claims);
		return false;
	}
	put_base64(token, sizeof token, header, sizeof header - 1);
	strcat(token, "."); /* NOLINT(clang-analyzer-security.insecureAPI.strcpy): there is room */
	put_base64(token, sizeof token, claims, strlen(claims));
	free(claims);
	if (!es256(token, signature))
		return false;
	snprintf(out, WEB_PUSH_SIGNED_MAX, "Authorization: vapid t=%s.", token);
	put_base64(out, WEB_PUSH_SIGNED_MAX, signature, sizeof signature);
	snprintf(out + strlen(out), WEB_PUSH_SIGNED_MAX - strlen(out), ", k=%s", our_public);
	return true;
}
