/* voice_cipher: AES-128 for the datagrams of voice, as fast as this machine can.
 *
 * With AES-NI the rounds of eight blocks run side by side; without it OpenSSL does the work. A key is
 * plain memory that any thread may use at the same time. */
#pragma once

#include "voice/proto/crypt_state.h"

#define VOICE_KEY_SIZE 16u

struct voice_key {
	_Alignas(16) uint8_t encrypt[11][16]; /* round keys: AES-NI alone */
	_Alignas(16) uint8_t decrypt[11][16];
	uint8_t raw[VOICE_KEY_SIZE];
};

void voice_key_init(struct voice_key *key, const uint8_t raw[VOICE_KEY_SIZE]);

/* Chosen at the first use, by what the machine has. */
const struct block_cipher *voice_cipher(void);

/* The two there are; the first is NULL where the machine lacks it. For tests. */
const struct block_cipher *voice_cipher_native(void);
extern const struct block_cipher voice_cipher_openssl;

/* Lets go of what this thread's use of OpenSSL took. */
void voice_cipher_thread_stop(void);

static inline struct crypt_key voice_crypt(const struct voice_key *key)
{
	return (struct crypt_key){voice_cipher(), key};
}
