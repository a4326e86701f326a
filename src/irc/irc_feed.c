/* What a client reads from rings: first what it missed, then by the journal. The header is irc_client.h. */
#include <stdlib.h>

#include "core/clock.h"
#include "core/metric.h"
#include "irc/irc_buffer.h"
#include "irc/irc_client.h"
#include "irc/irc_leave.h"
#include "irc/irc_network.h"
#include "irc/irc_store.h"
#include "irc/irc_user.h"
#include "irc/irc_web.h"

#define FULL       65536u /* what waits to go out before more is taken from rings */
#define PAGE_LINES 500u
#define ROUNDS     16

/* --- what a client wants -------------------------------------------------------------------- */

bool irc_client_wants(const struct irc_client *client, const struct irc_buffer *buffer,
		      const struct irc_record *record, bool again)
{
	uint32_t kind = record->kind, word = kind & IRC_KIND_WORD;
	irc_caps caps = client->caps;
	bool self = kind & IRC_KIND_SELF;

	if (again) {
		if (kind & IRC_KIND_LIVE)
			return false;
		if (kind & IRC_KIND_EVENT)
			return caps & IRC_CAP(EVENT_PLAYBACK);
		/* What the user said elsewhere. In a conversation it would look as if he had said it
		 * to himself. */
		if (self && (kind & IRC_KIND_PRIVATE) &&
		    !(caps & (IRC_CAP(ECHO_MESSAGE) | IRC_CAP(SELF_MESSAGE))))
			return false;
		return word != IRC_KIND_TAGMSG || caps & IRC_CAP(MESSAGE_TAGS);
	}
	if (kind & (IRC_KIND_COPY | IRC_KIND_PAST))
		return false;
	if (!(kind & IRC_KIND_EVENT)) {
		if (record->origin == client->number && self)
			return caps & IRC_CAP(ECHO_MESSAGE);
		if (self && (kind & IRC_KIND_PRIVATE) &&
		    !(caps & (IRC_CAP(ECHO_MESSAGE) | IRC_CAP(SELF_MESSAGE))))
			return false;
		return word != IRC_KIND_TAGMSG || caps & IRC_CAP(MESSAGE_TAGS);
	}
	(void)buffer;
	switch (word) {
	case IRC_AWAY: return caps & IRC_CAP(AWAY_NOTIFY);
	case IRC_ACCOUNT: return caps & IRC_CAP(ACCOUNT_NOTIFY);
	case IRC_CHGHOST: return caps & IRC_CAP(CHGHOST);
	case IRC_SETNAME: return caps & IRC_CAP(SETNAME);
	case IRC_REDACT: return caps & IRC_CAP(MESSAGE_REDACTION);
	case IRC_KIND_TAGMSG:
		return !(kind & IRC_KIND_LIVE) || caps & IRC_CAP(MESSAGE_TAGS) || true;
	default: return true;
	}
}

/* --- formatting ----------------------------------------------------------------------------- */

static bool tag_is_wanted(const struct irc_client *client, struct bytes key)
{
	if (bytes_equal(key, BYTES("account")))
		return client->caps & IRC_CAP(ACCOUNT_TAG);
	return client->caps & IRC_CAP(MESSAGE_TAGS);
}

static void put_tag(struct writer *w, bool *any, const char *key, struct bytes value)
{
	writer_u8(w, *any ? ';' : '@');
	*any = true;
	writer_str(w, key);
	if (value.len) {
		writer_u8(w, '=');
		writer_put(w, value);
	}
}

