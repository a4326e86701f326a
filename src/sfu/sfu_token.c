#include "sfu/sfu_token.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "edge/proto/base64.h"

#define PART_MAX 2048u

/* RFC 7515 2: base64 of the other alphabet, without padding. */
static bool decode(struct bytes in, uint8_t *out, size_t *len)
{
	uint8_t text[BASE64_SIZE(PART_MAX)];
	struct writer w = writer_of(out, PART_MAX);
	size_t n = 0;

	if (in.len > sizeof text - 4)
		return false;
	for (; n < in.len; n++)
		text[n] = in.at[n] == '-'                                         ? '+'
			  : in.at[n] == '_'                                       ? '/'
			  : in.at[n] == '+' || in.at[n] == '/' || in.at[n] == '=' ? '!'
										  : in.at[n];
	while (n % 4)
		text[n++] = '=';
	if (!base64_decode(bytes_of(text, n), &w))
		return false;
	*len = w.len;
	return true;
}

static json_t *part(struct bytes in)
{
	uint8_t text[PART_MAX];
	size_t len;

	return decode(in, text, &len) ? json_loadb((const char *)text, len, 0, NULL) : NULL;
}

static bool is_signed(struct bytes text, struct bytes signature, struct bytes secret)
{
	uint8_t given[PART_MAX], wanted[32];
	unsigned n = sizeof wanted;
	size_t len;

	return decode(signature, given, &len) && len == sizeof wanted &&
	       HMAC(EVP_sha256(), secret.at, (int)secret.len, text.at, text.len, wanted, &n) &&
	       CRYPTO_memcmp(given, wanted, sizeof wanted) == 0;
}

static bool says_hs256(struct bytes in)
{
	json_t *tree = part(in);
	const char *algorithm = json_string_value(json_object_get(tree, "alg"));
	bool fits = algorithm && bytes_equal(bytes_str(algorithm), BYTES("HS256"));

	json_decref(tree);
	return fits;
}

static enum token_status judge(const json_t *claims, struct bytes room, bool publishes,
			       int64_t now_s)
{
	const json_t *until = json_object_get(claims, "exp"),
		     *from = json_object_get(claims, "nbf");
	const char *of = json_string_value(json_object_get(claims, "room"));

	if ((until && (!json_is_number(until) || json_number_value(until) <= (double)now_s)) ||
	    (from && (!json_is_number(from) || json_number_value(from) > (double)now_s)))
		return TOKEN_OLD;
	if (!of || (!bytes_equal(bytes_str(of), room) && !bytes_equal(bytes_str(of), BYTES("*"))) ||
	    !json_is_true(json_object_get(claims, publishes ? "publish" : "watch")))
		return TOKEN_OTHER;
	return TOKEN_GOOD;
}

enum token_status token_check(struct bytes token, struct bytes secret, struct bytes room,
			      bool publishes, int64_t now_s)
{
	struct bytes rest = token, head = bytes_cut(&rest, '.'), body = bytes_cut(&rest, '.');
	enum token_status status;
	json_t *claims;

	if (!head.len || !body.len || !rest.len || bytes_find(rest, '.') < rest.len)
		return TOKEN_NONE;
	if (!says_hs256(head) ||
	    !is_signed(bytes_first(token, head.len + 1 + body.len), rest, secret))
		return TOKEN_FORGED;
	claims = part(body);
	status = json_is_object(claims) ? judge(claims, room, publishes, now_s) : TOKEN_FORGED;
	json_decref(claims);
	return status;
}

void token_write_turn_user(struct writer *w, int64_t until_s)
{
	writer_dec(w, (uint64_t)until_s);
	writer_str(w, ":ringmain");
}

void token_write_turn_password(struct writer *w, struct bytes user, struct bytes secret)
{
	uint8_t hash[20];
	unsigned n = sizeof hash;

	if (HMAC(EVP_sha1(), secret.at, (int)secret.len, user.at, user.len, hash, &n))
		base64_encode(bytes_of(hash, sizeof hash), w);
}
