/* BouncerServ: networks and channels. */
#include <sodium.h>
#include <stdio.h>

#include "irc/irc_bouncer.h"
#include "irc/irc_buffer.h"
#include "irc/irc_detach.h"
#include "irc/irc_network.h"
#include "irc/irc_service.h"
#include "irc/irc_upstream.h"
#include "irc/irc_user.h"

#define CHANNEL_NAME_MAX 200u /* RFC 2812 has 50; servers have up to 200 */

/* --- networks ------------------------------------------------------------------------------- */

/* Says why a network cannot be called so. */
static bool name_refuse(struct irc_words *words, const char *name)
{
	if (irc_network_find(words->order->user, bytes_str(name)))
		return irc_refuse(words, "there is a network %s already", name);
	if (!irc_network_name_valid(bytes_str(name)))
		return irc_refuse(words,
				  "%s cannot be its name: 1 to 64 bytes, without blank, comma, / "
				  "and @, and not begun with -",
				  name);
	return irc_refuse(words, "out of memory");
}

/* Attributes behind from. False: one was wrong, and it was said. */
static bool attributes_take(struct irc_words *words, unsigned from, struct irc_network *network)
{
	char commands[3001] = "";
	const char *fault = NULL, *value;

	while ((value = irc_words_take(words, from, "connect-command"))) {
		size_t len = strlen(commands);

		snprintf(commands + len, sizeof commands - len, "%s%s", len ? "\n" : "", value);
		fault = irc_network_set(network, BYTES("connect_command"), bytes_str(commands));
	}
	if (fault)
		return irc_refuse(words, "connect-command %s", fault);
	for (unsigned i = from; i < words->count; i += 2) {
		struct bytes name = bytes_str(words->at[i]);

		if (name.len < 2 || name.at[0] != '-' || i + 1 == words->count)
			return irc_refuse(words, "-name value is expected, not %s", words->at[i]);
		name = bytes_skip(name, 1);
		value = words->at[i + 1];
		if (bytes_equal(name, BYTES("name"))) {
			if (!irc_network_rename(network, bytes_str(value)))
				return name_refuse(words, value);
			continue;
		}
		fault = irc_network_set(network, name, bytes_str(value));
		if (fault)
			return irc_refuse(words, "-%.*s %s", (int)name.len, (const char *)name.at,
					  fault);
	}
	return true;
}

bool service_network_create(struct irc_words *words, unsigned from)
{
	struct irc_user *user = words->order->user;
	const char *addr = irc_words_peek(words, from, "addr"),
		   *name = irc_words_peek(words, from, "name");
	struct irc_network *network;
	struct irc_place place;

	if (!addr)
		return irc_refuse(words, "-addr is missing: network create -addr irc.example.org");
	if (!irc_upstream_addr_valid(bytes_str(addr)) || !irc_upstream_place(addr, 0, &place))
		return irc_refuse(words,
				  "-addr %s is no address of a server: ircs://host:port, "
				  "irc+insecure://host:port, irc+unix:///path, host",
				  addr);
	if (user->network_count >= irc_user_networks_most(user) && !words->order->is_admin)
		return irc_refuse(words, "there are %u networks, and no more may be",
				  user->network_count);
	network = irc_network_make(user, irc_id_next(IRC_ID_NETWORK),
				   bytes_str(name ? name : place.host));
	if (!network)
		return name_refuse(words, name ? name : place.host);
	if (!attributes_take(words, from, network)) {
		irc_network_drop(network, false);
		return false;
	}
	irc_network_keep(network);
	irc_bouncer_tell(network, false);
	irc_clients_new_network(network);
	irc_network_start(network);
	return irc_say(words, "network %s was created", network->name);
}

/* The network that is named, or that the order came from. */
static struct irc_network *network_named(struct irc_words *words, unsigned *from)
{
	struct irc_network *network = words->order->network;

	if (*from < words->count && words->at[*from][0] != '-') {
		network = irc_network_find(words->order->user, bytes_str(words->at[*from]));
		if (!network)
			irc_say(words, "there is no network %s", words->at[*from]);
		(*from)++;
	} else if (!network) {
		irc_say(words, "which network?");
	}
	return network;
}

/* Of attributes that count without a new connection; as words have them, or fields. */
static bool is_quiet(const char *name)
{
	static const char *const names[] = {"name",           "highlights",  "auto-away",
					    "burst",          "interval-ms", "retention-days",
					    "connect-command"};

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		size_t k = 0;

		while (names[i][k] &&
		       (name[k] == names[i][k] || (name[k] == '_' && names[i][k] == '-')))
			k++;
		if (!names[i][k] && !name[k])
			return true;
	}
	return false;
}

/* What a connection is made by: another one of these needs another one of those. */
static void connection_digest(const struct irc_network *network,
			      uint8_t digest[crypto_generichash_BYTES])
{
	crypto_generichash_state state;
	char value[3001];
	const char *name;

	crypto_generichash_init(&state, NULL, 0, crypto_generichash_BYTES);
	for (unsigned i = 0; (name = irc_network_field(i)); i++) {
		if (is_quiet(name) || !irc_network_get(network, name, value, sizeof value))
			continue;
		crypto_generichash_update(&state, (const uint8_t *)value, strlen(value) + 1);
	}
	sodium_memzero(value, sizeof value);
	crypto_generichash_final(&state, digest, crypto_generichash_BYTES);
}

