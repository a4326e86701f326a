/* irc_bearer: what a client says by OAUTHBEARER (RFC 7628 section 3.1). Pure. */
#pragma once

#include <stdbool.h>

#include "core/bytes.h"

struct irc_bearer {
	struct bytes user; /* who it wants to be; may be empty */
	struct bytes token;
};

/* "n,a=user,^Ahost=…^Aauth=Bearer token^A^A", ^A a byte of 1. False: it is none. */
bool irc_bearer_parse(struct bytes said, struct irc_bearer *out);
