/* The client's side of SASL against a server that says anything. */
#include "irc/proto/irc_sasl.h"

#include "property.h"

static void hash(struct bytes in, uint8_t out[IRC_SASL_HASH])
{
	memset(out, (int)in.len, IRC_SASL_HASH);
}

static void hmac(struct bytes key, struct bytes in, uint8_t out[IRC_SASL_HASH])
{
	memset(out, (int)(key.len + in.len), IRC_SASL_HASH);
}

static bool derive(struct bytes password, struct bytes salt, unsigned n, uint8_t out[IRC_SASL_HASH])
{
	PROPERTY(n >= 1 && n <= IRC_SASL_ITERATIONS);
	memset(out, (int)(password.len + salt.len), IRC_SASL_HASH);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct irc_sasl_crypto crypto = {hash, hmac, derive};
	struct bytes rest = bytes_of(data, size);
	struct irc_plain plain;
	struct irc_sasl sasl;

	if (irc_plain_parse(rest, &plain))
		PROPERTY(part_inside(plain.user, rest) && part_inside(plain.password, rest));
	irc_sasl_start(&sasl, IRC_SASL_SCRAM_SHA_256, &crypto, BYTES("a,b=c"), BYTES("secret"),
		       "nonce");
	for (unsigned i = 0; i < 8; i++) {
		uint8_t out[IRC_SASL_MESSAGE];
		struct writer w = writer_of(out, sizeof out);
		struct bytes said = i ? bytes_cut(&rest, '\n') : (struct bytes){0};

		if (!irc_sasl_answer(&sasl, said, &w))
			break;
		/* It never says the password; a server may say those letters itself. */
		PROPERTY(bytes_find_nocase(said, BYTES("secret")) < said.len ||
			 bytes_find_nocase(writer_done(&w), BYTES("secret")) == w.len);
	}
	return 0;
}