static void put_tags(struct writer *w, const struct irc_client *client,
		     const struct irc_buffer *buffer, const struct irc_record *record,
		     const char *batch, const struct irc_echo *echo)
{
	struct bytes rest = record->tags, key, value;
	bool any = false, has_id = false;
	char name[64];

	if (batch[0])
		put_tag(w, &any, "batch", bytes_str(batch));
	else if (echo)
		put_tag(w, &any, "label", bytes_str(echo->label));
	if (client->caps & IRC_CAP(SERVER_TIME)) {
		put_tag(w, &any, "time=", (struct bytes){0});
		irc_time_write(w, record->at_ms);
	}
	while (irc_tag_next(&rest, &key, &value)) {
		has_id |= bytes_equal(key, BYTES("msgid"));
		if (tag_is_wanted(client, key) && key.len < sizeof name) {
			bytes_to_str(key, name, sizeof name);
			put_tag(w, &any, name, value);
		}
	}
	/* A line that its server gave no name has one of ours: it can be found by it. */
	if (!has_id && buffer->id && !(record->kind & IRC_KIND_LIVE) &&
	    client->caps & IRC_CAP(MESSAGE_TAGS)) {
		snprintf(name, sizeof name, "rm-%llx-%llx-%llx", (unsigned long long)buffer->id,
			 (unsigned long long)record->seq, (unsigned long long)record->at_ms);
		put_tag(w, &any, "msgid", bytes_str(name));
	}
	if (any)
		writer_u8(w, ' ');
}

struct bytes irc_client_name(const struct irc_client *client, const struct irc_network *network,
			     struct bytes name, char *buf, size_t size)
{
	struct writer w = writer_of(buf, size);

	if (!client->multi)
		return name;
	writer_put(&w, name);
	writer_u8(&w, '/');
	writer_str(&w, network->name);
	return writer_ok(&w) ? writer_done(&w) : name;
}

/* Names of a line get their network behind them: the source, channels, and for some verbs people. */
static void put_line_multi(struct writer *w, const struct irc_client *client,
			   const struct irc_network *network, struct bytes text)
{
	struct irc_line line;
	struct bytes param[IRC_PARAMS_MAX];
	char names[IRC_PARAMS_MAX][320], source[600];
	struct irc_source who;
	bool self;

	if (!irc_line_parse(text, &line)) {
		writer_put(w, text);
		return;
	}
	who = irc_source_of(line.source);
	self = irc_same(network->is.casemap, who.nick, bytes_str(network->nick));
	if (who.user.len && !self) {
		struct writer s = writer_of(source, sizeof source);

		writer_put(&s, who.nick);
		writer_u8(&s, '/');
		writer_str(&s, network->name);
		writer_put(&s, bytes_skip(line.source, who.nick.len));
		line.source = writer_done(&s);
	} else if (self) {
		struct writer s = writer_of(source, sizeof source);

		writer_str(&s, client->nick);
		writer_put(&s, bytes_skip(line.source, who.nick.len));
		line.source = writer_done(&s);
	}
	for (unsigned i = 0; i < line.count; i++) {
		bool is_last = i + 1 == line.count && i > 0 && !irc_is_middle(line.param[i]);
		bool is_channel = !is_last && irc_is_channel(&network->is, line.param[i]) &&
				  !(irc_verb_is(&line, "PRIVMSG") && i) &&
				  !(irc_verb_is(&line, "NOTICE") && i) &&
				  !(irc_verb_is(&line, "TOPIC") && i);
		bool is_nick = (irc_verb_is(&line, "KICK") && i == 1) ||
			       (irc_verb_is(&line, "NICK") && i == 0);

		param[i] = line.param[i];
		if (irc_same(network->is.casemap, param[i], bytes_str(network->nick)) &&
		    (i == 0 || is_nick))
			param[i] = bytes_str(client->nick);
		else if (is_channel || is_nick || (i == 0 && self && irc_verb_is(&line, "PRIVMSG")))
			param[i] = irc_client_name(client, network, param[i], names[i],
						   sizeof names[i]);
	}
	irc_line_write(w, line.source, line.verb, param, line.count, irc_verb_is(&line, "PRIVMSG"));
}

/* Without extended-join, the account and the real name are left away. */
static struct bytes plain_join(struct bytes text, char *buf, size_t size)
{
	struct irc_line line;
	struct writer w = writer_of(buf, size);

