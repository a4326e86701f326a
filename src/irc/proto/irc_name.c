#include "irc/proto/irc_name.h"

uint8_t irc_fold_byte(enum irc_casemap map, uint8_t c)
{
	if (map == IRC_EXACT)
		return c;
	if (c >= 'A' && c <= 'Z')
		return (uint8_t)(c + 32);
	/* RFC 1459 section 2.2: {}| are the lower case of []\, and ~ of ^ as servers have it. */
	if (map != IRC_ASCII && (c == '[' || c == ']' || c == '\\'))
		return (uint8_t)(c + 32);
	if (map == IRC_RFC1459 && c == '^')
		return '~';
	return c;
}

bool irc_same(enum irc_casemap map, struct bytes a, struct bytes b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (irc_fold_byte(map, a.at[i]) != irc_fold_byte(map, b.at[i]))
			return false;
	return true;
}

uint32_t irc_hash(enum irc_casemap map, struct bytes name)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < name.len; i++)
		hash = (hash ^ irc_fold_byte(map, name.at[i])) * 16777619u;
	return hash;
}

size_t irc_fold(enum irc_casemap map, struct bytes name, char *buf, size_t size)
{
	size_t n = name.len < size ? name.len : size - 1;

	for (size_t i = 0; i < n; i++)
		buf[i] = (char)irc_fold_byte(map, name.at[i]);
	buf[n] = '\0';
	return n;
}

struct irc_source irc_source_of(struct bytes source)
{
	struct irc_source out = {.nick = source};
	size_t at = bytes_find(source, '@'), bang = bytes_find(source, '!');

	if (at < source.len) {
		out.host = bytes_skip(source, at + 1);
		out.nick = bytes_first(source, at);
	}
	if (bang < out.nick.len) {
		out.user = bytes_skip(out.nick, bang + 1);
		out.nick = bytes_first(out.nick, bang);
	}
	return out;
}

/* One byte of a mask, as it stands or behind a backslash; how many bytes it takes. */
static size_t mask_byte(struct bytes mask, size_t at, uint8_t *byte, bool *any)
{
	*any = mask.at[at] == '?';
	*byte = mask.at[at];
	if (mask.at[at] == '\\' && at + 1 < mask.len &&
	    (mask.at[at + 1] == '*' || mask.at[at + 1] == '?')) {
		*byte = mask.at[at + 1];
		return 2;
	}
	return 1;
}

bool irc_mask_match(enum irc_casemap map, struct bytes mask, struct bytes text)
{
	size_t m = 0, t = 0, star = mask.len, from = 0;

	/* The last star alone is gone back to, so the time is at most mask times text. */
	while (t < text.len) {
		uint8_t byte;
		bool any;
		size_t took = 0;

		if (m < mask.len && mask.at[m] == '*') {
			star = m++;
			from = t;
			continue;
		}
		if (m < mask.len)
			took = mask_byte(mask, m, &byte, &any);
		if (took && (any || irc_fold_byte(map, byte) == irc_fold_byte(map, text.at[t]))) {
			m += took;
			t++;
		} else if (star < mask.len) {
			m = star + 1;
			t = ++from;
		} else {
			return false;
		}
	}
	while (m < mask.len && mask.at[m] == '*')
		m++;
	return m == mask.len;
}

static bool is_label(struct bytes label)
{
	if (!label.len || label.len > 63 || label.at[0] == '-' || label.at[label.len - 1] == '-')
		return false;
	for (size_t i = 0; i < label.len; i++) {
		uint8_t c = byte_lower(label.at[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
			return false;
	}
	return true;
}

bool irc_is_hostname(struct bytes name)
{
	bool dot = bytes_find(name, '.') < name.len;

	if (!dot || name.len > 253)
		return false;
	while (name.len)
		if (!is_label(bytes_cut(&name, '.')))
			return false;
	return true;
}

bool irc_is_nick(struct bytes nick)
{
	static const char marks[] = "[]\\`_^{|}~-";

	if (!nick.len || nick.len > 64 || nick.at[0] == '-' ||
	    (nick.at[0] >= '0' && nick.at[0] <= '9'))
		return false;
	for (size_t i = 0; i < nick.len; i++) {
		uint8_t c = nick.at[i], lower = byte_lower(c);

		if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') && c < 0x80 &&
		    !memchr(marks, c, sizeof marks - 1))
			return false;
	}
	return true;
}
