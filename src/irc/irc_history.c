#include "irc/irc_history.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/metric.h"
#include "irc/irc_buffer.h"
#include "irc/irc_network.h"
#include "irc/irc_push.h"
#include "irc/irc_store.h"
#include "irc/irc_user.h"

enum sub { SUB_BEFORE, SUB_AFTER, SUB_LATEST, SUB_AROUND, SUB_BETWEEN, SUB_TARGETS, SUBS };

static const char *const sub_names[] = {"BEFORE", "AFTER",   "LATEST",
					"AROUND", "BETWEEN", "TARGETS"};

/* A question under way: two places that first have to be found, then a page, or two around one. */
struct history {
	uint32_t client;
	enum sub sub;
	char *label; /* the client's, or NULL */
	char *target;
	unsigned limit;
	bool backwards; /* BETWEEN a later and an earlier one */
	struct {
		bool is_id;
		int64_t ms;
		char id[128];
		uint64_t seq; /* found: the first that is not before it */
		bool exact;   /* and it is the very one */
	} point[2];
	unsigned points, found;
	char user[IRC_USER_SIZE];
	uint64_t network, buffer_id;
};

static void history_free(struct history *history)
{
	free(history->label);
	free(history->target);
	free(history);
}

/* --- answers -------------------------------------------------------------------------------- */

/* The lines of an answer: a batch, within that of the label where there is one. */
static void answer(struct irc_client *client, struct history *history, struct irc_buffer *buffer,
		   const struct irc_record *records, size_t count)
{
	char name[400];
	struct bytes target = irc_client_name(client, buffer->network, bytes_str(history->target),
					      name, sizeof name);
	struct irc_batched batch;
	bool was = client->in_turn;
	char *label = client->label;
	/* Of long lines fewer: those farthest from where it asked from are left for the next question. */
	bool newest =
		history->sub == SUB_BEFORE || history->sub == SUB_LATEST ||
		(history->sub == SUB_BETWEEN && history->point[0].seq > history->point[1].seq);
	size_t fit = irc_client_fits(client, records, count, newest);

	if (newest)
		records += count - fit;
	count = fit;
	/* Records are formatted as they stand, so the label is written here. */
	client->label = NULL;
	client->in_turn = true;
	irc_client_batch_begin(client, &batch, history->label, "chathistory", target);
	for (size_t i = 0; i < count && client->state == IRC_CLIENT_HERE; i++)
		if ((records[i].kind & (IRC_KIND_EVENT | IRC_KIND_WORD)) !=
			    (IRC_KIND_EVENT | IRC_REACT) ||
		    client->caps & IRC_CAP(MESSAGE_TAGS))
			irc_client_record(client, buffer, &records[i], batch.ref);
	irc_client_batch_end(client, &batch);
	client->label = label;
	client->in_turn = was;
	if (!was)
		irc_client_feed(client);
}

static uint32_t without(const struct irc_client *client)
{
	uint32_t kinds = IRC_KIND_LIVE;

	return client->caps & IRC_CAP(EVENT_PLAYBACK) ? kinds : kinds | IRC_KIND_EVENT;
}

/* --- the ring, when it has all of it -------------------------------------------------------- */

/* Whether [from, to) with this limit can be told from the ring alone; then it is. */
static bool from_ring(struct irc_client *client, struct history *history, struct irc_buffer *buffer,
		      uint64_t from, uint64_t to, bool down)
{
	const struct irc_ring *ring = &buffer->ring;
	struct irc_record *records = calloc(history->limit, sizeof *records), record;
	unsigned count = 0;
	bool all;

	if (!records)
		return false;
	if (to > ring->head)
		to = ring->head;
	if (from < ring->kept && !down) {
		free(records);
		return false;
	}
	if (down) {
		uint64_t seq = to;

		while (count < history->limit && seq > from && seq > ring->kept)
			if (irc_ring_get(ring, --seq, &record) && !(record.kind & without(client)))
				records[count++] = record;
		all = count == history->limit || seq <= from || ring->kept <= 1;
		for (unsigned i = 0; i < count / 2; i++) {
			record = records[i];
			records[i] = records[count - 1 - i];
			records[count - 1 - i] = record;
		}
	} else {
		for (uint64_t seq = from; seq < to && count < history->limit; seq++)
			if (irc_ring_get(ring, seq, &record) && !(record.kind & without(client)))
				records[count++] = record;
		all = true;
	}
	if (all) {
		answer(client, history, buffer, records, count);
		metric_add(METRIC_irc_history_ring, 1);
	}
	free(records);
	return all;
}