	if (!irc_line_parse(text, &line) || line.count < 2)
		return text;
	irc_line_write(&w, line.source, line.verb, line.param, 1, false);
	return writer_ok(&w) ? writer_done(&w) : text;
}

/* The label that this line answers, taken off the list; NULL: none. */
static struct irc_echo *take_echo(struct irc_client *client, const struct irc_buffer *buffer,
				  uint64_t seq)
{
	for (struct irc_echo **link = &client->echoes; *link; link = &(*link)->next)
		if ((*link)->buffer == buffer && (*link)->seq == seq) {
			struct irc_echo *echo = *link;

			*link = echo->next;
			return echo;
		}
	return NULL;
}

static void put_record(struct writer *w, struct irc_client *client, const struct irc_buffer *buffer,
		       const struct irc_record *record, const char *batch, struct irc_echo *echo)
{
	struct bytes line = record->line;
	char join[1024];

	if ((record->kind & (IRC_KIND_EVENT | IRC_KIND_WORD)) == (IRC_KIND_EVENT | IRC_JOIN) &&
	    !(client->caps & IRC_CAP(EXTENDED_JOIN)))
		line = plain_join(line, join, sizeof join);
	if (client->caps & (IRC_CAP(SERVER_TIME) | IRC_CAP(MESSAGE_TAGS) | IRC_CAP(ACCOUNT_TAG)) ||
	    batch[0] || echo)
		put_tags(w, client, buffer, record, batch, echo);
	if (client->multi)
		put_line_multi(w, client, buffer->network, line);
	else
		writer_put(w, line);
}

/* The frame's head says how long the line is, so the line is made first. */
static void record_web(struct irc_client *client, const struct irc_buffer *buffer,
		       const struct irc_record *record, const char *batch, struct irc_echo *echo)
{
	uint8_t whole[IRC_LINE_ROOM + 2048];
	struct writer w = writer_of(whole, sizeof whole);

	put_record(&w, client, buffer, record, batch, echo);
	if (writer_ok(&w))
		irc_web_line(client, writer_done(&w));
}

static void record_plain(struct irc_client *client, const struct irc_buffer *buffer,
			 const struct irc_record *record, const char *batch, struct irc_echo *echo)
{
	size_t most = record->tags.len + record->line.len + 256;
	struct writer w;
	uint8_t *room;

	if (client->multi)
		most += IRC_PARAMS_MAX * 80;
	room = irc_client_room(client, (uint32_t)most);
	if (!room)
		return;
	w = writer_of(room, most);
	put_record(&w, client, buffer, record, batch, echo);
	writer_put(&w, BYTES("\r\n"));
	if (writer_ok(&w))
		irc_client_add(client, (uint32_t)w.len);
}

void irc_client_record(struct irc_client *client, const struct irc_buffer *buffer,
		       const struct irc_record *record, const char *batch)
{
	struct irc_echo *echo = client->echoes ? take_echo(client, buffer, record->seq) : NULL;

	if (client->web)
		record_web(client, buffer, record, batch, echo);
	else
		record_plain(client, buffer, record, batch, echo);
	if (echo) {
		free(echo->label);
		free(echo);
	}
	client->lines_out++;
	metric_add(METRIC_irc_deliveries, 1);
}

/* --- live ----------------------------------------------------------------------------------- */

/* A client's nick is what its network says. */
static void follow_nick(struct irc_client *client, const struct irc_seat *seat,
			const struct irc_record *record)
{
	if ((record->kind & (IRC_KIND_EVENT | IRC_KIND_WORD | IRC_KIND_SELF)) ==
		    (IRC_KIND_EVENT | IRC_NICK | IRC_KIND_SELF) &&
	    !client->multi) {
		struct irc_line line;

		if (irc_line_parse(record->line, &line))
			irc_set(&client->nick, irc_param(&line, 0));
	}
	(void)seat;
}

static bool miss(struct irc_client *client, struct irc_seat *seat, const struct irc_missed *missed);

