/* tls_self: a certificate that the server gives itself, for the time until it has one that others
 * believe. */
#pragma once

#include "core/check.h"
#include "core/conf.h"

/* Writes a new key and a certificate for these names, good for days days, into one file that only we
 * may read. False: errno says why. */
MUST_CHECK bool tls_self_write(const char *file, const struct conf_list *names, int days);
