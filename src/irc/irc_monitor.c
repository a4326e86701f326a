#include "irc/irc_monitor.h"

#include <stdlib.h>

#include "irc/irc_client.h"
#include "irc/irc_network.h"
#include "irc/irc_upstream.h"

#define LIST_MAX 400u /* bytes of nicks in a line */

struct irc_watch {
	struct irc_named named; /* its name lies behind the struct */
	uint32_t refs;          /* clients */
	bool known, online;
	char *mask; /* nick!user@host, as the server had it; NULL */
	char text[];
};

/* Nicks that go out together. */
struct list {
	struct irc_network *network;
	char sign;
	char text[LIST_MAX + 80];
	size_t len;
};

static void list_say(struct list *list)
{
	struct irc_upstream *up = list->network->up;

	if (list->len && up && up->ready && list->network->is.has_monitor)
		irc_upstream_later(up, "MONITOR %c %.*s", list->sign, (int)list->len, list->text);
	list->len = 0;
}

static void list_add(struct list *list, const char *nick)
{
	if (list->len > LIST_MAX)
		list_say(list);
	list->len += (size_t)snprintf(list->text + list->len, sizeof list->text - list->len, "%s%s",
				      list->len ? "," : "", nick);
}

/* --- watches -------------------------------------------------------------------------------- */

static struct irc_watch *watch_of(const struct irc_network *network, struct bytes nick)
{
	struct irc_named *named = irc_index_find(&network->watches, network->is.casemap, nick);

	return named ? container_of(named, struct irc_watch, named) : NULL;
}

static struct irc_watch *watch_make(struct irc_network *network, struct bytes nick)
{
	struct irc_watch *watch = malloc(sizeof *watch + nick.len + 1);

	if (!watch)
		return NULL;
	*watch = (struct irc_watch){.named.name = watch->text};
	bytes_to_str(nick, watch->text, nick.len + 1);
	if (irc_index_put(&network->watches, network->is.casemap, &watch->named))
		return watch;
	free(watch);
	return NULL;
}

static void watch_free(struct irc_network *network, struct irc_watch *watch)
{
	irc_index_drop(&network->watches, &watch->named);
	free(watch->mask);
	free(watch);
}

/* One waits no more. */
static void watch_unref(struct list *list, struct bytes nick)
{
	struct irc_watch *watch = watch_of(list->network, nick);

	if (!watch || --watch->refs)
		return;
	list_add(list, watch->text);
	watch_free(list->network, watch);
}

void irc_monitor_free(struct irc_network *network)
{
	struct irc_named *named;
	uint32_t at = 0;

	while ((named = irc_index_next(&network->watches, &at))) {
		watch_free(network, container_of(named, struct irc_watch, named));
		at = 0;
	}
	irc_index_fini(&network->watches);
}

void irc_network_monitor(struct irc_network *network)
{
	const char *wanted = irc_network_nick(network);
	struct list list = {.network = network, .sign = '+'};
	struct irc_named *named;
	uint32_t at = 0;

	while ((named = irc_index_next(&network->watches, &at))) {
		container_of(named, struct irc_watch, named)->known = false;
		list_add(&list, named->name);
	}
	if (strcmp(network->nick, wanted) != 0 && !watch_of(network, bytes_str(wanted)))
		list_add(&list, wanted);
	list_say(&list);
}

/* --- clients -------------------------------------------------------------------------------- */

static int monitor_find(const struct irc_client *client, const struct irc_network *network,
			struct bytes nick)
{
	for (uint32_t i = 0; i < client->monitor_count; i++)
		if (irc_same(network->is.casemap, bytes_str(client->monitors[i]), nick))
			return (int)i;
	return -1;
}

static void tell(struct irc_client *client, const struct irc_watch *watch)
{
	if (watch->known)
		irc_client_number(client, watch->online ? 730 : 731, ":%s",
				  watch->online && watch->mask ? watch->mask : watch->text);
}