/* It was too slow for the journal. Its places say where it is in each ring. */
static void lapped(struct irc_client *client, struct irc_seat *seat)
{
	struct irc_network *network = seat->network;
	struct irc_buffer *buffer = network->status;
	struct irc_named *named;
	uint32_t at = 0;

	metric_add(METRIC_irc_laps, 1);
	irc_reader_end(&seat->reader, &network->journal);
	do {
		uint64_t place = irc_reader_place(&seat->reader, &buffer->ring);

		if (!miss(client, seat,
			  &(struct irc_missed){.buffer = buffer,
					       .seq = place,
					       .to = buffer->ring.head,
					       .is_late = true}))
			return;
		named = irc_index_next(&network->buffers, &at);
		buffer = named ? container_of(named, struct irc_buffer, named) : NULL;
	} while (buffer);
}

/* One line, as it is said. */
static void live(struct irc_client *client, const struct irc_seat *seat, struct irc_buffer *buffer,
		 const struct irc_record *record)
{
	if (irc_client_wants(client, buffer, record, false))
		irc_client_record(client, buffer, record, "");
	if (client->state != IRC_CLIENT_HERE)
		return;
	follow_nick(client, seat, record);
	irc_client_mark(client, buffer, record->seq);
}

static void feed_live(struct irc_client *client, struct irc_seat *seat)
{
	struct irc_network *network = seat->network;

	while (client->state == IRC_CLIENT_HERE && irc_pipe_len(&client->out) < FULL) {
		struct irc_note note;
		struct irc_record record;
		struct irc_buffer *buffer;

		switch (irc_reader_next(&seat->reader, &network->journal, &note)) {
		case IRC_READ_END: return;
		case IRC_READ_LAPPED: lapped(client, seat); return;
		case IRC_READ_GAP:
			metric_add(METRIC_irc_laps, 1);
			buffer = container_of(note.ring, struct irc_buffer, ring);
			(void)miss(client, seat,
				   &(struct irc_missed){.buffer = buffer,
							.seq = irc_reader_place(&seat->reader,
										note.ring),
							.to = note.seq,
							.is_late = true});
			return;
		case IRC_READ_LINE: break;
		}
		buffer = container_of(note.ring, struct irc_buffer, ring);
		if (!irc_reader_take(&seat->reader, &note)) {
			irc_client_end(client, NULL);
			return;
		}
		if (!buffer->detached && irc_ring_get(note.ring, note.seq, &record))
			live(client, seat, buffer, &record);
	}
}

/* --- what was missed ------------------------------------------------------------------------ */

/* Lines of a buffer that are given again come in a batch, where the client knows those. */
static void batch_begin(struct irc_client *client, const struct irc_buffer *buffer, char batch[32])
{
	char name[400];
	struct bytes target = irc_client_name(client, buffer->network,
					      irc_named_bytes(&buffer->named), name, sizeof name);

	batch[0] = '\0';
	if (!(client->caps & IRC_CAP(BATCH)))
		return;
	snprintf(batch, 32, "H%llu", (unsigned long long)++client->batches);
	irc_client_say(client, ":%s BATCH +%s chathistory %.*s", irc_conf_now()->hostname, batch,
		       (int)target.len, (const char *)target.at);
}

static void batch_end(struct irc_client *client, const char *batch)
{
	if (batch[0])
		irc_client_say(client, ":%s BATCH -%s", irc_conf_now()->hostname, batch);
}

static struct irc_missed *missed_of(struct irc_seat *seat)
{
	return seat->missed_at < seat->missed_count ? &seat->missed[seat->missed_at] : NULL;
}

