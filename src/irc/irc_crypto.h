/* irc_crypto: the hashes of SCRAM, on OpenSSL, for irc_sasl.h. Any thread. */
#pragma once

#include "irc/proto/irc_sasl.h"

extern const struct irc_sasl_crypto irc_crypto;
