#include "edge/tls_ticket.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#define KEYS 4u /* one seals, the one before opens; the next is made where nobody looks */

struct ticket_key {
	uint8_t name[16];
	uint8_t cipher[32];
	uint8_t mac[32];
};

static struct ticket_key keys[KEYS];
static _Atomic unsigned current; /* counts up for ever; release, with the key it names */

bool tls_ticket_init(void)
{
	atomic_store_explicit(&current, 1, memory_order_relaxed);
	return RAND_priv_bytes((void *)keys, sizeof keys) == 1;
}

/* Two rotations lie between the end of a key's use and its change: no handshake takes so long. */
bool tls_ticket_rotate(void)
{
	unsigned next = atomic_load_explicit(&current, memory_order_relaxed) + 1;

	if (RAND_priv_bytes((void *)&keys[next % KEYS], sizeof *keys) != 1)
		return false;
	atomic_store_explicit(&current, next, memory_order_release);
	return true;
}

static bool key_use(struct ticket_key *key, const unsigned char *iv, EVP_CIPHER_CTX *cipher,
		    EVP_MAC_CTX *mac, int seals)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof key->mac),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_CipherInit_ex2(cipher, EVP_aes_256_cbc(), key->cipher, iv, seals, NULL) == 1 &&
	       EVP_MAC_CTX_set_params(mac, params) == 1;
}

int tls_ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
		   EVP_MAC_CTX *mac, int seals)
{
	unsigned now = atomic_load_explicit(&current, memory_order_acquire);
	struct ticket_key *key = &keys[now % KEYS], *before = &keys[(now - 1) % KEYS];

	(void)ssl;
	if (seals) {
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
			return -1;
		memcpy(name, key->name, sizeof key->name);
		return key_use(key, iv, cipher, mac, 1) ? 1 : -1;
	}
	if (memcmp(name, key->name, sizeof key->name) == 0)
		return key_use(key, iv, cipher, mac, 0) ? 1 : -1;
	if (memcmp(name, before->name, sizeof before->name) == 0)
		return key_use(before, iv, cipher, mac, 0) ? 2 : -1; /* and a new one is given */
	return 0;
}