bool service_network_update(struct irc_words *words, unsigned from)
{
	uint8_t before[crypto_generichash_BYTES], after[crypto_generichash_BYTES];
	struct irc_network *network = network_named(words, &from);
	bool renews = from == words->count, was_on;

	for (unsigned i = from; i < words->count; i += 2)
		renews |= words->at[i][0] != '-' || !is_quiet(words->at[i] + 1);
	if (!network)
		return false;
	was_on = network->up != NULL;
	connection_digest(network, before);
	if (!attributes_take(words, from, network))
		return false;
	connection_digest(network, after);
	irc_network_keep(network);
	/* One that waits or tries is called at once. */
	renews &= network->state != IRC_STATE_UP || memcmp(before, after, sizeof before) != 0;
	if (renews) {
		irc_network_stop(network, "Settings changed");
		irc_network_start(network);
	}
	irc_bouncer_tell(network, false);
	return irc_say(words, "network %s was changed%s", network->name,
		       !renews                 ? ""
		       : network->conf.enabled ? ", and connects anew"
		       : was_on                ? ", and is disconnected"
					       : "");
}

bool service_network_delete(struct irc_words *words, unsigned from)
{
	struct irc_network *network = network_named(words, &from);
	char name[80];

	if (!network)
		return false;
	snprintf(name, sizeof name, "%s", network->name);
	irc_say(words, "network %s was deleted", name);
	irc_bouncer_tell(network, true);
	words->order->network = NULL;
	irc_network_drop(network, false);
	return true;
}

bool service_network_status(struct irc_words *words, unsigned from)
{
	const struct irc_network *network = words->order->user->networks;

	(void)from;
	if (!network)
		irc_say(words,
			"there is no network; create one: network create -addr irc.example.org");
	for (; network; network = network->next) {
		unsigned channels = 0;
		char next[80];
		struct irc_named *named;
		uint32_t at = 0;

		while ((named = irc_index_next(&network->buffers, &at)))
			channels += container_of(named, struct irc_buffer, named)->channel != NULL;
		irc_say(words, "%s (%s) [%s] nick %s, %u channels%s%s%s%s", network->name,
			network->conf.addr, irc_state_name(network->state),
			network->nick[0] ? network->nick : irc_network_nick(network), channels,
			network->up && network->up->place.tls ? ", TLS" : "",
			network->account && network->account[0] ? ", account " : "",
			network->account && network->account[0] ? network->account : "", "");
		if (network->state != IRC_STATE_UP)
			irc_say(words, "  %s%s%s", network->why, network->why[0] ? ". " : "",
				irc_network_next(network, next, sizeof next));
	}
	return true;
}

bool service_network_quote(struct irc_words *words, unsigned from)
{
	struct irc_network *network =
		words->count - from > 1 ? network_named(words, &from) : words->order->network;

	if (!network || from == words->count)
		return irc_refuse(words, "network quote NAME \"LINE\"");
	if (!network->up || strpbrk(words->at[from], "\r\n") ||
	    !irc_upstream_queue(network->up, bytes_str(words->at[from])))
		return irc_refuse(words, "%s is not connected", network->name);
	return irc_say(words, "sent");
}

/* --- channels ------------------------------------------------------------------------------- */

bool service_channel_status(struct irc_words *words, unsigned from)
{
	const char *only = irc_words_take(words, from, "network");

	for (struct irc_network *network = words->order->user->networks; network;
	     network = network->next) {
		struct irc_named *named;
		uint32_t at = 0;

		if (only && strcasecmp(only, network->name) != 0)
			continue;
		while ((named = irc_index_next(&network->buffers, &at))) {
			const struct irc_buffer *buffer =
				container_of(named, struct irc_buffer, named);

			if (!buffer->is_channel)
				continue;
			irc_say(words, "%s/%s [%s%s] %u members, %llu lines", named->name,
				network->name,
				buffer->channel  ? "joined"
				: buffer->wanted ? "wanted"
						 : "parted",
				buffer->detached ? ", detached" : "",
				buffer->channel ? buffer->channel->count : 0,
				(unsigned long long)(buffer->ring.head - 1));
		}
	}
	return true;
}

/* "NAME" of the order's network, or "NAME/network". */
static struct irc_network *channel_network(struct irc_words *words, char *name)
{
	char *slash = strrchr(name, '/');
	struct irc_network *network =
		slash ? irc_network_find(words->order->user, bytes_str(slash + 1)) : NULL;

	if (network) {
		*slash = '\0';
		return network;
	}
	return irc_order_network(words, 2);
}

