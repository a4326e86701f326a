/* BouncerServ: what was said: looked for, taken home, forgotten. */
#include <stdio.h>
#include <stdlib.h>

#include "irc/irc_buffer.h"
#include "irc/irc_network.h"
#include "irc/irc_search.h"
#include "irc/irc_service.h"
#include "irc/irc_user.h"
#include "irc/proto/irc_lines.h"
#include "store/store_port.h"

#define EXPORT_MOST 1000u /* lines of a page, which says where the next one begins */

static const char *time_text(int64_t ms, char out[IRC_TIME_LEN + 1])
{
	struct writer w = writer_of(out, IRC_TIME_LEN);

	irc_time_write(&w, ms);
	out[w.len] = '\0';
	return out;
}

static void put_text(json_t *tree, const char *name, struct bytes text)
{
	json_t *made = json_stringn((const char *)text.at, text.len);

	/* What is no UTF-8 is not shown. */
	json_object_set_new(tree, name, made ? made : json_string("?"));
}

static json_t *line_tree(const struct irc_found *found)
{
	char when[IRC_TIME_LEN + 1];
	json_t *tree = json_object();

	put_text(tree, "network", bytes_str(found->network));
	put_text(tree, "buffer", bytes_str(found->buffer));
	put_text(tree, "at", bytes_str(time_text(found->record.at_ms, when)));
	put_text(tree, "tags", found->record.tags);
	put_text(tree, "line", found->record.line);
	return tree;
}

/* --- search --------------------------------------------------------------------------------- */

/* "when #chan/net <nick> text" */
static void say_found(struct irc_order *order, const struct irc_found *found)
{
	char when[IRC_TIME_LEN + 1];
	struct irc_line line;
	struct bytes nick, text;

	if (!irc_lines_parse(found->record.line, &line))
		return;
	nick = irc_source_of(line.source).nick;
	text = irc_param(&line, 1);
	irc_order_say(order, "%s %s/%s <%.*s> %.*s", time_text(found->record.at_ms, when),
		      found->buffer, found->network, (int)nick.len, (const char *)nick.at,
		      (int)text.len, (const char *)text.at);
}

static void on_searched(struct irc_ask *ask)
{
	struct irc_order *order = ask->context;
	const struct store_rows *rows = &ask->store.rows;
	const char *fault = irc_ask_fault(ask);
	bool good = irc_order_back(order) && !fault;

	if (good && order->wants_data)
		order->data = json_object();
	if (order->data)
		json_object_set_new(order->data, "lines", json_array());
	if (order->data)
		json_object_set_new(order->data, "behind", json_integer(ask->store.behind));
	for (size_t i = rows->count; good && i-- > 0;) {
		struct irc_found found = irc_found_at(rows, i);

		say_found(order, &found);
		if (order->data)
			json_array_append_new(json_object_get(order->data, "lines"),
					      line_tree(&found));
	}
	if (good && !rows->count)
		irc_order_say(order, "nothing was found");
	if (good && ask->store.behind)
		irc_order_say(order,
			      "%lld older lines were not looked at: say more letters or where, or "
			      "search again in a while",
			      (long long)ask->store.behind);
	if (!good)
		irc_order_say(order, "what was said cannot be read now: %s",
			      fault ? fault : "the user is gone");
	irc_ask_free(ask);
	irc_order_end(order, good);
}

/* False: it was no time, and that was said. */
static bool time_take(struct irc_words *words, unsigned from, const char *name, int64_t *ms)
{
	const char *value = irc_words_take(words, from, name);

	return !value || irc_time_parse(bytes_str(value), ms) ||
	       irc_refuse(words, "-%s is a time such as 2026-01-31T12:00:00.000Z", name);
}

static bool number_take(struct irc_words *words, unsigned from, const char *name, uint64_t most,
			uint64_t *number)
{
	const char *value = irc_words_take(words, from, name);

	return !value || bytes_to_u64(bytes_str(value), most, number) ||
	       irc_refuse(words, "-%s is a number, at most %llu", name, (unsigned long long)most);
}

/* Whether one of the networks has a channel or conversation of this name. */
static bool is_anywhere(const struct irc_user *user, const struct irc_network *only,
			const char *name)
{
	for (struct irc_network *n = user->networks; n; n = n->next)
		if ((!only || n == only) && irc_buffer_find(n, bytes_str(name)))
			return true;
	return false;
}

/* Behind "--" all are words; before it nothing that looks like an option, which would find nothing. */
static bool search_words(struct irc_words *words, unsigned from, struct writer *w)
{
	bool all = false;

	for (unsigned i = from; i < words->count; i++) {
		const char *word = words->at[i];

		if (!all && strcmp(word, "--") == 0) {
			all = true;
			continue;
		}
		if (!all && word[0] == '-' && byte_lower((uint8_t)word[1]) >= 'a' &&
		    byte_lower((uint8_t)word[1]) <= 'z')
			return irc_refuse(
				words,
				"%s is not known here, or has no value: -network, -in, -from, "
				"-after, -before, -limit; words like it stand behind --",
				word);
		writer_str(w, w->len ? " " : "");
		writer_str(w, word);
	}
	return true;
}

