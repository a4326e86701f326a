#include "irc/irc_service.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "edge/account.h"
#include "edge/edge.h"
#include "irc/irc_network.h"
#include "irc/irc_user.h"

bool irc_is_admin(const char *name)
{
	const struct account *account = account_find(account_book(), bytes_str(name));

	return strcmp(name, edge_settings()->conf.admin_user) == 0 ||
	       (account && !account->disabled && account->rights.rank == RANK_ADMIN);
}

/* --- commands ------------------------------------------------------------------------------- */

static const struct {
	const char *first, *second; /* second NULL: there is none */
	bool (*run)(struct irc_words *words, unsigned from);
	const char *usage;
} commands[] = {
#define COMMAND(first, second, run, usage) {first, second, run, usage},
#define ALIAS                              COMMAND
#include "irc/irc_service.def"
};

/* In any case: telephones begin a line with a capital. */
static bool begins(const char *word, const char *with)
{
	return strncasecmp(word, with, strlen(with)) == 0;
}

/* Whether who orders may; others are not shown what only administrators may. */
static bool is_his(const struct irc_words *words, size_t i)
{
	static bool (*const admins[])(struct irc_words * words, unsigned from) = {
		service_user_create,   service_user_delete,   service_user_run,
		service_server_status, service_server_notice, service_server_debug};

	for (size_t k = 0; k < COUNT_OF(admins) && !words->order->is_admin; k++)
		if (commands[i].run == admins[k])
			return false;
	return true;
}

/* Whether it is one of those that help is asked for. */
static bool is_asked(const struct irc_words *words, unsigned from, size_t i)
{
	return (from >= words->count || begins(commands[i].first, words->at[from])) &&
	       (from + 1 >= words->count ||
		(commands[i].second && begins(commands[i].second, words->at[from + 1])));
}

bool service_help(struct irc_words *words, unsigned from)
{
	bool of_networks = false;
	unsigned shown = 0;
	const char *name;

	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		if (!is_asked(words, from, i) || !is_his(words, i))
			continue;
		shown++;
		of_networks |= commands[i].run == service_network_create ||
			       commands[i].run == service_network_update;
		irc_say(words, "%s%s%s%s%s", commands[i].first, commands[i].second ? " " : "",
			commands[i].second ? commands[i].second : "",
			commands[i].usage[0] == ':' ? "" : " ", commands[i].usage);
	}
	/* What a network can be told is a list of its own. */
	for (unsigned i = 0; of_networks && from < words->count && (name = irc_network_field(i));
	     i++) {
		char option[32];

		snprintf(option, sizeof option, "%s", name);
		for (char *at = option; *at; at++)
			*at = *at == '_' ? '-' : *at;
		irc_say(words, "  -%s: %s", option, irc_network_help(i));
	}
	if (of_networks && from >= words->count)
		irc_say(words, "help network create says what a network can be told.");
	return shown || irc_refuse(words, "unknown command %s: try help", words->at[from]);
}

/* What is none of the commands; of its first word the second ones are said. */
static bool unknown(struct irc_words *words)
{
	char known[200];
	struct writer w = writer_of(known, sizeof known - 1);

	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		if (!begins(commands[i].first, words->at[0]) || !commands[i].second ||
		    !is_his(words, i))
			continue;
		writer_str(&w, w.len ? ", " : "");
		writer_str(&w, commands[i].first);
		writer_str(&w, " ");
		writer_str(&w, commands[i].second);
	}
	if (!w.len || !writer_ok(&w))
		return irc_refuse(words, "unknown command %s: try help", words->at[0]);
	known[w.len] = '\0';
	return words->count > 1 ? irc_refuse(words, "unknown command %s %s: there are %s",
					     words->at[0], words->at[1], known)
				: irc_refuse(words, "%s what? There are %s", words->at[0], known);
}

