/* irc_line: one line of IRC, taken apart and put together (RFC 1459, RFC 2812, IRCv3 message-tags).
 *
 *   @time=…;msgid=x  :nick!user@host  PRIVMSG  #ring  :text with blanks
 *    tags (raw)       source           verb     param[0] param[1]
 *
 * Parsing copies nothing: all parts point into the line, which comes without CR LF. It refuses only
 * what cannot be a line; what a verb needs is asked by who handles it (irc_param() of one that is not
 * there is empty). Pure. */
#pragma once

#include "core/bytes.h"
#include "core/writer.h"

#define IRC_PARAMS_MAX 15u

/* IRCv3 message-tags: a server may send 8191 bytes of tags with '@' and the blank, a client 4096. */
#define IRC_TAGS_MAX      8191u
#define IRC_CLIENT_TAGS   4096u
#define IRC_LINE_MAX      512u /* RFC 1459 section 2.3: with CR LF, without tags */
#define IRC_TAG_VALUE_MAX 4096u

struct irc_line {
	struct bytes tags;   /* behind '@'; empty when there are none */
	struct bytes source; /* behind ':' */
	struct bytes verb;
	struct bytes param[IRC_PARAMS_MAX];
	unsigned count;
	struct bytes rest; /* the line without its tags: from ':' of the source or the verb on */
};

/* False: no verb, or a NUL, CR or LF inside. */
bool irc_line_parse(struct bytes in, struct irc_line *out);

/* The parameter, or nothing. */
static inline struct bytes irc_param(const struct irc_line *line, unsigned i)
{
	return i < line->count ? line->param[i] : (struct bytes){(const uint8_t *)"", 0};
}

/* Whether the verb is this one (ASCII case ignored). */
static inline bool irc_verb_is(const struct irc_line *line, const char *verb)
{
	return bytes_equal_nocase(line->verb, bytes_str(verb));
}

/* The number of a verb of three digits; 0 for a word. */
unsigned irc_line_numeric(const struct irc_line *line);

/* The next tag; false at the end. value is raw, and empty when there is none. */
bool irc_tag_next(struct bytes *tags, struct bytes *key, struct bytes *value);

/* The last tag of that name (message-tags: the last one counts), raw. */
bool irc_tag_get(struct bytes tags, const char *key, struct bytes *value);

/* A tag more in the list that begins where w had `from` bytes; value is raw, and empty for none. */
void irc_tag_put(struct writer *w, size_t from, struct bytes key, struct bytes value);

void irc_tag_unescape(struct writer *w, struct bytes raw);
void irc_tag_escape(struct writer *w, struct bytes value);

/* Whether these bytes may stand as a parameter in the middle: not empty, no blank, no ':' first. */
bool irc_is_middle(struct bytes param);

/* Writes ":source VERB a b :c": source may be empty; the last parameter gets its colon where it needs
 * one, and always with trailing. What would end the line is left out. */
void irc_line_write(struct writer *w, struct bytes source, struct bytes verb,
		    const struct bytes *param, unsigned count, bool trailing);
