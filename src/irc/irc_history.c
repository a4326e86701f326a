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
	const char *host = irc_conf_now()->hostname;
	char batch[32], labelled[100] = "";
	bool was = client->in_turn;
	char *label = client->label;

	/* Records are formatted as they stand, so the label is written here. */
	client->label = NULL;
	client->in_turn = true;
	snprintf(batch, sizeof batch, "C%llu", (unsigned long long)++client->batches);
	if (history->label)
		snprintf(labelled, sizeof labelled, "@label=%s ", history->label);
	irc_client_say(client, "%s:%s BATCH +%s chathistory %s", labelled, host, batch,
		       history->target);
	for (size_t i = 0; i < count && client->state == IRC_CLIENT_HERE; i++)
		irc_client_record(client, buffer, &records[i], batch);
	irc_client_say(client, ":%s BATCH -%s", host, batch);
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

static void on_page(struct irc_page *page)
{
	struct history *history = page->context;
	struct irc_client *client = irc_client_of(page->user, history->client);

	if (client && page->buffer)
		answer(client, history, page->buffer, page->records, page->count);
	history_free(history);
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
		history_free(history);
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
		return;
	}
	if (!seq && history->point[history->found].is_id) {
		irc_client_fail(client, "CHATHISTORY", "INVALID_MSGREFTYPE",
				sub_names[history->sub], "No such message");
		history_free(history);
		return;
	}
	/* Nothing in the store is that late: what the ring has. */
	history->point[history->found].seq = seq ? seq : buffer->ring.kept;
	history->point[history->found].exact = history->point[history->found].is_id;
	history->found++;
	find_next(client, history, buffer);
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
			history_free(history);
			return;
		}
		ask->store.number[0] = (int64_t)buffer->id;
		ask->store.number[1] = ms;
		snprintf(ask->store.text[0], sizeof ask->store.text[0], "msgid=%s", id);
		ask->context = history;
		irc_buffers_save();
		irc_ask_send(ask, on_seq);
		return;
	}
	points_found(client, history, buffer);
}

/* --- CHATHISTORY ---------------------------------------------------------------------------- */

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

/* Which buffers had something said between two times: the newest last. */
static void targets(struct irc_client *client, struct irc_network *network, struct history *history)
{
	int64_t low = history->point[0].ms, high = history->point[1].ms;
	const char *host = irc_conf_now()->hostname;
	struct irc_named *named;
	uint32_t at = 0;
	char batch[32], time[IRC_TIME_LEN + 1], name[400];

	if (low > high) {
		low = history->point[1].ms;
		high = history->point[0].ms;
	}
	snprintf(batch, sizeof batch, "C%llu", (unsigned long long)++client->batches);
	irc_client_say(client, ":%s BATCH +%s draft/chathistory-targets", host, batch);
	while ((named = irc_index_next(&network->buffers, &at)) && history->limit) {
		struct irc_buffer *buffer = container_of(named, struct irc_buffer, named);
		struct writer w = writer_of(time, sizeof time - 1);
		struct bytes target;

		if (!buffer->last_ms || buffer->last_ms <= low || buffer->last_ms >= high)
			continue;
		irc_time_write(&w, buffer->last_ms);
		time[w.len] = '\0';
		target =
			irc_client_name(client, network, irc_named_bytes(named), name, sizeof name);
		irc_client_say(client, "@batch=%s :%s CHATHISTORY TARGETS %.*s %s", batch, host,
			       (int)target.len, (const char *)target.at, time);
		history->limit--;
	}
	irc_client_say(client, ":%s BATCH -%s", host, batch);
	history_free(history);
}

void irc_history(struct irc_client *client, struct irc_network *network,
		 const struct irc_line *line)
{
	struct history *history = calloc(1, sizeof *history);
	unsigned sub = 0, first;
	struct irc_buffer *buffer;
	uint64_t limit;

	if (!history)
		return;
	while (sub < SUBS && !bytes_equal_nocase(irc_param(line, 0), bytes_str(sub_names[sub])))
		sub++;
	if (sub == SUBS || line->count < (sub == SUB_TARGETS || sub == SUB_BETWEEN ? 4u : 3u)) {
		irc_client_fail(client, "CHATHISTORY",
				sub == SUBS ? "INVALID_PARAMS" : "NEED_MORE_PARAMS", "",
				"That is no question about history");
		history_free(history);
		return;
	}
	history->sub = (enum sub)sub;
	first = sub == SUB_TARGETS ? 1 : 2;
	if (!(sub == SUB_LATEST && bytes_equal(irc_param(line, 2), BYTES("*"))) &&
	    (!point_parse(history, irc_param(line, first)) ||
	     ((sub == SUB_BETWEEN || sub == SUB_TARGETS) &&
	      !point_parse(history, irc_param(line, first + 1))))) {
		irc_client_fail(client, "CHATHISTORY", "INVALID_PARAMS", sub_names[sub],
				"A reference is timestamp=… or msgid=…");
		history_free(history);
		return;
	}
	if (!bytes_to_u64(line->param[line->count - 1], UINT32_MAX, &limit))
		limit = 0;
	if (limit == 0 || limit > irc_conf_now()->history)
		limit = irc_conf_now()->history;
	history->limit = (unsigned)limit;
	history->client = client->number;
	if (sub == SUB_TARGETS) {
		targets(client, network, history);
		return;
	}
	buffer = irc_buffer_find(network, irc_param(line, 1));
	history->target = irc_copy(irc_param(line, 1));
	if (!buffer || !history->target) {
		irc_client_fail(client, "CHATHISTORY", "INVALID_TARGET", sub_names[sub],
				"There is no history of this target");
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

void irc_markread(struct irc_client *client, struct irc_network *network,
		  const struct irc_line *line)
{
	struct bytes target = irc_param(line, 0), time = irc_param(line, 1);
	struct irc_buffer *buffer = irc_buffer_find(network, target);
	int64_t ms, now = wall_now_us() / 1000;

	if (!buffer) {
		if (line->count > 1 && target.len && target.len < IRC_NAME_MAX)
			buffer = irc_buffer_make(network, target);
		if (!buffer) {
			irc_client_say(client, ":%s MARKREAD %.*s *", irc_conf_now()->hostname,
				       (int)target.len, (const char *)target.at);
			return;
		}
	}
	if (line->count < 2) {
		irc_client_marker(client, buffer);
		return;
	}
	if (!bytes_start_with(time, BYTES("timestamp=")) ||
	    !irc_time_parse(bytes_skip(time, 10), &ms)) {
		irc_client_fail(client, "MARKREAD", "INVALID_PARAMS", "", "A time is timestamp=…");
		return;
	}
	/* It never goes back, and never beyond now. */
	if (irc_buffer_mark(buffer, ms > now ? now : ms)) {
		irc_clients_marker(buffer, client);
		irc_push_read(buffer);
	}
	irc_client_marker(client, buffer);
}
