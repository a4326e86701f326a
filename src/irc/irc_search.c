#include "irc/irc_search.h"

#include <stdio.h>
#include <stdlib.h>

#include "irc/irc_buffer.h"
#include "irc/irc_network.h"
#include "irc/irc_user.h"
#include "store/store_port.h"

#define LIMIT  100u
#define A_TIME "It is a time as 2026-01-31T12:00:00.000Z"

/* --- the question --------------------------------------------------------------------------- */

void irc_query_init(struct irc_query *query)
{
	*query = (struct irc_query){.before_ms = INT64_MAX, .limit = LIMIT};
}

/* What does not fit is looked for without its last word. */
void irc_query_words(struct irc_query *query, struct bytes text)
{
	size_t len = text.len;

	while (len >= sizeof query->words ||
	       (len && len < text.len && text.at[len] != ' ' && text.at[len - 1] != ' '))
		len--;
	if (text.len && !len)
		len = sizeof query->words - 1;
	bytes_to_str(bytes_of(text.at, len), query->words, sizeof query->words);
}

/* ":nick!%", as LIKE has it: its own signs taken literally. */
void irc_query_from(struct irc_query *query, struct bytes nick)
{
	struct writer w = writer_of(query->from, sizeof query->from - 1);

	writer_u8(&w, ':');
	for (size_t i = 0; i < nick.len; i++) {
		if (nick.at[i] == '%' || nick.at[i] == '_' || nick.at[i] == '\\')
			writer_u8(&w, '\\');
		writer_u8(&w, nick.at[i]);
	}
	writer_str(&w, "!%");
	query->from[writer_ok(&w) ? w.len : 0] = '\0';
}

struct irc_ask *irc_query_ask(const struct irc_user *user, const struct irc_query *query)
{
	struct irc_ask *ask = irc_ask_new(STORE_IRC_SEARCH);

	if (!ask)
		return NULL;
	ask->store.number[0] = (int64_t)query->network;
	ask->store.number[1] = query->after_ms;
	ask->store.number[2] = query->before_ms;
	ask->store.number[4] =
		query->limit && query->limit <= IRC_FOUND_MOST ? query->limit : LIMIT;
	snprintf(ask->store.text[0], sizeof ask->store.text[0], "%s", user->name);
	memcpy(ask->store.text[1], query->words, sizeof ask->store.text[1]);
	memcpy(ask->store.text[2], query->in, sizeof ask->store.text[2]);
	memcpy(ask->store.text[3], query->from, sizeof ask->store.text[3]);
	/* What came a moment ago is found too. */
	irc_buffers_save();
	port_flush();
	return ask;
}

static struct bytes cell_bytes(const struct store_rows *rows, size_t row, unsigned column)
{
	const struct store_cell *cell = store_cell(rows, row, column);

	return bytes_of(store_cell_text(rows, cell), cell->len);
}

struct irc_found irc_found_at(const struct store_rows *rows, size_t row)
{
	return (struct irc_found){
		.buffer = store_cell_text(rows, store_cell(rows, row, 0)),
		.network = store_cell_text(rows, store_cell(rows, row, 1)),
		.record = {.seq = (uint64_t)store_cell(rows, row, 2)->number,
			   .at_ms = store_cell(rows, row, 3)->number,
			   .kind = (uint32_t)store_cell(rows, row, 4)->number,
			   .tags = cell_bytes(rows, row, 5),
			   .line = cell_bytes(rows, row, 6)},
	};
}

/* --- SEARCH --------------------------------------------------------------------------------- */

struct search {
	uint32_t client;
	char user[IRC_USER_SIZE];
	char label[80];
};

/* What could not be looked at is said. */
static void say_behind(struct irc_client *client, int64_t behind)
{
	const char *host = irc_conf_now()->hostname;

	if (client->caps & IRC_CAP(STANDARD_REPLIES))
		irc_client_say(
			client,
			":%s NOTE SEARCH INCOMPLETE %lld :Older lines that were not looked at",
			host, (long long)behind);
	else
		irc_client_say(client,
			       ":%s NOTICE %s :%lld older lines were not looked at: say more "
			       "letters or where, or search again in a while",
			       host, client->nick, (long long)behind);
}

