/* What a client that is logged in orders. The header is irc_client.h. */
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/metric.h"
#include "irc/irc_about.h"
#include "irc/irc_account.h"
#include "irc/irc_bouncer.h"
#include "irc/irc_buffer.h"
#include "irc/irc_client.h"
#include "irc/irc_detach.h"
#include "irc/irc_gap.h"
#include "irc/irc_history.h"
#include "irc/irc_metadata.h"
#include "irc/irc_monitor.h"
#include "irc/irc_multiline.h"
#include "irc/irc_network.h"
#include "irc/irc_notice.h"
#include "irc/irc_push.h"
#include "irc/irc_route.h"
#include "irc/irc_search.h"
#include "irc/irc_service.h"
#include "irc/irc_upstream.h"
#include "irc/irc_user.h"

#define AWAY_MOST 400 /* bytes: what fits into a line of a server's (RFC 1459 section 2.3) */

/* --- whose network -------------------------------------------------------------------------- */

/* The network that a name belongs to; with many, it stands behind the name, and is taken off: "/net" is none. */
struct irc_network *irc_client_network_of(struct irc_client *client, struct bytes *name)
{
	size_t slash = name->len;
	struct irc_network *network;

	if (!client->multi)
		return irc_client_network(client);
	while (slash && name->at[slash - 1] != '/')
		slash--;
	if (slash < 2)
		return NULL;
	network = irc_network_find(client->user, bytes_skip(*name, slash));
	if (network)
		*name = bytes_first(*name, slash - 1);
	return network;
}

/* There is no such name; with many networks, mostly because it does not say whose. */
static void nowhere(struct irc_client *client, struct bytes name)
{
	struct bytes word = irc_client_context(name);
	int len = (int)word.len;

	if (client->multi)
		irc_client_number(client, 403, "%.*s :Say %.*s/NETWORK", len, word.at, len,
				  word.at);
	else
		irc_client_number(client, 403, "%.*s :No such channel or person here", len,
				  word.at);
}

/* Whether its server is there; else the client is told. */
static bool is_up(struct irc_client *client, const struct irc_network *network,
		  const struct irc_line *line)
{
	if (network->state == IRC_STATE_UP && network->up)
		return true;
	irc_client_fail(client, "*", "NOT_CONNECTED", "",
			"%.*s was not sent: %s is not connected%s%s", (int)line->verb.len,
			(const char *)line->verb.at, network->name, network->why[0] ? ": " : "",
			network->why);
	return false;
}

/* Whose network it is, and its server is there; else the client is told. */
struct irc_network *irc_client_network_up(struct irc_client *client, struct bytes *name,
					  const struct irc_line *line)
{
	struct irc_network *network = irc_client_network_of(client, name);

	if (!network)
		nowhere(client, *name);
	return network && is_up(client, network, line) ? network : NULL;
}

static void refused(struct irc_client *client, const struct irc_network *network,
		    const struct irc_line *line)
{
	metric_add(METRIC_irc_refused, 1);
	irc_client_fail(client, "*", "RATE_LIMITED", "", "%.*s was not sent: %s",
			(int)line->verb.len, (const char *)line->verb.at,
			irc_routes_full(network) ? "too much waits for an answer already"
						 : "too much waits to go out already");
}

static bool lacks(struct irc_client *client, const struct irc_line *line, unsigned count)
{
	if (line->count >= count && irc_param(line, 0).len)
		return false;
	irc_client_number(client, 461, "%.*s :Not enough parameters", (int)line->verb.len,
			  (const char *)line->verb.at);
	return true;
}

