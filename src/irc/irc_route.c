#include "irc/irc_route.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/metric.h"
#include "irc/irc_buffer.h"
#include "irc/irc_client.h"
#include "irc/irc_upstream.h"

/* What a command is answered with: numbers that belong to it, and those that end it. Errors that end
 * it are given too; where the end comes behind an error, as with WHOIS, the error is no end. */
static const struct {
	const char *verb;
	unsigned part[20], end[12];
} commands[] = {
	{"WHO", {352, 354}, {315, 263}},
	{"WHOIS",
	 {311, 312, 313, 317, 319, 301, 330, 335, 338, 671, 276, 307, 310, 320, 378, 379, 401, 402,
	  431},
	 {318, 263}},
	{"WHOWAS", {314, 312, 330, 338, 406, 301}, {369, 263}},
	{"LIST", {321, 322}, {323, 263, 416}},
	{"NAMES", {353}, {366}},
	{"LUSERS", {251, 252, 253, 254, 255, 265}, {266}},
	{"MOTD", {375, 372}, {376, 422}},
	{"VERSION", {5, 105}, {351, 402}},
	{"STATS", {211, 212, 213, 215, 216, 218, 241, 242, 243, 244, 249, 250}, {219, 481}},
	{"LINKS", {364}, {365, 481}},
	{"MAP", {6, 15, 16, 18}, {7, 17, 481}},
	{"TIME", {0}, {391, 402}},
	{"INFO", {371}, {374}},
	{"ADMIN", {256, 257, 258}, {259, 423}},
	{"HELP", {704, 705}, {706, 524, 502}},
	{"USERHOST", {0}, {302}},
	{"ISON", {0}, {303}},
	{"INVITE", {301}, {341, 401, 403, 442, 443, 482}},
	{"TOPIC", {332}, {331, 333, 403, 442, 482}},
	{"TRACE", {200, 201, 202, 203, 204, 205, 206, 207, 208, 209, 261}, {262}},
	{"MODE", {324, 367, 348, 346, 728}, {329, 368, 349, 347, 729, 221, 482, 403, 472, 501}},
	{"", {0}, {0}},
};
#define OTHER (COUNT_OF(commands) - 1)

static bool holds(const unsigned *set, size_t count, unsigned number)
{
	for (size_t i = 0; i < count && set[i]; i++)
		if (set[i] == number)
			return true;
	return false;
}

static unsigned kind_of(const struct irc_line *line)
{
	for (unsigned i = 0; i < OTHER; i++)
		if (irc_verb_is(line, commands[i].verb))
			return i;
	return OTHER;
}

/* Whether a server answers at all: "MODE #c +o x" and "TOPIC #c :x" only when it refuses. */
static bool is_question(const struct irc_line *line, unsigned kind)
{
	struct bytes modes = irc_param(line, 1);

	if (kind == OTHER)
		return false;
	if (irc_verb_is(line, "TOPIC"))
		return line->count == 1;
	if (!irc_verb_is(line, "MODE"))
		return true;
	if (line->count == 1)
		return true;
	if (modes.len && modes.at[0] == '+')
		modes = bytes_skip(modes, 1);
	return line->count == 2 && modes.len == 1 &&
	       (modes.at[0] == 'b' || modes.at[0] == 'e' || modes.at[0] == 'I' ||
		modes.at[0] == 'q');
}

static void route_free(struct irc_route *route)
{
	irc_pipe_fini(&route->answer);
	free(route->client_label);
	free(route->mask);
	free(route);
}

/* --- asking --------------------------------------------------------------------------------- */

bool irc_routes_full(const struct irc_network *network)
{
	uint64_t count = 0;

	for (const struct irc_route *route = network->routes; route; route = route->next)
		count++;
	return count >= irc_conf_now()->server_questions;
}

bool irc_route_send(struct irc_network *network, struct irc_client *client,
		    const struct irc_line *line, struct bytes text)
{
	struct irc_upstream *up = network->up;
	unsigned kind = kind_of(line);
	bool labels = network->caps & IRC_CAP(LABELED_RESPONSE);
	struct irc_route *route, **last = &network->routes;
	char out[IRC_LINE_ROOM + 64];
	struct writer w = writer_of(out, sizeof out);

	if (!up)
		return false;
	if (!labels && !is_question(line, kind))
		return irc_upstream_queue(up, text);
	if (irc_routes_full(network))
		return false;
	while (*last)
		last = &(*last)->next;
	route = calloc(1, sizeof *route);
	if (!route)
		return false;
	route->client = client->number;
	route->kind = kind;
	route->deadline = mono_add_ms(mono_now(), (int64_t)irc_conf_now()->answer_timeout);
	route->client_label = irc_client_take_label(client);
	if (client->multi && irc_verb_is(line, "WHO")) {
		route->whox = irc_whox_fields(irc_param(line, 1));
		if (irc_is_middle(irc_param(line, 0)))
			route->mask = irc_copy(irc_param(line, 0));
	}
	if (labels) {
		route->label = ++up->label;
		writer_str(&w, "@label=r");
		writer_dec(&w, route->label);
		/* Tags of the client's own stand before the line already. */
		writer_u8(&w, text.len && text.at[0] == '@' ? ';' : ' ');
		if (text.len && text.at[0] == '@')
			text = bytes_skip(text, 1);
	}
	writer_put(&w, text);
	*last = route;
	if (writer_ok(&w) && irc_upstream_queue(up, writer_done(&w)))
		return true;
	*last = NULL;
	route_free(route);
	return false;
}

