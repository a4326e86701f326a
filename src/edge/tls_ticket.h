/* tls_ticket: the keys that tickets of sessions are sealed with: the same for all workers and for all
 * certificates, changed every ticket_lifetime, the one before still good for opening.
 *
 * A ticket that neither of both opens costs its client a whole handshake and no more. Any thread. */
#pragma once

#include <openssl/types.h>
#include <stdbool.h>

#include "core/check.h"

/* New keys. False: no random numbers. */
MUST_CHECK bool tls_ticket_init(void);

/* The next key seals from now on. */
MUST_CHECK bool tls_ticket_rotate(void);

/* SSL_CTX_set_tlsext_ticket_key_evp_cb(3). */
int tls_ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
		   EVP_MAC_CTX *mac, int seals);
