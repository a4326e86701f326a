/* tls_handshake: from the first byte of a TLS client, or our first to a server, to a row of the record
 * layer.
 *
 *   socket ─▶ bytes ─▶ BIO ─▶ OpenSSL ─▶ BIO ─▶ socket      … done: versions, suite and secrets
 *                                                           └─▶ tls_begin ─▶ link; OpenSSL is left
 *
 * OpenSSL does the handshake and nothing else; its object lives for that long. It is given no byte
 * behind the record that it is reading, so nothing is left in it. It owns no descriptor: who has the
 * connection closes it, and has the deadline. Runs on the worker of the connection. */
#pragma once

#include <openssl/types.h>

#include "core/worker.h"
#include "edge/link.h"

struct handshake;

enum handshake_status {
	HANDSHAKE_READS,  /* wants the socket readable */
	HANDSHAKE_WRITES, /* wants it writable */
	HANDSHAKE_DONE,   /* the link is over TLS now */
	HANDSHAKE_FAILED, /* to be closed; what there was to say is said */
};

/* early: what was read already; used up in the first step. NULL: too many at once, or no memory. */
RUNS_ON(on_worker) struct handshake *handshake_create(struct bytes early);

/* The client's side: ssl (taken, also when this gives NULL) knows whom it calls and whom it believes.
 * See tls_outgoing.h. */
RUNS_ON(on_worker) struct handshake *handshake_create_client(SSL *ssl);

/* The handshake's own SSL, while it lives. */
RUNS_ON(on_worker) SSL *handshake_ssl(const struct handshake *handshake);

/* A server's side that asks for the client's certificate and takes any, or none: for families where a
 * certificate is who somebody is. Of the set in force, or else of otherwise. It gives no tickets. NULL:
 * as above. */
struct tls_identity;
RUNS_ON(on_worker)
struct handshake *handshake_create_asking(struct bytes early, const struct tls_identity *otherwise);

/* That certificate as DER, when the handshake is done. Its length; 0: there is none, or it is longer
 * than size. */
RUNS_ON(on_worker)
size_t handshake_certificate(const struct handshake *handshake, uint8_t *der, size_t size);

/* Its SHA-512, HANDSHAKE_FINGERPRINT bytes to be freed; NULL: there is none, or no memory. */
#define HANDSHAKE_FINGERPRINT 64u
RUNS_ON(on_worker) uint8_t *handshake_fingerprint(const struct handshake *handshake);

/* Goes on, as far as the socket lets it. */
RUNS_ON(on_worker)
enum handshake_status handshake_step(struct handshake *handshake, struct link *link);

/* NULL is fine. */
RUNS_ON(on_worker) void handshake_destroy(struct handshake **handshake);

/* False: this worker has spent enough of this turn on handshakes. The others, whose streams must go
 * on, come first; the socket says again in the next turn that somebody waits. */
RUNS_ON(on_worker) bool handshake_has_time(void);

/* SSL_CTX_set_keylog_callback(3): how OpenSSL tells the secrets. */
void tls_handshake_secret(const SSL *ssl, const char *line);