/* Sends a line with these parameters to a server, its answer back to the client. */
static void ask_server(struct irc_client *client, struct irc_network *network,
		       const struct irc_line *line, const struct bytes *param, unsigned count)
{
	char text[IRC_LINE_ROOM];
	struct writer w = writer_of(text, sizeof text);

	irc_account_said(network, line, count ? param[0] : line->verb);
	irc_line_write(&w, (struct bytes){0}, line->verb, param, count,
		       count && irc_line_trails(line));
	if (network->up && (!writer_ok(&w) || !irc_upstream_fits(network->up, writer_done(&w))))
		irc_client_number(client, 417, ":Input line was too long");
	else if (!irc_route_send(network, client, line, writer_done(&w)))
		refused(client, network, line);
}

/* All of it, with names as the server has them. */
static void ask_as_it_is(struct irc_client *client, struct irc_network *network,
			 const struct irc_line *line)
{
	struct irc_names names = irc_client_names_of(client, network);
	struct irc_line copy = *line;
	char room[IRC_LINE_ROOM];
	struct writer w = writer_of(room, sizeof room);

	if (client->multi && !irc_names_out(&names, &copy, &w))
		irc_client_number(client, 417, ":Input line was too long");
	else
		ask_server(client, network, line, copy.param, copy.count);
}

/* --- messages ------------------------------------------------------------------------------- */

/* Those tags that are a client's own. */
static void put_own_tags(struct writer *w, struct bytes tags)
{
	size_t from = w->len;
	struct bytes key, value;

	while (irc_tag_next(&tags, &key, &value))
		if (key.at[0] == '+')
			irc_tag_put(w, from, key, value);
}

/* As a server takes them, in front of a line. */
void irc_client_put_tags(struct writer *w, const struct irc_network *network,
			 const struct irc_line *line)
{
	char tags[IRC_TAGS_MAX];
	struct writer t = writer_of(tags, sizeof tags);

	put_own_tags(&t, line->tags);
	if (!(network->caps & IRC_CAP(MESSAGE_TAGS)) || !t.len)
		return;
	writer_u8(w, '@');
	writer_put(w, writer_done(&t));
	writer_u8(w, ' ');
}

/* And as they are kept. */
static struct bytes own_tags(const struct irc_line *line, char *room, size_t size)
{
	struct writer w = writer_of(room, size);

	put_own_tags(&w, line->tags);
	return writer_ok(&w) ? writer_done(&w) : (struct bytes){0};
}

/* What the server will not tell us of ourselves, told by us. */
void irc_client_said(struct irc_client *client, struct irc_network *network,
		     const struct irc_line *line, struct bytes target, struct bytes text)
{
	char whole[IRC_LINE_ROOM], source[400], tags[4000];
	struct writer w = writer_of(whole, sizeof whole), s = writer_of(source, sizeof source);
	struct irc_record record = {.at_ms = wall_now_us() / 1000,
				    .kind = IRC_KIND_SELF | IRC_KIND_MESSAGE,
				    .origin = client->number};
	struct bytes param[2] = {target, BYTES("")}, verb, words;
	bool is_channel = irc_is_channel(&network->is, target);
	struct irc_buffer *buffer = irc_buffer_find(network, target);

	/* What he says to himself comes back. */
	if (irc_same(network->is.casemap, target, bytes_str(network->nick)))
		return;
	if (irc_verb_is(line, "NOTICE"))
		record.kind = IRC_KIND_SELF | IRC_KIND_NOTICE;
	else if (irc_verb_is(line, "TAGMSG"))
		record.kind =
			IRC_KIND_SELF | (irc_is_reaction(line) ? IRC_KIND_EVENT | IRC_REACT
							       : IRC_KIND_TAGMSG | IRC_KIND_LIVE);
	record.tags = own_tags(line, tags, sizeof tags);
	if (bytes_equal_nocase(target, BYTES("NickServ")) ||
	    (irc_ctcp_parse(text, &verb, &words) && !bytes_equal_nocase(verb, BYTES("ACTION"))))
		record.kind |= IRC_KIND_LIVE;
	if (!buffer && !is_channel && !(record.kind & IRC_KIND_LIVE))
		buffer = irc_buffer_make(network, target);
	/* A ring of a channel holds what the store has, line for line. */
	if (record.kind & IRC_KIND_LIVE)
		buffer = buffer && buffer->detached ? NULL : network->status;
	if (!buffer)
		return;
	if (!is_channel)
		record.kind |= IRC_KIND_PRIVATE;
	irc_network_self(network, &s);
	/* A text of several lines stands behind it as it is. */
	irc_line_write(&w, writer_done(&s), line->verb, param, irc_verb_is(line, "TAGMSG") ? 1 : 2,
		       !irc_verb_is(line, "TAGMSG"));
	if (!irc_verb_is(line, "TAGMSG"))
		writer_put(&w, text);
	if (irc_is_lines(text))
		record.kind |= IRC_KIND_LINES;
	record.line = writer_done(&w);
	if (!writer_ok(&w))
		return;
	irc_buffer_put(buffer, &record);
	if (network->up)
		irc_gap_said(network->up, buffer, &record);
	if (client->label && client->caps & IRC_CAP(ECHO_MESSAGE))
		irc_client_echo(client, buffer, record.seq, irc_client_take_label(client));
	irc_detach_said(buffer);
}