/* What it will never be told, it is told. */
static void say_lost(struct irc_client *client, struct irc_missed *missed)
{
	const struct irc_buffer *buffer = missed->buffer;
	char name[400];
	struct bytes target = irc_client_name(client, buffer->network,
					      irc_named_bytes(&buffer->named), name, sizeof name);
	unsigned long long lost = missed->lost;

	missed->lost = 0;
	metric_add(METRIC_irc_lines_untold, (int64_t)lost);
	if (buffer == buffer->network->status)
		irc_client_say(client,
			       ":%s NOTICE %s :%llu lines of %s are lost: this client was too slow",
			       irc_conf_now()->hostname, client->nick, lost, buffer->network->name);
	else
		irc_client_say(client, ":%s NOTICE %s :%llu lines of %.*s are lost: %s",
			       irc_conf_now()->hostname, client->nick, lost, (int)target.len,
			       (const char *)target.at,
			       missed->is_late ? "this client was too slow"
					       : "they are not in the history");
}

/* A client that was away for long is not told all: the rest is in the history. */
static void say_older(struct irc_client *client, struct irc_missed *missed)
{
	const struct irc_buffer *buffer = missed->buffer;
	char name[400];
	struct bytes target = irc_client_name(client, buffer->network,
					      irc_named_bytes(&buffer->named), name, sizeof name);
	unsigned long long older = missed->older;

	missed->older = 0;
	irc_client_say(client, ":%s NOTICE %s :%llu older lines of %.*s are not repeated",
		       irc_conf_now()->hostname, client->nick, older, (int)target.len,
		       (const char *)target.at);
}

/* The next line that was missed; those before it are nowhere. */
static void tell_missed(struct irc_client *client, const struct irc_seat *seat,
			struct irc_missed *missed, const struct irc_record *record,
			const char *batch)
{
	missed->lost += record->seq - missed->seq;
	missed->seq = record->seq + 1;
	if (missed->is_late) {
		live(client, seat, missed->buffer, record);
		return;
	}
	if (irc_client_wants(client, missed->buffer, record, true))
		irc_client_record(client, missed->buffer, record, batch);
	irc_client_mark(client, missed->buffer, record->seq);
}

static void on_page(struct irc_page *page)
{
	struct irc_client *client = irc_client_of(page->user, page->client);
	struct irc_seat *seat = client ? irc_client_seat(client, page->network) : NULL;
	struct irc_missed *missed = seat && seat->waits ? missed_of(seat) : NULL;
	char batch[32] = "";

	enter_worker();
	if (!missed)
		return;
	seat->waits = false;
	/* It may have gone, or have been told otherwise meanwhile. */
	if (!page->buffer || missed->buffer != page->buffer || missed->seq != page->from) {
		irc_client_feed(client);
		return;
	}
	client->in_turn = true;
	if (!missed->is_late && page->count)
		batch_begin(client, page->buffer, batch);
	for (size_t i = 0; i < page->count && client->state == IRC_CLIENT_HERE; i++)
		tell_missed(client, seat, missed, &page->records[i], batch);
	batch_end(client, batch);
	client->in_turn = false;
	if (client->state != IRC_CLIENT_HERE)
		return;
	/* The last server may be writing them: asked again. */
	if (page->count < PAGE_LINES && missed->seq < page->buffer->inherited &&
	    irc_leave_is_settling()) {
		irc_client_feed(client);
		return;
	}
	/* The store has no more than this. */
	if (page->count < PAGE_LINES && missed->seq < page->to) {
		missed->lost += page->to - missed->seq;
		missed->seq = page->to;
		irc_client_mark(client, page->buffer, missed->seq - 1);
	}
	irc_client_feed(client);
}

/* Notes what a client has to be told first. False: there is no memory, and it is gone. */
static bool miss(struct irc_client *client, struct irc_seat *seat, const struct irc_missed *missed)
{
	struct irc_missed *larger;

	if (!irc_reader_set(&seat->reader, missed->buffer->ring.slot, missed->to)) {
		irc_client_end(client, NULL);
		return false;
	}
	if (missed->seq >= missed->to || (missed->buffer->detached && missed->is_late))
		return true;
	larger = realloc(seat->missed, (seat->missed_count + 1) * sizeof *larger);
	if (!larger) {
		irc_client_end(client, NULL);
		return false;
	}
	seat->missed = larger;
	larger[seat->missed_count++] = *missed;
	return true;
}

