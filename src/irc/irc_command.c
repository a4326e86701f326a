/* What a client that is logged in orders. The header is irc_client.h. */
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/metric.h"
#include "irc/irc_bouncer.h"
#include "irc/irc_buffer.h"
#include "irc/irc_client.h"
#include "irc/irc_detach.h"
#include "irc/irc_history.h"
#include "irc/irc_monitor.h"
#include "irc/irc_network.h"
#include "irc/irc_push.h"
#include "irc/irc_route.h"
#include "irc/irc_search.h"
#include "irc/irc_service.h"
#include "irc/irc_upstream.h"
#include "irc/irc_user.h"

#define MULTILINE_MAX  24u
#define MULTILINE_SIZE 4096u

/* --- whose network -------------------------------------------------------------------------- */

/* The network that a name belongs to; with many, it stands behind the name, and is taken off. */
static struct irc_network *network_of(struct irc_client *client, struct bytes *name)
{
	size_t slash = name->len;
	struct irc_network *network;

	if (!client->multi)
		return irc_client_network(client);
	while (slash && name->at[slash - 1] != '/')
		slash--;
	if (!slash)
		return NULL;
	network = irc_network_find(client->user, bytes_skip(*name, slash));
	if (network)
		*name = bytes_first(*name, slash - 1);
	return network;
}

/* The same, and its server is there; else the client is told. */
static struct irc_network *network_up(struct irc_client *client, struct bytes *name,
				      const struct irc_line *line)
{
	struct irc_network *network = network_of(client, name);

	if (!network)
		irc_client_number(client, 403, "%.*s :No such channel or person here",
				  name->len ? (int)name->len : 1,
				  name->len ? (const char *)name->at : "*");
	else if (network->state != IRC_STATE_UP || !network->up)
		irc_client_fail(client, "*", "NOT_CONNECTED", "",
				"%.*s was not sent: %s is not connected%s%s", (int)line->verb.len,
				(const char *)line->verb.at, network->name,
				network->why[0] ? ": " : "", network->why);
	else
		return network;
	return NULL;
}

static void refused(struct irc_client *client, const struct irc_line *line)
{
	metric_add(METRIC_irc_refused, 1);
	irc_client_fail(client, "*", "RATE_LIMITED", "",
			"%.*s was not sent: too much waits to go out already", (int)line->verb.len,
			(const char *)line->verb.at);
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

	irc_line_write(&w, (struct bytes){0}, line->verb, param, count,
		       count && line->param[count - 1].at > line->rest.at &&
			       line->param[count - 1].at[-1] == ':');
	if (!writer_ok(&w) || !irc_route_send(network, client, line, writer_done(&w)))
		refused(client, line);
}

/* --- messages ------------------------------------------------------------------------------- */

/* Tags of a client's own that a server takes. */
static void put_client_tags(struct writer *w, const struct irc_network *network,
			    const struct irc_line *line)
{
	struct bytes rest = line->tags, key, value;
	bool any = false;

	if (!(network->caps & IRC_CAP(MESSAGE_TAGS)))
		return;
	while (irc_tag_next(&rest, &key, &value)) {
		if (key.at[0] != '+')
			continue;
		writer_u8(w, any ? ';' : '@');
		any = true;
		writer_put(w, key);
		if (value.len) {
			writer_u8(w, '=');
			writer_put(w, value);
		}
	}
	if (any)
		writer_u8(w, ' ');
}

