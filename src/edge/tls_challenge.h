/* tls_challenge: certificates that answer an authority's tls-alpn-01 (RFC 8737), while it asks.
 *
 * Workers look names up in a list that is never changed, only replaced; a list that was replaced is
 * freed when no worker can be reading it. Names are DNS names. */
#pragma once

#include <openssl/types.h>

#include "core/bytes.h"
#include "core/worker.h"

/* digest: what the hook is given, base64url of a SHA-256. False: we decline. */
RUNS_ON(on_control) MUST_CHECK bool tls_challenge_begin(struct bytes name, struct bytes digest);
RUNS_ON(on_control) void tls_challenge_end(struct bytes name);
RUNS_ON(on_control) void tls_challenge_end_all(void);

/* After the workers have stopped. */
void tls_challenge_fini(void);

/* Whether a client hello is an authority's: it offers acme-tls/1 and nothing else. alpn: the content
 * of that extension. */
bool tls_challenge_asks(struct bytes alpn);

/* The context for this name; NULL: nobody asks for it. On a worker, for the event at hand. */
SSL_CTX *tls_challenge_find(const char *name);