/* --- answers -------------------------------------------------------------------------------- */

static void route_end(struct irc_network *network, struct irc_route *route)
{
	struct irc_route **link = &network->routes;
	struct irc_client *client = irc_client_of(network->user, route->client);

	while (*link != route)
		link = &(*link)->next;
	*link = route->next;
	network->answers -= irc_pipe_len(&route->answer);
	if (client && route->client_label)
		irc_client_answer(client, route->client_label, irc_pipe_bytes(&route->answer),
				  route->lines);
	route_free(route);
}

static void route_line(struct irc_network *network, struct irc_route *route, struct bytes line)
{
	struct irc_client *client = irc_client_of(network->user, route->client);
	char text[IRC_LINE_ROOM];
	struct writer w = writer_of(text, sizeof text);

	if (!client)
		return;
	if (client->multi) {
		struct irc_names names = irc_client_names_of(client, network);

		names.whox = route->whox;
		names.mask = irc_str(route->mask);
		irc_client_put_multi(&w, &names, line, false);
		line = writer_done(&w);
	}
	if (!route->client_label) {
		irc_client_line(client, line);
		return;
	}
	/* All that wait for their end together: a server need not end any. */
	if (network->answers + line.len + 2 > irc_conf_now()->client_buffer ||
	    !irc_pipe_room(&route->answer, (uint32_t)line.len + 2)) {
		metric_add(METRIC_irc_refused, 1);
		return;
	}
	(void)!(irc_pipe_put(&route->answer, line) && irc_pipe_put(&route->answer, BYTES("\r\n")));
	network->answers += line.len + 2;
	route->lines++;
}

/* A line of a batch that is the answer itself. */
static void route_typed(struct irc_network *network, struct irc_route *route,
			const struct irc_line *line, const char *ref)
{
	const struct irc_client *client = irc_client_of(network->user, route->client);
	char text[IRC_LINE_ROOM];
	struct writer w = writer_of(text, sizeof text);
	bool knows = client && client->caps & IRC_CAP(BATCH);

	if (irc_verb_is(line, "BATCH")) {
		if (knows)
			route_line(network, route, line->rest);
		return;
	}
	if (knows) {
		writer_str(&w, "@batch=");
		writer_str(&w, ref);
		writer_u8(&w, ' ');
	}
	writer_put(&w, line->rest);
	if (writer_ok(&w))
		route_line(network, route, writer_done(&w));
}

static struct irc_route *route_of_label(struct irc_network *network, struct bytes label)
{
	uint64_t number;

	if (label.len < 2 || label.at[0] != 'r' ||
	    !bytes_to_u64(bytes_skip(label, 1), UINT64_MAX, &number))
		return NULL;
	for (struct irc_route *route = network->routes; route; route = route->next)
		if (route->label == number)
			return route;
	return NULL;
}

uint32_t irc_route_origin(struct irc_network *network, struct bytes label, char **client_label)
{
	struct irc_route *route = route_of_label(network, label);
	uint32_t client = route ? route->client : 0;

	*client_label = NULL;
	if (!route)
		return 0;
	*client_label = route->client_label;
	route->client_label = NULL;
	/* One that is in a batch ends with it. */
	if (!route->in_batch)
		route_end(network, route);
	return client;
}

/* Whether a channel's names are being told for the first time: that is for all, whoever had us join it. */
static bool is_joining(const struct irc_network *network, struct bytes name)
{
	const struct irc_buffer *buffer = irc_buffer_find(network, name);

	return buffer && buffer->channel && !buffer->channel->names_done;
}

