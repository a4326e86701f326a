#include "mumble_crypt.h"

#include <openssl/crypto.h>

#define LOST_US 5000000 /* Mumble's ServerHandler::udpReady */

/* ECB over whole blocks: what ocb2 asks of a cipher. */
static void run_encrypt(const void *key, uint8_t *blocks, size_t count)
{
	const struct mumble_crypt *crypt = key;
	int len;

	EVP_EncryptUpdate(crypt->encrypt, blocks, &len, blocks, (int)(count * OCB2_BLOCK));
}

static void run_decrypt(const void *key, uint8_t *blocks, size_t count)
{
	const struct mumble_crypt *crypt = key;
	int len;

	EVP_DecryptUpdate(crypt->decrypt, blocks, &len, blocks, (int)(count * OCB2_BLOCK));
}

static const struct block_cipher aes = {run_encrypt, run_decrypt};

bool mumble_crypt_start(struct mumble_crypt *crypt, struct bytes key, struct bytes client_nonce,
			struct bytes server_nonce)
{
	if (key.len != OCB2_BLOCK || client_nonce.len != OCB2_BLOCK ||
	    server_nonce.len != OCB2_BLOCK)
		return false;
	mumble_crypt_fini(crypt);
	crypt->encrypt = EVP_CIPHER_CTX_new();
	crypt->decrypt = EVP_CIPHER_CTX_new();
	if (!crypt->encrypt || !crypt->decrypt ||
	    EVP_EncryptInit_ex(crypt->encrypt, EVP_aes_128_ecb(), NULL, key.at, NULL) != 1 ||
	    EVP_DecryptInit_ex(crypt->decrypt, EVP_aes_128_ecb(), NULL, key.at, NULL) != 1)
		return false;
	EVP_CIPHER_CTX_set_padding(crypt->encrypt, 0);
	EVP_CIPHER_CTX_set_padding(crypt->decrypt, 0);
	memcpy(crypt->out, client_nonce.at, OCB2_BLOCK);
	memcpy(crypt->in, server_nonce.at, OCB2_BLOCK);
	crypt->ready = true;
	return true;
}

void mumble_crypt_resync(struct mumble_crypt *crypt, struct bytes server_nonce)
{
	if (server_nonce.len != OCB2_BLOCK)
		return;
	memcpy(crypt->in, server_nonce.at, OCB2_BLOCK);
	memset(crypt->seen, 0, sizeof crypt->seen);
	crypt->resyncs++;
}

void mumble_crypt_fini(struct mumble_crypt *crypt)
{
	EVP_CIPHER_CTX_free(crypt->encrypt);
	EVP_CIPHER_CTX_free(crypt->decrypt);
	*crypt = (struct mumble_crypt){0};
}

/* The nonce counts up from its first byte. */
static void nonce_add(uint8_t nonce[OCB2_BLOCK], int steps)
{
	int carry = steps;

	for (size_t i = 0; i < OCB2_BLOCK && carry != 0; i++) {
		int sum = nonce[i] + carry;

		nonce[i] = (uint8_t)(sum & 0xff);
		carry = (sum - nonce[i]) / 256;
	}
}

void mumble_crypt_seal(struct mumble_crypt *crypt, struct bytes plain, uint8_t *out)
{
	uint8_t tag[OCB2_BLOCK];

	nonce_add(crypt->out, 1);
	ocb2_seal(&aes, crypt, crypt->out, plain, out + MUMBLE_CRYPT_HEAD, tag);
	out[0] = crypt->out[0];
	memcpy(out + 1, tag, MUMBLE_CRYPT_HEAD - 1);
}

/* How far a datagram is ahead of the last one: 1 is the next, 0 and less were sent before it. */
static int ahead_of(const struct mumble_crypt *crypt, uint8_t low)
{
	return (int8_t)(uint8_t)(low - crypt->in[0]);
}

static void count(struct mumble_crypt *crypt, int ahead, const uint8_t nonce[OCB2_BLOCK])
{
	crypt->good++;
	crypt->seen[nonce[0]] = true;
	if (ahead < 0) {
		crypt->late++;
		if (crypt->lost > 0)
			crypt->lost--;
		return;
	}
	crypt->lost += (uint32_t)(ahead - 1);
	/* Those that lie between may still come; those of 128 and more ago are those to come. */
	for (int i = 1; i < ahead; i++)
		crypt->seen[(uint8_t)(crypt->in[0] + i)] = false;
	memcpy(crypt->in, nonce, OCB2_BLOCK);
}

bool mumble_crypt_asks(struct mumble_crypt *crypt, mono_t now)
{
	if (!crypt->ready || mono_since_us(now, crypt->opened) <= LOST_US ||
	    mono_since_us(now, crypt->asked) <= LOST_US)
		return false;
	crypt->asked = now;
	return true;
}

struct bytes mumble_crypt_open(struct mumble_crypt *crypt, struct bytes sealed, uint8_t *out,
			       mono_t now)
{
	struct bytes body = bytes_skip(sealed, MUMBLE_CRYPT_HEAD);
	uint8_t nonce[OCB2_BLOCK], tag[OCB2_BLOCK];
	int ahead;

	if (!crypt->ready || sealed.len <= MUMBLE_CRYPT_HEAD || body.len > VOICE_PACKET_MAX) {
		crypt->forged++;
		return (struct bytes){0};
	}
	ahead = ahead_of(crypt, sealed.at[0]);
	if (ahead < -(int)MUMBLE_CRYPT_WINDOW) {
		crypt->stale++;
		return (struct bytes){0};
	}
	if (ahead == 0 || (ahead < 0 && crypt->seen[sealed.at[0]])) {
		crypt->repeated++;
		return (struct bytes){0};
	}
	memcpy(nonce, crypt->in, OCB2_BLOCK);
	nonce_add(nonce, ahead);
	if (!ocb2_open(&aes, crypt, nonce, body, out, tag) ||
	    CRYPTO_memcmp(tag, sealed.at + 1, MUMBLE_CRYPT_HEAD - 1) != 0) {
		crypt->forged++;
		return (struct bytes){0};
	}
	crypt->opened = now;
	count(crypt, ahead, nonce);
	return bytes_of(out, body.len);
}
