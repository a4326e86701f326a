#include "irc/proto/irc_isupport.h"

void irc_isupport_init(struct irc_isupport *is)
{
	*is = (struct irc_isupport){.nicklen = 9, .linelen = 512, .modes = 3};
	memcpy(is->chantypes, "#&", 3);
	memcpy(is->prefix_modes, "ov", 3);
	memcpy(is->prefix_signs, "@+", 3);
	memcpy(is->chanmodes[0], "b", 2);
	memcpy(is->chanmodes[1], "k", 2);
	memcpy(is->chanmodes[2], "l", 2);
	memcpy(is->chanmodes[3], "imnpst", 7);
}

static void take_number(uint32_t *out, struct bytes value, uint32_t otherwise)
{
	uint64_t number;

	*out = bytes_to_u64(value, UINT32_MAX, &number) ? (uint32_t)number : otherwise;
}

/* "(ov)@+"; empty: there are none. */
static void take_prefix(struct irc_isupport *is, struct bytes value)
{
	struct bytes modes = value, signs;

	if (value.len == 0) {
		is->prefix_modes[0] = is->prefix_signs[0] = '\0';
		return;
	}
	if (value.at[0] != '(')
		return;
	signs = bytes_skip(value, 1);
	modes = bytes_cut(&signs, ')');
	if (modes.len != signs.len || modes.len > IRC_PREFIXES_MAX)
		return;
	bytes_to_str(modes, is->prefix_modes, sizeof is->prefix_modes);
	bytes_to_str(signs, is->prefix_signs, sizeof is->prefix_signs);
}

static void take_casemap(struct irc_isupport *is, struct bytes value)
{
	is->casemap = IRC_ASCII;
	if (bytes_equal_nocase(value, BYTES("rfc1459-strict")) ||
	    bytes_equal_nocase(value, BYTES("strict-rfc1459")))
		is->casemap = IRC_RFC1459_STRICT;
	else if (bytes_equal_nocase(value, BYTES("rfc1459")))
		is->casemap = IRC_RFC1459;
}

void irc_isupport_take(struct irc_isupport *is, struct bytes token)
{
	struct bytes value = token, key;
	bool minus = token.len && token.at[0] == '-';

	if (minus)
		value = bytes_skip(value, 1);
	key = bytes_cut(&value, '=');
	if (bytes_equal(key, BYTES("CASEMAPPING"))) {
		take_casemap(is, minus ? BYTES("rfc1459") : value);
	} else if (bytes_equal(key, BYTES("CHANTYPES"))) {
		bytes_to_str(minus ? BYTES("#&") : value, is->chantypes, sizeof is->chantypes);
	} else if (bytes_equal(key, BYTES("PREFIX"))) {
		take_prefix(is, minus ? BYTES("(ov)@+") : value);
	} else if (bytes_equal(key, BYTES("CHANMODES"))) {
		for (unsigned i = 0; i < 4; i++)
			bytes_to_str(bytes_cut(&value, ','), is->chanmodes[i],
				     sizeof is->chanmodes[i]);
	} else if (bytes_equal(key, BYTES("STATUSMSG"))) {
		bytes_to_str(minus ? BYTES("") : value, is->statusmsg, sizeof is->statusmsg);
	} else if (bytes_equal(key, BYTES("NETWORK"))) {
		bytes_to_str(value, is->network, sizeof is->network);
	} else if (bytes_equal(key, BYTES("NICKLEN"))) {
		take_number(&is->nicklen, value, 9);
	} else if (bytes_equal(key, BYTES("LINELEN"))) {
		take_number(&is->linelen, value, 512);
	} else if (bytes_equal(key, BYTES("MODES"))) {
		take_number(&is->modes, value, 3);
	} else if (bytes_equal(key, BYTES("MONITOR"))) {
		is->has_monitor = !minus;
		take_number(&is->monitor, value, 0);
	} else if (bytes_equal(key, BYTES("CHATHISTORY")) ||
		   bytes_equal(key, BYTES("draft/CHATHISTORY"))) {
		take_number(&is->chathistory, value, minus ? 0 : 100);
	} else if (bytes_equal(key, BYTES("WHOX"))) {
		is->whox = !minus;
	} else if (bytes_equal(key, BYTES("UTF8ONLY"))) {
		is->utf8only = !minus;
	} else if (bytes_equal(key, BYTES("BOT"))) {
		is->bot = value.len ? (char)value.at[0] : '\0';
	}
}

static struct bytes key_of(struct bytes token)
{
	if (token.len && token.at[0] == '-')
		token = bytes_skip(token, 1);
	return bytes_first(token, bytes_find(token, '='));
}

bool irc_isupport_passes(struct bytes token)
{
	static const char *const own[] = {
		/* of history, lines and clients that are ours */
		"CHATHISTORY", "draft/CHATHISTORY", "MSGREFTYPES", "LINELEN", "WHOX",
		"BOUNCER_NETID", "soju.im/SAFERATE", "draft/ACCOUNTREQUIRED", "ACCOUNTREQUIRED",
		/* whose other end is the server's */
		"VAPID", "FILEHOST", "draft/FILEHOST", "soju.im/FILEHOST", "STARTTLS",
		/* that a capability of ours stands for */
		"NAMESX", "UHNAMES"};
	struct bytes key = key_of(token);

	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (bytes_equal_nocase(key, bytes_str(own[i])))
			return false;
	return key.len > 0;
}

void irc_isupport_merge(struct writer *w, struct bytes list, struct bytes token)
{
	struct bytes key = key_of(token);
	bool done = token.at[0] == '-', any = false;

	while (list.len) {
		struct bytes one = bytes_cut(&list, ' ');

		if (bytes_equal(key_of(one), key)) {
			if (done)
				continue;
			one = token;
			done = true;
		}
		writer_str(w, any ? " " : "");
		writer_put(w, one);
		any = true;
	}
	if (done)
		return;
	writer_str(w, any ? " " : "");
	writer_put(w, token);
}

static bool holds(const char *set, uint8_t c)
{
	return c && memchr(set, c, strlen(set)) != NULL;
}

bool irc_is_channel(const struct irc_isupport *is, struct bytes name)
{
	return name.len && holds(is->chantypes, name.at[0]);
}

static unsigned place_of(const char *set, uint8_t c)
{
	const char *at = c ? memchr(set, c, strlen(set)) : NULL;

	return at ? 1u << (at - set) : 0;
}

unsigned irc_prefix_of_sign(const struct irc_isupport *is, uint8_t sign)
{
	return place_of(is->prefix_signs, sign);
}

unsigned irc_prefix_of_mode(const struct irc_isupport *is, uint8_t mode)
{
	return place_of(is->prefix_modes, mode);
}

bool irc_modes_next(struct irc_modes *modes, struct irc_change *change)
{
	while (modes->count && modes->at < modes->param[0].len) {
		uint8_t c = modes->param[0].at[modes->at++];
		bool has_word;

		if (c == '+' || c == '-') {
			modes->minus = c == '-';
			continue;
		}
		*change = (struct irc_change){.mode = c, .minus = modes->minus};
		change->prefix = irc_prefix_of_mode(modes->is, c);
		has_word = change->prefix || holds(modes->is->chanmodes[0], c) ||
			   holds(modes->is->chanmodes[1], c) ||
			   (!modes->minus && holds(modes->is->chanmodes[2], c));
		if (has_word && modes->next + 1 < modes->count)
			change->word = modes->param[++modes->next];
		return true;
	}
	return false;
}
