/* tls_self: a certificate that the server gives itself, for the time until it has one that others
 * believe. */
#pragma once

#include <openssl/x509.h>

#include "core/check.h"
#include "core/conf.h"

/* A certificate for these names (or addresses) and this key, good for days days, with one more extension
 * unless it is NULL. NULL: no memory. */
X509 *tls_self_make(EVP_PKEY *key, const struct conf_list *names, int days,
		    X509_EXTENSION *extension);

/* Writes a new key and a certificate for these names, good for days days, into one file that only we
 * may read. False: errno says why. */
MUST_CHECK bool tls_self_write(const char *file, const struct conf_list *names, int days);
