#include "irc/irc_crypto.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "core/check.h"

static void hash(struct bytes in, uint8_t out[IRC_SASL_HASH])
{
	CHECK(EVP_Digest(in.at, in.len, out, NULL, EVP_sha256(), NULL) == 1);
}

static void hmac(struct bytes key, struct bytes in, uint8_t out[IRC_SASL_HASH])
{
	CHECK(HMAC(EVP_sha256(), key.at, (int)key.len, in.at, in.len, out, NULL));
}

static bool derive(struct bytes password, struct bytes salt, unsigned iterations,
		   uint8_t out[IRC_SASL_HASH])
{
	return PKCS5_PBKDF2_HMAC((const char *)password.at, (int)password.len, salt.at,
				 (int)salt.len, (int)iterations, EVP_sha256(), IRC_SASL_HASH,
				 out) == 1;
}

const struct irc_sasl_crypto irc_crypto = {hash, hmac, derive};
