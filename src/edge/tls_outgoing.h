/* tls_outgoing: TLS to servers that we call: whom to believe, and what to show.
 *
 *   wish ─▶ tls_outgoing ─▶ a handshake (tls_handshake.h) ─▶ a link like any other
 *
 * Believed is a certificate that the host's name fits and that an authority of the file (or the
 * system's) has signed; or, with pins, one with such a fingerprint and no other. The record layer is
 * ours, so such a link can move and outlive the process. Runs on the worker of the connection. */
#pragma once

#include "edge/tls_handshake.h"

struct tls_wish {
	const char *host;    /* a name or an address */
	const char *ca_file; /* PEM; empty: the system's */
	const char
		*pins; /* SHA-256 or SHA-512 as hexadecimal digits, apart by blanks; empty: none */
	const char *certificate; /* ours, PEM; empty: none */
	const char *key;         /* its key, PEM */
};

/* NULL: fault says what is wrong with the wish. */
RUNS_ON(on_worker)
struct handshake *tls_outgoing(const struct tls_wish *wish, char *fault, size_t size);

/* After the last step, whatever it said: whether the server is who it should be; else why not. Not
 * asked: anybody is believed, when there are pins. */
RUNS_ON(on_worker)
bool tls_outgoing_believed(const struct handshake *handshake, const struct tls_wish *wish,
			   char *fault, size_t size);

/* On each worker, before it ends. */
RUNS_ON(on_worker) void tls_outgoing_fini(void);
