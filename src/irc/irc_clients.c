/* What all clients of a network are told, and what channels look like to one. The header is irc_client.h. */
#include <stdio.h>

#include "core/clock.h"
#include "irc/irc_buffer.h"
#include "irc/irc_client.h"
#include "irc/irc_network.h"
#include "irc/irc_tour.h"

/* --- channels ------------------------------------------------------------------------------- */

static struct bytes name_of(const struct irc_client *client, const struct irc_buffer *buffer,
			    char buf[400])
{
	return irc_client_name(client, buffer->network, irc_named_bytes(&buffer->named), buf, 400);
}

/* "@nick", "@%nick" with multi-prefix. */
static void put_member(struct writer *w, const struct irc_client *client,
		       const struct irc_network *network, const struct irc_member *member)
{
	const struct irc_isupport *is = &network->is;

	for (unsigned i = 0; is->prefix_signs[i]; i++) {
		if (!(member->prefix & 1u << i))
			continue;
		writer_u8(w, (uint8_t)is->prefix_signs[i]);
		if (!(client->caps & IRC_CAP(MULTI_PREFIX)))
			break;
	}
	writer_str(w, member->nick->text);
	if (client->multi &&
	    irc_same(is->casemap, bytes_str(member->nick->text), bytes_str(network->nick))) {
		w->len -= strlen(member->nick->text);
		writer_str(w, client->nick);
	} else if (client->multi) {
		writer_u8(w, '/');
		writer_str(w, network->name);
	}
}

void irc_client_names(struct irc_client *client, struct irc_buffer *buffer)
{
	const struct irc_channel *channel = buffer->channel;
	char text[IRC_LINE_MAX], target[400];
	struct bytes name = name_of(client, buffer, target);
	struct writer w = writer_of(text, sizeof text);
	/* RFC 1459 section 2.3: 512 bytes with the number, the names and CR LF. */
	size_t most = 440 - name.len - strlen(client->nick) - strlen(irc_conf_now()->hostname);

	if (most > 440)
		most = 100;
	for (uint32_t i = 0; channel && i < channel->count; i++) {
		size_t before = w.len;

		if (w.len)
			writer_u8(&w, ' ');
		put_member(&w, client, buffer->network, &channel->members[i]);
		if (writer_ok(&w) && (w.len <= most || before == 0))
			continue;
		irc_client_number(client, 353, "= %.*s :%.*s", (int)name.len, name.at, (int)before,
				  text);
		w = writer_of(text, sizeof text);
		put_member(&w, client, buffer->network, &channel->members[i]);
		if (client->state == IRC_CLIENT_GONE)
			return;
	}
	if (w.len)
		irc_client_number(client, 353, "= %.*s :%.*s", (int)name.len, name.at, (int)w.len,
				  text);
	irc_client_number(client, 366, "%.*s :End of /NAMES list", (int)name.len, name.at);
}

/* Who set a topic, as the client knows him. */
static struct bytes setter(const struct irc_client *client, const struct irc_network *network,
			   struct bytes who, char room[400])
{
	struct irc_names names = irc_client_names_of(client, network);
	struct irc_line line = {.verb = BYTES("333"), .param = {[2] = who}, .count = 3};
	struct writer w = writer_of(room, 400);

	return client->multi && irc_names_in(&names, &line, &w) ? line.param[2] : who;
}

void irc_client_topic(struct irc_client *client, struct irc_buffer *buffer)
{
	const struct irc_channel *channel = buffer->channel;
	char target[400], room[400];
	struct bytes name = name_of(client, buffer, target), who;

	if (!channel || !channel->topic || !channel->topic[0])
		return;
	irc_client_number(client, 332, "%.*s :%s", (int)name.len, name.at, channel->topic);
	if (!channel->topic_who || !channel->topic_who[0])
		return;
	who = setter(client, buffer->network, bytes_str(channel->topic_who), room);
	irc_client_number(client, 333, "%.*s %.*s %lld", (int)name.len, name.at, (int)who.len,
			  (const char *)who.at, (long long)channel->topic_at);
}

static void say_marker(struct irc_client *client, const struct irc_buffer *buffer, const char *verb)
{
	char target[400], time[IRC_TIME_LEN + 1];
	struct bytes name = name_of(client, buffer, target);
	struct writer w = writer_of(time, sizeof time - 1);

	irc_time_write(&w, buffer->marker_ms);
	time[w.len] = '\0';
	irc_client_say(client, ":%s %s %.*s %s%s", irc_conf_now()->hostname, verb, (int)name.len,
		       name.at, buffer->marker_ms ? "timestamp=" : "*",
		       buffer->marker_ms ? time : "");
}

void irc_client_marker(struct irc_client *client, const struct irc_buffer *buffer)
{
	if (client->caps & IRC_CAP(READ_MARKER))
		say_marker(client, buffer, "MARKREAD");
	else if (client->caps & IRC_CAP(SOJU_READ))
		say_marker(client, buffer, "READ");
}

/* What a server says behind a JOIN. */
static void say_state(struct irc_client *client, struct irc_buffer *buffer)
{
	const irc_caps quiet = IRC_CAP(NO_IMPLICIT_NAMES) | IRC_CAP(DRAFT_NO_IMPLICIT_NAMES) |
			       IRC_CAP(SOJU_NO_IMPLICIT_NAMES);

	irc_client_topic(client, buffer);
	irc_client_marker(client, buffer);
	if (!(client->caps & quiet))
		irc_client_names(client, buffer);
}

