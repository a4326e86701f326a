/* sasl_crypto: what irc_sasl and irc_scram compute with, by OpenSSL's own functions. */
#pragma once

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "guarded.h"
#include "irc/proto/irc_sasl.h"

static void hash(struct bytes in, uint8_t out[IRC_SASL_HASH])
{
	assert_int_equal(EVP_Digest(in.at, in.len, out, NULL, EVP_sha256(), NULL), 1);
}

static void hmac(struct bytes key, struct bytes in, uint8_t out[IRC_SASL_HASH])
{
	assert_non_null(HMAC(EVP_sha256(), key.at, (int)key.len, in.at, in.len, out, NULL));
}

static bool derive(struct bytes password, struct bytes salt, unsigned n, uint8_t out[IRC_SASL_HASH])
{
	return PKCS5_PBKDF2_HMAC((const char *)password.at, (int)password.len, salt.at,
				 (int)salt.len, (int)n, EVP_sha256(), IRC_SASL_HASH, out) == 1;
}

static const struct irc_sasl_crypto crypto = {hash, hmac, derive};
