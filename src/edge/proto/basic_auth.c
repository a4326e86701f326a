#include "basic_auth.h"

#include "ascii.h"
#include "base64.h"

/* RFC 9110 11.4: scheme, which ignores case, then blanks and the credentials. */
static bool cut_scheme(struct bytes value, struct bytes scheme, struct bytes *credentials)
{
	struct bytes rest = bytes_trim(value);

	if (!bytes_equal_nocase(bytes_cut(&rest, ' '), scheme))
		return false;
	*credentials = bytes_trim(rest);
	return true;
}

enum basic_auth_status basic_auth_parse(struct bytes value, struct writer *w,
					struct basic_auth *out)
{
	struct writer before = *w;
	struct bytes credentials;

	*out = (struct basic_auth){0};
	if (!cut_scheme(value, BYTES("Basic"), &credentials))
		return BASIC_AUTH_OTHER;
	if (!base64_decode(credentials, w))
		return BASIC_AUTH_BAD;
	struct bytes pair = bytes_of(w->at + before.len, w->len - before.len);
	bool good = bytes_find(pair, ':') < pair.len;

	/* RFC 7617 section 2: neither part may contain control characters. */
	for (size_t i = 0; i < pair.len; i++)
		good &= !ascii_is_control(pair.at[i]);
	if (!good) {
		*w = before;
		return BASIC_AUTH_BAD;
	}
	out->user = bytes_cut(&pair, ':');
	out->password = pair;
	return BASIC_AUTH_OK;
}

/* RFC 6750 2.1: 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=" */
static bool is_token_byte(uint8_t c)
{
	return ascii_is_alnum(c) || (c && strchr("-._~+/", c));
}

bool basic_auth_parse_bearer(struct bytes value, struct bytes *token)
{
	struct bytes body;

	if (!cut_scheme(value, BYTES("Bearer"), token))
		return false;
	body = *token;
	while (body.len && body.at[body.len - 1] == '=')
		body.len--;
	for (size_t i = 0; i < body.len; i++)
		if (!is_token_byte(body.at[i]))
			return false;
	return body.len > 0;
}