static void monitor_add(struct irc_client *client, struct list *list, struct bytes nick)
{
	struct irc_watch *watch = watch_of(list->network, nick);
	char **larger;

	if (monitor_find(client, list->network, nick) >= 0)
		return;
	if (client->monitor_count >= irc_conf_now()->monitors) {
		irc_client_number(client, 734, "%llu %.*s :The list is full",
				  (unsigned long long)irc_conf_now()->monitors, (int)nick.len,
				  (const char *)nick.at);
		return;
	}
	larger = realloc(client->monitors, (client->monitor_count + 1) * sizeof *larger);
	if (!larger)
		return;
	client->monitors = larger;
	larger[client->monitor_count] = irc_copy(nick);
	if (!larger[client->monitor_count])
		return;
	if (!watch && (watch = watch_make(list->network, nick)))
		list_add(list, watch->text);
	if (!watch) {
		free(larger[client->monitor_count]);
		return;
	}
	client->monitor_count++;
	watch->refs++;
	tell(client, watch);
}

static void monitor_drop(struct irc_client *client, struct list *list, int at)
{
	watch_unref(list, bytes_str(client->monitors[at]));
	free(client->monitors[at]);
	client->monitors[at] = client->monitors[--client->monitor_count];
}

void irc_monitor_leave(struct irc_client *client, struct irc_network *network)
{
	struct list list = {.network = network, .sign = '-'};

	while (client->monitor_count)
		monitor_drop(client, &list, (int)client->monitor_count - 1);
	list_say(&list);
}

static void say_list(struct irc_client *client)
{
	char text[LIST_MAX + 80];
	size_t len = 0;

	for (uint32_t i = 0; i < client->monitor_count; i++) {
		len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", len ? "," : "",
					client->monitors[i]);
		if (len > LIST_MAX || i + 1 == client->monitor_count) {
			irc_client_number(client, 732, ":%s", text);
			len = 0;
		}
	}
	irc_client_number(client, 733, ":End of MONITOR list");
}

void irc_monitor_order(struct irc_client *client, struct irc_network *network,
		       const struct irc_line *line)
{
	struct bytes sub = irc_param(line, 0), nicks = irc_param(line, 1);
	uint8_t what = sub.len ? (uint8_t)(sub.at[0] & ~0x20) : 0;
	struct list list = {.network = network, .sign = '+'};

	if (sub.len && (sub.at[0] == '+' || sub.at[0] == '-')) {
		list.sign = (char)sub.at[0];
		while (nicks.len && client->state == IRC_CLIENT_HERE) {
			struct bytes nick = bytes_cut(&nicks, ',');
			int at;

			if (!nick.len || nick.len > 64)
				continue;
			if (list.sign == '+')
				monitor_add(client, &list, nick);
			else if ((at = monitor_find(client, network, nick)) >= 0)
				monitor_drop(client, &list, at);
		}
		list_say(&list);
	} else if (what == 'C') {
		irc_monitor_leave(client, network);
	} else if (what == 'L') {
		say_list(client);
	} else if (what == 'S') {
		for (uint32_t i = 0; i < client->monitor_count && client->state == IRC_CLIENT_HERE;
		     i++) {
			const struct irc_watch *watch =
				watch_of(network, bytes_str(client->monitors[i]));

			if (watch)
				tell(client, watch);
		}
	}
}

/* --- hearing -------------------------------------------------------------------------------- */

void irc_monitor_hear(struct irc_network *network, const struct irc_line *line, bool online)
{
	struct bytes all = irc_param(line, 1), rest = all;
	struct irc_client *next;

	while (rest.len) {
		struct bytes mask = bytes_cut(&rest, ',');
		struct irc_watch *watch = watch_of(network, irc_source_of(mask).nick);

		if (!watch)
			continue;
		watch->known = true;
		watch->online = online;
		if (online)
			irc_set(&watch->mask, mask);
	}
	for (struct irc_client *client = network->user->clients; client; client = next) {
		char text[IRC_LINE_MAX];
		struct writer w = writer_of(text, sizeof text);

		next = client->next;
		if (!irc_client_seat(client, network) || client->multi)
			continue;
		for (rest = all; rest.len;) {
			struct bytes mask = bytes_cut(&rest, ',');

			if (monitor_find(client, network, irc_source_of(mask).nick) < 0)
				continue;
			writer_str(&w, w.len ? "," : "");
			writer_put(&w, mask);
		}
		if (w.len && writer_ok(&w))
			irc_client_number(client, online ? 730 : 731, ":%.*s", (int)w.len, text);
	}
}
