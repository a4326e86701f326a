#include "edge/sign.h"

#include <sodium.h>
#include <stdio.h>

void sign_body(struct signature *out, const char *secret, struct bytes body, int64_t seconds)
{
	unsigned char mac[crypto_auth_hmacsha256_BYTES];
	char hex[2 * sizeof mac + 1], number[24];
	crypto_auth_hmacsha256_state state;
	int len = snprintf(number, sizeof number, "%lld.", (long long)seconds);

	crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret, strlen(secret));
	crypto_auth_hmacsha256_update(&state, (const unsigned char *)number,
				      (unsigned long long)len);
	crypto_auth_hmacsha256_update(&state, body.at ? body.at : (const unsigned char *)"",
				      body.len);
	crypto_auth_hmacsha256_final(&state, mac);
	sodium_memzero(&state, sizeof state);
	sodium_bin2hex(hex, sizeof hex, mac, sizeof mac);
	snprintf(out->timestamp, sizeof out->timestamp, "X-Ringmain-Timestamp: %lld",
		 (long long)seconds);
	snprintf(out->signature, sizeof out->signature, "X-Ringmain-Signature: sha256=%s", hex);
}