/* --- the store ------------------------------------------------------------------------------ */

/* FAIL as the answer to what was asked; reference: the one that is meant, or "". Takes the history. */
static void give_up(struct irc_client *client, struct history *history,
		    const struct irc_network *network, const char *code, const char *reference,
		    const char *why)
{
	char name[400], context[800];
	struct bytes target =
		irc_client_name(client, network, bytes_str(history->target), name, sizeof name);

	snprintf(context, sizeof context, "%s %.*s%s%s", sub_names[history->sub], (int)target.len,
		 (const char *)target.at, reference[0] ? " " : "", reference);
	irc_client_fail_labelled(client, history->label, "CHATHISTORY", code, context, why);
	history_free(history);
}

static void unread(struct irc_client *client, struct history *history,
		   const struct irc_network *network, const char *fault)
{
	char why[200];

	snprintf(why, sizeof why, "Messages could not be retrieved: %s", fault);
	give_up(client, history, network, "MESSAGE_ERROR", "", why);
}

static void on_page(struct irc_page *page)
{
	struct history *history = page->context;
	struct irc_client *client = page->user ? irc_client_of(page->user, history->client) : NULL;
	bool here = client && page->buffer;
	uint64_t kept = here ? page->buffer->ring.kept : 0;
	bool told = here && page->is_off &&
		    from_ring(client, history, page->buffer, page->from > kept ? page->from : kept,
			      page->to, page->down);

	if (here && !told && page->fault) {
		unread(client, history, page->network, page->fault);
	} else {
		if (here && !told)
			answer(client, history, page->buffer, page->records, page->count);
		history_free(history);
	}
	if (client)
		irc_client_answered(client);
}

/* Asks for [from, to); takes the history. */
static void tell(struct irc_client *client, struct history *history, struct irc_buffer *buffer,
		 uint64_t from, uint64_t to, bool down)
{
	if (from >= to) {
		answer(client, history, buffer, NULL, 0);
		history_free(history);
		return;
	}
	if (from_ring(client, history, buffer, from, to, down)) {
		history_free(history);
		return;
	}
	metric_add(METRIC_irc_history_store, 1);
	if (!irc_page_ask(&(struct irc_page_wish){
		    .user = client->user,
		    .network = buffer->network,
		    .buffer = buffer,
		    .client = client->number,
		    .from = from,
		    .to = to,
		    .without = without(client),
		    .limit = history->limit,
		    .down = down,
		    .context = history,
		    .then = on_page,
	    }))
		unread(client, history, buffer->network, "out of memory");
	else
		irc_client_asks(client);
}

/* --- places --------------------------------------------------------------------------------- */

static void points_found(struct irc_client *client, struct history *history,
			 struct irc_buffer *buffer)
{
	uint64_t head = buffer->ring.head, a = history->point[0].seq, b = history->point[1].seq;
	bool swap;

	switch (history->sub) {
	case SUB_BEFORE: tell(client, history, buffer, 1, a, true); return;
	case SUB_AFTER:
		tell(client, history, buffer, a + history->point[0].exact, head, false);
		return;
	case SUB_LATEST:
		tell(client, history, buffer, history->points ? a + history->point[0].exact : 1,
		     head, true);
		return;
	case SUB_AROUND:
		/* As many after it as before it; what one side lacks the other has. */
		tell(client, history, buffer, a > history->limit / 2 ? a - history->limit / 2 : 1,
		     head, false);
		return;
	case SUB_BETWEEN:
		swap = a > b;
		if (swap)
			tell(client, history, buffer, b + history->point[1].exact, a, true);
		else
			tell(client, history, buffer, a + history->point[0].exact, b, false);
		return;
	case SUB_TARGETS:
	case SUBS: break;
	}
	history_free(history);
}

