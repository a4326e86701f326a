/* BouncerServ: what one is called for: rules, and the browsers and phones that are told. */
#include <stdio.h>
#include <stdlib.h>

#include "edge/fetch.h"
#include "irc/irc_network.h"
#include "irc/irc_notify.h"
#include "irc/irc_push.h"
#include "irc/irc_service.h"
#include "irc/irc_user.h"

/* True: it fits. */
static bool text_take(struct irc_words *words, unsigned from, const char *name,
		      char out[IRC_RULE_TEXT])
{
	const char *value = irc_words_take(words, from, name);

	snprintf(out, IRC_RULE_TEXT, "%s", value ? value : "");
	return !value || strlen(value) < IRC_RULE_TEXT;
}

/* "-quiet 22:00-07:00 [-zone +02:00]". */
static bool hours_take(struct irc_words *words, unsigned from, struct irc_rule *rule)
{
	const char *hours = irc_words_take(words, from, "quiet"),
		   *zone = irc_words_take(words, from, "zone");

	rule->is_quiet = hours != NULL;
	rule->has_zone = zone != NULL;
	if (hours && !irc_hours_parse(bytes_str(hours), &rule->from, &rule->to))
		return irc_refuse(words, "-quiet is hours such as 22:00-07:00");
	if (zone && (!hours || !irc_zone_parse(bytes_str(zone), &rule->zone)))
		return irc_refuse(words, "-zone is that of -quiet, such as +02:00");
	return !hours || !rule->mutes ||
	       irc_refuse(words, "-quiet takes calls away already: without -mute");
}

bool service_notify_add(struct irc_words *words, unsigned from)
{
	struct irc_user *user = words->order->user;
	struct irc_rule rule = {0};
	bool given;

	if (!irc_words_flag(words, from, "mute", &rule.mutes, &given) ||
	    !hours_take(words, from, &rule))
		return false;
	if (!text_take(words, from, "network", rule.network) ||
	    !text_take(words, from, "channel", rule.channel) ||
	    !text_take(words, from, "nick", rule.nick) ||
	    (from < words->count && strlen(words->at[from]) >= IRC_RULE_TEXT))
		return irc_refuse(words, "that is too long");
	if (from < words->count)
		snprintf(rule.word, sizeof rule.word, "%s", words->at[from++]);
	if (!irc_words_end(words, from))
		return false;
	if (!rule.word[0] && !rule.nick[0] && !rule.is_quiet)
		return irc_refuse(words, "for what? A word, or -nick");
	if (rule.network[0] && !irc_network_find(user, bytes_str(rule.network)))
		return irc_refuse(words, "there is no network %s", rule.network);
	if (user->rule_count >= irc_conf_now()->rules)
		return irc_refuse(words, "there are %u rules, and no more may be (irc.rules)",
				  user->rule_count);
	if (!irc_rule_add(user, &rule))
		return irc_refuse(words, "out of memory");
	if (!irc_user_keep(user)) {
		(void)irc_rule_drop(user, user->rule_count - 1);
		return irc_refuse(words, "the rules are too long together; delete one first");
	}
	return irc_say(words, "rule %u was added", user->rule_count);
}

/* "quiet 22:00-07:00 +02:00 for ", or "". */
static void hours_text(const struct irc_rule *rule, char out[48])
{
	int len = 0, zone = rule->zone < 0 ? -rule->zone : rule->zone;

	out[0] = '\0';
	if (!rule->is_quiet)
		return;
	len = snprintf(out, 48, "quiet %02u:%02u-%02u:%02u ", rule->from / 60u % 24,
		       rule->from % 60u, rule->to / 60u % 24, rule->to % 60u);
	if (rule->has_zone)
		len += snprintf(out + len, 48 - (size_t)len, "%c%02d:%02d ",
				rule->zone < 0 ? '-' : '+', zone / 60 % 24, zone % 60);
	snprintf(out + len, 48 - (size_t)len, "for ");
}

bool service_notify_list(struct irc_words *words, unsigned from)
{
	const struct irc_user *user = words->order->user;

	if (!irc_words_end(words, from))
		return false;
	for (unsigned i = 0; i < user->rule_count; i++) {
		const struct irc_rule *rule = &user->rules[i];
		char hours[48];

		hours_text(rule, hours);
		irc_say(words, "%u: %s%s%s%s%s%s%s%s%s%s%s", i + 1, hours,
			rule->mutes ? "not " : "", rule->word[0] ? "\"" : "anything", rule->word,
			rule->word[0] ? "\"" : "", rule->nick[0] ? " by " : "", rule->nick,
			rule->channel[0] ? " in " : "", rule->channel,
			rule->network[0] ? " on " : "", rule->network);
	}
	return user->rule_count || irc_say(words, "there is none");
}

bool service_notify_delete(struct irc_words *words, unsigned from)
{
	uint64_t at;

	if (from >= words->count || !bytes_to_u64(bytes_str(words->at[from]), UINT32_MAX, &at) ||
	    !at || !irc_rule_drop(words->order->user, (unsigned)at - 1))
		return irc_refuse(words, "which? notify list says their numbers");
	(void)irc_user_keep(words->order->user);
	return irc_say(words, "rule %u is no more", (unsigned)at);
}

bool service_push_status(struct irc_words *words, unsigned from)
{
	const struct irc_user *user = words->order->user;

	if (!irc_words_end(words, from))
		return false;
	for (const struct irc_push *push = user->pushes; push; push = push->next) {
		const struct irc_network *network =
			push->network ? irc_network_of_id(user, push->network) : NULL;
		char when[IRC_TIME_LEN + 1], where[200];
		struct writer w = writer_of(when, sizeof when - 1);

		irc_time_write(&w, push->created_ms);
		when[w.len] = '\0';
		fetch_url_show(push->endpoint, where, sizeof where);
		irc_say(words, "%llu: %.60s, of %s, since %s", (unsigned long long)push->id, where,
			network ? network->name : "all networks", when);
	}
	return user->pushes || irc_say(words, "there is none");
}

bool service_push_delete(struct irc_words *words, unsigned from)
{
	struct irc_push *push = words->order->user->pushes;
	uint64_t id = 0;

	if (from < words->count)
		(void)bytes_to_u64(bytes_str(words->at[from]), UINT64_MAX, &id);
	while (push && push->id != id)
		push = push->next;
	if (!push)
		return irc_refuse(words, "which? push status says their numbers");
	irc_push_drop(words->order->user, id, false);
	return irc_say(words, "it is not told any more");
}
