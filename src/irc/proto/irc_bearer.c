#include "irc/proto/irc_bearer.h"

/* RFC 6750 section 2.1: b64token. */
static bool is_token(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] <= ' ' || text.at[i] > '~')
			return false;
	return text.len > 0;
}

bool irc_bearer_parse(struct bytes said, struct irc_bearer *out)
{
	struct bytes rest = said, head = bytes_cut(&rest, 1), flag, user;

	*out = (struct irc_bearer){0};
	/* RFC 5801 section 4: no channel binding; the name; nothing behind it. */
	flag = bytes_cut(&head, ',');
	user = bytes_cut(&head, ',');
	if ((!bytes_equal(flag, BYTES("n")) && !bytes_equal(flag, BYTES("y"))) || head.len)
		return false;
	if (user.len && !bytes_start_with(user, BYTES("a=")))
		return false;
	out->user = user.len ? bytes_skip(user, 2) : user;
	while (rest.len) {
		struct bytes pair = bytes_cut(&rest, 1), name = bytes_cut(&pair, '=');

		if (bytes_equal(name, BYTES("auth")) && !out->token.len &&
		    bytes_start_with_nocase(pair, BYTES("Bearer ")))
			out->token = bytes_trim(bytes_skip(pair, 7));
	}
	return is_token(out->token);
}