/* What the server will not tell us of ourselves, told by us. */
static void echo(struct irc_client *client, struct irc_network *network,
		 const struct irc_line *line, struct bytes target, struct bytes text)
{
	char whole[IRC_LINE_ROOM], source[400];
	struct writer w = writer_of(whole, sizeof whole), s = writer_of(source, sizeof source);
	struct irc_record record = {.at_ms = wall_now_us() / 1000,
				    .kind = IRC_KIND_SELF | IRC_KIND_MESSAGE,
				    .origin = client->number};
	struct bytes param[2] = {target, text}, verb, words;
	bool is_channel = irc_is_channel(&network->is, target);
	struct irc_buffer *buffer = irc_buffer_find(network, target);

	if (irc_verb_is(line, "NOTICE"))
		record.kind = IRC_KIND_SELF | IRC_KIND_NOTICE;
	else if (irc_verb_is(line, "TAGMSG"))
		record.kind = IRC_KIND_SELF | IRC_KIND_TAGMSG | IRC_KIND_LIVE;
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
	irc_line_write(&w, writer_done(&s), line->verb, param, irc_verb_is(line, "TAGMSG") ? 1 : 2,
		       true);
	record.line = writer_done(&w);
	if (!writer_ok(&w))
		return;
	irc_buffer_put(buffer, &record);
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

	put_client_tags(&w, network, line);
	irc_line_write(&w, (struct bytes){0}, line->verb, param,
		       irc_verb_is(line, "TAGMSG") ? 1 : 2, !irc_verb_is(line, "TAGMSG"));
	if (!writer_ok(&w) || !irc_route_send(network, client, line, writer_done(&w))) {
		refused(client, line);
		return false;
	}
	if (!echoes)
		echo(client, network, line, target, text);
	return true;
}

static void message(struct irc_client *client, const struct irc_line *line, struct bytes target,
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
	network = network_up(client, &name, line);
	if (!network)
		return;
	if (irc_verb_is(line, "TAGMSG")) {
		if (network->caps & IRC_CAP(MESSAGE_TAGS))
			(void)message_send(client, network, line, name, text);
		return;
	}
	/* What others get has our source before it, and must fit as well. */
	most = network->is.linelen - strlen(network->nick) - name.len - line->verb.len - 8;
	most -= network->userhost[0] ? strlen(network->userhost) + 1 : 75;
	if (most > network->is.linelen || most < 100)
		most = 100;
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
			message(client, line, target, irc_param(line, 1));
	}
}

/* --- multiline ------------------------------------------------------------------------------ */

struct multiline {
	char ref[64], target[256], verb[16];
	struct irc_pipe text; /* lines, each ending in a newline */
	unsigned lines;
	char *label;
};

void irc_command_free(struct irc_client *client)
{
	struct multiline *multiline = client->multiline;

	if (multiline) {
		irc_pipe_fini(&multiline->text);
		free(multiline->label);
	}
	free(multiline);
	client->multiline = NULL;
	for (uint32_t i = 0; i < client->monitor_count; i++)
		free(client->monitors[i]);
	free(client->monitors);
	client->monitors = NULL;
	client->monitor_count = 0;
}

static void multiline_end(struct irc_client *client)
{
	struct multiline *multiline = client->multiline;
	struct bytes rest = irc_pipe_bytes(&multiline->text);
	struct irc_line line = {.verb = bytes_str(multiline->verb)};

	client->multiline = NULL;
	if (!client->label) {
		client->label = multiline->label;
		multiline->label = NULL;
	}
	while (rest.len && client->state == IRC_CLIENT_HERE) {
		struct bytes text = bytes_cut(&rest, '\n');

		if (text.len)
			message(client, &line, bytes_str(multiline->target), text);
	}
	irc_pipe_fini(&multiline->text);
	free(multiline->label);
	free(multiline);
}

static void do_batch(struct irc_client *client, const struct irc_line *line)
{
	struct bytes ref = irc_param(line, 0);
	struct multiline *multiline = client->multiline;

	if (ref.len > 1 && ref.at[0] == '-' && multiline &&
	    bytes_equal(bytes_skip(ref, 1), bytes_str(multiline->ref))) {
		multiline_end(client);
		return;
	}
	if (multiline || ref.len < 2 || ref.len > 60 || ref.at[0] != '+' ||
	    !bytes_equal(irc_param(line, 1), BYTES("draft/multiline")) || line->count < 3 ||
	    irc_param(line, 2).len > 255) {
		irc_client_fail(client, "BATCH", "MULTILINE_INVALID", "",
				"That is no batch to send");
		return;
	}
	multiline = calloc(1, sizeof *multiline);
	if (!multiline)
		return;
	bytes_to_str(bytes_skip(ref, 1), multiline->ref, sizeof multiline->ref);
	bytes_to_str(irc_param(line, 2), multiline->target, sizeof multiline->target);
	multiline->label = irc_client_take_label(client);
	client->multiline = multiline;
}