/* The one command that these words begin; -1: none, -2: several that do different things. */
static int command_of(const struct irc_words *words)
{
	int found = -1;

	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		bool whole =
			strcasecmp(commands[i].first, words->at[0]) == 0 &&
			(!commands[i].second ||
			 (words->count > 1 && strcasecmp(commands[i].second, words->at[1]) == 0));

		if (whole)
			return (int)i;
		if (!begins(commands[i].first, words->at[0]) ||
		    (commands[i].second &&
		     (words->count < 2 || !begins(commands[i].second, words->at[1]))))
			continue;
		if (found != -1 && (found == -2 || commands[found].run != commands[i].run))
			found = -2;
		else
			found = (int)i;
	}
	return found;
}

static bool run(struct irc_words *words, struct bytes text)
{
	int at;

	if (!irc_words_split(words, text))
		return irc_refuse(words, "a quotation has no end, or it is too long");
	/* Over the API a word may hold anything; only these are lines by what they are. */
	for (unsigned i = 0; i < words->count; i++)
		if (strpbrk(words->at[i], "\r\n") &&
		    (!i || strcmp(words->at[i - 1], "-connect-command") != 0))
			return irc_refuse(words, "a word holds a line break");
	if (!words->count)
		return service_help(words, 0);
	at = command_of(words);
	if (at == -1)
		return unknown(words);
	if (at < 0)
		return irc_refuse(words, "which of them? say more: %s", words->at[0]);
	return commands[at].run(words, commands[at].second ? 2 : 1);
}

void irc_service(struct irc_order *order, struct bytes text)
{
	struct irc_words words = {.order = order};
	bool good = run(&words, text);

	if (!order->waits)
		order->done(order, good);
}

/* --- from a client -------------------------------------------------------------------------- */

struct spoken {
	struct irc_order order;
	char user[IRC_USER_SIZE];
	uint32_t client;
	unsigned long long more; /* lines that had no room */
};

/* Nobody is to be cut off by an answer: half of what may wait for him is enough. */
static bool has_room(const struct irc_client *client)
{
	return irc_pipe_len(&client->out) + irc_pipe_len(&client->answer) <
	       irc_conf_now()->client_buffer / 2;
}

static void put_to_client(struct irc_client *client, const char *line)
{
	irc_client_say(client, ":%s!%s@%s PRIVMSG %s :%s", IRC_SERVICE, IRC_SERVICE,
		       irc_conf_now()->hostname, client->nick, line);
}

static struct irc_client *client_of(const struct spoken *spoken)
{
	const struct irc_user *user = irc_user_find(bytes_str(spoken->user));

	return user ? irc_client_of(user, spoken->client) : NULL;
}

static void say_to_client(struct irc_order *order, const char *line)
{
	struct spoken *spoken = container_of(order, struct spoken, order);
	struct irc_client *client = client_of(spoken);

	if (client && !spoken->more && has_room(client))
		put_to_client(client, line);
	else
		spoken->more++;
}

static void spoken_done(struct irc_order *order, bool good)
{
	struct spoken *spoken = container_of(order, struct spoken, order);
	struct irc_client *client = client_of(spoken);
	char line[120];

	(void)good;
	if (client && spoken->more) {
		snprintf(line, sizeof line,
			 "and %llu more lines, which are too many here (irc.client_buffer)",
			 spoken->more);
		put_to_client(client, line);
	}
	free(spoken);
	if (client)
		irc_client_answered(client);
}

void irc_service_message(struct irc_client *client, struct irc_network *network, struct bytes text)
{
	struct spoken *spoken = calloc(1, sizeof *spoken);

	if (!spoken)
		return;
	memcpy(spoken->user, client->user->name, sizeof spoken->user);
	spoken->client = client->number;
	spoken->order = (struct irc_order){
		.user = client->user,
		.network = network,
		.is_admin = irc_is_admin(client->user->name),
		.certificate = client->fingerprint,
		.say = say_to_client,
		.done = spoken_done,
	};
	if (client->caps & IRC_CAP(ECHO_MESSAGE))
		irc_client_say(client, ":%s PRIVMSG " IRC_SERVICE " :%.*s", client->nick,
			       (int)text.len, (const char *)text.at);
	irc_client_asks(client);
	irc_service(&spoken->order, text);
}