/* One piece to one target. */
static bool message_send(struct irc_client *client, struct irc_network *network,
			 const struct irc_line *line, struct bytes target, struct bytes text)
{
	char out[IRC_LINE_ROOM];
	struct writer w = writer_of(out, sizeof out);
	struct bytes param[2] = {target, text};
	bool echoes = network->caps & IRC_CAP(ECHO_MESSAGE);

	irc_account_said(network, line, target);
	irc_client_put_tags(&w, network, line);
	irc_line_write(&w, (struct bytes){0}, line->verb, param,
		       irc_verb_is(line, "TAGMSG") ? 1 : 2, !irc_verb_is(line, "TAGMSG"));
	if (!writer_ok(&w) || !irc_route_send(network, client, line, writer_done(&w))) {
		refused(client, network, line);
		return false;
	}
	if (!echoes)
		irc_client_said(client, network, line, target, text);
	return true;
}

size_t irc_client_most(const struct irc_network *network, const struct irc_line *line,
		       struct bytes target)
{
	/* What others get has our source before it, and must fit as well. */
	size_t most = network->is.linelen - strlen(network->nick) - target.len - line->verb.len - 8;

	most -= network->userhost[0] ? strlen(network->userhost) + 1 : 75;
	return most > network->is.linelen || most < 100 ? 100 : most;
}

void irc_client_message(struct irc_client *client, const struct irc_line *line, struct bytes target,
			struct bytes text)
{
	struct bytes name = target, verb, words;
	struct irc_network *network;
	size_t most;

	if (bytes_equal_nocase(target, BYTES(IRC_SERVICE))) {
		if (irc_verb_is(line, "PRIVMSG"))
			irc_service_message(client, irc_client_network(client), text);
		return;
	}
	if (target.len > 1 && target.at[0] == '$' && irc_is_admin(client->user->name)) {
		irc_service_broadcast(text);
		return;
	}
	network = irc_client_network_up(client, &name, line);
	if (!network)
		return;
	if (irc_verb_is(line, "TAGMSG")) {
		if (network->caps & IRC_CAP(MESSAGE_TAGS))
			(void)message_send(client, network, line, name, text);
		return;
	}
	most = irc_client_most(network, line, name);
	if (irc_ctcp_parse(text, &verb, &words)) {
		(void)message_send(client, network, line, name, bytes_first(text, most));
		return;
	}
	do {
		struct bytes piece = irc_split(&text, most);

		if (!message_send(client, network, line, name, piece))
			return;
	} while (text.len);
}

static void do_message(struct irc_client *client, const struct irc_line *line)
{
	struct bytes targets = irc_param(line, 0);

	if (lacks(client, line, irc_verb_is(line, "TAGMSG") ? 1 : 2))
		return;
	while (targets.len && client->state == IRC_CLIENT_HERE) {
		struct bytes target = bytes_cut(&targets, ',');

		if (target.len)
			irc_client_message(client, line, target, irc_param(line, 1));
	}
}

