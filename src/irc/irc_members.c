/* Who is where, as a server told. The header is irc_network.h. */
#include <stdlib.h>

#include "core/metric.h"
#include "irc/irc_buffer.h"
#include "irc/irc_network.h"

#define LATE_MOST 64u /* members that are looked for one by one */

struct irc_nick *irc_nick_find(const struct irc_network *network, struct bytes nick)
{
	struct irc_named *named = irc_index_find(&network->nicks, network->is.casemap, nick);

	return named ? container_of(named, struct irc_nick, named) : NULL;
}

static struct irc_nick *nick_make(struct irc_network *network, struct bytes name)
{
	struct irc_nick *nick = irc_nick_find(network, name);

	if (nick || !name.len || name.len > IRC_NAME_MAX)
		return nick;
	if (network->nicks.used >= irc_conf_now()->members) {
		metric_add(METRIC_irc_refused, 1);
		return NULL;
	}
	nick = malloc(sizeof *nick + name.len + 1);
	if (!nick)
		return NULL;
	*nick = (struct irc_nick){.named.name = nick->text};
	bytes_to_str(name, nick->text, name.len + 1);
	if (!irc_index_put(&network->nicks, network->is.casemap, &nick->named)) {
		free(nick);
		return NULL;
	}
	return nick;
}

static void nick_unref(struct irc_network *network, struct irc_nick *nick)
{
	if (--nick->refs)
		return;
	irc_index_drop(&network->nicks, &nick->named);
	free(nick);
}

/* --- channels ------------------------------------------------------------------------------- */

struct irc_channel *irc_channel_enter(struct irc_buffer *buffer)
{
	if (!buffer->channel)
		buffer->channel = calloc(1, sizeof *buffer->channel);
	return buffer->channel;
}

void irc_channel_leave(struct irc_buffer *buffer)
{
	struct irc_channel *channel = buffer->channel;

	if (!channel)
		return;
	for (uint32_t i = 0; i < channel->count; i++)
		nick_unref(buffer->network, channel->members[i].nick);
	free(channel->members);
	free(channel->topic);
	free(channel->topic_who);
	free(channel->modes);
	free(channel);
	buffer->channel = NULL;
}

/* --- members -------------------------------------------------------------------------------- */

static int by_nick(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)((const struct irc_member *)a)->nick;
	uintptr_t y = (uintptr_t)((const struct irc_member *)b)->nick;

	return x < y ? -1 : x > y;
}

/* Those that came lately go to their places among the others: each of these moves once for all of them. */
static void members_merge(struct irc_channel *channel)
{
	struct irc_member late[LATE_MOST], *members = channel->members;
	uint32_t left = channel->sorted, count = channel->count - left;

	memcpy(late, members + left, count * sizeof *late);
	qsort(late, count, sizeof *late, by_nick);
	for (uint32_t to = channel->count; count; to--)
		members[to - 1] = left && by_nick(&members[left - 1], &late[count - 1]) > 0
					  ? members[--left]
					  : late[--count];
	channel->sorted = channel->count;
}

static struct irc_member *member_of(struct irc_channel *channel, const struct irc_nick *nick)
{
	struct irc_member key = {.nick = (struct irc_nick *)(uintptr_t)nick};

	for (uint32_t i = channel->sorted; i < channel->count; i++)
		if (channel->members[i].nick == nick)
			return &channel->members[i];
	return channel->sorted
		       ? bsearch(&key, channel->members, channel->sorted, sizeof key, by_nick)
		       : NULL;
}

static void member_append(struct irc_channel *channel, struct irc_nick *nick, uint32_t prefix)
{
	if (channel->count - channel->sorted == LATE_MOST)
		members_merge(channel);
	channel->members[channel->count++] = (struct irc_member){nick, prefix};
}

static void member_take(struct irc_channel *channel, struct irc_member *member)
{
	size_t behind = (size_t)(channel->members + channel->count - (member + 1));

	channel->sorted -= member < channel->members + channel->sorted;
	memmove(member, member + 1, behind * sizeof *member);
	channel->count--;
}

struct irc_member *irc_member_find(const struct irc_buffer *buffer, struct bytes name)
{
	struct irc_nick *nick = irc_nick_find(buffer->network, name);

	return nick && buffer->channel ? member_of(buffer->channel, nick) : NULL;
}