void irc_client_show_channel(struct irc_client *client, struct irc_buffer *buffer)
{
	const struct irc_network *network = buffer->network;
	char target[400];
	struct bytes name = name_of(client, buffer, target);
	bool was = client->in_turn;

	client->in_turn = true;
	irc_client_say(client, ":%s%s%s JOIN %.*s%s", client->nick, network->userhost[0] ? "!" : "",
		       network->userhost, (int)name.len, name.at,
		       client->caps & IRC_CAP(EXTENDED_JOIN) ? " * :" : "");
	/* Else it comes when the server has told it. */
	if (buffer->channel && buffer->channel->names_done)
		say_state(client, buffer);
	client->in_turn = was;
	if (!was)
		(void)irc_client_flush(client);
}

/* --- all of a network ----------------------------------------------------------------------- */

/* NOLINTBEGIN(bugprone-macro-parentheses): a variable that is declared takes none */
#define EACH_SEAT(client, network)                                                                 \
	for (struct irc_client *client = (network)->user->clients, *next_; client; client = next_) \
		if (next_ = client->next, irc_client_seat(client, network) && client->registered)
/* NOLINTEND(bugprone-macro-parentheses) */

void irc_clients_joined(struct irc_buffer *buffer)
{
	if (buffer->detached)
		return;
	/* The JOIN itself came by the ring; behind it what a server would say. */
	irc_network_turn(buffer->network);
	EACH_SEAT(client, buffer->network)
	{
		bool was = client->in_turn;

		client->in_turn = true;
		say_state(client, buffer);
		client->in_turn = was;
		if (!was)
			(void)irc_client_flush(client);
	}
}

/* The server is there: the nick may be another one, and what it can do. */
void irc_clients_welcome(struct irc_network *network)
{
	EACH_SEAT(client, network)
	{
		if (client->multi)
			continue;
		if (strcmp(client->nick, network->nick) != 0) {
			irc_client_say(client, ":%s NICK %s", client->nick, network->nick);
			irc_set(&client->nick, bytes_str(network->nick));
		}
		irc_client_isupport(client);
	}
	irc_clients_caps(network);
}

/* Its server is gone: nobody is in any channel. */
void irc_clients_lost(struct irc_network *network)
{
	irc_clients_caps(network);
}

void irc_clients_caps(struct irc_network *network)
{
	EACH_SEAT(client, network)
	{
		irc_client_offer_again(client);
	}
}

void irc_clients_isupport(struct irc_network *network, struct bytes tokens)
{
	EACH_SEAT(client, network)
	{
		if (!client->multi)
			irc_client_tokens(client, &tokens, 1);
	}
}

/* On a connection to all networks the channels of one are left, whose name that was. */
static void leave_all(struct irc_client *client, const struct irc_network *network,
		      const char *name, const char *why)
{
	struct irc_named *named;
	uint32_t at = 0;

	while ((named = irc_index_next(&network->buffers, &at))) {
		const struct irc_buffer *buffer = container_of(named, struct irc_buffer, named);

		if (buffer->channel && !buffer->detached)
			irc_client_say(client, ":%s%s%s PART %s/%s :%s", client->nick,
				       network->userhost[0] ? "!" : "", network->userhost,
				       named->name, name, why);
	}
}

void irc_clients_part(struct irc_network *network)
{
	struct irc_client *next;

	for (struct irc_client *client = network->user->clients; client; client = next) {
		next = client->next;
		if (!irc_client_seat(client, network))
			continue;
		irc_client_rise(client, network);
		if (!client->multi)
			irc_client_end(client, "The network was deleted");
		else
			leave_all(client, network, network->name, "The network was deleted");
	}
}

void irc_clients_new_network(struct irc_network *network)
{
	for (struct irc_client *client = network->user->clients; client; client = client->next)
		if (client->multi)
			(void)irc_client_sit(client, network);
}

void irc_clients_renamed(struct irc_network *network, const char *before)
{
	EACH_SEAT(client, network)
	{
		if (!client->multi || strcmp(before, network->name) == 0)
			continue;
		leave_all(client, network, before, "The network was renamed");
		if (client->state == IRC_CLIENT_HERE && !irc_tour_again(client, network))
			irc_client_end(client, NULL);
		else
			irc_client_feed(client);
	}
}

void irc_clients_new_buffer(struct irc_buffer *buffer)
{
	struct irc_client *next;

	for (struct irc_client *client = buffer->network->user->clients; client; client = next) {
		struct irc_seat *seat = irc_client_seat(client, buffer->network);

		next = client->next;
		if (seat && !irc_reader_set(&seat->reader, buffer->ring.slot, buffer->ring.head))
			irc_client_end(client, NULL);
	}
}

void irc_clients_move_slot(struct irc_network *network, uint32_t from, uint32_t to)
{
	for (struct irc_client *client = network->user->clients; client; client = client->next) {
		struct irc_seat *seat = irc_client_seat(client, network);

		if (seat)
			irc_reader_move(&seat->reader, from, to);
	}
}

void irc_clients_forget_buffer(struct irc_buffer *buffer)
{
	for (struct irc_client *client = buffer->network->user->clients; client;
	     client = client->next) {
		struct irc_seat *seat = irc_client_seat(client, buffer->network);

		irc_tour_forget(client, buffer);
		for (uint32_t i = client->mark_from; i < client->mark_to; i++)
			if (client->marks[i].buffer == buffer)
				client->marks[i].buffer = NULL;
		for (uint32_t i = 0; seat && i < seat->missed_count; i++)
			if (seat->missed[i].buffer == buffer)
				seat->missed[i].buffer = NULL;
	}
}

void irc_clients_marker(struct irc_buffer *buffer, const struct irc_client *but)
{
	EACH_SEAT(client, buffer->network)
	{
		if (client != but)
			irc_client_marker(client, buffer);
	}
}