/* What was said in a buffer since a client of this name was there: all, but not too far back. */
static bool miss_since(struct irc_client *client, struct irc_seat *seat, struct irc_buffer *buffer)
{
	uint64_t head = buffer->ring.head, backlog = irc_conf_now()->backlog;
	struct irc_missed missed = {
		.buffer = buffer,
		.seq = irc_buffer_place(buffer, (unsigned)client->device),
		.to = head,
	};

	/* Who asks for history is not given it unasked. */
	if (client->caps & IRC_CAP(CHATHISTORY)) {
		missed.seq = head;
	} else if (head > backlog && missed.seq < head - backlog) {
		missed.older = head - backlog - missed.seq;
		missed.seq = head - backlog;
	}
	if (missed.seq >= head)
		irc_buffer_set_place(buffer, (unsigned)client->device, head);
	return miss(client, seat, &missed);
}

static bool miss_all(struct irc_client *client, struct irc_seat *seat)
{
	struct irc_named *named;
	uint32_t at = 0;

	while ((named = irc_index_next(&seat->network->buffers, &at))) {
		struct irc_buffer *buffer = container_of(named, struct irc_buffer, named);

		if (!buffer->detached && !miss_since(client, seat, buffer))
			return false;
	}
	return true;
}

/* Some of one buffer: from its ring, or a page of the store is asked for. */
static void feed_missed(struct irc_client *client, struct irc_seat *seat, struct irc_missed *missed)
{
	struct irc_buffer *buffer = missed->buffer;
	struct irc_record record;
	char batch[32] = "";

	if (!buffer || missed->seq >= missed->to) {
		if (buffer && missed->lost)
			say_lost(client, missed);
		seat->missed_at++;
		return;
	}
	if (missed->older) {
		say_older(client, missed);
		return;
	}
	if (missed->seq < buffer->ring.kept) {
		uint64_t to = buffer->ring.kept < missed->to ? buffer->ring.kept : missed->to;

		seat->waits = buffer->id && irc_page_ask(&(struct irc_page_wish){
						    .user = client->user,
						    .network = seat->network,
						    .buffer = buffer,
						    .client = client->number,
						    .from = missed->seq,
						    .to = to,
						    .limit = PAGE_LINES,
						    .then = on_page,
					    });
		if (!seat->waits) {
			missed->lost += to - missed->seq;
			missed->seq = to;
		}
		return;
	}
	client->in_turn = true;
	if (!missed->is_late)
		batch_begin(client, buffer, batch);
	/* When it is gone, so is what it missed. */
	while (client->state == IRC_CLIENT_HERE && irc_pipe_len(&client->out) < FULL &&
	       missed->seq < missed->to && irc_ring_get(&buffer->ring, missed->seq, &record))
		tell_missed(client, seat, missed, &record, batch);
	batch_end(client, batch);
	client->in_turn = false;
}

/* --- turns ---------------------------------------------------------------------------------- */

static void feed_seat(struct irc_client *client, struct irc_seat *seat)
{
	while (client->state == IRC_CLIENT_HERE && !seat->waits &&
	       irc_pipe_len(&client->out) < FULL) {
		struct irc_missed *missed = missed_of(seat);

		if (missed) {
			feed_missed(client, seat, missed);
			continue;
		}
		if (seat->missed) {
			free(seat->missed);
			seat->missed = NULL;
			seat->missed_at = seat->missed_count = 0;
		}
		feed_live(client, seat);
		if (client->state != IRC_CLIENT_HERE || !seat->missed_count)
			return;
	}
}

/* Whether there is more for it in rings. */
static bool is_behind(const struct irc_client *client)
{
	for (uint32_t i = 0; i < client->seat_count; i++)
		if (!client->seats[i].waits &&
		    (client->seats[i].missed ||
		     client->seats[i].reader.note < client->seats[i].network->journal.head))
			return true;
	return false;
}