void irc_command_free(struct irc_client *client)
{
	irc_multiline_free(client);
	for (uint32_t i = 0; i < client->monitor_count; i++)
		free(client->monitors[i]);
	free(client->monitors);
	client->monitors = NULL;
	client->monitor_count = 0;
}

/* --- channels ------------------------------------------------------------------------------- */

/* It is joined when the server is there. */
static void join_later(struct irc_client *client, struct irc_network *network, struct bytes said,
		       struct bytes name, struct bytes key)
{
	struct irc_buffer *buffer;

	/* "0" would leave all of them. */
	if (name.len < 2 || !strchr(IRC_CHANNEL_KINDS, name.at[0]) ||
	    bytes_find(name, ' ') < name.len) {
		said = irc_client_context(said);
		irc_client_number(client, 403, "%.*s :No such channel", (int)said.len, said.at);
		return;
	}
	buffer = irc_buffer_make(network, name);
	if (!buffer) {
		irc_client_number(client, 405, "%.*s :You have joined too many channels",
				  (int)said.len, (const char *)said.at);
		return;
	}
	buffer->wanted = buffer->is_channel = true;
	if (key.len)
		(void)irc_buffer_set_key(buffer, key);
	irc_buffer_keep(buffer);
	irc_notice_to(client, "%.*s is joined when %s is connected", (int)said.len,
		      (const char *)said.at, network->name);
}

static void join_one(struct irc_client *client, const struct irc_line *line, struct bytes said,
		     struct bytes key)
{
	struct bytes name = said;
	struct irc_network *network = irc_client_network_of(client, &name);
	struct irc_buffer *buffer = network ? irc_buffer_find(network, name) : NULL;
	struct bytes param[2] = {name, key};

	if (!network) {
		nowhere(client, name);
		return;
	}
	if (buffer && buffer->channel) {
		if (buffer->detached)
			irc_detach_attach(buffer);
		return;
	}
	/* One that cannot be remembered would let us in once and never again. */
	if (key.len > IRC_KEY_MAX || !irc_is_utf8(key)) {
		irc_client_number(client, 525, "%.*s :Key is not well-formed", (int)said.len,
				  (const char *)said.at);
		return;
	}
	if (network->state != IRC_STATE_UP) {
		join_later(client, network, said, name, key);
		return;
	}
	buffer = buffer ? buffer : key.len ? irc_buffer_make(network, name) : NULL;
	if (buffer && key.len) {
		(void)irc_buffer_set_key(buffer, key);
		irc_buffer_keep(buffer);
	}
	ask_server(client, network, line, param, key.len ? 2 : 1);
}

static void do_join(struct irc_client *client, const struct irc_line *line)
{
	struct bytes names = irc_param(line, 0), keys = irc_param(line, 1);

	if (lacks(client, line, 1))
		return;
	while (names.len && client->state == IRC_CLIENT_HERE) {
		struct bytes name = bytes_cut(&names, ','), key = bytes_cut(&keys, ',');

		if (name.len)
			join_one(client, line, name, key);
	}
}

static void part_one(struct irc_client *client, const struct irc_line *line, struct bytes said)
{
	struct bytes name = said;
	struct irc_network *network = irc_client_network_of(client, &name);
	struct irc_buffer *buffer = network ? irc_buffer_find(network, name) : NULL;
	struct bytes param[2] = {name, irc_param(line, 1)};

	if (!network) {
		nowhere(client, name);
		return;
	}
	if (!buffer) {
		irc_client_number(client, 403, "%.*s :No such channel", (int)said.len,
				  (const char *)said.at);
		return;
	}
	if (bytes_equal_nocase(irc_param(line, 1), BYTES("detach"))) {
		irc_detach(buffer);
		return;
	}
	if (buffer->wanted && !buffer->channel) {
		buffer->wanted = false;
		irc_buffer_keep(buffer);
	}
	if (network->state == IRC_STATE_UP && buffer->channel)
		ask_server(client, network, line, param, line->count > 1 ? 2 : 1);
}

