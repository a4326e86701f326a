#include "irc/irc_service.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/clock.h"
#include "core/metric.h"
#include "edge/account.h"
#include "edge/edge.h"
#include "irc/irc_bouncer.h"
#include "irc/irc_buffer.h"
#include "irc/irc_detach.h"
#include "irc/irc_network.h"
#include "irc/irc_upstream.h"
#include "irc/irc_user.h"

#define WORDS_MAX 64u

struct words {
	struct irc_order *order;
	char *at[WORDS_MAX]; /* NUL-terminated, in room */
	unsigned count;
	char room[4096];
};

__attribute__((format(printf, 2, 3))) static bool say(struct words *words, const char *format, ...)
{
	char line[400];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	words->order->say(words->order, line);
	return true;
}

/* As say(); for what was refused. */
#define refuse(...) (say(__VA_ARGS__), false)

bool irc_is_admin(const struct irc_user *user)
{
	const struct account *account = account_find(account_book(), bytes_str(user->name));

	return strcmp(user->name, edge_settings()->conf.admin_user) == 0 ||
	       (account && !account->disabled && account->rights.rank == RANK_ADMIN);
}

/* --- words ---------------------------------------------------------------------------------- */

/* As a shell has them. False: a quotation has no end, or there are too many. */
static bool split(struct words *words, struct bytes text)
{
	size_t to = 0, i = 0;

	while (i < text.len) {
		char quote = 0;

		while (i < text.len && text.at[i] == ' ')
			i++;
		if (i == text.len)
			break;
		if (words->count == WORDS_MAX || to + 2 >= sizeof words->room)
			return false;
		words->at[words->count++] = words->room + to;
		for (; i < text.len && (quote || text.at[i] != ' '); i++) {
			char c = (char)text.at[i];

			if (to + 2 >= sizeof words->room)
				return false;
			if (c == '\\' && quote != '\'' && i + 1 < text.len)
				words->room[to++] = (char)text.at[++i];
			else if (!quote && (c == '"' || c == '\''))
				quote = c;
			else if (quote && c == quote)
				quote = 0;
			else
				words->room[to++] = c;
		}
		words->room[to++] = '\0';
		if (quote)
			return false;
	}
	return true;
}

/* The value behind "-name"; NULL: it is not said. Both are taken out of the words. */
static const char *option(struct words *words, unsigned from, const char *name)
{
	for (unsigned i = from; i + 1 < words->count; i++) {
		const char *value = words->at[i + 1];

		if (words->at[i][0] != '-' || strcmp(words->at[i] + 1, name) != 0)
			continue;
		memmove(&words->at[i], &words->at[i + 2],
			(words->count - i - 2) * sizeof words->at[0]);
		words->count -= 2;
		return value;
	}
	return NULL;
}

/* --- networks ------------------------------------------------------------------------------- */

/* Attributes behind from. False: one was wrong, and it was said. */
static bool attributes_take(struct words *words, unsigned from, struct irc_network *network)
{
	char commands[3001] = "";
	const char *fault = NULL, *value;

	while ((value = option(words, from, "connect-command"))) {
		size_t len = strlen(commands);

		snprintf(commands + len, sizeof commands - len, "%s%s", len ? "\n" : "", value);
		fault = irc_network_set(network, BYTES("connect_command"), bytes_str(commands));
	}
	if (fault)
		return refuse(words, "connect-command %s", fault);
	for (unsigned i = from; i < words->count; i += 2) {
		struct bytes name = bytes_str(words->at[i]);

		if (name.len < 2 || name.at[0] != '-' || i + 1 == words->count)
			return refuse(words, "-name value is expected, not %s", words->at[i]);
		name = bytes_skip(name, 1);
		value = words->at[i + 1];
		if (bytes_equal(name, BYTES("name"))) {
			if (!irc_network_rename(network, bytes_str(value)))
				return refuse(words, "%s cannot be its name", value);
			continue;
		}
		fault = irc_network_set(network, name, bytes_str(value));
		if (fault)
			return refuse(words, "%.*s %s", (int)name.len, (const char *)name.at,
				      fault);
	}
	return true;
}

static const char *peek(const struct words *words, unsigned from, const char *name)
{
	for (unsigned i = from; i + 1 < words->count; i++)
		if (words->at[i][0] == '-' && strcmp(words->at[i] + 1, name) == 0)
			return words->at[i + 1];
	return NULL;
}

