/* irc_sasl: the client's side of SASL on IRC: PLAIN, EXTERNAL, SCRAM-SHA-256 (RFC 4616, 4422, 5802, 7677).
 *
 *   irc_sasl_start ─▶ "AUTHENTICATE <mechanism>"
 *   a challenge (decoded) ─▶ irc_sasl_answer ─▶ the answer (not yet in base64), or a fault
 *
 * And the pieces of 400 bytes that AUTHENTICATE carries. The hashes are handed in, and the nonce: so
 * it is pure. What it holds are secrets; who has it wipes it. */
#pragma once

#include "core/bytes.h"
#include "core/writer.h"

enum irc_mechanism { IRC_SASL_NONE, IRC_SASL_PLAIN, IRC_SASL_EXTERNAL, IRC_SASL_SCRAM_SHA_256 };

#define IRC_SASL_HASH       32u
#define IRC_SASL_CHUNK      400u
#define IRC_SASL_MESSAGE    1024u /* the longest of ours and theirs */
#define IRC_SASL_NONCE      32u
#define IRC_SASL_ITERATIONS 200000u /* a server that asks for more wants to keep us busy */

struct irc_sasl_crypto {
	void (*hash)(struct bytes in, uint8_t out[IRC_SASL_HASH]);
	void (*hmac)(struct bytes key, struct bytes in, uint8_t out[IRC_SASL_HASH]);
	bool (*derive)(struct bytes password, struct bytes salt, unsigned iterations,
		       uint8_t out[IRC_SASL_HASH]); /* PBKDF2-HMAC-SHA-256 */
};

struct irc_sasl {
	enum irc_mechanism mechanism;
	const struct irc_sasl_crypto *crypto;
	unsigned step;
	struct bytes user, password; /* lent for as long as it is in use */
	char nonce[IRC_SASL_NONCE + 1];
	char first[512]; /* client-first-message-bare */
	size_t first_len;
	uint8_t server_signature[IRC_SASL_HASH];
};

const char *irc_mechanism_name(enum irc_mechanism mechanism);
enum irc_mechanism irc_mechanism_of(struct bytes name);

/* nonce: printable, no comma; only SCRAM uses it. */
void irc_sasl_start(struct irc_sasl *sasl, enum irc_mechanism mechanism,
		    const struct irc_sasl_crypto *crypto, struct bytes user, struct bytes password,
		    const char *nonce);

/* The answer to a challenge; false: the server is not who it should be, or makes no sense. */
bool irc_sasl_answer(struct irc_sasl *sasl, struct bytes challenge, struct writer *out);

/* With SCRAM: the server has proved that it knows the password. True for the others. */
bool irc_sasl_is_proved(const struct irc_sasl *sasl);

/* RFC 4648. read: false where it is none, or has no room. */
void irc_base64_write(struct writer *w, struct bytes in);
bool irc_base64_read(struct writer *w, struct bytes in);

/* "authzid NUL authcid NUL password"; false: it is not. */
struct irc_plain {
	struct bytes authorize, user, password;
};

bool irc_plain_parse(struct bytes in, struct irc_plain *out);