static void do_part(struct irc_client *client, const struct irc_line *line)
{
	struct bytes names = irc_param(line, 0);

	if (lacks(client, line, 1))
		return;
	while (names.len && client->state == IRC_CLIENT_HERE) {
		struct bytes name = bytes_cut(&names, ',');

		if (name.len)
			part_one(client, line, name);
	}
}

static void do_names(struct irc_client *client, const struct irc_line *line)
{
	struct bytes said = irc_param(line, 0), name = said;
	struct irc_network *network = irc_client_network_of(client, &name);
	struct irc_buffer *buffer = network ? irc_buffer_find(network, name) : NULL;

	if (buffer && buffer->channel && buffer->channel->names_done)
		irc_client_names(client, buffer);
	else if (network && network->state == IRC_STATE_UP && name.len)
		ask_server(client, network, line, &name, 1);
	else
		irc_client_number(client, 366, "%.*s :End of /NAMES list",
				  said.len ? (int)said.len : 1,
				  said.len ? (const char *)said.at : "*");
}

/* Questions that we know the answer to; all else is the server's. */
static void do_topic(struct irc_client *client, const struct irc_line *line)
{
	struct bytes said = irc_param(line, 0), name = said;
	struct irc_network *network;
	struct irc_buffer *buffer;
	struct bytes param[2];

	if (lacks(client, line, 1))
		return;
	network = irc_client_network_up(client, &name, line);
	if (!network)
		return;
	buffer = irc_buffer_find(network, name);
	if (line->count == 1 && buffer && buffer->channel) {
		if (buffer->channel->topic && buffer->channel->topic[0])
			irc_client_topic(client, buffer);
		else
			irc_client_number(client, 331, "%.*s :No topic is set", (int)said.len,
					  (const char *)said.at);
		return;
	}
	param[0] = name;
	param[1] = irc_param(line, 1);
	ask_server(client, network, line, param, line->count > 1 ? 2 : 1);
}

static void do_mode(struct irc_client *client, const struct irc_line *line)
{
	struct bytes said = irc_param(line, 0), name = said;
	struct irc_network *network;
	struct irc_buffer *buffer;

	if (lacks(client, line, 1))
		return;
	/* One's own are a network's; clients ask for them, and set some, before they know that there is none. */
	if (irc_same(IRC_RFC1459, name, bytes_str(client->nick)) &&
	    (client->multi || !client->seat_count)) {
		if (line->count == 1)
			irc_client_number(client, 221, "+");
		return;
	}
	network = irc_client_network_up(client, &name, line);
	if (!network)
		return;
	buffer = irc_buffer_find(network, name);
	if (line->count == 1 && buffer && buffer->channel && buffer->channel->modes) {
		irc_client_number(client, 324, "%.*s %s", (int)said.len, (const char *)said.at,
				  buffer->channel->modes);
		if (buffer->channel->created)
			irc_client_number(client, 329, "%.*s %lld", (int)said.len,
					  (const char *)said.at,
					  (long long)buffer->channel->created);
		return;
	}
	ask_as_it_is(client, network, line);
}

/* --- the user ------------------------------------------------------------------------------- */

static void do_nick(struct irc_client *client, const struct irc_line *line)
{
	struct irc_network *network = irc_client_network(client);
	struct bytes nick = irc_param(line, 0);

	if (lacks(client, line, 1))
		return;
	if (!irc_is_nick(nick)) {
		irc_client_number(client, 432, "%.*s :Erroneous nickname", (int)nick.len,
				  (const char *)nick.at);
		return;
	}
	if (network && network->state == IRC_STATE_UP) {
		(void)irc_network_set(network, BYTES("nick"), nick);
		irc_network_keep(network);
		ask_server(client, network, line, &nick, 1);
		return;
	}
	/* Nobody else is there to say so. */
	irc_client_say(client, ":%s NICK %.*s", client->nick, (int)nick.len, (const char *)nick.at);
	irc_set(&client->nick, nick);
	if (network) {
		(void)irc_network_set(network, BYTES("nick"), nick);
		irc_network_keep(network);
	} else {
		(void)irc_user_set(client->user, &client->user->nick, nick);
	}
}