/* True: the line was of a batch. */
static bool multiline_take(struct irc_client *client, const struct irc_line *line)
{
	struct multiline *multiline = client->multiline;
	struct bytes batch, concat;
	bool glued;

	if (!multiline || !irc_tag_get(line->tags, "batch", &batch) ||
	    !bytes_equal(batch, bytes_str(multiline->ref)))
		return false;
	glued = irc_tag_get(line->tags, "draft/multiline-concat", &concat);
	if (++multiline->lines > MULTILINE_MAX ||
	    irc_pipe_len(&multiline->text) + irc_param(line, 1).len > MULTILINE_SIZE) {
		irc_client_fail(client, "BATCH",
				multiline->lines > MULTILINE_MAX ? "MULTILINE_MAX_LINES"
								 : "MULTILINE_MAX_BYTES",
				multiline->lines > MULTILINE_MAX ? "24" : "4096",
				"That is more than one message may be");
		multiline->text.to = multiline->text.from;
		irc_pipe_fini(&multiline->text);
		free(multiline->label);
		free(multiline);
		client->multiline = NULL;
		return true;
	}
	bytes_to_str(line->verb, multiline->verb, sizeof multiline->verb);
	if (glued && irc_pipe_len(&multiline->text))
		multiline->text.to--; /* the newline before it */
	if (!irc_pipe_put(&multiline->text, irc_param(line, 1)) ||
	    !irc_pipe_put(&multiline->text, BYTES("\n")))
		irc_client_end(client, NULL);
	return true;
}

/* --- channels ------------------------------------------------------------------------------- */

static void join_one(struct irc_client *client, const struct irc_line *line, struct bytes name,
		     struct bytes key)
{
	struct irc_network *network = network_of(client, &name);
	struct irc_buffer *buffer = network ? irc_buffer_find(network, name) : NULL;
	struct bytes param[2] = {name, key};

