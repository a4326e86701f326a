#include "irc/proto/irc_sasl.h"

static const char *const names[] = {"", "PLAIN", "EXTERNAL", "SCRAM-SHA-256"};

static const uint8_t alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const char *irc_mechanism_name(enum irc_mechanism mechanism)
{
	return names[mechanism];
}

enum irc_mechanism irc_mechanism_of(struct bytes name)
{
	for (unsigned i = IRC_SASL_PLAIN; i <= IRC_SASL_SCRAM_SHA_256; i++)
		if (bytes_equal_nocase(name, bytes_str(names[i])))
			return (enum irc_mechanism)i;
	return IRC_SASL_NONE;
}

/* RFC 4648; edge/proto has the strict one, which a family's proto cannot see. */
void irc_base64_write(struct writer *w, struct bytes in)
{
	for (size_t i = 0; i < in.len; i += 3) {
		size_t left = in.len - i;
		unsigned word = (unsigned)in.at[i] << 16 |
				(left > 1 ? (unsigned)in.at[i + 1] << 8 : 0) |
				(left > 2 ? (unsigned)in.at[i + 2] : 0);

		writer_u8(w, alphabet[word >> 18 & 63]);
		writer_u8(w, alphabet[word >> 12 & 63]);
		writer_u8(w, left > 1 ? alphabet[word >> 6 & 63] : '=');
		writer_u8(w, left > 2 ? alphabet[word & 63] : '=');
	}
}

bool irc_base64_read(struct writer *w, struct bytes in)
{
	unsigned word = 0, bits = 0;

	while (in.len && in.at[in.len - 1] == '=')
		in.len--;
	for (size_t i = 0; i < in.len; i++) {
		const uint8_t *at = memchr(alphabet, in.at[i], 64);

		if (!at)
			return false;
		word = (word << 6 | (unsigned)(at - alphabet)) & 0xffff;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			writer_u8(w, (uint8_t)(word >> bits));
		}
	}
	return writer_ok(w);
}

/* RFC 5802 section 5.1: '=' and ',' in a name. */
static void put_name(struct writer *w, struct bytes name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.at[i] == '=')
			writer_str(w, "=3D");
		else if (name.at[i] == ',')
			writer_str(w, "=2C");
		else
			writer_u8(w, name.at[i]);
}

void irc_sasl_start(struct irc_sasl *sasl, enum irc_mechanism mechanism,
		    const struct irc_sasl_crypto *crypto, struct bytes user, struct bytes password,
		    const char *nonce)
{
	struct writer w;

	*sasl = (struct irc_sasl){
		.mechanism = mechanism, .crypto = crypto, .user = user, .password = password};
	w = writer_of(sasl->first, sizeof sasl->first);
	if (mechanism != IRC_SASL_SCRAM_SHA_256)
		return;
	bytes_to_str(bytes_str(nonce), sasl->nonce, sizeof sasl->nonce);
	writer_str(&w, "n=");
	put_name(&w, user);
	writer_str(&w, ",r=");
	writer_str(&w, sasl->nonce);
	sasl->first_len = writer_ok(&w) ? w.len : 0;
}

/* The attribute "x=…" at the front of what is left. */
static bool take_attribute(struct bytes *rest, uint8_t name, struct bytes *value)
{
	struct bytes word = bytes_cut(rest, ',');

	if (word.len < 2 || word.at[0] != name || word.at[1] != '=')
		return false;
	*value = bytes_skip(word, 2);
	return true;
}

/* RFC 5802 section 3: the proof, and what the server has to show. */
static bool prove(struct irc_sasl *sasl, struct bytes salted, struct bytes message,
		  uint8_t proof[IRC_SASL_HASH])
{
	const struct irc_sasl_crypto *crypto = sasl->crypto;
	uint8_t client_key[IRC_SASL_HASH], stored[IRC_SASL_HASH], signature[IRC_SASL_HASH];
	uint8_t server_key[IRC_SASL_HASH];

	crypto->hmac(salted, BYTES("Client Key"), client_key);
	crypto->hash(bytes_of(client_key, sizeof client_key), stored);
	crypto->hmac(bytes_of(stored, sizeof stored), message, signature);
	for (size_t i = 0; i < IRC_SASL_HASH; i++)
		proof[i] = client_key[i] ^ signature[i];
	crypto->hmac(salted, BYTES("Server Key"), server_key);
	crypto->hmac(bytes_of(server_key, sizeof server_key), message, sasl->server_signature);
	return true;
}