bool irc_network_away(struct irc_network *network)
{
	const struct irc_user *user = network->user;
	const char *away = "";
	bool present = false;

	if (network->state != IRC_STATE_UP || !network->up || !network->up->ready)
		return false;
	for (const struct irc_client *client = user->clients; client; client = client->next)
		present |= client->state == IRC_CLIENT_HERE && !client->away &&
			   irc_client_seat(client, network);
	/* Said when it changes, and not for each client that comes and goes. */
	if (user->away)
		away = user->away;
	else if (!present && network->conf.auto_away)
		away = network->caps & IRC_CAP(PRE_AWAY) ? "*" : "Auto away";
	if (strcmp(away, irc_str(network->away_said).len ? network->away_said : "") == 0)
		return false;
	if (away[0])
		irc_upstream_later(network->up, "AWAY :%.*s", AWAY_MOST, away);
	else
		irc_upstream_later(network->up, "AWAY");
	irc_set(&network->away_said, bytes_str(away));
	network->is_away = away[0] != '\0';
	return true;
}

static void do_away(struct irc_client *client, const struct irc_line *line)
{
	struct irc_user *user = client->user;
	struct bytes text = irc_param(line, 0);
	bool any = false;

	/* "*": this client is not there, and no more than that (pre-away). */
	if (!irc_user_set(user, &user->away,
			  text.len && !bytes_equal(text, BYTES("*")) ? text : (struct bytes){0})) {
		irc_client_fail(client, "AWAY", "INVALID_PARAMS", "",
				"It is too long, or no UTF-8: you are as away as you were");
		return;
	}
	client->away = text.len > 0;
	for (struct irc_network *network = user->networks; network; network = network->next) {
		if (!irc_network_away(network) || !irc_client_seat(client, network))
			continue;
		any = true;
		network->away_asked++;
	}
	/* What it is already no server is told again. */
	if (any)
		return;
	if (text.len)
		irc_client_number(client, 306, ":You have been marked as being away");
	else
		irc_client_number(client, 305, ":You are no longer marked as being away");
}

static void do_setname(struct irc_client *client, const struct irc_line *line)
{
	struct irc_network *network = irc_client_network(client);
	struct bytes name = irc_param(line, 0);

	if (lacks(client, line, 1))
		return;
	if (network ? irc_network_set(network, BYTES("realname"), name) != NULL
		    : !irc_user_set(client->user, &client->user->realname, name)) {
		irc_client_fail(client, "SETNAME", "INVALID_REALNAME", "",
				"It is too long, or no UTF-8");
		return;
	}
	if (!network)
		return;
	irc_network_keep(network);
	if (network->state == IRC_STATE_UP && network->caps & IRC_CAP(SETNAME))
		ask_server(client, network, line, &name, 1);
}

static void do_monitor(struct irc_client *client, const struct irc_line *line)
{
	struct irc_network *network = irc_client_network(client);

	if (network)
		irc_monitor_order(client, network, line);
	else
		irc_client_number(client, 421,
				  "MONITOR :Nobody is watched here: connect to one network");
}

/* --- the rest ------------------------------------------------------------------------------- */

static void do_history(struct irc_client *client, const struct irc_line *line)
{
	bool of_one = !bytes_equal_nocase(irc_param(line, 0), BYTES("TARGETS"));
	struct bytes name = irc_param(line, 1);

	irc_history(client,
		    of_one ? irc_client_network_of(client, &name) : irc_client_network(client),
		    line);
}

