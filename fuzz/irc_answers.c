/* irc_answers: what small parsers are asked and answered: a bearer token and its owner, a question to identd, where a
 * server is, a user's rule and words. */
#include <string.h>

#include "irc/irc_auth.h"
#include "irc/irc_order.h"
#include "irc/irc_proxy.h"
#include "irc/irc_upstream.h"
#include "irc/proto/irc_bearer.h"
#include "irc/proto/irc_ident.h"
#include "property.h"

static void check_owner(struct bytes in)
{
	char user[IRC_USER_SIZE];

	memset(user, 0x7f, sizeof user);
	if (!irc_auth_owner(in, user))
		return;
	PROPERTY(memchr(user, 0, sizeof user) && user[0] && !strpbrk(user, "/@ "));
	for (const char *at = user; *at; at++)
		PROPERTY((uint8_t)*at > ' ');
}

static void check_bearer(struct bytes in)
{
	struct irc_bearer bearer;

	if (!irc_bearer_parse(in, &bearer))
		return;
	PROPERTY(part_inside(bearer.user, in) && part_inside(bearer.token, in) && bearer.token.len);
	for (size_t i = 0; i < bearer.token.len; i++)
		PROPERTY(bearer.token.at[i] > ' ' && bearer.token.at[i] < 0x7f);
}

static void check_ident(struct bytes in)
{
	uint16_t ours, theirs, ours_again, theirs_again;
	char text[IRC_IDENT_MAX + 40];
	struct writer w = writer_of(text, sizeof text);
	struct bytes ports;

	if (!irc_ident_parse(in, &ours, &theirs))
		return;
	PROPERTY(ours && theirs);
	irc_ident_write(&w, ours, theirs, "0123456789");
	PROPERTY(writer_ok(&w));
	ports = bytes_first(writer_done(&w), bytes_find(writer_done(&w), ':'));
	PROPERTY(irc_ident_parse(ports, &ours_again, &theirs_again));
	PROPERTY(ours == ours_again && theirs == theirs_again);
}

static void check_places(struct bytes in)
{
	static char text[4096];
	struct irc_place place;

	if (in.len >= sizeof text || bytes_find(in, '\0') < in.len)
		return;
	bytes_to_str(in, text, sizeof text);
	if (irc_upstream_addr_valid(in))
		for (unsigned n = 0; n < 4 && irc_upstream_place(text, n, &place); n++)
			PROPERTY(place.host[0] && memchr(place.host, 0, sizeof place.host) &&
				 (place.port || place.is_unix));
	if (irc_proxy_place(text, &place))
		PROPERTY(place.host[0] && place.port);
}

static void check_words(struct bytes in)
{
	static struct irc_words words;
	static char again[2 * sizeof words.room + 4 * IRC_WORDS_MAX];
	static struct irc_words same;
	struct writer w = writer_of(again, sizeof again);

	words.count = same.count = 0;
	if (bytes_find(in, '\0') < in.len || !irc_words_split(&words, in))
		return;
	for (unsigned i = 0; i < words.count; i++) {
		PROPERTY(words.at[i] >= words.room &&
			 memchr(words.at[i], 0,
				(size_t)(words.room + sizeof words.room - words.at[i])));
		irc_words_quote(&w, words.at[i]);
	}
	PROPERTY(writer_ok(&w) && irc_words_split(&same, writer_done(&w)) &&
		 same.count == words.count);
	for (unsigned i = 0; i < words.count; i++)
		PROPERTY(strcmp(words.at[i], same.at[i]) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);

	check_owner(in);
	check_bearer(in);
	check_ident(in);
	check_places(in);
	check_words(in);
	return 0;
}
