#include "irc/irc_certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#include "edge/tls_self.h"

#define DAYS 36500 /* networks know it by its fingerprint: nobody looks at its end */

static char *text_of(BIO *bio)
{
	char *data, *made;
	long len = BIO_get_mem_data(bio, &data);

	made = len > 0 ? malloc((size_t)len + 1) : NULL;
	if (made) {
		memcpy(made, data, (size_t)len);
		made[len] = '\0';
	}
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
	BIO *one = BIO_new(BIO_s_mem()), *two = BIO_new(BIO_s_mem());

	*certificate = *key = NULL;
	if (made && one && two && PEM_write_bio_X509(one, made) == 1 &&
	    PEM_write_bio_PrivateKey(two, pair, NULL, NULL, 0, NULL, NULL) == 1) {
		*certificate = text_of(one);
		*key = text_of(two);
	}
	BIO_free(one);
	BIO_free(two);
	X509_free(made);
	EVP_PKEY_free(pair);
	if (*certificate && *key)
		return true;
	free(*certificate);
	free(*key);
	*certificate = *key = NULL;
	return false;
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