static void do_markread(struct irc_client *client, const struct irc_line *line)
{
	struct bytes name = irc_param(line, 0);

	if (!name.len)
		irc_client_fail(client, irc_verb_is(line, "READ") ? "READ" : "MARKREAD",
				"NEED_MORE_PARAMS", "", "Of what?");
	else
		irc_markread(client, irc_client_network_of(client, &name), line);
}

static void do_search(struct irc_client *client, const struct irc_line *line)
{
	irc_search(client, irc_client_network(client), line);
}

static void do_webpush(struct irc_client *client, const struct irc_line *line)
{
	irc_push_command(client, irc_client_network(client), line);
}

static void do_isupport(struct irc_client *client, const struct irc_line *line)
{
	(void)line;
	irc_client_isupport(client);
}

static void do_again(struct irc_client *client, const struct irc_line *line)
{
	irc_client_number(client, 462, ":You may not register again");
	(void)line;
}

/* Whose network a word of an order says: "eve/net", or as a mask "*!*@*.org/net" and "eve/net!*@*". */
static struct irc_network *network_said(struct irc_client *client, struct bytes word)
{
	struct bytes nick = bytes_first(word, bytes_find(word, '!'));
	struct irc_network *network = irc_client_network_of(client, &word);

	return network ? network : irc_client_network_of(client, &nick);
}

/* With one network all else is the server's; with many, a name in it says whose. What no network is asked,
 * the bouncer is. */
static void do_other(struct irc_client *client, const struct irc_line *line)
{
	struct irc_network *network = irc_client_network(client);

	for (unsigned i = 0; client->multi && i < line->count && !network; i++)
		if (irc_names_has(line, i))
			network = network_said(client, line->param[i]);
	if (irc_about(client, line, network))
		return;
	if (network) {
		if (is_up(client, network, line))
			ask_as_it_is(client, network, line);
	} else if (client->multi) {
		irc_client_number(client, 421, "%.*s :Which network? Say NAME/NETWORK",
				  (int)line->verb.len, (const char *)line->verb.at);
	} else {
		irc_client_number(client, 421,
				  "%.*s :Unknown command; this is the bouncer: /msg " IRC_SERVICE
				  " help",
				  (int)line->verb.len, (const char *)line->verb.at);
	}
}

void irc_command(struct irc_client *client, const struct irc_line *line)
{
	static const struct {
		const char *verb;
		void (*run)(struct irc_client *client, const struct irc_line *line);
	} commands[] = {
		{"PRIVMSG", do_message},
		{"NOTICE", do_message},
		{"TAGMSG", do_message},
		{"JOIN", do_join},
		{"PART", do_part},
		{"NAMES", do_names},
		{"TOPIC", do_topic},
		{"MODE", do_mode},
		{"NICK", do_nick},
		{"AWAY", do_away},
		{"SETNAME", do_setname},
		{"MONITOR", do_monitor},
		{"BATCH", irc_multiline_order},
		{"CHATHISTORY", do_history},
		{"MARKREAD", do_markread},
		{"READ", do_markread},
		{"SEARCH", do_search},
		{"ISUPPORT", do_isupport},
		{"WEBPUSH", do_webpush},
		{"BOUNCER", irc_bouncer},
		{"USER", do_again},
		{"PASS", do_again},
		{"AUTHENTICATE", irc_account_authenticate},
		{"METADATA", irc_metadata_order},
		{"CLIENTCERT", irc_clientcert},
	};

	if (client->multiline && irc_multiline_take(client, line))
		return;
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		if (irc_verb_is(line, commands[i].verb)) {
			commands[i].run(client, line);
			break;
		} else if (i + 1 == COUNT_OF(commands)) {
			do_other(client, line);
		}
	/* What was said by this client, others of the user hear of now. */
	for (struct irc_network *network = client->user ? client->user->networks : NULL;
	     network && client->state == IRC_CLIENT_HERE; network = network->next)
		if (network->attached > 1)
			irc_network_turn(network);
}
