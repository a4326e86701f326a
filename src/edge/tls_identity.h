/* tls_identity: who the server is to those who come over TLS: its certificates and keys, and which
 * versions and suites it speaks; one set at a time in force, replaced as a whole.
 *
 *   files ─▶ tls_identity_load ─▶ tls_identity_use ─▶ handshakes from now on
 *                 └─▶ what is wrong, and the old set stays
 *
 * A set in force is read by all workers and freed when none of them can still be reading it; what a
 * handshake needs of it lives as long as the handshake. Tickets of sessions outlive sets: their keys
 * are the process's (tls_ticket.h). Knows nothing of connections. */
#pragma once

#include <openssl/types.h>

#include "core/worker.h"
#include "edge/tls_conf.h"

struct tls_identity;

/* A certificate and its key in files. */
struct tls_pair {
	const char *certificate, *key;
};

/* Of the pairs, the first for who asks for no name that we have. NULL: fault says what is wrong. */
struct tls_identity *tls_identity_load(const struct tls_conf *conf, const struct tls_pair *pairs,
				       size_t count, char *fault, size_t size);
void tls_identity_free(struct tls_identity *identity);

/* Reports those of the settings that cannot be used. Any thread. */
void tls_identity_check(const struct conf *conf, struct conf_errors *errors);

/* Puts it in force, or none with NULL, and sees to the end of the one before. */
RUNS_ON(on_control) void tls_identity_use(struct tls_identity *identity);

/* For OpenSSL: a key that asks for a passphrase cannot be used, as nobody is there to type it. Any thread. */
int tls_no_passphrase(char *buf, int size, int writing, void *argument);

/* After the workers have stopped. */
void tls_identity_fini(void);

/* Whether TLS is spoken at all. Any thread. */
bool tls_identity_in_force(void);

/* Whether a certificate in force has this name or address; signed_: and was signed by somebody else.
 * Any thread. */
bool tls_identity_has(const char *name, bool signed_);

/* A server's side of a new handshake, without BIOs; NULL: none is in force, or no memory. Any
 * thread. */
SSL *tls_identity_handshake(void);

/* The same of this set, whose owner sees to it that it lasts as long as handshakes of it. */
SSL *tls_identity_handshake_of(const struct tls_identity *identity);

/* When the first of its certificates ends, in Unix seconds; 0: none is in force. Control thread. */
RUNS_ON(on_control) int64_t tls_identity_ends(void);

/* The names of its first certificate, for the log: "radio.example, live.radio.example". */
RUNS_ON(on_control) void tls_identity_names(char *buf, size_t size);

/* Who signed its first certificate: "Some CA R3"; "" where it signed itself, or none is in force. */
RUNS_ON(on_control) void tls_identity_issuer(char *buf, size_t size);