void irc_client_feed(struct irc_client *client)
{
	if (client->state != IRC_CLIENT_HERE || !client->registered)
		return;
	/* As long as the socket takes it all there may be more; but others have their turn too. */
	for (int i = 0; i < ROUNDS; i++) {
		for (uint32_t k = 0; k < client->seat_count && client->state == IRC_CLIENT_HERE;
		     k++)
			feed_seat(client, &client->seats[k]);
		if (client->state != IRC_CLIENT_HERE || !irc_client_flush(client) ||
		    irc_pipe_len(&client->out) || !is_behind(client))
			return;
	}
	/* The socket would take more: it says so in the next turn. */
	irc_client_more(client);
}

/* --- seats ---------------------------------------------------------------------------------- */

/* A device that is new begins a little before now. */
static void device_begin(const struct irc_client *client, struct irc_network *network)
{
	uint64_t back = irc_conf_now()->backlog_new;
	struct irc_named *named;
	uint32_t at = 0;

	while ((named = irc_index_next(&network->buffers, &at))) {
		struct irc_buffer *buffer = container_of(named, struct irc_buffer, named);
		uint64_t head = buffer->ring.head;

		if (head > back)
			irc_buffer_set_place(buffer, (unsigned)client->device, head - back);
	}
}

/* From now on, in all rings. */
static bool reader_begin(struct irc_seat *seat)
{
	const struct irc_network *network = seat->network;
	struct irc_named *named;
	uint32_t at = 0;

	if (!irc_reader_set(&seat->reader, network->status->ring.slot, network->status->ring.head))
		return false;
	while ((named = irc_index_next(&network->buffers, &at))) {
		const struct irc_ring *ring = &container_of(named, struct irc_buffer, named)->ring;

		if (!irc_reader_set(&seat->reader, ring->slot, ring->head))
			return false;
	}
	return true;
}

bool irc_client_sit(struct irc_client *client, struct irc_network *network)
{
	struct irc_seat *larger;

	if (irc_client_seat(client, network))
		return true;
	larger = realloc(client->seats, (client->seat_count + 1) * sizeof *larger);
	if (!larger)
		return false;
	client->seats = larger;
	larger += client->seat_count;
	*larger = (struct irc_seat){.network = network, .reader.note = network->journal.head};
	if (!reader_begin(larger)) {
		irc_reader_fini(&larger->reader);
		return false;
	}
	client->seat_count++;
	network->attached++;
	metric_add(METRIC_irc_seats, 1);
	return true;
}

void irc_client_rise(struct irc_client *client, struct irc_network *network)
{
	struct irc_seat *seat = irc_client_seat(client, network);

	if (!seat)
		return;
	free(seat->missed);
	irc_reader_fini(&seat->reader);
	*seat = client->seats[--client->seat_count];
	metric_add(METRIC_irc_seats, -1);
	if (--network->attached == 0)
		irc_journal_fini(&network->journal);
}

void irc_client_attach(struct irc_client *client)
{
	struct irc_named *named;
	for (uint32_t i = 0; i < client->seat_count; i++) {
		struct irc_network *network = client->seats[i].network;
		uint32_t at = 0;

		if (client->login_new_device)
			device_begin(client, network);
		if (!miss_all(client, &client->seats[i]))
			return;
		while ((named = irc_index_next(&network->buffers, &at))) {
			struct irc_buffer *buffer = container_of(named, struct irc_buffer, named);

			if (buffer->channel && buffer->channel->names_done && !buffer->detached)
				irc_client_show_channel(client, buffer);
			if (client->state != IRC_CLIENT_HERE)
				return;
		}
		irc_network_away(network);
	}
}

void irc_client_show(struct irc_client *client, struct irc_buffer *buffer)
{
	struct irc_seat *seat = irc_client_seat(client, buffer->network);

	if (!seat)
		return;
	if (buffer->channel)
		irc_client_show_channel(client, buffer);
	irc_client_feed(client);
	if (client->state != IRC_CLIENT_HERE)
		return;
	if (miss_since(client, irc_client_seat(client, buffer->network), buffer))
		irc_client_feed(client);
}
