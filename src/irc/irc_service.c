#include "irc/irc_service.h"

#include <stdlib.h>

#include "edge/account.h"
#include "edge/edge.h"
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

static bool begins(const char *word, const char *with)
{
	return strncmp(word, with, strlen(with)) == 0;
}

bool service_help(struct irc_words *words, unsigned from)
{
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		if (from >= words->count || begins(commands[i].first, words->at[from]))
			irc_say(words, "%s%s%s %s", commands[i].first,
				commands[i].second ? " " : "",
				commands[i].second ? commands[i].second : "", commands[i].usage);
	return true;
}

/* The one command that these words begin; -1: none, -2: several that do different things. */
static int command_of(const struct irc_words *words)
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
	if (!words->count)
		return service_help(words, 0);
	at = command_of(words);
	if (at < 0)
		return irc_refuse(words,
				  at == -2 ? "which of them? say more: %s"
					   : "unknown command %s: try help",
				  words->at[0]);
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
};

static void say_to_client(struct irc_order *order, const char *line)
{
	const struct spoken *spoken = container_of(order, struct spoken, order);
	const struct irc_user *user = irc_user_find(bytes_str(spoken->user));
	struct irc_client *client = user ? irc_client_of(user, spoken->client) : NULL;

	if (client)
		irc_client_say(client, ":%s!%s@%s PRIVMSG %s :%s", IRC_SERVICE, IRC_SERVICE,
			       irc_conf_now()->hostname, client->nick, line);
}

static void spoken_done(struct irc_order *order, bool good)
{
	(void)good;
	free(container_of(order, struct spoken, order));
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
		.say = say_to_client,
		.done = spoken_done,
	};
	if (client->caps & IRC_CAP(ECHO_MESSAGE))
		irc_client_say(client, ":%s PRIVMSG " IRC_SERVICE " :%.*s", client->nick,
			       (int)text.len, (const char *)text.at);
	irc_service(&spoken->order, text);
}
