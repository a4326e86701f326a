/* irc_certificate: a certificate of the user's own, to log in to a network with (SASL EXTERNAL, CertFP).
 * Knows keys and nothing of networks. Any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum irc_key_type { IRC_KEY_RSA, IRC_KEY_ECDSA, IRC_KEY_ED25519 };

#define IRC_RSA_BITS_MIN     2048u
#define IRC_RSA_BITS         3072u
#define IRC_RSA_BITS_MAX     4096u /* a longer one does not fit into a text of the store */
#define IRC_FINGERPRINT_SIZE 129u  /* of SHA-512, with its NUL */

/* A new key and a certificate of it, as PEM, to be freed. Slow: on the thread pool. bits: of RSA. False:
 * no memory. */
bool irc_certificate_make(enum irc_key_type type, unsigned bits, char **certificate, char **key);

/* What stands in PEM between BEGIN and END, as PEM: of a key (pkcs8 or older), of a certificate. To be
 * freed; NULL: it is none. */
char *irc_certificate_key_take(const char *base64);
char *irc_certificate_take(const char *base64);
/* Whether both belong together. */
bool irc_certificate_fits(const char *certificate, const char *key);

/* Of a certificate in PEM, by "SHA1", "SHA256" or "SHA512". False: it is none. */
bool irc_certificate_fingerprint(const char *pem, const char *hash, char out[IRC_FINGERPRINT_SIZE]);

/* Hexadecimal digits of a SHA-512, with or without colons, made one spelling: small letters. False: they
 * are none. */
bool irc_fingerprint_take(const char *text, char out[IRC_FINGERPRINT_SIZE]);