/* What everybody is told, whoever asked: what changes something. */
static bool is_for_all(const struct irc_network *network, const struct irc_line *line)
{
	static const char *const verbs[] = {"PRIVMSG", "NOTICE", "TAGMSG",  "JOIN",    "PART",
					    "KICK",    "MODE",   "TOPIC",   "NICK",    "QUIT",
					    "INVITE",  "AWAY",   "CHGHOST", "SETNAME", "ACCOUNT",
					    "REDACT",  "RENAME"};

	for (size_t i = 0; i < COUNT_OF(verbs); i++)
		if (irc_verb_is(line, verbs[i]))
			return true;
	switch (irc_line_numeric(line)) {
	case 301:
	case 305:
	case 306:
	case 730:
	case 731: return true;
	case 331:
	case 332:
	case 333:
	case 366: return is_joining(network, irc_param(line, 1));
	case 353: return is_joining(network, irc_param(line, 2));
	default: return false;
	}
}

static bool is_part(const struct irc_route *route, unsigned number)
{
	return holds(commands[route->kind].part, COUNT_OF(commands[0].part), number);
}

/* That somebody is away is told with who he is, too. */
static bool is_answer(const struct irc_network *network, const struct irc_route *route,
		      const struct irc_line *line)
{
	return !is_for_all(network, line) || (irc_line_numeric(line) == 301 && is_part(route, 301));
}

/* By the server's labels. */
static bool hear_labelled(struct irc_network *network, const struct irc_line *line, bool *ours)
{
	struct irc_upstream *up = network->up;
	struct bytes label = {0}, batch = {0};
	struct irc_route *route;

	*ours = false;
	if (irc_verb_is(line, "BATCH")) {
		struct bytes ref = irc_param(line, 0);

		if (ref.len > 1 && ref.at[0] == '+' && irc_tag_get(line->tags, "label", &label)) {
			bool typed = !bytes_equal(irc_param(line, 1), BYTES("labeled-response"));

			bytes_to_str(bytes_skip(ref, 1), up->batch_ref, sizeof up->batch_ref);
			bytes_to_str(label, up->batch_label, sizeof up->batch_label);
			route = route_of_label(network, label);
			if (route) {
				route->in_batch = true;
				route->is_typed = typed;
			}
			if (route && typed)
				route_typed(network, route, line, "");
			*ours = true;
			return true;
		}
		if (ref.len > 1 && ref.at[0] == '-' && up->batch_ref[0] &&
		    bytes_equal(bytes_skip(ref, 1), bytes_str(up->batch_ref))) {
			route = route_of_label(network, bytes_str(up->batch_label));
			up->batch_ref[0] = '\0';
			if (route && route->is_typed)
				route_typed(network, route, line, "");
			if (route)
				route_end(network, route);
			*ours = true;
			return true;
		}
		return false;
	}
	if (irc_tag_get(line->tags, "batch", &batch) && up->batch_ref[0] &&
	    bytes_equal(batch, bytes_str(up->batch_ref))) {
		route = route_of_label(network, bytes_str(up->batch_label));
		*ours = route && is_answer(network, route, line);
		if (*ours && route->is_typed)
			route_typed(network, route, line, up->batch_ref);
		else if (*ours)
			route_line(network, route, line->rest);
		return *ours;
	}
	if (!irc_tag_get(line->tags, "label", &label))
		return false;
	route = route_of_label(network, label);
	if (!route)
		return false;
	*ours = is_answer(network, route, line);
	if (*ours && !irc_verb_is(line, "ACK"))
		route_line(network, route, line->rest);
	/* An echo goes to its client by way of the ring, with its label: irc_route_origin. */
	if (*ours)
		route_end(network, route);
	return *ours;
}

bool irc_route_hear(struct irc_network *network, const struct irc_line *line)
{
	unsigned number = irc_line_numeric(line);
	bool ours;

	if (network->up && hear_labelled(network, line, &ours))
		return ours;
	if (!number || (number != 301 && is_for_all(network, line)))
		return false;
	for (struct irc_route *route = network->routes; route; route = route->next) {
		bool ends = holds(commands[route->kind].end, COUNT_OF(commands[0].end), number) ||
			    (number == 421 &&
			     bytes_equal_nocase(irc_param(line, 1),
						bytes_str(commands[route->kind].verb)));

		if (route->label || (!ends && !is_part(route, number)))
			continue;
		route_line(network, route, line->rest);
		/* The list of a channel's topic, and of its modes, has a second line. */
		if (ends)
			route_end(network, route);
		return true;
	}
	return false;
}

/* --- the end -------------------------------------------------------------------------------- */

void irc_routes_tick(struct irc_network *network, mono_t now)
{
	for (struct irc_route *route = network->routes, *next; route; route = next) {
		next = route->next;
		if (!mono_before(now, route->deadline))
			route_end(network, route);
	}
}

void irc_routes_drop(struct irc_network *network)
{
	while (network->routes)
		route_end(network, network->routes);
}

void irc_routes_forget(struct irc_network *network, uint32_t number)
{
	for (struct irc_route *route = network->routes; route; route = route->next)
		if (route->client == number)
			route->client = 0;
}
