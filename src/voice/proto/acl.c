#include "voice/proto/acl.h"

/* From the uppermost down to channel. False: too deep. */
static bool chain_of(const struct acl_channel *channel, const struct acl_channel **chain,
		     size_t *count)
{
	size_t n = 0;

	for (const struct acl_channel *c = channel; c; c = c->parent)
		if (n++ == ACL_DEPTH_MAX)
			return false;
	*count = n;
	for (const struct acl_channel *c = channel; c; c = c->parent)
		chain[--n] = c;
	return true;
}

static size_t place_in(const struct acl_channel *const *chain, size_t count,
		       const struct acl_channel *channel)
{
	size_t i = 0;

	while (i < count && chain[i] != channel)
		i++;
	return i;
}

/* --- groups ------------------------------------------------------------------------------------ */

const struct acl_group *acl_group_here(const struct acl_channel *channel, struct bytes name)
{
	for (size_t i = 0; i < channel->group_count; i++)
		if (bytes_equal(channel->groups[i].name, name))
			return &channel->groups[i];
	return NULL;
}

static bool is_listed(const int32_t *list, size_t count, int32_t user)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list[middle] == user)
			return true;
		if (list[middle] < user)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* From the channel upwards to where the group begins, then down again. */
static bool is_collected(const struct acl_channel *channel, struct bytes name, int32_t user)
{
	const struct acl_group *found[ACL_DEPTH_MAX];
	size_t count = 0;
	bool member = false;

	if (user == ACL_NOBODY)
		return false;
	for (const struct acl_channel *c = channel; c && count < ACL_DEPTH_MAX; c = c->parent) {
		const struct acl_group *group = acl_group_here(c, name);

		if (!group)
			continue;
		if (c != channel && !group->inheritable)
			break;
		found[count++] = group;
		if (!group->inherit)
			break;
	}
	while (count > 0) {
		const struct acl_group *group = found[--count];

		if (is_listed(group->add, group->add_count, user))
			member = true;
		if (is_listed(group->remove, group->remove_count, user))
			member = false;
	}
	return member;
}

/* "sub,a,b,c": he is in or below the channel a levels under c, at a depth of b to c levels under that. */
static bool is_below(const struct acl_channel *in, const struct acl_channel *from,
		     struct bytes args, const struct acl_who *who)
{
	const struct acl_channel *mine[ACL_DEPTH_MAX], *theirs[ACL_DEPTH_MAX];
	int64_t numbers[3] = {0, 1, 1000}, start;
	size_t my_count, their_count;

	for (int i = 0; i < 3 && args.len; i++) {
		struct bytes word = bytes_trim(bytes_cut(&args, ','));
		bool minus = word.len && word.at[0] == '-';
		uint64_t value;

		if (bytes_to_u64(bytes_skip(word, minus), 1000, &value))
			numbers[i] = minus ? -(int64_t)value : (int64_t)value;
	}
	if (!who->home || !chain_of(who->home, mine, &my_count) ||
	    !chain_of(in, theirs, &their_count))
		return false;
	start = (int64_t)place_in(theirs, their_count, from) + numbers[0];
	if (start >= (int64_t)their_count)
		return false;
	if (start < 0)
		start = 0;
	if (place_in(mine, my_count, theirs[start]) == my_count)
		return false;
	return (int64_t)my_count - 1 >= start + numbers[1] &&
	       (int64_t)my_count - 1 <= start + numbers[2];
}

static bool has_token(const struct acl_who *who, struct bytes token)
{
	for (size_t i = 0; i < who->token_count; i++)
		if (bytes_equal_nocase(who->tokens[i], token))
			return true;
	return false;
}

bool acl_is_member(const struct acl_channel *in, const struct acl_channel *at, struct bytes group,
		   const struct acl_who *who)
{
	const struct acl_channel *seen_from = in;
	bool others = false, member;

	for (; group.len && (group.at[0] == '!' || group.at[0] == '~');
	     group = bytes_skip(group, 1)) {
		if (group.at[0] == '!')
			others = true;
		else
			seen_from = at;
	}
	if (group.len == 0)
		return false;
	if (group.at[0] == '#')
		member = has_token(who, bytes_skip(group, 1));
	else if (group.at[0] == '$')
		member = who->hash.len && bytes_equal_nocase(who->hash, bytes_skip(group, 1));
	else if (bytes_equal(group, BYTES("none")))
		member = false;
	else if (bytes_equal(group, BYTES("all")))
		member = true;
	else if (bytes_equal(group, BYTES("auth")))
		member = who->user != ACL_NOBODY;
	else if (bytes_equal(group, BYTES("strong")))
		member = who->strong;
	else if (bytes_equal(group, BYTES("in")))
		member = who->home == seen_from;
	else if (bytes_equal(group, BYTES("out")))
		member = who->home != seen_from;
	else if (bytes_equal(group, BYTES("sub")) || bytes_start_with(group, BYTES("sub,")))
		member = is_below(in, seen_from, bytes_skip(group, 4), who);
	else
		member = is_collected(seen_from, group, who->user);
	return member != others;
}

/* --- rules ------------------------------------------------------------------------------------- */

struct verdict {
	uint32_t granted;
	bool traverse, write;
};

static void apply(const struct acl_channel *channel, const struct acl_channel *at,
		  const struct acl_who *who, struct verdict *verdict)
{
	for (size_t i = 0; i < at->rule_count; i++) {
		const struct acl_rule *rule = &at->rules[i];
		bool means_him = (rule->user != ACL_NOBODY && rule->user == who->user) ||
				 (rule->group.len && acl_is_member(channel, at, rule->group, who));

		if (!means_him)
			continue;
		/* On the way down it counts whether he gets through, wherever the rule is for. */
		if (rule->grant & MAY_TRAVERSE)
			verdict->traverse = true;
		if (rule->deny & MAY_TRAVERSE)
			verdict->traverse = false;
		if (rule->grant & MAY_WRITE)
			verdict->write = true;
		if (rule->deny & MAY_WRITE)
			verdict->write = false;
		if (at == channel ? rule->here : rule->below) {
			verdict->granted |= rule->grant;
			verdict->granted &= ~rule->deny;
		}
	}
}

uint32_t acl_permissions(const struct acl_channel *channel, const struct acl_who *who)
{
	const struct acl_channel *chain[ACL_DEPTH_MAX];
	struct verdict verdict = {MAY_AT_FIRST, true, false};
	uint32_t all = channel->parent ? MAY_IN_CHANNEL : MAY_ALL;
	size_t count;

	if (who->user == ACL_SUPER_USER)
		return all & ~(uint32_t)(MAY_SPEAK | MAY_WHISPER);
	if (!chain_of(channel, chain, &count))
		return MAY_NOTHING;
	for (size_t i = 0; i < count; i++) {
		if (!chain[i]->inherit)
			verdict.granted = MAY_AT_FIRST;
		apply(channel, chain[i], who, &verdict);
		if (!verdict.traverse && !verdict.write)
			return MAY_NOTHING;
	}
	if (verdict.granted & MAY_WRITE)
		verdict.granted |= all & ~(uint32_t)(MAY_SPEAK | MAY_WHISPER);
	return verdict.granted & all;
}