static bool members_reach(struct irc_channel *channel)
{
	uint32_t size = channel->size ? channel->size * 2 : 4;
	struct irc_member *larger;

	if (channel->count < channel->size)
		return true;
	larger = realloc(channel->members, size * sizeof *larger);
	if (!larger)
		return false;
	channel->members = larger;
	channel->size = size;
	return true;
}

bool irc_member_put(struct irc_buffer *buffer, struct bytes name, unsigned prefix)
{
	struct irc_channel *channel = buffer->channel;
	struct irc_nick *nick;
	struct irc_member *member;

	if (!channel || !members_reach(channel))
		return false;
	nick = nick_make(buffer->network, name);
	if (!nick)
		return false;
	/* One that was just made is in no channel: no need to look. */
	member = nick->refs ? member_of(channel, nick) : NULL;
	if (member) {
		member->prefix = prefix;
		return true;
	}
	nick->refs++;
	member_append(channel, nick, prefix);
	return true;
}

static void member_drop(struct irc_buffer *buffer, struct irc_nick *nick)
{
	struct irc_channel *channel = buffer->channel;
	struct irc_member *member = channel ? member_of(channel, nick) : NULL;

	if (!member)
		return;
	member_take(channel, member);
	nick_unref(buffer->network, nick);
}

void irc_member_drop(struct irc_buffer *buffer, struct bytes name)
{
	struct irc_nick *nick = irc_nick_find(buffer->network, name);

	if (nick)
		member_drop(buffer, nick);
}

bool irc_nick_is_in(const struct irc_network *network, struct bytes name,
		    const struct irc_buffer *buffer)
{
	const struct irc_nick *nick = irc_nick_find(network, name);

	return nick && buffer->channel && member_of(buffer->channel, nick);
}

bool irc_nick_rename(struct irc_network *network, struct bytes from, struct bytes to)
{
	struct irc_nick *old = irc_nick_find(network, from), *other, *made;
	struct irc_named *named;
	uint32_t at = 0, prefix;

	if (!old || !to.len || to.len > IRC_NAME_MAX)
		return false;
	other = irc_nick_find(network, to);
	made = malloc(sizeof *made + to.len + 1);
	if (!made)
		return false;
	*made = *old;
	bytes_to_str(to, made->text, to.len + 1);
	made->named.name = made->text;
	irc_index_drop(&network->nicks, &old->named);
	/* A server that gives somebody a name that another one has: the other one was never there. */
	if (other && other != old) {
		other->refs++;
		while ((named = irc_index_next(&network->buffers, &at)))
			member_drop(container_of(named, struct irc_buffer, named), other);
		nick_unref(network, other);
	}
	CHECK(irc_index_put(&network->nicks, network->is.casemap, &made->named));
	for (at = 0; (named = irc_index_next(&network->buffers, &at));) {
		struct irc_buffer *buffer = container_of(named, struct irc_buffer, named);
		struct irc_member *member =
			buffer->channel ? member_of(buffer->channel, old) : NULL;

		if (!member)
			continue;
		prefix = member->prefix;
		member_take(buffer->channel, member);
		member_append(buffer->channel, made, prefix);
	}
	free(old);
	return true;
}

void irc_nick_quit(struct irc_network *network, struct bytes name,
		   void (*left)(struct irc_buffer *buffer, const struct irc_record *line),
		   const struct irc_record *line)
{
	struct irc_nick *nick = irc_nick_find(network, name);
	struct irc_named *named;
	uint32_t at = 0;

	if (!nick)
		return;
	nick->refs++; /* not freed before the last channel was looked at */
	while (nick->refs > 1 && (named = irc_index_next(&network->buffers, &at))) {
		struct irc_buffer *buffer = container_of(named, struct irc_buffer, named);

		if (!buffer->channel || !member_of(buffer->channel, nick))
			continue;
		member_drop(buffer, nick);
		if (left)
			left(buffer, line);
	}
	nick_unref(network, nick);
}

void irc_network_forget(struct irc_network *network)
{
	struct irc_named *named;
	uint32_t at = 0;

	while ((named = irc_index_next(&network->buffers, &at)))
		irc_channel_leave(container_of(named, struct irc_buffer, named));
	CHECK(network->nicks.used == 0);
	irc_index_fini(&network->nicks);
}