bool service_search(struct irc_words *words, unsigned from)
{
	const char *name = irc_words_take(words, from, "network"),
		   *in = irc_words_take(words, from, "in"),
		   *who = irc_words_take(words, from, "from");
	const struct irc_network *network =
		name ? irc_network_find(words->order->user, bytes_str(name)) : NULL;
	struct irc_query query;
	char text[512];
	struct writer w = writer_of(text, sizeof text);
	uint64_t limit = 20;
	struct irc_ask *ask;

	irc_query_init(&query);
	if (name && !network)
		return irc_refuse(words, "there is no network %s", name);
	if (!time_take(words, from, "after", &query.after_ms) ||
	    !time_take(words, from, "before", &query.before_ms) ||
	    !number_take(words, from, "limit", IRC_FOUND_MOST, &limit))
		return false;
	if (!search_words(words, from, &w))
		return false;
	if (in && !is_anywhere(words->order->user, network, in))
		return irc_refuse(words, "there is no channel or conversation %s", in);
	if (!writer_ok(&w) || (in && strlen(in) >= sizeof query.in))
		return irc_refuse(words, "that is too long");
	if (!w.len && !in && !who && !name)
		return irc_refuse(words, "for what? search [-in #channel] [-from nick] words");
	query.network = network ? network->id : 0;
	query.limit = (unsigned)limit;
	irc_query_words(&query, writer_done(&w));
	if (in)
		snprintf(query.in, sizeof query.in, "%s", in);
	if (who)
		irc_query_from(&query, bytes_str(who));
	ask = irc_query_ask(words->order->user, &query);
	if (!ask)
		return irc_refuse(words, "out of memory");
	ask->context = words->order;
	irc_order_wait(words->order);
	irc_ask_send(ask, on_searched);
	return true;
}

/* --- export --------------------------------------------------------------------------------- */

/* What he set, but for what is secret. */
static json_t *settings_tree(const struct irc_user *user)
{
	json_t *tree = json_object(), *networks = json_array();

	put_text(tree, "user", bytes_str(user->name));
	put_text(tree, "nick", bytes_str(user->nick));
	put_text(tree, "realname", bytes_str(user->realname));
	for (const struct irc_network *n = user->networks; n; n = n->next) {
		json_t *one = json_object(), *channels = json_array();
		struct irc_named *named;
		const char *field;
		uint32_t at = 0;

		put_text(one, "name", bytes_str(n->name));
		for (unsigned i = 0; (field = irc_network_field(i)); i++) {
			char value[3001];

			if (!irc_network_is_secret(field) &&
			    irc_network_get(n, field, value, sizeof value))
				put_text(one, field, bytes_str(value));
		}
		while ((named = irc_index_next(&n->buffers, &at)))
			if (container_of(named, struct irc_buffer, named)->wanted) {
				json_t *text = json_string(named->name);

				json_array_append_new(channels, text ? text : json_string("?"));
			}
		json_object_set_new(one, "channels", channels);
		json_array_append_new(networks, one);
	}
	json_object_set_new(tree, "networks", networks);
	return tree;
}

struct taking {
	struct irc_order *order;
	size_t limit;
	bool first;
};

static struct bytes cell_bytes(const struct store_rows *rows, size_t row, unsigned column)
{
	const struct store_cell *cell = store_cell(rows, row, column);

	return bytes_of(store_cell_text(rows, cell), cell->len);
}

static void export_say(struct irc_order *order, const struct store_rows *rows)
{
	json_t *lines = json_array();

	for (size_t i = 0; i < rows->count; i++) {
		char when[IRC_TIME_LEN + 1];
		struct irc_found found = {
			.network = store_cell_text(rows, store_cell(rows, i, 2)),
			.buffer = store_cell_text(rows, store_cell(rows, i, 3)),
			.record = {.at_ms = store_cell(rows, i, 4)->number,
				   .tags = cell_bytes(rows, i, 6),
				   .line = cell_bytes(rows, i, 7)},
		};

		if (order->wants_data)
			json_array_append_new(lines, line_tree(&found));
		else
			irc_order_say(order, "%s %s %s %.*s", time_text(found.record.at_ms, when),
				      found.network, found.buffer, (int)found.record.line.len,
				      (const char *)found.record.line.at);
	}
	if (order->wants_data)
		json_object_set_new(order->data, "lines", lines);
	else
		json_decref(lines);
}

