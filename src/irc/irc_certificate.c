#include "irc/irc_certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/tls_self.h"

#define DAYS 36500 /* networks know it by its fingerprint: nobody looks at its end */

/* As PEM; NULL: it is none, or no memory. */
static char *pem_of(X509 *certificate, const EVP_PKEY *key)
{
	BIO *bio = certificate || key ? BIO_new(BIO_s_mem()) : NULL;
	char *data, *made = NULL;
	long len = 0;

	if (bio &&
	    (certificate ? PEM_write_bio_X509(bio, certificate)
			 : PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)) == 1)
		len = BIO_get_mem_data(bio, &data);
	if (len > 0 && (made = malloc((size_t)len + 1))) {
		memcpy(made, data, (size_t)len);
		made[len] = '\0';
	}
	BIO_free(bio);
	return made;
}

static EVP_PKEY *key_of(enum irc_key_type type, unsigned bits)
{
	switch (type) {
	case IRC_KEY_RSA: return EVP_RSA_gen(bits);
	case IRC_KEY_ECDSA: return EVP_EC_gen("P-521");
	case IRC_KEY_ED25519: return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	}
	return NULL;
}

bool irc_certificate_make(enum irc_key_type type, unsigned bits, char **certificate, char **key)
{
	static const char *const names[] = {"ringmain"};
	const struct conf_list list = {names, 1};
	EVP_PKEY *pair = key_of(type, bits);
	X509 *made = pair ? tls_self_make(pair, &list, DAYS, NULL) : NULL;

	*certificate = pem_of(made, NULL);
	*key = pem_of(NULL, pair);
	X509_free(made);
	EVP_PKEY_free(pair);
	if (*certificate && *key)
		return true;
	free(*certificate);
	free(*key);
	*certificate = *key = NULL;
	return false;
}

/* What is in base64, of DER; NULL: it is not, or is too long to be kept. To be freed by der_free(). */
static uint8_t *der_of(const char *base64, size_t *len)
{
	size_t length = strlen(base64);
	uint8_t *out = length && length % 4 == 0 && length <= 4096 ? malloc(length / 4 * 3) : NULL;
	int got = out ? EVP_DecodeBlock(out, (const unsigned char *)base64, (int)length) : -1;

	*len = 0;
	if (got < 0) {
		free(out);
		return NULL;
	}
	*len = (size_t)got - (base64[length - 1] == '=') - (base64[length - 2] == '=');
	return out;
}

static void der_free(uint8_t *der, size_t len)
{
	if (der)
		OPENSSL_cleanse(der, len);
	free(der);
}

char *irc_certificate_key_take(const char *base64)
{
	size_t len;
	uint8_t *der = der_of(base64, &len);
	const uint8_t *at = der;
	EVP_PKEY *key = der ? d2i_AutoPrivateKey(NULL, &at, (long)len) : NULL;
	char *pem = pem_of(NULL, key);

	EVP_PKEY_free(key);
	der_free(der, len);
	return pem;
}

char *irc_certificate_take(const char *base64)
{
	size_t len;
	uint8_t *der = der_of(base64, &len);
	const uint8_t *at = der;
	X509 *certificate = der ? d2i_X509(NULL, &at, (long)len) : NULL;
	char *pem = pem_of(certificate, NULL);

	X509_free(certificate);
	der_free(der, len);
	return pem;
}

bool irc_certificate_fits(const char *certificate, const char *key)
{
	BIO *one = BIO_new_mem_buf(certificate, -1), *two = BIO_new_mem_buf(key, -1);
	X509 *x509 = one ? PEM_read_bio_X509(one, NULL, NULL, NULL) : NULL;
	EVP_PKEY *pair = two ? PEM_read_bio_PrivateKey(two, NULL, NULL, NULL) : NULL;
	bool fits = x509 && pair && X509_check_private_key(x509, pair) == 1;

	X509_free(x509);
	EVP_PKEY_free(pair);
	BIO_free(one);
	BIO_free(two);
	return fits;
}

bool irc_certificate_fingerprint(const char *pem, const char *hash, char out[IRC_FINGERPRINT_SIZE])
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	const EVP_MD *md = EVP_get_digestbyname(hash);
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	bool good = certificate && md && X509_digest(certificate, md, digest, &len) == 1 &&
		    2 * len < IRC_FINGERPRINT_SIZE;

	for (unsigned i = 0; good && i < len; i++)
		snprintf(out + 2 * (size_t)i, 3, "%02x", digest[i]);
	X509_free(certificate);
	BIO_free(bio);
	return good;
}

bool irc_fingerprint_take(const char *text, char out[IRC_FINGERPRINT_SIZE])
{
	size_t len = 0;

	for (; *text; text++) {
		char c = *text;

		if (c == ':')
			continue;
		if (c >= 'A' && c <= 'F')
			c = (char)(c + 'a' - 'A');
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')) ||
		    len + 1 == IRC_FINGERPRINT_SIZE)
			return false;
		out[len++] = c;
	}
	out[len] = '\0';
	return len == IRC_FINGERPRINT_SIZE - 1;
}