static void tell(struct irc_client *client, const char *label, const struct store_rows *rows)
{
	bool was = client->in_turn;
	struct irc_batched batch;
	size_t left = irc_conf_now()->client_buffer / 2, fit = 0;

	/* Of long lines fewer: the newest, which come first. */
	for (; fit < rows->count; fit++) {
		struct irc_found found = irc_found_at(rows, fit);
		size_t size = irc_client_size(client, &found.record);

		if (size > left)
			break;
		left -= size;
	}
	client->in_turn = true;
	irc_client_batch_begin(client, &batch, label[0] ? label : NULL, "soju.im/search",
			       BYTES(""));
	for (size_t i = fit; i-- > 0 && client->state == IRC_CLIENT_HERE;) {
		struct irc_found found = irc_found_at(rows, i);
		struct irc_network *network =
			irc_network_find(client->user, bytes_str(found.network));
		struct irc_buffer *buffer =
			network ? irc_buffer_find(network, bytes_str(found.buffer)) : NULL;

		if (buffer)
			irc_client_record(client, buffer, &found.record, batch.ref);
	}
	irc_client_batch_end(client, &batch);
	client->in_turn = was;
	if (!was)
		irc_client_feed(client);
}

static void fail(struct irc_client *client, const char *label, const char *fault)
{
	char text[200];

	snprintf(text, sizeof text, "What was said cannot be read: %s", fault);
	irc_client_fail_labelled(client, label, "SEARCH", "INTERNAL_ERROR", "", text);
}

static void on_searched(struct irc_ask *ask)
{
	const char *fault = irc_ask_fault(ask);
	struct search *search = ask->context;
	const struct irc_user *user = irc_user_find(bytes_str(search->user));
	struct irc_client *client = user ? irc_client_of(user, search->client) : NULL;

	if (client && fault)
		fail(client, search->label[0] ? search->label : NULL, fault);
	else if (client)
		tell(client, search->label, &ask->store.rows);
	if (client && !fault && ask->store.behind && client->state == IRC_CLIENT_HERE)
		say_behind(client, ask->store.behind);
	free(search);
	irc_ask_free(ask);
	if (client)
		irc_client_answered(client);
}

/* What is wrong with it; NULL: nothing. */
static const char *attribute(struct irc_query *query, struct bytes key, struct bytes value)
{
	uint64_t limit;

	if (bytes_equal(key, BYTES("in")))
		bytes_to_str(value, query->in, sizeof query->in);
	else if (bytes_equal(key, BYTES("from")))
		irc_query_from(query, value);
	else if (bytes_equal(key, BYTES("text")))
		irc_query_words(query, value);
	else if (bytes_equal(key, BYTES("after")))
		return irc_time_parse(value, &query->after_ms) ? NULL : A_TIME;
	else if (bytes_equal(key, BYTES("before")))
		return irc_time_parse(value, &query->before_ms) ? NULL : A_TIME;
	else if (!bytes_equal(key, BYTES("limit")))
		return "There is no such attribute: in, from, text, after, before, limit";
	else if (bytes_to_u64(value, UINT32_MAX, &limit))
		query->limit = (unsigned)limit;
	else
		return "It is a number";
	return NULL;
}

void irc_search(struct irc_client *client, struct irc_network *network, const struct irc_line *line)
{
	struct search *search = calloc(1, sizeof *search);
	struct bytes rest = irc_param(line, 0), key, raw, name;
	const struct irc_network *of;
	struct irc_query query;
	struct irc_ask *ask;
	char *label, context[300];
	const char *why;

	irc_query_init(&query);
	query.network = network ? network->id : 0;
	while (irc_tag_next(&rest, &key, &raw)) {
		char value[600];
		struct writer w = writer_of(value, sizeof value);

		irc_tag_unescape(&w, raw);
		name = writer_done(&w);
		/* With many networks a name says whose. */
		if (client->multi &&
		    (bytes_equal(key, BYTES("in")) || bytes_equal(key, BYTES("from"))) &&
		    (of = irc_client_network_of(client, &name)))
			query.network = of->id;
		why = writer_ok(&w) ? attribute(&query, key, name) : "It is too long";
		if (why) {
			bytes_to_str(irc_client_context(key), context, sizeof context);
			irc_client_fail(client, "SEARCH", "INVALID_PARAMS", context, "%s", why);
			free(search);
			return;
		}
	}
	ask = search ? irc_query_ask(client->user, &query) : NULL;
	if (!ask) {
		fail(client, NULL, "out of memory");
		free(search);
		return;
	}
	search->client = client->number;
	memcpy(search->user, client->user->name, sizeof search->user);
	label = irc_client_take_label(client);
	if (label)
		snprintf(search->label, sizeof search->label, "%s", label);
	free(label);
	ask->context = search;
	irc_ask_send(ask, on_searched);
	irc_client_asks(client);
}
