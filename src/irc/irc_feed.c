/* What a client reads from rings: first what it missed, then by the journal. The header is irc_client.h. */
#include <stdlib.h>

#include "core/clock.h"
#include "core/metric.h"
#include "irc/irc_buffer.h"
#include "irc/irc_client.h"
#include "irc/irc_leave.h"
#include "irc/irc_metadata.h"
#include "irc/irc_network.h"
#include "irc/irc_store.h"
#include "irc/irc_tour.h"
#include "irc/irc_user.h"
#include "irc/irc_web.h"
#include "irc/proto/irc_lines.h"

#define FULL       65536u /* what waits to go out before more is taken from rings */
#define PAGE_LINES 500u   /* of the store at once */
#define ROUNDS     16     /* then others have their turn */

bool irc_client_is_full(const struct irc_client *client)
{
	uint64_t half = irc_conf_now()->client_buffer / 2;

	return irc_pipe_len(&client->out) >= (half < FULL ? half : FULL);
}

/* --- what a client wants -------------------------------------------------------------------- */

/* Whether it should see a line, live or again. */
static bool wants(const struct irc_client *client, const struct irc_record *record, bool again)
{
	uint32_t kind = record->kind, word = kind & IRC_KIND_WORD;
	irc_caps caps = client->caps;
	bool self = kind & IRC_KIND_SELF;

	if (kind & (again ? IRC_KIND_LIVE : IRC_KIND_COPY | IRC_KIND_PAST))
		return false;
	if (!(kind & IRC_KIND_EVENT)) {
		if (!again && self && record->origin == client->number)
			return caps & IRC_CAP(ECHO_MESSAGE);
		/* What the user said elsewhere. In a conversation it would look as if he had said it
		 * to himself. */
		if (self && (kind & IRC_KIND_PRIVATE) &&
		    !(caps & (IRC_CAP(ECHO_MESSAGE) | IRC_CAP(SELF_MESSAGE))))
			return false;
		return word != IRC_KIND_TAGMSG || caps & IRC_CAP(MESSAGE_TAGS);
	}
	if (again)
		return caps & IRC_CAP(EVENT_PLAYBACK) &&
		       (word != IRC_REACT || caps & IRC_CAP(MESSAGE_TAGS));
	switch (word) {
	case IRC_AWAY: return caps & IRC_CAP(AWAY_NOTIFY);
	case IRC_ACCOUNT: return caps & IRC_CAP(ACCOUNT_NOTIFY);
	case IRC_CHGHOST: return caps & IRC_CAP(CHGHOST);
	case IRC_SETNAME: return caps & IRC_CAP(SETNAME);
	case IRC_REDACT: return caps & IRC_CAP(MESSAGE_REDACTION);
	case IRC_REACT:
		/* As a message is. */
		return caps & IRC_CAP(MESSAGE_TAGS) &&
		       (!self || caps & IRC_CAP(ECHO_MESSAGE) ||
			(record->origin != client->number && !(kind & IRC_KIND_PRIVATE)));
	/* Of all networks one's nick is one's own. */
	case IRC_NICK: return !(self && client->multi);
	case IRC_METADATA:
		return caps & IRC_CAP(METADATA) && irc_metadata_wanted(client, record->line);
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

static void put_tags(struct writer *w, const struct irc_client *client,
		     const struct irc_buffer *buffer, const struct irc_record *record,
		     const char *batch, const struct irc_echo *echo)
{
	struct bytes rest = record->tags, key, value;
	size_t from = w->len + 1;
	bool has_id = false;
	char text[64];

	writer_u8(w, '@');
	if (batch[0])
		irc_tag_put(w, from, BYTES("batch"), bytes_str(batch));
	else if (echo)
		irc_tag_put(w, from, BYTES("label"), bytes_str(echo->label));
	if (client->caps & IRC_CAP(SERVER_TIME)) {
		irc_tag_put(w, from, BYTES("time="), (struct bytes){0});
		irc_time_write(w, record->at_ms);
	}
	while (irc_tag_next(&rest, &key, &value)) {
		has_id |= bytes_equal(key, BYTES("msgid"));
		if (tag_is_wanted(client, key))
			irc_tag_put(w, from, key, value);
	}
	/* A line that its server gave no name has one of ours: it can be found by it. */
	if (!has_id && buffer->id && !(record->kind & IRC_KIND_LIVE) &&
	    client->caps & IRC_CAP(MESSAGE_TAGS)) {
		snprintf(text, sizeof text, "rm-%llx-%llx-%llx", (unsigned long long)buffer->id,
			 (unsigned long long)record->seq, (unsigned long long)record->at_ms);
		irc_tag_put(w, from, BYTES("msgid"), bytes_str(text));
	}
	if (w->len > from)
		writer_u8(w, ' ');
	else
		w->len = from - 1;
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

struct irc_names irc_client_names_of(const struct irc_client *client,
				     const struct irc_network *network)
{
	return (struct irc_names){.is = &network->is,
				  .own = bytes_str(network->nick),
				  .nick = bytes_str(client->nick),
				  .network = bytes_str(network->name)};
}

/* Who says it has the network behind the name too; a server has a name of its own. self: it is he, whatever he is
 * called by now. */
static struct bytes source_multi(const struct irc_names *names, struct bytes source, bool self,
				 char room[600])
{
	struct irc_source who = irc_source_of(source);
	struct writer w = writer_of(room, 600);

	if (self || (who.nick.len && irc_same(names->is->casemap, who.nick, names->own))) {
		writer_put(&w, names->nick);
	} else if (who.user.len) {
		writer_put(&w, who.nick);
		writer_u8(&w, '/');
		writer_put(&w, names->network);
	} else {
		return source;
	}
	writer_put(&w, bytes_skip(source, who.nick.len));
	return writer_ok(&w) ? writer_done(&w) : source;
}

void irc_client_put_multi(struct writer *w, const struct irc_names *names, struct bytes text,
			  bool self)
{
	struct writer before = *w, r;
	char room[4096], source[600];
	struct irc_line line;
	bool trails;

	r = writer_of(room, sizeof room);
	if (!irc_line_parse(text, &line)) {
		writer_put(w, text);
		return;
	}
	trails = irc_line_trails(&line);
	if (line.tags.len) {
		writer_u8(w, '@');
		writer_put(w, line.tags);
		writer_u8(w, ' ');
	}
	line.source = source_multi(names, line.source, self, source);
	if (irc_names_in(names, &line, &r))
		irc_line_write(w, line.source, line.verb, line.param, line.count, trails);
	else
		w->failed = true;
	/* What is too long with them is told without; CR LF come behind it. */
	if (writer_ok(w) && w->size - w->len >= 2)
		return;
	*w = before;
	writer_put(w, text);
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

/* It is not told of that line: an ACK answers the label. */
static void echo_unheard(struct irc_client *client, const struct irc_buffer *buffer, uint64_t seq)
{
	struct irc_echo *echo = client->echoes ? take_echo(client, buffer, seq) : NULL;

	if (!echo)
		return;
	irc_client_answer(client, echo->label, (struct bytes){0}, 0);
	free(echo->label);
	free(echo);
}

/* is_named: its names are as the client has them. */
static void put_record(struct writer *w, struct irc_client *client, const struct irc_buffer *buffer,
		       const struct irc_record *record, const char *batch, struct irc_echo *echo,
		       bool is_named)
{
	struct bytes line = record->line;
	char join[1024];

	if ((record->kind & (IRC_KIND_EVENT | IRC_KIND_WORD)) == (IRC_KIND_EVENT | IRC_JOIN) &&
	    !(client->caps & IRC_CAP(EXTENDED_JOIN)))
		line = plain_join(line, join, sizeof join);
	if (client->caps & (IRC_CAP(SERVER_TIME) | IRC_CAP(MESSAGE_TAGS) | IRC_CAP(ACCOUNT_TAG)) ||
	    batch[0] || echo)
		put_tags(w, client, buffer, record, batch, echo);
	if (client->multi && !is_named) {
		struct irc_names names = irc_client_names_of(client, buffer->network);

		irc_client_put_multi(w, &names, line, record->kind & IRC_KIND_SELF);
	} else {
		writer_put(w, line);
	}
}

/* The frame's head says how long the line is, so the line is made first. */
static void record_web(struct irc_client *client, const struct irc_buffer *buffer,
		       const struct irc_record *record, const char *batch, struct irc_echo *echo,
		       bool is_named)
{
	uint8_t whole[IRC_LINE_ROOM + 2048];
	struct writer w = writer_of(whole, sizeof whole);

	put_record(&w, client, buffer, record, batch, echo, is_named);
	if (writer_ok(&w))
		irc_web_line(client, writer_done(&w));
}

size_t irc_client_size(const struct irc_client *client, const struct irc_record *record)
{
	bool is_lines = record->kind & IRC_KIND_LINES;
	size_t each = record->tags.len + 256, count = 1;
	struct irc_line line;

	if (client->multi)
		each += (is_lines ? 2 : IRC_PARAMS_MAX) * 80;
	/* Of several lines each has a beginning of its own. */
	if (is_lines && irc_lines_parse(record->line, &line) && line.count > 1) {
		each += (size_t)(line.param[1].at - record->line.at);
		count = irc_lines_measure(line.param[1]).lines;
	}
	/* Each byte that is no UTF-8 becomes three. */
	return (count * each + record->line.len) * (client->web_text ? 3 : 1);
}

size_t irc_client_fits(const struct irc_client *client, const struct irc_record *records,
		       size_t count, bool newest)
{
	size_t left = irc_conf_now()->client_buffer / 2, fit = 0;

	while (fit < count) {
		size_t size = irc_client_size(client, &records[newest ? count - 1 - fit : fit]);

		/* One at least: who asks goes on from there. */
		if (size > left && fit)
			break;
		left -= size < left ? size : left;
		fit++;
	}
	return fit;
}

static void record_plain(struct irc_client *client, const struct irc_buffer *buffer,
			 const struct irc_record *record, const char *batch, struct irc_echo *echo,
			 bool is_named)
{
	size_t most = irc_client_size(client, record);
	struct writer w;
	uint8_t *room;

	room = irc_client_room(client, (uint32_t)most);
	if (!room)
		return;
	w = writer_of(room, most);
	put_record(&w, client, buffer, record, batch, echo, is_named);
	writer_put(&w, BYTES("\r\n"));
	if (writer_ok(&w))
		irc_client_add(client, (uint32_t)w.len);
}

static void record_line(struct irc_client *client, const struct irc_buffer *buffer,
			const struct irc_record *record, const char *batch, struct irc_echo *echo,
			bool is_named)
{
	if (client->web)
		record_web(client, buffer, record, batch, echo, is_named);
	else
		record_plain(client, buffer, record, batch, echo, is_named);
	client->lines_out++;
}

/* Source and verb and target of a line, as this client has them, and no text. */
static bool head_of(const struct irc_client *client, const struct irc_network *network,
		    const struct irc_line *line, bool self, char room[1200], struct irc_line *head)
{
	struct irc_names names = irc_client_names_of(client, network);
	struct bytes param[2] = {line->param[0], BYTES("")};
	char plain[1200];
	struct writer p = writer_of(plain, sizeof plain), w = writer_of(room, 1200);

	irc_line_write(&p, line->source, line->verb, param, 2, true);
	if (client->multi)
		irc_client_put_multi(&w, &names, writer_done(&p), self);
	else
		writer_put(&w, writer_done(&p));
	return writer_ok(&p) && writer_ok(&w) && irc_line_parse(writer_done(&w), head);
}

/* All that is said of a message, but what names it: that is for its first line. */
static struct bytes tags_of_more(struct bytes tags, char *room, size_t size)
{
	struct writer w = writer_of(room, size);
	struct bytes key, value;

	while (irc_tag_next(&tags, &key, &value))
		if (bytes_equal(key, BYTES("account")) || bytes_equal(key, BYTES("bot")))
			irc_tag_put(&w, 0, key, value);
	return writer_ok(&w) ? writer_done(&w) : (struct bytes){0};
}

/* One line of a message of several; in a batch its tags are those of the batch. */
static void record_piece(struct irc_client *client, const struct irc_buffer *buffer,
			 const struct irc_record *record, const struct irc_line *head,
			 struct bytes text, const char *batch, struct irc_echo *echo)
{
	char whole[IRC_LINELEN_MAX * 2];
	struct writer w = writer_of(whole, sizeof whole);
	struct irc_record piece = *record;

	irc_line_write(&w, head->source, head->verb, (struct bytes[]){head->param[0], text}, 2,
		       true);
	piece.line = writer_done(&w);
	if (writer_ok(&w))
		record_line(client, buffer, &piece, batch, echo, true);
}

/* draft/multiline: as a batch, whose tags stand at its beginning. */
static void lines_whole(struct irc_client *client, const struct irc_buffer *buffer,
			const struct irc_record *record, const struct irc_line *head,
			struct bytes text, const char *batch, struct irc_echo *echo)
{
	unsigned long long number = ++client->batches;
	struct irc_pieces pieces = {.rest = text};
	struct irc_record first = *record;
	char line[IRC_LINELEN_MAX * 2];
	struct bytes piece;
	int len = snprintf(line, sizeof line, ":%.*s BATCH +M%llu draft/multiline %.*s",
			   (int)head->source.len, (const char *)head->source.at, number,
			   (int)head->param[0].len, (const char *)head->param[0].at);

	first.line = bytes_of(line, (size_t)len);
	record_line(client, buffer, &first, batch, echo, true);
	while (client->state == IRC_CLIENT_HERE && irc_pieces_next(&pieces, &piece)) {
		struct writer w = writer_of(line, sizeof line);

		writer_str(&w, "@batch=M");
		writer_dec(&w, number);
		writer_str(&w, pieces.glued ? ";draft/multiline-concat " : " ");
		irc_line_write(&w, head->source, head->verb,
			       (struct bytes[]){head->param[0], piece}, 2, true);
		if (writer_ok(&w))
			irc_client_put_line(client, writer_done(&w));
	}
	len = snprintf(line, sizeof line, ":%s BATCH -M%llu", irc_conf_now()->hostname, number);
	if (client->state == IRC_CLIENT_HERE)
		irc_client_put_line(client, bytes_of(line, (size_t)len));
}

/* For who knows no such batches: line by line, without those that are blank. */
static void lines_apart(struct irc_client *client, const struct irc_buffer *buffer,
			const struct irc_record *record, const struct irc_line *head,
			struct bytes text, const char *batch, struct irc_echo *echo)
{
	struct irc_pieces pieces = {.rest = text};
	struct irc_record more = *record;
	char tags[4096];
	struct bytes piece;

	while (client->state == IRC_CLIENT_HERE && irc_pieces_next(&pieces, &piece)) {
		if (!piece.len)
			continue;
		record_piece(client, buffer, &more, head, piece, batch, echo);
		more.tags = tags_of_more(record->tags, tags, sizeof tags);
		more.kind |= IRC_KIND_LIVE; /* it has no name of ours either */
		echo = NULL;
	}
}

static void record_lines(struct irc_client *client, const struct irc_buffer *buffer,
			 const struct irc_record *record, const char *batch, struct irc_echo *echo)
{
	const irc_caps needs = IRC_CAP(MULTILINE) | IRC_CAP(BATCH);
	struct irc_line line, head;
	struct bytes text;
	char room[1200];

	if (!irc_lines_parse(record->line, &line) || line.count < 2 ||
	    !head_of(client, buffer->network, &line, record->kind & IRC_KIND_SELF, room, &head))
		return;
	text = line.param[1];
	if ((client->caps & needs) == needs)
		lines_whole(client, buffer, record, &head, text, batch, echo);
	else
		lines_apart(client, buffer, record, &head, text, batch, echo);
}

void irc_client_record(struct irc_client *client, const struct irc_buffer *buffer,
		       const struct irc_record *record, const char *batch)
{
	struct irc_echo *echo = client->echoes ? take_echo(client, buffer, record->seq) : NULL;

	if (record->kind & IRC_KIND_LINES)
		record_lines(client, buffer, record, batch, echo);
	else
		record_line(client, buffer, record, batch, echo, false);
	if (echo) {
		free(echo->label);
		free(echo);
	}
	metric_add(METRIC_irc_deliveries, 1);
}

/* --- live ----------------------------------------------------------------------------------- */

/* A client's nick is what its network says. */
static void follow_nick(struct irc_client *client, const struct irc_record *record)
{
	if ((record->kind & (IRC_KIND_EVENT | IRC_KIND_WORD | IRC_KIND_SELF)) ==
		    (IRC_KIND_EVENT | IRC_NICK | IRC_KIND_SELF) &&
	    !client->multi) {
		struct irc_line line;

		if (irc_line_parse(record->line, &line))
			irc_set(&client->nick, irc_param(&line, 0));
	}
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
static void live(struct irc_client *client, struct irc_buffer *buffer,
		 const struct irc_record *record)
{
	if (wants(client, record, false))
		irc_client_record(client, buffer, record, "");
	else
		echo_unheard(client, buffer, record->seq);
	if (client->state != IRC_CLIENT_HERE)
		return;
	follow_nick(client, record);
	irc_client_mark(client, buffer, record->seq);
}

static void feed_live(struct irc_client *client, struct irc_seat *seat)
{
	struct irc_network *network = seat->network;

	while (client->state == IRC_CLIENT_HERE && !irc_client_is_full(client)) {
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
		if (buffer->detached)
			echo_unheard(client, buffer, note.seq);
		else if (irc_ring_get(note.ring, note.seq, &record))
			live(client, buffer, &record);
	}
}

/* --- what was missed ------------------------------------------------------------------------ */

/* Lines of a buffer that are given again come in a batch, where the client knows those. */
static void batch_begin(struct irc_client *client, const struct irc_buffer *buffer,
			struct irc_batched *batch)
{
	char name[400];
	struct bytes target = irc_client_name(client, buffer->network,
					      irc_named_bytes(&buffer->named), name, sizeof name);

	irc_client_batch_begin(client, batch, NULL, "chathistory", target);
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
static void tell_missed(struct irc_client *client, struct irc_missed *missed,
			const struct irc_record *record, const char *batch)
{
	missed->lost += record->seq - missed->seq;
	missed->seq = record->seq + 1;
	if (missed->is_late) {
		live(client, missed->buffer, record);
		return;
	}
	if (wants(client, record, true))
		irc_client_record(client, missed->buffer, record, batch);
	irc_client_mark(client, missed->buffer, record->seq);
}

static void on_page(struct irc_page *page)
{
	struct irc_client *client = page->user ? irc_client_of(page->user, page->client) : NULL;
	struct irc_seat *seat = client ? irc_client_seat(client, page->network) : NULL;
	struct irc_missed *missed = seat && seat->waits ? missed_of(seat) : NULL;
	struct irc_batched batch = {.ref = ""};
	size_t told = 0;

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
		batch_begin(client, page->buffer, &batch);
	/* Lines may be long: what has no room now is asked for again. */
	for (;
	     told < page->count && client->state == IRC_CLIENT_HERE && !irc_client_is_full(client);
	     told++)
		tell_missed(client, missed, &page->records[told], batch.ref);
	irc_client_batch_end(client, &batch);
	client->in_turn = false;
	if (client->state != IRC_CLIENT_HERE)
		return;
	/* Or the last server may be writing them. */
	if (told < page->count) {
		irc_client_feed(client);
		return;
	}
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
	struct irc_batched batch = {.ref = ""};

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
		batch_begin(client, buffer, &batch);
	/* When it is gone, so is what it missed. */
	while (client->state == IRC_CLIENT_HERE && !irc_client_is_full(client) &&
	       missed->seq < missed->to && irc_ring_get(&buffer->ring, missed->seq, &record))
		tell_missed(client, missed, &record, batch.ref);
	irc_client_batch_end(client, &batch);
	client->in_turn = false;
}

/* --- turns ---------------------------------------------------------------------------------- */

static void feed_seat(struct irc_client *client, struct irc_seat *seat)
{
	while (client->state == IRC_CLIENT_HERE && !seat->waits && !irc_client_is_full(client)) {
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
	if (client->tour)
		return true;
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
		if (client->tour)
			irc_tour_go_on(client);
		for (uint32_t k = 0;
		     !client->tour && k < client->seat_count && client->state == IRC_CLIENT_HERE;
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
	irc_tour_part(client, network);
	free(seat->missed);
	irc_reader_fini(&seat->reader);
	*seat = client->seats[--client->seat_count];
	metric_add(METRIC_irc_seats, -1);
	if (--network->attached == 0)
		irc_journal_fini(&network->journal);
}

void irc_client_attach(struct irc_client *client)
{
	for (uint32_t i = 0; i < client->seat_count; i++) {
		struct irc_network *network = client->seats[i].network;

		if (client->login_new_device)
			device_begin(client, network);
		if (!miss_all(client, &client->seats[i]))
			return;
		irc_network_away(network);
	}
	if (!irc_tour_begin(client))
		irc_client_end(client, NULL);
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