	if (!network) {
		irc_client_number(client, 403, "%.*s :No such channel", (int)name.len,
				  (const char *)name.at);
		return;
	}
	if (buffer && buffer->channel) {
		if (buffer->detached)
			irc_detach_attach(buffer);
		return;
	}
	if (network->state != IRC_STATE_UP) {
		/* It is joined when the server is there. */
		buffer = irc_buffer_make(network, name);
		if (buffer) {
			buffer->wanted = buffer->is_channel = true;
			if (key.len)
				irc_set(&buffer->key, key);
			irc_buffer_keep(buffer);
		}
		return;
	}
	buffer = buffer ? buffer : key.len ? irc_buffer_make(network, name) : NULL;
	if (buffer && key.len) {
		irc_set(&buffer->key, key);
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

static void part_one(struct irc_client *client, const struct irc_line *line, struct bytes name)
{
	struct irc_network *network = network_of(client, &name);
	struct irc_buffer *buffer = network ? irc_buffer_find(network, name) : NULL;
	struct bytes param[2] = {name, irc_param(line, 1)};

	if (!buffer) {
		irc_client_number(client, 403, "%.*s :No such channel", (int)name.len,
				  (const char *)name.at);
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
	struct bytes name = irc_param(line, 0);
	struct irc_network *network = network_of(client, &name);
	struct irc_buffer *buffer = network ? irc_buffer_find(network, name) : NULL;

	if (buffer && buffer->channel && buffer->channel->names_done)
		irc_client_names(client, buffer);
	else if (network && network->state == IRC_STATE_UP && name.len)
		ask_server(client, network, line, &name, 1);
	else
		irc_client_number(client, 366, "%.*s :End of /NAMES list",
				  name.len ? (int)name.len : 1,
				  name.len ? (const char *)name.at : "*");
}

/* Questions that we know the answer to; all else is the server's. */
static void do_topic(struct irc_client *client, const struct irc_line *line)
{
	struct bytes name = irc_param(line, 0);
	struct irc_network *network;
	struct irc_buffer *buffer;
	struct bytes param[2];

	if (lacks(client, line, 1))
		return;
	network = network_up(client, &name, line);
	if (!network)
		return;
	buffer = irc_buffer_find(network, name);
	if (line->count == 1 && buffer && buffer->channel) {
		if (buffer->channel->topic && buffer->channel->topic[0])
			irc_client_topic(client, buffer);
		else
			irc_client_number(client, 331, "%.*s :No topic is set", (int)name.len,
					  (const char *)name.at);
		return;
	}
	param[0] = name;
	param[1] = irc_param(line, 1);
	ask_server(client, network, line, param, line->count > 1 ? 2 : 1);
}

static void do_mode(struct irc_client *client, const struct irc_line *line)
{
	struct bytes name = irc_param(line, 0), param[IRC_PARAMS_MAX];
	struct irc_network *network;
	struct irc_buffer *buffer;

	if (lacks(client, line, 1))
		return;
	if (irc_same(IRC_RFC1459, name, bytes_str(client->nick)) && client->multi)
		return;
	network = network_up(client, &name, line);
	if (!network)
		return;
	buffer = irc_buffer_find(network, name);
	if (line->count == 1 && buffer && buffer->channel && buffer->channel->modes) {
		irc_client_number(client, 324, "%.*s %s", (int)name.len, (const char *)name.at,
				  buffer->channel->modes);
		if (buffer->channel->created)
			irc_client_number(client, 329, "%.*s %lld", (int)name.len,
					  (const char *)name.at,
					  (long long)buffer->channel->created);
		return;
	}
	memcpy(param, line->param, sizeof param);
	param[0] = name;
	ask_server(client, network, line, param, line->count);
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
		irc_set(&client->user->nick, nick);
		irc_user_keep(client->user);
	}
}

void irc_network_away(struct irc_network *network)
{
	const struct irc_user *user = network->user;
	const char *away = "";
	bool present = false;

	if (network->state != IRC_STATE_UP || !network->up || !network->up->ready)
		return;
	for (const struct irc_client *client = user->clients; client; client = client->next)
		present |= client->state == IRC_CLIENT_HERE && !client->away &&
			   irc_client_seat(client, network);
	/* Said when it changes, and not for each client that comes and goes. */
	if (user->away)
		away = user->away;
	else if (!present && network->conf.auto_away)
		away = network->caps & IRC_CAP(PRE_AWAY) ? "*" : "Auto away";
	if (strcmp(away, irc_str(network->away_said).len ? network->away_said : "") == 0)
		return;
	if (away[0])
		irc_upstream_later(network->up, "AWAY :%s", away);
	else
		irc_upstream_later(network->up, "AWAY");
	irc_set(&network->away_said, bytes_str(away));
	network->is_away = away[0] != '\0';
}

static void do_away(struct irc_client *client, const struct irc_line *line)
{
	struct irc_user *user = client->user;
	struct bytes text = irc_param(line, 0);
	bool any = false;

	client->away = text.len > 0;
	free(user->away);
	/* "*": this client is not there, and no more than that (pre-away). */
	user->away = text.len && !bytes_equal(text, BYTES("*")) ? irc_copy(text) : NULL;
	irc_user_keep(user);
	for (struct irc_network *network = user->networks; network; network = network->next) {
		bool seated = network->state == IRC_STATE_UP && irc_client_seat(client, network);

		any |= seated;
		network->away_asked += seated;
		irc_network_away(network);
	}
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
	if (!network) {
		irc_set(&client->user->realname, name);
		irc_user_keep(client->user);
		return;
	}
	(void)irc_network_set(network, BYTES("realname"), name);
	irc_network_keep(network);
	if (network->state == IRC_STATE_UP && network->caps & IRC_CAP(SETNAME))
		ask_server(client, network, line, &name, 1);
}

static void do_monitor(struct irc_client *client, const struct irc_line *line)
{
	struct irc_network *network = irc_client_network(client);

	if (network)
		irc_monitor_order(client, network, line);
}

/* --- the rest ------------------------------------------------------------------------------- */

static void do_history(struct irc_client *client, const struct irc_line *line)
{
	struct irc_line copy = *line;
	unsigned at = bytes_equal_nocase(irc_param(line, 0), BYTES("TARGETS")) ? 0 : 1;
	struct irc_network *network;

	if (at && line->count > 1)
		network = network_of(client, &copy.param[1]);
	else
		network = irc_client_network(client);
	if (network)
		irc_history(client, network, &copy);
	else
		irc_client_fail(client, "CHATHISTORY", "INVALID_TARGET", "", "No such target here");
}

static void do_markread(struct irc_client *client, const struct irc_line *line)
{
	struct irc_line copy = *line;
	struct irc_network *network;

	if (lacks(client, line, 1))
		return;
	network = network_of(client, &copy.param[0]);
	if (network)
		irc_markread(client, network, &copy);
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

static void do_nothing(struct irc_client *client, const struct irc_line *line)
{
	irc_client_number(client, 462, ":You may not register again");
	(void)line;
}

/* With one network all else is the server's; with many, a name in it says whose. */
static void do_other(struct irc_client *client, const struct irc_line *line)
{
	struct bytes none = {(const uint8_t *)"", 0}, param[IRC_PARAMS_MAX];
	struct irc_network *network = NULL;

	memcpy(param, line->param, sizeof param);
	for (unsigned i = 0; client->multi && i < line->count && !network; i++)
		network = network_of(client, &param[i]);
	if (client->multi && !network) {
		irc_client_number(client, 421, "%.*s :Which network? Say NAME/NETWORK",
				  (int)line->verb.len, (const char *)line->verb.at);
		return;
	}
	if (!client->multi && !client->seat_count) {
		irc_client_number(client, 421,
				  "%.*s :Unknown command; this is the bouncer: /msg " IRC_SERVICE
				  " help",
				  (int)line->verb.len, (const char *)line->verb.at);
		return;
	}
	if (client->multi) {
		if (network->state == IRC_STATE_UP && network->up)
			ask_server(client, network, line, param, line->count);
		return;
	}
	network = network_up(client, &none, line);
	if (network)
		ask_server(client, network, line, line->param, line->count);
}

void irc_command(struct irc_client *client, const struct irc_line *line)
{
	static const struct {
		const char *verb;
		void (*run)(struct irc_client *client, const struct irc_line *line);
	} commands[] = {
		{"PRIVMSG", do_message}, {"NOTICE", do_message},      {"TAGMSG", do_message},
		{"JOIN", do_join},       {"PART", do_part},           {"NAMES", do_names},
		{"TOPIC", do_topic},     {"MODE", do_mode},           {"NICK", do_nick},
		{"AWAY", do_away},       {"SETNAME", do_setname},     {"MONITOR", do_monitor},
		{"BATCH", do_batch},     {"CHATHISTORY", do_history}, {"MARKREAD", do_markread},
		{"READ", do_markread},   {"SEARCH", do_search},       {"ISUPPORT", do_isupport},
		{"WEBPUSH", do_webpush}, {"BOUNCER", irc_bouncer},    {"USER", do_nothing},
		{"PASS", do_nothing},
	};

	if (client->multiline && multiline_take(client, line))
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
