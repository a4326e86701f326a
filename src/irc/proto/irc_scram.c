#include "irc/proto/irc_scram.h"

bool irc_scram_key_make(struct irc_scram_key *key, const struct irc_sasl_crypto *crypto,
			struct bytes password, const uint8_t salt[IRC_SCRAM_SALT],
			unsigned iterations)
{
	uint8_t salted[IRC_SASL_HASH], client[IRC_SASL_HASH];

	memcpy(key->salt, salt, IRC_SCRAM_SALT);
	key->iterations = iterations;
	if (!crypto->derive(password, bytes_of(salt, IRC_SCRAM_SALT), iterations, salted))
		return false;
	/* RFC 5802 section 3 */
	crypto->hmac(bytes_of(salted, sizeof salted), BYTES("Client Key"), client);
	crypto->hash(bytes_of(client, sizeof client), key->stored);
	crypto->hmac(bytes_of(salted, sizeof salted), BYTES("Server Key"), key->server);
	return true;
}

/* The gs2-header is cut off: "n,," or "y,,", with or without a name to act for, which must be nobody. */
static bool cut_header(struct bytes *first, char *flag)
{
	struct bytes binding = bytes_cut(first, ','), authorize = bytes_cut(first, ',');

	if (binding.len != 1 || (binding.at[0] != 'n' && binding.at[0] != 'y') || authorize.len)
		return false;
	*flag = (char)binding.at[0];
	return true;
}

/* "n=name,r=nonce" and extensions that are passed over; one that is mandatory ("m=") comes first. */
static bool bare_parse(struct bytes bare, struct bytes *name, struct bytes *nonce)
{
	*name = bytes_cut(&bare, ',');
	*nonce = bytes_cut(&bare, ',');
	if (!bytes_start_with(*name, BYTES("n=")) || !bytes_start_with(*nonce, BYTES("r=")))
		return false;
	*name = bytes_skip(*name, 2);
	*nonce = bytes_skip(*nonce, 2);
	for (size_t i = 0; i < nonce->len; i++)
		if (nonce->at[i] < 0x21 || nonce->at[i] > 0x7e)
			return false;
	return name->len && nonce->len;
}

bool irc_scram_user(struct bytes client_first, struct writer *user)
{
	struct bytes name, nonce;
	char flag;

	if (!cut_header(&client_first, &flag) || !bare_parse(client_first, &name, &nonce))
		return false;
	/* RFC 5802 section 5.1: ',' and '=' are written otherwise. */
	for (size_t i = 0; i < name.len; i++) {
		struct bytes rest = bytes_skip(name, i);

		if (name.at[i] != '=') {
			writer_u8(user, name.at[i]);
			continue;
		}
		if (!bytes_start_with(rest, BYTES("=2C")) && !bytes_start_with(rest, BYTES("=3D")))
			return false;
		writer_u8(user, rest.at[2] == 'C' ? ',' : '=');
		i += 2;
	}
	return writer_ok(user);
}

bool irc_scram_challenge(struct irc_scram *scram, const struct irc_sasl_crypto *crypto,
			 const struct irc_scram_key *key, struct bytes client_first,
			 const char *nonce, struct writer *out)
{
	struct writer said = writer_of(scram->said, sizeof scram->said);
	struct writer whole = writer_of(scram->nonce, sizeof scram->nonce - 1);
	struct writer header = writer_of(scram->header, sizeof scram->header);
	struct bytes name, theirs;
	char gs2[3] = "n,,";
	size_t before = out->len;

	*scram = (struct irc_scram){.crypto = crypto, .key = *key};
	if (!cut_header(&client_first, &gs2[0]) || !bare_parse(client_first, &name, &theirs))
		return false;
	irc_base64_write(&header, bytes_of(gs2, sizeof gs2));
	writer_put(&whole, theirs);
	writer_str(&whole, nonce);
	writer_str(out, "r=");
	writer_put(out, writer_done(&whole));
	writer_str(out, ",s=");
	irc_base64_write(out, bytes_of(key->salt, sizeof key->salt));
	writer_str(out, ",i=");
	writer_dec(out, key->iterations);
	writer_put(&said, client_first);
	writer_u8(&said, ',');
	if (writer_ok(out))
		writer_put(&said, bytes_skip(writer_done(out), before));
	scram->said_len = said.len;
	return writer_ok(out) && writer_ok(&whole) && writer_ok(&said) && writer_ok(&header);
}

static bool same(const uint8_t *a, const uint8_t *b)
{
	uint8_t differ = 0;

	for (size_t i = 0; i < IRC_SASL_HASH; i++)
		differ |= a[i] ^ b[i];
	return differ == 0;
}

bool irc_scram_prove(const struct irc_scram *scram, struct bytes client_final, struct writer *out)
{
	const struct irc_sasl_crypto *crypto = scram->crypto;
	struct bytes rest = client_final, binding = bytes_cut(&rest, ','),
		     nonce = bytes_cut(&rest, ','), proof64 = rest, without;
	uint8_t proof[IRC_SASL_HASH + 4], signature[IRC_SASL_HASH], hash[IRC_SASL_HASH];
	uint8_t message[sizeof scram->said + 512];
	struct writer p = writer_of(proof, sizeof proof), m = writer_of(message, sizeof message);

	/* Extensions may stand before the proof, which is the last. */
	while (proof64.len && !bytes_start_with(proof64, BYTES("p=")))
		(void)bytes_cut(&proof64, ',');
	if (!bytes_start_with(binding, BYTES("c=")) || !bytes_start_with(nonce, BYTES("r=")) ||
	    !bytes_equal(bytes_skip(binding, 2), bytes_of(scram->header, sizeof scram->header)) ||
	    !bytes_equal(bytes_skip(nonce, 2), bytes_str(scram->nonce)) || proof64.len < 3 ||
	    !irc_base64_read(&p, bytes_skip(proof64, 2)) || p.len != IRC_SASL_HASH)
		return false;
	without = bytes_first(client_final, (size_t)(proof64.at - client_final.at) - 1);
	writer_put(&m, bytes_of(scram->said, scram->said_len));
	writer_u8(&m, ',');
	writer_put(&m, without);
	if (!writer_ok(&m))
		return false;
	crypto->hmac(bytes_of(scram->key.stored, IRC_SASL_HASH), writer_done(&m), signature);
	for (size_t i = 0; i < IRC_SASL_HASH; i++)
		proof[i] ^= signature[i];
	crypto->hash(bytes_of(proof, IRC_SASL_HASH), hash);
	if (!same(hash, scram->key.stored))
		return false;
	crypto->hmac(bytes_of(scram->key.server, IRC_SASL_HASH), writer_done(&m), signature);
	writer_str(out, "v=");
	irc_base64_write(out, bytes_of(signature, sizeof signature));
	return writer_ok(out);
}
