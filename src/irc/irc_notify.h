/* irc_notify: which lines somebody wants to be called for: rules by word, by channel, by who said it.
 *
 *   own nick, network's highlights, rules ─▶ a mention?   and then: the channel's -notify ─▶ a call?
 *
 * A rule is a mask (* and ?) that is looked for in what was said; with a network or a channel (a mask
 * too) it counts only there. One that mutes takes away what the others gave. One of quiet hours takes away
 * calls and no mentions, while they last. Runs on the worker of the user. */
#pragma once

#include <jansson.h>

#include "irc/irc_part.h"

#define IRC_RULE_TEXT 80u /* of each of its texts, with its NUL: words, not sentences */

struct irc_rule {
	char word[IRC_RULE_TEXT];    /* what was said */
	char nick[IRC_RULE_TEXT];    /* who said it; "": anybody. word or nick */
	char network[IRC_RULE_TEXT]; /* "": all */
	char channel[IRC_RULE_TEXT]; /* "": all */
	bool mutes;
	bool is_quiet;     /* it takes calls away, and mentions nobody: at these hours */
	bool has_zone;     /* else they are the server's */
	int16_t zone;      /* minutes east of Greenwich */
	uint16_t from, to; /* minutes of a day */
};

/* Whether it is a mention: what shows in detached channels and attaches them again. */
bool irc_notify_mentions(const struct irc_buffer *buffer, struct bytes nick, struct bytes text);

/* Whether it is worth a call, mention or not, at this time (seconds since 1970). */
bool irc_notify_calls(const struct irc_buffer *buffer, bool mention, struct bytes nick,
		      struct bytes text, int64_t now_s);

/* False: no memory. How many there may be asks who takes an order. */
bool irc_rule_add(struct irc_user *user, const struct irc_rule *rule);
bool irc_rule_drop(struct irc_user *user, unsigned at);

/* As they are kept. */
json_t *irc_rules_tree(const struct irc_user *user);
void irc_rules_take(struct irc_user *user, const json_t *tree);