/* The server's first message: "r=…,s=…,i=…". */
static bool answer_first(struct irc_sasl *sasl, struct bytes challenge, struct writer *out)
{
	struct bytes rest = challenge, nonce, salt64, count;
	uint8_t salt[256], salted[IRC_SASL_HASH], proof[IRC_SASL_HASH];
	uint8_t message[IRC_SASL_MESSAGE * 2];
	struct writer s = writer_of(salt, sizeof salt), m = writer_of(message, sizeof message);
	uint64_t iterations;
	size_t from;

	if (!take_attribute(&rest, 'r', &nonce) || !take_attribute(&rest, 's', &salt64) ||
	    !take_attribute(&rest, 'i', &count) || !irc_base64_read(&s, salt64) ||
	    !bytes_to_u64(count, IRC_SASL_ITERATIONS, &iterations) || iterations < 1)
		return false;
	/* RFC 5802 section 5.1: it goes on from ours, or somebody replays an old one. */
	if (!bytes_start_with(nonce, bytes_str(sasl->nonce)) || nonce.len == strlen(sasl->nonce))
		return false;
	if (!sasl->crypto->derive(sasl->password, writer_done(&s), (unsigned)iterations, salted))
		return false;
	writer_put(&m, bytes_of(sasl->first, sasl->first_len));
	writer_u8(&m, ',');
	writer_put(&m, challenge);
	writer_u8(&m, ',');
	from = m.len;
	writer_str(&m, "c=biws,r=");
	writer_put(&m, nonce);
	if (!writer_ok(&m) || !prove(sasl, bytes_of(salted, sizeof salted), writer_done(&m), proof))
		return false;
	writer_put(out, bytes_skip(writer_done(&m), from));
	writer_str(out, ",p=");
	irc_base64_write(out, bytes_of(proof, sizeof proof));
	return writer_ok(out);
}

/* "v=…": that the server knew it too. */
static bool answer_last(struct irc_sasl *sasl, struct bytes challenge)
{
	struct bytes rest = challenge, value;
	uint8_t given[IRC_SASL_HASH + 4];
	struct writer w = writer_of(given, sizeof given);
	uint8_t differ = 0;

	if (!take_attribute(&rest, 'v', &value) || !irc_base64_read(&w, value) ||
	    w.len != IRC_SASL_HASH)
		return false;
	for (size_t i = 0; i < IRC_SASL_HASH; i++)
		differ |= given[i] ^ sasl->server_signature[i];
	return differ == 0;
}

bool irc_sasl_answer(struct irc_sasl *sasl, struct bytes challenge, struct writer *out)
{
	unsigned step = sasl->step++;

	switch (sasl->mechanism) {
	case IRC_SASL_NONE: return false;
	case IRC_SASL_EXTERNAL: return step == 0;
	case IRC_SASL_PLAIN:
		if (step)
			return false;
		writer_u8(out, '\0');
		writer_put(out, sasl->user);
		writer_u8(out, '\0');
		writer_put(out, sasl->password);
		return writer_ok(out);
	case IRC_SASL_SCRAM_SHA_256: break;
	}
	if (step == 0) {
		writer_str(out, "n,,");
		writer_put(out, bytes_of(sasl->first, sasl->first_len));
		return sasl->first_len && challenge.len == 0 && writer_ok(out);
	}
	if (step == 1)
		return answer_first(sasl, challenge, out);
	if (step == 2 && answer_last(sasl, challenge))
		return true;
	sasl->step = 0;
	return false;
}

bool irc_sasl_is_proved(const struct irc_sasl *sasl)
{
	return sasl->mechanism != IRC_SASL_SCRAM_SHA_256 || sasl->step == 3;
}

bool irc_plain_parse(struct bytes in, struct irc_plain *out)
{
	size_t first = bytes_find(in, '\0'), second;
	struct bytes rest = bytes_skip(in, first + 1);

	second = bytes_find(rest, '\0');
	if (first == in.len || second == rest.len)
		return false;
	out->authorize = bytes_first(in, first);
	out->user = bytes_first(rest, second);
	out->password = bytes_skip(rest, second + 1);
	return out->user.len > 0;
}