static bool filter_take(struct irc_words *words, const char *name, uint8_t *filter)
{
	static const char *const filters[] = {"default", "none", "highlight", "message"};
	const char *value = irc_words_take(words, 3, name);

	if (!value)
		return true;
	for (unsigned i = 0; i < COUNT_OF(filters); i++)
		if (strcmp(value, filters[i]) == 0) {
			*filter = (uint8_t)i;
			return true;
		}
	return irc_refuse(words, "-%s is default, none, highlight or message", name);
}

static bool channel_settings(struct irc_words *words, struct irc_buffer *buffer)
{
	const char *days = irc_words_take(words, 3, "retention-days"),
		   *key = irc_words_take(words, 3, "key");
	uint64_t seconds = 0, retention;
	bool has_time, detached = false, has_detached;

	if (days && !bytes_to_u64(bytes_str(days), 36500, &retention))
		return irc_refuse(words, "-retention-days is a number; 0: as of the network");
	if (days)
		buffer->retention_days = (uint32_t)retention;
	if (key && !irc_buffer_set_key(buffer, bytes_str(key)))
		return irc_refuse(words, "-key is UTF-8, of at most 200 bytes");
	if (!filter_take(words, "relay-detached", &buffer->relay_detached) ||
	    !filter_take(words, "reattach-on", &buffer->reattach_on) ||
	    !filter_take(words, "detach-on", &buffer->detach_on) ||
	    !filter_take(words, "notify", &buffer->notify_on) ||
	    !irc_words_flag(words, 3, "detached", &detached, &has_detached) ||
	    !irc_words_time(words, 3, "detach-after", &seconds, &has_time) ||
	    !irc_words_end(words, 3))
		return false;
	if (has_time)
		buffer->detach_after_s = (uint32_t)(seconds < UINT32_MAX ? seconds : UINT32_MAX);
	buffer->detach_at.us = 0;
	irc_buffer_keep(buffer);
	if (has_detached && detached)
		irc_detach(buffer);
	else if (has_detached)
		irc_detach_attach(buffer);
	return true;
}

/* Whether the name can be a channel's: RFC 2812 section 1.3, with the server's own kinds while it is there. */
static bool channel_name(struct irc_words *words, const struct irc_network *network,
			 const char *name)
{
	const char *kinds =
		network->state == IRC_STATE_UP ? network->is.chantypes : IRC_CHANNEL_KINDS;
	const char *bad = strpbrk(name, " ,\a");

	if (!name[0] || !strchr(kinds, name[0]))
		return irc_refuse(words, "%s is no channel of %s: their names begin with %s%s",
				  name, network->name, kinds[1] ? "one of " : "", kinds);
	if (!name[1])
		return irc_refuse(words, "%s alone is no channel's name", name);
	if (bad)
		return irc_refuse(words, "a channel's name has no %s",
				  *bad == ','   ? "comma: one at a time"
				  : *bad == ' ' ? "blank"
						: "BEL");
	return strlen(name) <= CHANNEL_NAME_MAX ||
	       irc_refuse(words, "a channel's name has at most %u bytes", CHANNEL_NAME_MAX);
}

bool service_channel_create(struct irc_words *words, unsigned from)
{
	struct irc_network *network;
	struct irc_buffer *buffer;
	bool was_there;

	if (from >= words->count)
		return irc_refuse(words, "channel create NAME [-network NETWORK]");
	network = channel_network(words, words->at[from]);
	if (!network || !channel_name(words, network, words->at[from]))
		return false;
	was_there = irc_buffer_find(network, bytes_str(words->at[from])) != NULL;
	buffer = irc_buffer_make(network, bytes_str(words->at[from]));
	if (!buffer)
		return irc_refuse(words,
				  "%s cannot be a channel: it is no UTF-8, or there are too many",
				  words->at[from]);
	if (!channel_settings(words, buffer)) {
		if (!was_there)
			irc_buffer_drop(buffer, false);
		return false;
	}
	buffer->wanted = buffer->is_channel = true;
	irc_buffer_keep(buffer);
	if (network->up)
		irc_network_join_all(network);
	return irc_say(words, "channel %s was created", buffer->named.name);
}

static bool channel_change(struct irc_words *words, unsigned from, bool deletes)
{
	struct irc_network *network;
	struct irc_buffer *buffer;

	if (from >= words->count)
		return irc_refuse(words, "which channel?");
	network = channel_network(words, words->at[from]);
	buffer = network ? irc_buffer_find(network, bytes_str(words->at[from])) : NULL;
	if (!buffer)
		return irc_refuse(words, "there is no channel %s", words->at[from]);
	if (!deletes)
		return channel_settings(words, buffer) &&
		       irc_say(words, "channel %s was changed", buffer->named.name);
	if (network->up && buffer->channel)
		irc_upstream_later(network->up, "PART %s", buffer->named.name);
	irc_channel_leave(buffer);
	irc_say(words, "channel %s was deleted, with all that was said there", buffer->named.name);
	irc_buffer_drop(buffer, false);
	return true;
}

bool service_channel_update(struct irc_words *words, unsigned from)
{
	return channel_change(words, from, false);
}

bool service_channel_delete(struct irc_words *words, unsigned from)
{
	return channel_change(words, from, true);
}
