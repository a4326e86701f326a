/* irc_text: what is said: times of server-time, CTCP, cutting what is too long, and a limit of lines.
 * Pure. */
#pragma once

#include "core/bytes.h"
#include "core/mono.h"
#include "core/writer.h"

/* "2026-11-21T06:30:00.123Z" (IRCv3 server-time): 24 bytes. */
#define IRC_TIME_LEN 24u
void irc_time_write(struct writer *w, int64_t ms);

/* Milliseconds since 1970; false: no such time. The fraction may be missing. */
bool irc_time_parse(struct bytes in, int64_t *ms);

/* "\1VERB words\1", the last \1 may be missing; false: it is no CTCP. */
bool irc_ctcp_parse(struct bytes text, struct bytes *verb, struct bytes *words);

/* The first piece of a text of at most max bytes: cut at the last blank that is not too far back, and
 * never within a character of UTF-8. Leaves what is behind it in *rest. */
struct bytes irc_split(struct bytes *rest, size_t max);

/* Whether a word stands in the text, with nothing of a name before or behind it. ASCII case ignored. */
bool irc_has_word(struct bytes text, struct bytes word);

/* "22:00-07:00" as minutes of a day; "+02:00", "-0530" as minutes east of Greenwich. False: it is none. */
bool irc_hours_parse(struct bytes text, uint16_t *from, uint16_t *to);
bool irc_zone_parse(struct bytes text, int16_t *minutes);
/* Whether a minute of the day lies in these hours; they may go over midnight, and from = to is all day. */
bool irc_hours_hold(uint16_t from, uint16_t to, unsigned minute);

/* Whether it is UTF-8 as RFC 3629 has it. */
bool irc_is_utf8(struct bytes text);

/* Lines that may go out: burst at once, then one each interval. */
struct irc_rate {
	int64_t interval_us, burst;
	mono_t empty; /* when all of the burst is there again */
};

static inline void irc_rate_init(struct irc_rate *rate, int64_t interval_us, int64_t burst)
{
	*rate = (struct irc_rate){interval_us, burst < 1 ? 1 : burst, {0}};
}

/* Takes one; false: not now, *when says when. */
bool irc_rate_take(struct irc_rate *rate, mono_t now, mono_t *when);