static void on_exported(struct irc_ask *ask)
{
	struct taking taking = *(struct taking *)ask->context;
	struct irc_order *order = taking.order;
	const struct store_rows *rows = &ask->store.rows;
	const char *fault = irc_ask_fault(ask);
	bool good = irc_order_back(order) && !fault;
	char next[48] = "";

	free(ask->context);
	if (good && rows->count == taking.limit)
		snprintf(next, sizeof next, "%lld-%lld",
			 (long long)store_cell(rows, rows->count - 1, 0)->number,
			 (long long)store_cell(rows, rows->count - 1, 1)->number);
	if (good) {
		if (order->wants_data)
			order->data = taking.first ? settings_tree(order->user) : json_object();
		export_say(order, rows);
		if (order->wants_data)
			json_object_set_new(order->data, "next",
					    next[0] ? json_string(next) : json_null());
		else if (next[0])
			irc_order_say(order, "# there is more: data export -from %s", next);
	} else {
		irc_order_say(order, "what was said cannot be read now: %s",
			      fault ? fault : "the user is gone");
	}
	irc_ask_free(ask);
	irc_order_end(order, good);
}

bool service_data_export(struct irc_words *words, unsigned from)
{
	const char *name = irc_words_take(words, from, "network"),
		   *place = irc_words_take(words, from, "from");
	const struct irc_user *user = words->order->user;
	const struct irc_network *network = name ? irc_network_find(user, bytes_str(name)) : NULL;
	struct bytes rest = irc_str(place), buffer = bytes_cut(&rest, '-');
	uint64_t limit = EXPORT_MOST, id = 0, seq = 0;
	struct taking *taking;
	struct irc_ask *ask;

	if (name && !network)
		return irc_refuse(words, "there is no network %s", name);
	if (!number_take(words, from, "limit", EXPORT_MOST, &limit) || !irc_words_end(words, from))
		return false;
	if (!limit || (place && (!bytes_to_u64(buffer, INT64_MAX, &id) ||
				 !bytes_to_u64(rest, INT64_MAX, &seq))))
		return irc_refuse(words, "-from is what stood at the end of the page before");
	taking = calloc(1, sizeof *taking);
	ask = taking ? irc_ask_new(STORE_IRC_EXPORT) : NULL;
	if (!ask) {
		free(taking);
		return irc_refuse(words, "out of memory");
	}
	*taking = (struct taking){words->order, limit, !place};
	ask->store.number[0] = (int64_t)id;
	ask->store.number[1] = (int64_t)seq;
	ask->store.number[2] = network ? (int64_t)network->id : 0;
	ask->store.number[4] = (int64_t)limit;
	snprintf(ask->store.text[0], sizeof ask->store.text[0], "%s", user->name);
	irc_buffers_save();
	port_flush();
	ask->context = taking;
	irc_order_wait(words->order);
	irc_ask_send(ask, on_exported);
	return true;
}

/* --- forgetting ----------------------------------------------------------------------------- */

static unsigned forget(struct irc_network *network, const char *in, int64_t before_ms)
{
	struct irc_named *named;
	uint32_t at = 0;
	unsigned count = 0;

	while ((named = irc_index_next(&network->buffers, &at))) {
		if (in && !irc_same(network->is.casemap, irc_named_bytes(named), bytes_str(in)))
			continue;
		irc_buffer_forget(container_of(named, struct irc_buffer, named), before_ms);
		count++;
	}
	return count;
}

bool service_data_forget(struct irc_words *words, unsigned from)
{
	const char *name = irc_words_take(words, from, "network"),
		   *in = irc_words_take(words, from, "in");
	struct irc_user *user = words->order->user;
	int64_t before_ms = INT64_MAX;
	unsigned count = 0;

	if (!time_take(words, from, "before", &before_ms))
		return false;
	if (name && !irc_network_find(user, bytes_str(name)))
		return irc_refuse(words, "there is no network %s", name);
	if (!irc_service_token(words,
			       in     ? in
			       : name ? name
				      : user->name,
			       from, "the same again with"))
		return false;
	for (struct irc_network *n = user->networks; n; n = n->next)
		if (!name || n == irc_network_find(user, bytes_str(name)))
			count += forget(n, in, before_ms);
	return count ? irc_say(words, "forgotten in %u channels and conversations", count)
		     : irc_refuse(words, "there is nothing of that name");
}

/* On a turn of its own: whoever ordered it is erased too. */
struct erasure {
	struct message message;
	struct irc_order *order;
};

static void deliver_erasure(struct message *message)
{
	struct erasure *erasure = container_of(message, struct erasure, message);
	struct irc_order *order = erasure->order;
	bool good = irc_order_back(order);

	enter_worker();
	free(erasure);
	if (good) {
		irc_order_say(order, "all that was yours here is deleted; your account is not");
		irc_user_erase(order->user);
		order->user = NULL;
		order->network = NULL;
	}
	irc_order_end(order, good);
}

bool service_data_delete(struct irc_words *words, unsigned from)
{
	struct erasure *erasure;

	if (!irc_service_token(words, words->order->user->name, from, "data delete"))
		return false;
	erasure = calloc(1, sizeof *erasure);
	if (!erasure)
		return irc_refuse(words, "out of memory");
	erasure->order = words->order;
	erasure->message.deliver = deliver_erasure;
	irc_order_wait(words->order);
	worker_post(irc_here.worker, &erasure->message);
	return true;
}