/* What the ring knows of a time: the first line not before it. 0: it has to be asked for. */
static uint64_t seq_in_ring(const struct irc_ring *ring, int64_t ms)
{
	struct irc_record record;
	uint64_t low = ring->kept, high = ring->head;

	if (low == high)
		return ring->kept <= 1 ? ring->head : 0;
	/* Older than all that is kept: only the store knows, unless there never was more. */
	if (ring->kept > 1 && irc_ring_get(ring, ring->kept, &record) && record.at_ms >= ms)
		return 0;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (irc_ring_get(ring, middle, &record) && record.at_ms < ms)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* One of our own names: "rm-buffer-seq-time", hexadecimal. */
static uint64_t seq_of_own(const struct irc_buffer *buffer, const char *id)
{
	unsigned long long of = 0, seq = 0, at = 0;

	/* NOLINTNEXTLINE(cert-err34-c): sixteen digits are in range */
	if (sscanf(id, "rm-%16llx-%16llx-%16llx", &of, &seq, &at) != 3 || of != buffer->id)
		return 0;
	return seq < buffer->ring.head ? seq : 0;
}

static uint64_t seq_of_id(const struct irc_ring *ring, const char *id)
{
	struct irc_record record;
	struct bytes value;

	for (uint64_t seq = ring->head; seq > ring->kept; seq--)
		if (irc_ring_get(ring, seq - 1, &record) &&
		    irc_tag_get(record.tags, "msgid", &value) && bytes_equal(value, bytes_str(id)))
			return seq - 1;
	return 0;
}

static void find_next(struct irc_client *client, struct history *history,
		      struct irc_buffer *buffer);

static void on_seq(struct irc_ask *ask)
{
	struct history *history = ask->context;
	struct irc_user *user;
	struct irc_network *network;
	struct irc_buffer *buffer = NULL;
	struct irc_client *client;
	const char *fault = irc_ask_fault(ask);
	bool is_off = ask->store.ask.fault == STORE_OFF;
	uint64_t seq = 0;

	if (ask->store.rows.count)
		seq = (uint64_t)store_cell(&ask->store.rows, 0, 0)->number;
	irc_ask_free(ask);
	user = irc_user_find(bytes_str(history->user));
	network = user ? irc_network_of_id(user, history->network) : NULL;
	if (network)
		buffer = irc_buffer_find(network, bytes_str(history->target));
	client = user ? irc_client_of(user, history->client) : NULL;
	if (!client || !buffer || buffer->id != history->buffer_id) {
		history_free(history);
		if (client)
			irc_client_answered(client);
		return;
	}
	if (fault && !is_off) {
		unread(client, history, network, fault);
		irc_client_answered(client);
		return;
	}
	if (!seq && history->point[history->found].is_id) {
		char reference[160];

		snprintf(reference, sizeof reference, "msgid=%s",
			 history->point[history->found].id);
		give_up(client, history, network, "INVALID_MSGREFTYPE", reference,
			"No such message");
		irc_client_answered(client);
		return;
	}
	/* Nothing in the store is that late: what the ring has. */
	history->point[history->found].seq = seq ? seq : buffer->ring.kept;
	history->point[history->found].exact = history->point[history->found].is_id;
	history->found++;
	find_next(client, history, buffer);
	irc_client_answered(client);
}

/* Finds the places one behind the other, in the ring or the store. */
static void find_next(struct irc_client *client, struct history *history, struct irc_buffer *buffer)
{
	struct irc_ask *ask;

	while (history->found < history->points) {
		unsigned at = history->found;
		bool is_id = history->point[at].is_id;
		const char *id = history->point[at].id;
		/* After a time means: not in the same millisecond either, but all of the next. */
		int64_t ms = history->point[at].ms +
			     (history->sub == SUB_AFTER || history->sub == SUB_LATEST ||
					      (history->sub == SUB_BETWEEN &&
					       (at == 0) != history->backwards)
				      ? 1
				      : 0);
		uint64_t seq;

		if (is_id) {
			seq = seq_of_own(buffer, id);
			if (!seq)
				seq = seq_of_id(&buffer->ring, id);
		} else {
			seq = seq_in_ring(&buffer->ring, ms);
		}
		if (seq) {
			history->point[at].seq = seq;
			history->point[at].exact = is_id;
			history->found++;
			continue;
		}
		ask = irc_ask_new(is_id ? STORE_IRC_SEQ_OF : STORE_IRC_SEQ_FROM);
		if (!ask) {
			unread(client, history, buffer->network, "out of memory");
			return;
		}
		ask->store.number[0] = (int64_t)buffer->id;
		ask->store.number[1] = ms;
		snprintf(ask->store.text[0], sizeof ask->store.text[0], "msgid=%s", id);
		ask->context = history;
		irc_buffers_save();
		irc_ask_send(ask, on_seq);
		irc_client_asks(client);
		return;
	}
	points_found(client, history, buffer);
}

/* --- CHATHISTORY ---------------------------------------------------------------------------- */

/* FAIL with the subcommand, and the parameter that is meant (0: none). */
static void refuse(struct irc_client *client, const struct irc_line *line, const char *code,
		   unsigned param, const char *why)
{
	struct bytes sub = irc_client_context(irc_param(line, 0));
	struct bytes word = param ? irc_client_context(irc_param(line, param)) : BYTES("");
	char context[500];

	snprintf(context, sizeof context, "%.*s%s%.*s", (int)sub.len, (const char *)sub.at,
		 word.len ? " " : "", (int)word.len, (const char *)word.at);
	irc_client_fail(client, "CHATHISTORY", code, context, "%s", why);
}

/* Digits; the most there are where it is more, or is not said. */
static bool limit_parse(struct bytes text, unsigned *limit)
{
	uint64_t most = irc_conf_now()->history, number;

	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
	if (!bytes_to_u64(text, UINT32_MAX, &number) || !number || number > most)
		number = most;
	*limit = (unsigned)number;
	return true;
}

static bool point_parse(struct history *history, struct bytes text)
{
	unsigned at = history->points;
	struct bytes value = text, key = bytes_cut(&value, '=');

	if (bytes_equal(key, BYTES("timestamp"))) {
		if (!irc_time_parse(value, &history->point[at].ms))
			return false;
	} else if (bytes_equal(key, BYTES("msgid")) && value.len &&
		   value.len < sizeof history->point[at].id) {
		history->point[at].is_id = true;
		bytes_to_str(value, history->point[at].id, sizeof history->point[at].id);
	} else {
		return false;
	}
	history->points++;
	return true;
}

/* A buffer, and when something was said there last. */
struct found {
	struct irc_buffer *buffer;
	int64_t ms;
};

static int by_time(const void *left, const void *right)
{
	const struct found *a = left, *b = right;

	return a->ms != b->ms ? (a->ms > b->ms) - (a->ms < b->ms)
			      : (a->buffer->id > b->buffer->id) - (a->buffer->id < b->buffer->id);
}

/* Those whose newest line is between two times. False: no memory. */
static bool targets_find(struct irc_network *network, int64_t low, int64_t high,
			 struct found **list, size_t *count)
{
	struct found *larger =
		realloc(*list, (*count + network->buffers.used + 1) * sizeof *larger);
	struct irc_named *named;
	uint32_t at = 0;

	if (!larger)
		return false;
	*list = larger;
	while ((named = irc_index_next(&network->buffers, &at))) {
		struct irc_buffer *buffer = container_of(named, struct irc_buffer, named);

		if (buffer->last_ms && buffer->last_ms > low && buffer->last_ms < high)
			larger[(*count)++] = (struct found){buffer, buffer->last_ms};
	}
	return true;
}

static void target_say(struct irc_client *client, const struct irc_batched *batch,
		       const struct found *found)
{
	char time[IRC_TIME_LEN + 1], name[400];
	struct writer w = writer_of(time, sizeof time - 1);
	struct bytes target =
		irc_client_name(client, found->buffer->network,
				irc_named_bytes(&found->buffer->named), name, sizeof name);

	irc_time_write(&w, found->ms);
	time[w.len] = '\0';
	irc_client_say(client, "%s:%s CHATHISTORY TARGETS %.*s %s", batch->tag,
		       irc_conf_now()->hostname, (int)target.len, (const char *)target.at, time);
}

/* By their time; where there are more than are asked for, those nearest the time that was said first. network
 * NULL: all of them. Takes the history. */
static void targets(struct irc_client *client, const struct irc_network *network,
		    struct history *history)
{
	int64_t a = history->point[0].ms, b = history->point[1].ms;
	struct found *list = NULL;
	size_t count = 0, from, most = history->limit;
	struct irc_batched batch;
	bool good = true;

	history_free(history);
	for (struct irc_network *n = client->user->networks; n && good; n = n->next)
		if (!network || n == network)
			good = targets_find(n, a < b ? a : b, a < b ? b : a, &list, &count);
	if (!good) {
		irc_client_fail(client, "CHATHISTORY", "MESSAGE_ERROR", "TARGETS", "out of memory");
		free(list);
		return;
	}
	if (count)
		qsort(list, count, sizeof *list, by_time);
	from = a > b && count > most ? count - most : 0;
	irc_client_batch_begin(client, &batch, NULL, "draft/chathistory-targets", BYTES(""));
	for (size_t i = from; i < count && i - from < most; i++)
		target_say(client, &batch, &list[i]);
	irc_client_batch_end(client, &batch);
	free(list);
}

void irc_history(struct irc_client *client, struct irc_network *network,
		 const struct irc_line *line)
{
	struct history *history = calloc(1, sizeof *history);
	unsigned sub = 0, first, last;
	struct irc_buffer *buffer;
	struct bytes target;

	if (!history)
		return;
	while (sub < SUBS && !bytes_equal_nocase(irc_param(line, 0), bytes_str(sub_names[sub])))
		sub++;
	if (sub == SUBS || line->count < (sub == SUB_TARGETS || sub == SUB_BETWEEN ? 4u : 3u)) {
		refuse(client, line,
		       sub == SUBS && line->count ? "INVALID_PARAMS" : "NEED_MORE_PARAMS", 0,
		       sub == SUBS ? "There is no such question" : "It says more than that");
		history_free(history);
		return;
	}
	history->sub = (enum sub)sub;
	first = sub == SUB_TARGETS ? 1 : 2;
	last = first + (sub == SUB_BETWEEN || sub == SUB_TARGETS);
	if (!(sub == SUB_LATEST && bytes_equal(irc_param(line, 2), BYTES("*"))) &&
	    (!point_parse(history, irc_param(line, first)) ||
	     (last > first && !point_parse(history, irc_param(line, last))))) {
		refuse(client, line, "INVALID_PARAMS", history->points ? last : first,
		       "A reference is timestamp=… or msgid=…");
		history_free(history);
		return;
	}
	if (!limit_parse(irc_param(line, last + 1), &history->limit)) {
		refuse(client, line, "INVALID_PARAMS", last + 1, "A limit is a number");
		history_free(history);
		return;
	}
	if (!network && (sub != SUB_TARGETS || !client->multi)) {
		refuse(client, line, "INVALID_TARGET", 1,
		       client->multi ? "Say NAME/NETWORK" : "No such target here");
		history_free(history);
		return;
	}
	history->client = client->number;
	if (sub == SUB_TARGETS) {
		targets(client, network, history);
		return;
	}
	target = irc_param(line, 1);
	(void)irc_client_network_of(client, &target);
	buffer = irc_buffer_find(network, target);
	history->target = irc_copy(target);
	if (!buffer || !history->target) {
		refuse(client, line, "INVALID_TARGET", 1, "There is no history of this target");
		history_free(history);
		return;
	}
	memcpy(history->user, client->user->name, sizeof history->user);
	history->network = network->id;
	history->buffer_id = buffer->id;
	history->backwards = sub == SUB_BETWEEN && !history->point[0].is_id &&
			     !history->point[1].is_id &&
			     history->point[0].ms > history->point[1].ms;
	history->label = irc_client_take_label(client);
	find_next(client, history, buffer);
}

/* --- MARKREAD ------------------------------------------------------------------------------- */

/* FAIL with the target, and the time where there is one. */
static void refuse_mark(struct irc_client *client, const struct irc_line *line, const char *why)
{
	struct bytes target = irc_client_context(irc_param(line, 0));
	struct bytes time = line->count > 1 ? irc_client_context(irc_param(line, 1)) : BYTES("");
	char context[500];

	snprintf(context, sizeof context, "%.*s%s%.*s", (int)target.len, (const char *)target.at,
		 time.len ? " " : "", (int)time.len, (const char *)time.at);
	irc_client_fail(client, irc_verb_is(line, "READ") ? "READ" : "MARKREAD", "INVALID_PARAMS",
			context, "%s", why);
}

void irc_markread(struct irc_client *client, struct irc_network *network,
		  const struct irc_line *line)
{
	struct bytes target = irc_param(line, 0), time = irc_param(line, 1);
	struct irc_buffer *buffer;
	int64_t ms, now = wall_now_us() / 1000;

	if (!network) {
		refuse_mark(client, line,
			    client->multi ? "Say NAME/NETWORK" : "No such target here");
		return;
	}
	(void)irc_client_network_of(client, &target);
	buffer = irc_buffer_find(network, target);
	if (!buffer) {
		if (line->count > 1 && target.len && target.len < IRC_NAME_MAX)
			buffer = irc_buffer_make(network, target);
		if (!buffer) {
			irc_client_say(client, ":%s MARKREAD %.*s *", irc_conf_now()->hostname,
				       (int)irc_param(line, 0).len,
				       (const char *)irc_param(line, 0).at);
			return;
		}
	}
	if (line->count < 2) {
		irc_client_marker(client, buffer);
		return;
	}
	if (!bytes_start_with(time, BYTES("timestamp=")) ||
	    !irc_time_parse(bytes_skip(time, 10), &ms)) {
		refuse_mark(client, line, "A time is timestamp=…");
		return;
	}
	/* It never goes back, and never beyond now. */
	if (irc_buffer_mark(buffer, ms > now ? now : ms)) {
		irc_clients_marker(buffer, client);
		irc_push_read(buffer);
	}
	irc_client_marker(client, buffer);
}