static bool network_create(struct words *words, unsigned from)
{
	struct irc_user *user = words->order->user;
	const char *addr = peek(words, from, "addr"), *name = peek(words, from, "name");
	struct irc_network *network;
	struct irc_place place;

	if (!addr || !irc_upstream_addr_valid(bytes_str(addr)) ||
	    !irc_upstream_place(addr, 0, &place))
		return refuse(words, "-addr is missing, or no address");
	if (user->network_count >= irc_conf_now()->networks && !words->order->is_admin)
		return refuse(words, "there are %u networks, and no more may be",
			      user->network_count);
	network = irc_network_make(user, irc_id_next(IRC_ID_NETWORK),
				   bytes_str(name ? name : place.host));
	if (!network)
		return refuse(words, "%s cannot be its name, or there is one already",
			      name ? name : place.host);
	if (!attributes_take(words, from, network)) {
		irc_network_drop(network, false);
		return false;
	}
	irc_network_keep(network);
	irc_bouncer_tell(network, false);
	/* Those who see all networks see this one too. */
	for (struct irc_client *client = user->clients; client; client = client->next)
		if (client->multi)
			(void)irc_client_sit(client, network);
	irc_network_start(network);
	return say(words, "network %s was created", network->name);
}

/* The network that is named, or that the order came from. */
static struct irc_network *network_named(struct words *words, unsigned *from)
{
	struct irc_network *network = words->order->network;

	if (*from < words->count && words->at[*from][0] != '-') {
		network = irc_network_find(words->order->user, bytes_str(words->at[*from]));
		if (!network)
			say(words, "there is no network %s", words->at[*from]);
		(*from)++;
	} else if (!network) {
		say(words, "which network?");
	}
	return network;
}

static struct irc_network *network_option(struct words *words, unsigned from)
{
	const char *name = option(words, from, "network");
	struct irc_network *network = words->order->network;

	if (name)
		network = irc_network_find(words->order->user, bytes_str(name));
	else if (!network && words->order->user->network_count == 1)
		network = words->order->user->networks;
	if (!network)
		say(words, name ? "there is no network %s" : "which network? -network NAME%s",
		    name ? name : "");
	return network;
}

static bool network_update(struct words *words, unsigned from)
{
	struct irc_network *network = network_named(words, &from);

	if (!network || !attributes_take(words, from, network))
		return false;
	irc_network_keep(network);
	irc_network_stop(network, "Settings changed");
	irc_network_start(network);
	irc_bouncer_tell(network, false);
	return say(words, "network %s was changed", network->name);
}

static bool network_delete(struct words *words, unsigned from)
{
	struct irc_network *network = network_named(words, &from);
	char name[80];

	if (!network)
		return false;
	snprintf(name, sizeof name, "%s", network->name);
	say(words, "network %s was deleted", name);
	irc_bouncer_tell(network, true);
	words->order->network = NULL;
	irc_network_drop(network, false);
	return true;
}

static bool network_status(struct words *words, unsigned from)
{
	const struct irc_network *network = words->order->user->networks;

	(void)from;
	if (!network)
		say(words, "there is no network; create one: network create -addr irc.example.org");
	for (; network; network = network->next) {
		unsigned channels = 0;
		struct irc_named *named;
		uint32_t at = 0;

		while ((named = irc_index_next(&network->buffers, &at)))
			channels += container_of(named, struct irc_buffer, named)->channel != NULL;
		say(words, "%s (%s) [%s] nick %s, %u channels%s%s%s%s", network->name,
		    network->conf.addr, irc_state_name(network->state),
		    network->nick[0] ? network->nick : irc_network_nick(network), channels,
		    network->up && network->up->place.tls ? ", TLS" : "",
		    network->account && network->account[0] ? ", account " : "",
		    network->account && network->account[0] ? network->account : "", "");
		if (network->why[0])
			say(words, "  %s", network->why);
	}
	return true;
}

static bool network_quote(struct words *words, unsigned from)
{
	struct irc_network *network =
		words->count - from > 1 ? network_named(words, &from) : words->order->network;

	if (!network || from == words->count)
		return refuse(words, "network quote NAME \"LINE\"");
	if (!network->up || strpbrk(words->at[from], "\r\n") ||
	    !irc_upstream_queue(network->up, bytes_str(words->at[from])))
		return refuse(words, "%s is not connected", network->name);
	return say(words, "sent");
}

/* --- channels ------------------------------------------------------------------------------- */

