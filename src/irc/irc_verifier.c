#include "irc/irc_verifier.h"

#include <sodium.h>

#include "edge/auth.h"
#include "irc/irc_crypto.h"
#include "irc/irc_user.h"

/* As it is kept: in hexadecimal digits. */
struct verifier {
	struct irc_scram_key key;
	uint8_t tie[32];
};

#define TEXT_SIZE (2 * sizeof(struct verifier) + 1)

static bool verifier_of(const struct irc_user *user, struct verifier *verifier)
{
	size_t len = 0;

	return user && user->scram &&
	       sodium_hex2bin((uint8_t *)verifier, sizeof *verifier, user->scram,
			      strlen(user->scram), NULL, &len, NULL) == 0 &&
	       len == sizeof *verifier;
}

static bool fits(const struct verifier *verifier, const char *stored)
{
	uint8_t tie[32];

	auth_hash(tie, "irc scram tie", bytes_str(stored));
	return stored[0] && auth_same(tie, verifier->tie);
}

void irc_verifier_learn(struct irc_user *user, struct bytes password, const char *stored)
{
	struct verifier verifier;
	uint8_t salt[IRC_SCRAM_SALT];
	char text[TEXT_SIZE];

	if (!irc_conf_now()->scram || (verifier_of(user, &verifier) && fits(&verifier, stored)))
		return;
	memset(&verifier, 0, sizeof verifier);
	randombytes_buf(salt, sizeof salt);
	if (!irc_scram_key_make(&verifier.key, &irc_crypto, password, salt, IRC_SCRAM_ITERATIONS))
		return;
	auth_hash(verifier.tie, "irc scram tie", bytes_str(stored));
	sodium_bin2hex(text, sizeof text, (const uint8_t *)&verifier, sizeof verifier);
	irc_set(&user->scram, bytes_str(text));
	(void)irc_user_keep(user);
}

bool irc_verifier_find(const struct irc_user *user, struct bytes name, const char *const stored[2],
		       struct irc_scram_key *key)
{
	/* Not the same in another process: what looks like a salt says nothing for long. */
	static _Atomic uint64_t secret;
	struct verifier verifier;
	uint8_t salt[32];
	uint64_t none = 0, mine;

	if (verifier_of(user, &verifier) &&
	    (fits(&verifier, stored[0]) || fits(&verifier, stored[1]))) {
		*key = verifier.key;
		return true;
	}
	randombytes_buf(&mine, sizeof mine);
	(void)atomic_compare_exchange_strong_explicit(&secret, &none, mine | 1,
						      memory_order_relaxed, memory_order_relaxed);
	mine = atomic_load_explicit(&secret, memory_order_relaxed);
	crypto_generichash(salt, sizeof salt, name.at, name.len, (const uint8_t *)&mine,
			   sizeof mine);
	*key = (struct irc_scram_key){.iterations = IRC_SCRAM_ITERATIONS};
	memcpy(key->salt, salt, sizeof key->salt);
	randombytes_buf(key->stored, sizeof key->stored);
	return false;
}
