/* The server's side of SCRAM against a client that says anything, and against ours, with which it must agree. */
#include "irc/proto/irc_scram.h"

#include "property.h"

/* No good hash, but one that depends on all of its input. */
static void hash(struct bytes in, uint8_t out[IRC_SASL_HASH])
{
	uint64_t word = 0x9e3779b97f4a7c15u + in.len;

	for (size_t i = 0; i < in.len + IRC_SASL_HASH; i++) {
		word = (word ^ (i < in.len ? in.at[i] : 0)) * 0xff51afd7ed558ccdu;
		word ^= word >> 29;
		if (i >= in.len)
			out[i - in.len] = (uint8_t)(word >> 40);
	}
}

static void hmac(struct bytes key, struct bytes in, uint8_t out[IRC_SASL_HASH])
{
	uint8_t both[2 * IRC_SASL_HASH];

	hash(key, both);
	hash(in, both + IRC_SASL_HASH);
	hash(bytes_of(both, sizeof both), out);
}

static bool derive(struct bytes password, struct bytes salt, unsigned n, uint8_t out[IRC_SASL_HASH])
{
	(void)n;
	hmac(salt, password, out);
	return true;
}

static const struct irc_sasl_crypto crypto = {hash, hmac, derive};

/* Ours with this name and password. True: both are content. */
static bool agree(const struct irc_scram_key *key, struct bytes user, struct bytes password)
{
	uint8_t first[IRC_SASL_MESSAGE], challenge[IRC_SASL_MESSAGE], final[IRC_SASL_MESSAGE];
	uint8_t last[IRC_SASL_MESSAGE], name[IRC_SASL_MESSAGE], none[8];
	struct writer f = writer_of(first, sizeof first),
		      c = writer_of(challenge, sizeof challenge);
	struct writer p = writer_of(final, sizeof final), l = writer_of(last, sizeof last);
	struct writer n = writer_of(name, sizeof name), end = writer_of(none, sizeof none);
	struct irc_scram scram;
	struct irc_sasl sasl;

	irc_sasl_start(&sasl, IRC_SASL_SCRAM_SHA_256, &crypto, user, password, "clientnonce");
	if (!irc_sasl_answer(&sasl, (struct bytes){0}, &f))
		return false;
	PROPERTY(irc_scram_user(writer_done(&f), &n));
	PROPERTY(bytes_equal(writer_done(&n), user));
	PROPERTY(irc_scram_challenge(&scram, &crypto, key, writer_done(&f), "ours", &c));
	PROPERTY(irc_sasl_answer(&sasl, writer_done(&c), &p));
	return irc_scram_prove(&scram, writer_done(&p), &l) &&
	       irc_sasl_answer(&sasl, writer_done(&l), &end) && irc_sasl_is_proved(&sasl);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes rest = bytes_of(data, size), first = bytes_cut(&rest, '\n'),
		     final = bytes_cut(&rest, '\n'), user = bytes_first(first, 100);
	uint8_t out[IRC_SASL_MESSAGE], salt[IRC_SCRAM_SALT] = {7};
	struct writer w = writer_of(out, sizeof out);
	struct irc_scram_key key;
	struct irc_scram scram;

	PROPERTY(irc_scram_key_make(&key, &crypto, BYTES("pencil"), salt, 4096));
	if (irc_scram_user(first, &w))
		PROPERTY(w.len > 0 && w.len <= first.len);
	w = writer_of(out, sizeof out);
	if (irc_scram_challenge(&scram, &crypto, &key, first, "ours", &w)) {
		PROPERTY(bytes_start_with(writer_done(&w), BYTES("r=")));
		w = writer_of(out, sizeof out);
		PROPERTY(!irc_scram_prove(&scram, final, &w));
	}
	for (size_t i = 0; i < user.len; i++)
		if (user.at[i] == '\0')
			return 0;
	if (user.len) {
		PROPERTY(agree(&key, user, BYTES("pencil")));
		PROPERTY(!agree(&key, user, BYTES("pencils")));
	}
	return 0;
}