static bool channel_status(struct words *words, unsigned from)
{
	const char *only = option(words, from, "network");

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
			say(words, "%s/%s [%s%s] %u members, %llu lines", named->name,
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
static struct irc_network *channel_network(struct words *words, char *name)
{
	char *slash = strrchr(name, '/');
	struct irc_network *network =
		slash ? irc_network_find(words->order->user, bytes_str(slash + 1)) : NULL;

	if (network) {
		*slash = '\0';
		return network;
	}
	return network_option(words, 2);
}

static bool filter_take(struct words *words, const char *name, uint8_t *filter)
{
	static const char *const filters[] = {"default", "none", "highlight", "message"};
	const char *value = option(words, 3, name);

	if (!value)
		return true;
	for (unsigned i = 0; i < COUNT_OF(filters); i++)
		if (strcmp(value, filters[i]) == 0) {
			*filter = (uint8_t)i;
			return true;
		}
	return refuse(words, "-%s is default, none, highlight or message", name);
}

/* "90s", "10m", "2h", "1d", or seconds. */
static bool duration_take(struct words *words, const char *name, uint32_t *seconds)
{
	const char *value = option(words, 3, name);
	char *end;
	unsigned long long number;

	if (!value)
		return true;
	number = strtoull(value, &end, 10);
	number *= *end == 'm' ? 60 : *end == 'h' ? 3600 : *end == 'd' ? 86400 : 1;
	if (end == value || number > UINT32_MAX)
		return refuse(words, "-%s is a time such as 10m", name);
	*seconds = (uint32_t)number;
	return true;
}

static bool channel_settings(struct words *words, struct irc_buffer *buffer)
{
	const char *detached = option(words, 3, "detached"), *key = option(words, 3, "key");

	if (key)
		irc_set(&buffer->key, bytes_str(key));
	if (!filter_take(words, "relay-detached", &buffer->relay_detached) ||
	    !filter_take(words, "reattach-on", &buffer->reattach_on) ||
	    !filter_take(words, "detach-on", &buffer->detach_on) ||
	    !duration_take(words, "detach-after", &buffer->detach_after_s))
		return false;
	buffer->detach_at.us = 0;
	irc_buffer_keep(buffer);
	if (detached && strcmp(detached, "true") == 0)
		irc_detach(buffer);
	else if (detached)
		irc_detach_attach(buffer);
	return true;
}

static bool channel_create(struct words *words, unsigned from)
{
	struct irc_network *network;
	struct irc_buffer *buffer;

	if (from >= words->count)
		return refuse(words, "channel create NAME [-network NETWORK]");
	network = channel_network(words, words->at[from]);
	if (!network)
		return false;
	buffer = irc_buffer_make(network, bytes_str(words->at[from]));
	if (!buffer)
		return refuse(words, "%s cannot be a channel", words->at[from]);
	buffer->wanted = buffer->is_channel = true;
	if (!channel_settings(words, buffer))
		return false;
	if (network->up)
		irc_network_join_all(network);
	return say(words, "channel %s was created", buffer->named.name);
}

static bool channel_change(struct words *words, unsigned from, bool deletes)
{
	struct irc_network *network;
	struct irc_buffer *buffer;

	if (from >= words->count)
		return refuse(words, "which channel?");
	network = channel_network(words, words->at[from]);
	buffer = network ? irc_buffer_find(network, bytes_str(words->at[from])) : NULL;
	if (!buffer)
		return refuse(words, "there is no channel %s", words->at[from]);
	if (!deletes)
		return channel_settings(words, buffer) &&
		       say(words, "channel %s was changed", buffer->named.name);
	if (network->up && buffer->channel)
		irc_upstream_later(network->up, "PART %s", buffer->named.name);
	irc_channel_leave(buffer);
	say(words, "channel %s was deleted, with all that was said there", buffer->named.name);
	irc_buffer_drop(buffer, false);
	return true;
}

static bool channel_update(struct words *words, unsigned from)
{
	return channel_change(words, from, false);
}

static bool channel_delete(struct words *words, unsigned from)
{
	return channel_change(words, from, true);
}

/* --- logins --------------------------------------------------------------------------------- */

static bool sasl_status(struct words *words, unsigned from)
{
	struct irc_network *network = network_option(words, from);

	if (!network)
		return false;
	return say(words, "%s: %s%s%s", network->name,
		   network->conf.sasl_mechanism[0] ? network->conf.sasl_mechanism
						   : "no SASL is set",
		   network->conf.sasl_username[0] ? " as " : "", network->conf.sasl_username);
}

static bool sasl_set(struct words *words, unsigned from, const char *mechanism)
{
	struct irc_network *network = network_option(words, from);

	if (!network)
		return false;
	if (words->count < from + 2)
		return refuse(words, "sasl set-plain USER PASSWORD");
	if (irc_network_set(network, BYTES("sasl_mechanism"), bytes_str(mechanism)) ||
	    irc_network_set(network, BYTES("sasl_username"), bytes_str(words->at[from])) ||
	    irc_network_set(network, BYTES("sasl_password"), bytes_str(words->at[from + 1])))
		return refuse(words, "that cannot be");
	irc_network_keep(network);
	irc_network_stop(network, "Settings changed");
	irc_network_start(network);
	return say(words, "%s logs in by %s from now on", network->name, mechanism);
}

static bool sasl_set_plain(struct words *words, unsigned from)
{
	return sasl_set(words, from, "PLAIN");
}

static bool sasl_set_scram(struct words *words, unsigned from)
{
	return sasl_set(words, from, "SCRAM-SHA-256");
}

static bool sasl_reset(struct words *words, unsigned from)
{
	struct irc_network *network = network_option(words, from);

	if (!network)
		return false;
	(void)irc_network_set(network, BYTES("sasl_mechanism"), BYTES(""));
	(void)irc_network_set(network, BYTES("sasl_username"), BYTES(""));
	(void)irc_network_set(network, BYTES("sasl_password"), BYTES(""));
	irc_set(&network->certificate, BYTES(""));
	irc_set(&network->key, BYTES(""));
	irc_network_keep(network);
	return say(words, "%s has no login any more", network->name);
}

static bool password_create(struct words *words, unsigned from)
{
	const char *label = option(words, from, "label");
	char secret[IRC_PASSWORD_LEN + 1];

	if (!label && from < words->count)
		label = words->at[from];
	if (!label || !irc_password_make(words->order->user, bytes_str(label), secret))
		return refuse(words, "password create -label LABEL, one that is not there yet");
	say(words, "The password for %s is %s", label, secret);
	return say(words, "It is shown this once. Whoever has it may do on IRC what you may.");
}

static bool password_status(struct words *words, unsigned from)
{
	(void)from;
	for (const struct irc_password *p = words->order->user->passwords; p; p = p->next) {
		struct address address = {0};
		char text[ADDRESS_TEXT_MAX + 1], when[IRC_TIME_LEN + 1];
		struct writer w = writer_of(when, sizeof when - 1);

		memcpy(address.ip, p->ip, sizeof address.ip);
		irc_time_write(&w, p->used_ms);
		when[w.len] = '\0';
		say(words, "%s (%s) %s%s%s%s", p->label,
		    p->is_certificate ? "certificate" : "password",
		    p->used_ms ? "last used " : "never used", p->used_ms ? when : "",
		    p->used_ms ? " from " : "", p->used_ms ? address_text(&address, text) : "");
	}
	return true;
}

static bool password_delete(struct words *words, unsigned from)
{
	if (from >= words->count ||
	    !irc_password_drop(words->order->user, bytes_str(words->at[from])))
		return refuse(words, "there is none of that label");
	return say(words, "%s is void", words->at[from]);
}

/* --- the server ----------------------------------------------------------------------------- */

static bool server_status(struct words *words, unsigned from)
{
	(void)from;
	if (!words->order->is_admin)
		return refuse(words, "this is for administrators");
	return say(words, "%lld networks (%lld connected), %lld clients, %lld lines",
		   (long long)metric_sum(METRIC_irc_networks),
		   (long long)metric_sum(METRIC_irc_networks_up),
		   (long long)metric_sum(METRIC_irc_clients),
		   (long long)metric_sum(METRIC_irc_lines));
}

static bool user_status(struct words *words, unsigned from)
{
	const struct irc_user *user = words->order->user;

	(void)from;
	return say(words, "%s%s: nick %s, %u networks, %u clients", user->name,
		   irc_is_admin(user) ? " (admin)" : "", user->nick[0] ? user->nick : "(unset)",
		   user->network_count, user->client_count);
}

static bool user_update(struct words *words, unsigned from)
{
	const char *nick = option(words, from, "nick"), *realname = option(words, from, "realname");
	struct irc_user *user = words->order->user;

	if (nick && !irc_is_nick(bytes_str(nick)))
		return refuse(words, "%s is no nick", nick);
	if (nick)
		irc_set(&user->nick, bytes_str(nick));
	if (realname)
		irc_set(&user->realname, bytes_str(realname));
	if (from < words->count)
		return refuse(words, "%s: names and passwords of accounts are changed under /admin",
			      words->at[from]);
	irc_user_keep(user);
	return say(words, "%s was changed", user->name);
}

/* --- commands ------------------------------------------------------------------------------- */

static bool help(struct words *words, unsigned from);

static const struct {
	const char *first, *second; /* second NULL: there is none */
	bool (*run)(struct words *words, unsigned from);
	const char *usage;
} commands[] = {
	{"help", NULL, help, "[command]: what there is"},
	{"network", "create", network_create,
	 "-addr ADDR [-name N] [-nick N] [-pass P] [-certfp FP] [-connect-command C] …"},
	{"network", "update", network_update, "[name] -attribute value …: changes and reconnects"},
	{"network", "delete", network_delete, "[name]: with all that was said there"},
	{"network", "quote", network_quote, "[name] \"LINE\": sends a line as it stands"},
	{"network", "status", network_status, ": how each of them is, and why"},
	{"channel", "status", channel_status, "[-network N]"},
	{"channel", "create", channel_create, "NAME[/network] [-detached true] [-key K] …"},
	{"channel", "update", channel_update,
	 "NAME[/network] [-detached B] [-relay-detached M] [-reattach-on M] [-detach-after 10m] "
	 "[-detach-on M]: M is none, highlight, message or default"},
	{"channel", "delete", channel_delete, "NAME[/network]"},
	{"sasl", "status", sasl_status, "[-network N]"},
	{"sasl", "set-plain", sasl_set_plain, "[-network N] USER PASSWORD"},
	{"sasl", "set-scram", sasl_set_scram, "[-network N] USER PASSWORD: by SCRAM-SHA-256"},
	{"sasl", "reset", sasl_reset, "[-network N]"},
	{"password", "create", password_create,
	 "-label LABEL: one for a program, that you can take back"},
	{"password", "status", password_status, ": which there are, and when they were used"},
	{"password", "delete", password_delete, "LABEL"},
	{"user", "status", user_status, ": who you are here"},
	{"user", "update", user_update, "[-nick N] [-realname R]"},
	{"server", "status", server_status, ": how much there is of all"},
};

static bool begins(const char *word, const char *with)
{
	return strncmp(word, with, strlen(with)) == 0;
}

static bool help(struct words *words, unsigned from)
{
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		if (from >= words->count || begins(commands[i].first, words->at[from]))
			say(words, "%s%s%s %s", commands[i].first, commands[i].second ? " " : "",
			    commands[i].second ? commands[i].second : "", commands[i].usage);
	return true;
}

/* The one command that these words begin; -1: none, -2: several. */
static int command_of(const struct words *words)
{
	int found = -1;

	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		bool whole = strcmp(commands[i].first, words->at[0]) == 0 &&
			     (!commands[i].second ||
			      (words->count > 1 && strcmp(commands[i].second, words->at[1]) == 0));

		if (whole)
			return (int)i;
		if (!begins(commands[i].first, words->at[0]) ||
		    (commands[i].second &&
		     (words->count < 2 || !begins(commands[i].second, words->at[1]))))
			continue;
		if (found >= 0)
			return -2;
		found = (int)i;
	}
	return found;
}

bool irc_service(struct irc_order *order, struct bytes text)
{
	struct words words = {.order = order};
	int at;

	if (!split(&words, text))
		return refuse(&words, "a quotation has no end, or it is too long");
	if (!words.count)
		return help(&words, 0);
	at = command_of(&words);
	if (at < 0)
		return refuse(&words,
			      at == -2 ? "which of them? say more: %s"
				       : "unknown command %s: try help",
			      words.at[0]);
	return commands[at].run(&words, commands[at].second ? 2 : 1);
}

static void say_to_client(struct irc_order *order, const char *line)
{
	irc_client_say(order->client, ":%s!%s@%s PRIVMSG %s :%s", IRC_SERVICE, IRC_SERVICE,
		       irc_conf_now()->hostname, order->client->nick, line);
}

void irc_service_message(struct irc_client *client, struct irc_network *network, struct bytes text)
{
	struct irc_order order = {
		.user = client->user,
		.network = network,
		.client = client,
		.is_admin = irc_is_admin(client->user),
		.say = say_to_client,
	};

	if (client->caps & IRC_CAP(ECHO_MESSAGE))
		irc_client_say(client, ":%s PRIVMSG " IRC_SERVICE " :%.*s", client->nick,
			       (int)text.len, (const char *)text.at);
	(void)irc_service(&order, text);
}
