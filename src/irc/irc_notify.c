#include "irc/irc_notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "irc/irc_network.h"
#include "irc/proto/irc_name.h"

/* --- looking -------------------------------------------------------------------------------- */

/* A word stands alone; a mask with signs is looked for anywhere between blanks. */
static bool word_fits(const char *word, struct bytes text)
{
	if (!strpbrk(word, "*?"))
		return irc_has_word(text, bytes_str(word));
	while (text.len)
		if (irc_mask_match(IRC_ASCII, bytes_str(word), bytes_cut(&text, ' ')))
			return true;
	return false;
}

static bool rule_fits(const struct irc_rule *rule, const struct irc_buffer *buffer,
		      struct bytes nick, struct bytes text)
{
	enum irc_casemap map = buffer->network->is.casemap;

	if (rule->network[0] &&
	    !bytes_equal_nocase(bytes_str(rule->network), bytes_str(buffer->network->name)))
		return false;
	if (rule->channel[0] &&
	    !irc_mask_match(map, bytes_str(rule->channel), irc_named_bytes(&buffer->named)))
		return false;
	if (rule->nick[0] && !irc_mask_match(map, bytes_str(rule->nick), nick))
		return false;
	return !rule->word[0] || word_fits(rule->word, text);
}

bool irc_notify_mentions(const struct irc_buffer *buffer, struct bytes nick, struct bytes text)
{
	const struct irc_network *network = buffer->network;
	const struct irc_user *user = network->user;
	struct bytes words = bytes_str(network->conf.highlights);
	bool mention = irc_has_word(text, bytes_str(network->nick));

	while (words.len && !mention)
		mention = irc_has_word(text, bytes_cut(&words, ' '));
	for (unsigned i = 0; i < user->rule_count && !mention; i++)
		mention = !user->rules[i].mutes && !user->rules[i].is_quiet &&
			  rule_fits(&user->rules[i], buffer, nick, text);
	for (unsigned i = 0; i < user->rule_count && mention; i++)
		mention = !user->rules[i].mutes || user->rules[i].is_quiet ||
			  !rule_fits(&user->rules[i], buffer, nick, text);
	return mention;
}

/* Whether its hours are now. */
static bool rule_is_now(const struct irc_rule *rule, int64_t now_s)
{
	time_t at = (time_t)now_s;
	struct tm here;
	int64_t minute;

	if (!rule->has_zone && localtime_r(&at, &here))
		minute = here.tm_hour * 60 + here.tm_min;
	else
		minute = ((now_s / 60 + rule->zone) % 1440 + 1440) % 1440;
	return irc_hours_hold(rule->from, rule->to, (unsigned)minute);
}

static bool is_quiet(const struct irc_buffer *buffer, struct bytes nick, struct bytes text,
		     int64_t now_s)
{
	const struct irc_user *user = buffer->network->user;

	for (unsigned i = 0; i < user->rule_count; i++)
		if (user->rules[i].is_quiet && rule_fits(&user->rules[i], buffer, nick, text) &&
		    rule_is_now(&user->rules[i], now_s))
			return true;
	return false;
}

bool irc_notify_calls(const struct irc_buffer *buffer, bool mention, struct bytes nick,
		      struct bytes text, int64_t now_s)
{
	enum irc_filter filter = (enum irc_filter)buffer->notify_on;

	if (buffer->muted || buffer->blocked)
		return false;
	if (filter == IRC_FILTER_DEFAULT)
		filter = buffer->is_channel ? IRC_FILTER_HIGHLIGHT : IRC_FILTER_MESSAGE;
	return (filter == IRC_FILTER_MESSAGE || (filter == IRC_FILTER_HIGHLIGHT && mention)) &&
	       !is_quiet(buffer, nick, text, now_s);
}

/* --- rules ---------------------------------------------------------------------------------- */

bool irc_rule_add(struct irc_user *user, const struct irc_rule *rule)
{
	struct irc_rule *larger;

	larger = realloc(user->rules, (user->rule_count + 1) * sizeof *larger);
	if (!larger)
		return false;
	user->rules = larger;
	larger[user->rule_count++] = *rule;
	return true;
}

bool irc_rule_drop(struct irc_user *user, unsigned at)
{
	if (at >= user->rule_count)
		return false;
	user->rule_count--;
	memmove(&user->rules[at], &user->rules[at + 1],
		(user->rule_count - at) * sizeof *user->rules);
	return true;
}

json_t *irc_rules_tree(const struct irc_user *user)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < user->rule_count; i++) {
		const struct irc_rule *rule = &user->rules[i];
		json_t *one = json_object();

		json_object_set_new(one, "word", json_string(rule->word));
		json_object_set_new(one, "nick", json_string(rule->nick));
		json_object_set_new(one, "network", json_string(rule->network));
		json_object_set_new(one, "channel", json_string(rule->channel));
		json_object_set_new(one, "mutes", json_boolean(rule->mutes));
		if (rule->is_quiet) {
			json_object_set_new(one, "from", json_integer(rule->from));
			json_object_set_new(one, "to", json_integer(rule->to));
		}
		if (rule->has_zone)
			json_object_set_new(one, "zone", json_integer(rule->zone));
		json_array_append_new(list, one);
	}
	return list;
}

static void take_text(const json_t *tree, const char *name, char out[IRC_RULE_TEXT])
{
	const char *text = json_string_value(json_object_get(tree, name));

	snprintf(out, IRC_RULE_TEXT, "%s", text ? text : "");
}

void irc_rules_take(struct irc_user *user, const json_t *tree)
{
	const json_t *one;
	size_t i;

	json_array_foreach(tree, i, one)
	{
		struct irc_rule rule = {.mutes = json_is_true(json_object_get(one, "mutes"))};

		rule.is_quiet = json_is_integer(json_object_get(one, "from"));
		rule.from = (uint16_t)json_integer_value(json_object_get(one, "from"));
		rule.to = (uint16_t)json_integer_value(json_object_get(one, "to"));
		rule.has_zone = json_is_integer(json_object_get(one, "zone"));
		rule.zone = (int16_t)json_integer_value(json_object_get(one, "zone"));
		take_text(one, "word", rule.word);
		take_text(one, "nick", rule.nick);
		take_text(one, "network", rule.network);
		take_text(one, "channel", rule.channel);
		(void)irc_rule_add(user, &rule);
	}
}
