#include "irc/irc_gap.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/metric.h"
#include "irc/irc_buffer.h"
#include "irc/irc_network.h"
#include "irc/irc_notice.h"
#include "irc/irc_store.h"
#include "irc/irc_upstream.h"
#include "irc/proto/irc_lines.h"

#define PAGE_LINES 100u    /* asked for at once: most servers give no more */
#define KNOWN_MAX  200u    /* of the newest lines that are ours, and may come again */
#define BACK_MS    5000    /* asked for once more: clocks, and lines of one moment */
#define HELD_MAX   262144u /* bytes; what is more is told before what was said earlier */
#define PASSED_MAX 10000u  /* lines that did not wait, and are known all the same */
#define ASKED_MAX  3u      /* gaps at a time */
#define ALIEN_MAX  8u      /* batches of history that nobody asked for, at a time */

/* What a line is known by. */
struct known {
	uint64_t id, words; /* hashes; id 0: it has none */
	int64_t at_ms;
};

struct irc_gap {
	struct irc_gap *next;
	struct irc_buffer *buffer; /* NULL: nobody asked for this history */
	struct known *known;
	size_t count, size;
	int64_t from_ms;         /* asked for from here on */
	unsigned asked_for, got; /* of the page at hand */
	uint64_t lines;          /* of those before */
	bool ready, asked, in_batch;
	bool lets;       /* what is said there does not wait any more */
	uint64_t goes;   /* the question has gone out when up->sent is this */
	unsigned passed; /* lines that did not wait */
	char ref[64];
	mono_t deadline, held_until;
};

/* --- what is known -------------------------------------------------------------------------- */

static struct known known_of(struct bytes tags, int64_t at_ms, const struct irc_line *line)
{
	struct known known = {.at_ms = at_ms, .words = 1};
	struct bytes id;

	if (irc_tag_get(tags, "msgid", &id) && id.len)
		known.id = (uint64_t)1 << 32 | irc_hash(IRC_ASCII, id);
	for (unsigned i = 0; i < line->count; i++)
		known.words = known.words * 1099511628211u + irc_hash(IRC_ASCII, line->param[i]);
	return known;
}

static bool is_known(const struct irc_gap *gap, const struct known *line)
{
	for (size_t i = 0; i < gap->count; i++) {
		const struct known *other = &gap->known[i];
		int64_t apart = other->at_ms - line->at_ms;

		if (line->id && other->id
			    ? line->id == other->id
			    : line->words == other->words && apart <= BACK_MS && apart >= -BACK_MS)
			return true;
	}
	return false;
}

/* Without memory it is not known, and may come twice. */
static void know(struct irc_gap *gap, const struct known *line)
{
	struct known *larger;

	if (gap->count == gap->size) {
		size_t size = gap->size ? gap->size * 2 : 64;

		larger = realloc(gap->known, size * sizeof *larger);
		if (!larger)
			return;
		gap->known = larger;
		gap->size = size;
	}
	gap->known[gap->count++] = *line;
}

/* --- life ----------------------------------------------------------------------------------- */

static struct irc_gap *gap_of(const struct irc_upstream *up, const struct irc_buffer *buffer)
{
	for (struct irc_gap *gap = up->gaps; gap; gap = gap->next)
		if (gap->buffer == buffer)
			return gap;
	return NULL;
}

static void gap_free(struct irc_gap *gap)
{
	free(gap->known);
	free(gap);
}

static void gap_unlink(struct irc_upstream *up, struct irc_gap *gap)
{
	struct irc_gap **link = &up->gaps;

	while (*link != gap)
		link = &(*link)->next;
	*link = gap->next;
}

static bool is_held(const struct irc_upstream *up, const struct irc_line *line,
		    const struct irc_buffer **buffer);

/* It was said past an open gap: the server's history has it too. */
static void know_passed(struct irc_gap *gap, const struct known *line)
{
	if (gap->passed++ < PASSED_MAX)
		know(gap, line);
}

/* What waited for this gap, which is on no list now, is heard; what waits for others goes on waiting. */
static void held_hear(struct irc_upstream *up, struct irc_gap *done)
{
	struct irc_pipe held = up->held;
	struct bytes rest = irc_pipe_bytes(&held);

	up->held = (struct irc_pipe){0};
	while (rest.len && up->phase == IRC_PHASE_TALKS) {
		struct bytes text = bytes_cut(&rest, '\0');
		const struct irc_buffer *buffer = NULL;
		struct irc_line line;
		struct bytes time;
		int64_t at_ms = wall_now_us() / 1000;
		struct known known;

		if (!irc_lines_parse(text, &line))
			continue;
		if (is_held(up, &line, &buffer)) {
			(void)(irc_pipe_put(&up->held, text) &&
			       irc_pipe_put(&up->held, bytes_of("", 1)));
			continue;
		}
		if (irc_tag_get(line.tags, "time", &time))
			(void)irc_time_parse(time, &at_ms);
		known = known_of(line.tags, at_ms, &line);
		if (buffer == done->buffer && is_known(done, &known))
			continue;
		if (buffer == done->buffer)
			know_passed(done, &known);
		irc_hear(up, &line);
	}
	irc_pipe_fini(&held);
}

static void ask_next(struct irc_upstream *up);

static void gap_close(struct irc_upstream *up, struct irc_gap *gap)
{
	gap_unlink(up, gap);
	held_hear(up, gap);
	gap_free(gap);
	ask_next(up);
}

/* What is said there has waited long enough. */
static void gap_let(struct irc_upstream *up, struct irc_gap *gap)
{
	gap_unlink(up, gap);
	gap->lets = true;
	held_hear(up, gap);
	if (up->phase != IRC_PHASE_TALKS) {
		gap_free(gap);
		return;
	}
	gap->next = up->gaps;
	up->gaps = gap;
}

/* --- asking --------------------------------------------------------------------------------- */

/* What is missing is not all filled in. Said once a connection. */
static void say_left(struct irc_upstream *up, const char *setting)
{
	const struct irc_network *network = up->network;

	metric_add(METRIC_irc_gaps_left, 1);
	if (!up->gaps_left)
		irc_notice(network->user, network,
			   "Not all that was said on %s meanwhile is filled in: there is more (%s)",
			   network->name, setting);
	up->gaps_left = true;
}

/* So many lines are asked for at once. */
static unsigned page_of(const struct irc_upstream *up, uint64_t most)
{
	uint32_t limit = up->network->is.chathistory;
	unsigned page = limit && limit < PAGE_LINES ? limit : PAGE_LINES;

	return most < page ? (unsigned)most : page;
}

static mono_t in_time(void)
{
	return mono_add_ms(mono_now(), (int64_t)irc_conf_now()->answer_timeout);
}

static void gap_ask(struct irc_upstream *up, struct irc_gap *gap)
{
	char time[IRC_TIME_LEN + 1];
	struct writer w = writer_of(time, IRC_TIME_LEN);
	uint64_t before = up->sent + up->queued;

	irc_time_write(&w, gap->from_ms);
	time[w.len] = '\0';
	gap->asked = true;
	gap->got = 0;
	gap->asked_for = page_of(up, irc_conf_now()->gap_lines - gap->lines);
	gap->deadline = in_time();
	gap->goes = before + 1;
	irc_upstream_later(up, "CHATHISTORY AFTER %s timestamp=%s %u", gap->buffer->named.name,
			   time, gap->asked_for);
	/* Refused, as too much waits to go out: given up when its time is over. */
	if (up->phase == IRC_PHASE_TALKS && up->sent + up->queued == before)
		gap->goes = 0;
}

/* Those that were opened first, as many as may be. */
static void ask_next(struct irc_upstream *up)
{
	struct irc_gap *first;
	unsigned asked;

	do {
		first = NULL;
		asked = 0;
		for (struct irc_gap *gap = up->gaps; gap; gap = gap->next) {
			asked += gap->asked;
			if (gap->ready && !gap->asked &&
			    (!first || mono_before(gap->held_until, first->held_until)))
				first = gap;
		}
		if (first && asked < ASKED_MAX)
			gap_ask(up, first);
	} while (first && asked < ASKED_MAX);
}

static void on_page(struct irc_page *page)
{
	struct irc_upstream *up = page->network ? page->network->up : NULL;
	struct irc_gap *gap = up && page->buffer ? gap_of(up, page->buffer) : NULL;

	if (page->network)
		page->network->gap_pages--;
	if (!gap || gap->ready)
		return;
	for (size_t i = 0; i < page->count; i++) {
		const struct irc_record *record = &page->records[i];
		struct irc_line line;
		struct known known;

		if (!irc_lines_parse(record->line, &line))
			continue;
		known = known_of(record->tags, record->at_ms, &line);
		know(gap, &known);
	}
	gap->ready = true;
	ask_next(up);
}

static bool server_has_history(const struct irc_upstream *up)
{
	irc_caps needs = IRC_CAP(CHATHISTORY) | IRC_CAP(BATCH) | IRC_CAP(SERVER_TIME);

	return (up->network->caps & needs) == needs;
}

void irc_gap_open(struct irc_upstream *up, struct irc_buffer *buffer)
{
	uint64_t head = buffer->ring.head, from = head > KNOWN_MAX ? head - KNOWN_MAX : 1;
	/* Where nobody ever spoke, since we left. */
	int64_t since_ms = buffer->last_ms ? buffer->last_ms : up->network->lost_ms;
	uint64_t count = up->network->gap_pages, most = irc_conf_now()->gaps;
	struct irc_gap *gap;

	if (!server_has_history(up) || !since_ms || gap_of(up, buffer) || !most)
		return;
	/* A server may let us in and out as often as it likes: the store is everybody's. */
	for (gap = up->gaps; gap; gap = gap->next)
		count += gap->ready;
	if (count >= most) {
		say_left(up, "irc.gaps");
		return;
	}
	gap = calloc(1, sizeof *gap);
	if (!gap)
		return;
	gap->buffer = buffer;
	gap->from_ms = since_ms - BACK_MS;
	gap->deadline = gap->held_until = in_time();
	gap->next = up->gaps;
	up->gaps = gap;
	if (!irc_page_ask(&(struct irc_page_wish){.user = up->network->user,
						  .network = up->network,
						  .buffer = buffer,
						  .from = from,
						  .to = head,
						  .limit = KNOWN_MAX,
						  .down = true,
						  .then = on_page}))
		gap_close(up, gap);
	else
		up->network->gap_pages++;
}

void irc_gap_ask_targets(struct irc_upstream *up)
{
	char from[IRC_TIME_LEN + 1], to[IRC_TIME_LEN + 1];
	struct writer f = writer_of(from, IRC_TIME_LEN), t = writer_of(to, IRC_TIME_LEN);
	struct irc_named *named;
	uint32_t at = 0;
	int64_t last_ms = up->network->lost_ms;

	while ((named = irc_index_next(&up->network->buffers, &at))) {
		const struct irc_buffer *buffer = container_of(named, struct irc_buffer, named);

		if (buffer->last_ms > last_ms)
			last_ms = buffer->last_ms;
	}
	if (!server_has_history(up) || !last_ms || !irc_conf_now()->gaps)
		return;
	irc_time_write(&f, last_ms - BACK_MS);
	irc_time_write(&t, wall_now_us() / 1000 + 60000);
	from[f.len] = to[t.len] = '\0';
	irc_upstream_later(up, "CHATHISTORY TARGETS timestamp=%s timestamp=%s %u", from, to,
			   page_of(up, irc_conf_now()->gaps));
}

/* --- hearing -------------------------------------------------------------------------------- */

/* One of the server's past. */
static void take(struct irc_upstream *up, struct irc_gap *gap, const struct irc_line *line)
{
	struct bytes time;
	struct known known;
	int64_t at_ms;

	if (!gap->buffer)
		gap->deadline = in_time();
	/* More than was asked for is not looked at: each is compared with all that are known. */
	if (!gap->buffer || gap->got++ >= gap->asked_for ||
	    !irc_tag_get(line->tags, "time", &time) || !irc_time_parse(time, &at_ms))
		return;
	if (at_ms > gap->from_ms)
		gap->from_ms = at_ms;
	known = known_of(line->tags, at_ms, line);
	if (is_known(gap, &known))
		return;
	know(gap, &known);
	metric_add(METRIC_irc_lines_filled, 1);
	irc_hear_past(up, gap->buffer, line);
}

static void batch_begins(struct irc_upstream *up, const struct irc_line *line)
{
	struct irc_buffer *buffer = irc_buffer_find(up->network, irc_param(line, 2));
	struct irc_gap *gap = buffer ? gap_of(up, buffer) : NULL;
	unsigned aliens = 0;

	if (!gap || !gap->asked || gap->in_batch) {
		for (gap = up->gaps; gap; gap = gap->next)
			aliens += !gap->buffer;
		/* A server that we do not ask for history may tell of it unasked. */
		if (aliens >= ALIEN_MAX || !server_has_history(up) ||
		    !(gap = calloc(1, sizeof *gap)))
			return;
		gap->deadline = gap->held_until = in_time();
		gap->lets = true;
		gap->next = up->gaps;
		up->gaps = gap;
	}
	gap->in_batch = true;
	bytes_to_str(bytes_skip(irc_param(line, 0), 1), gap->ref, sizeof gap->ref);
}

static void batch_ends(struct irc_upstream *up, struct irc_gap *gap)
{
	bool more = gap->got >= gap->asked_for;

	gap->in_batch = false;
	gap->lines += gap->asked_for;
	if (!gap->buffer) {
		gap_unlink(up, gap);
		gap_free(gap);
		return;
	}
	if (more && gap->lines < irc_conf_now()->gap_lines) {
		gap_ask(up, gap);
		return;
	}
	if (more)
		say_left(up, "irc.gap_lines");
	gap_close(up, gap);
}

/* "CHATHISTORY TARGETS name timestamp": somebody has spoken to us. */
static void target(struct irc_upstream *up, const struct irc_line *line)
{
	struct irc_network *network = up->network;
	struct bytes name = irc_param(line, 1);
	struct irc_buffer *buffer;
	int64_t at_ms;

	if (!bytes_equal_nocase(irc_param(line, 0), BYTES("TARGETS")) || !name.len ||
	    irc_is_channel(&network->is, name) || !irc_time_parse(irc_param(line, 2), &at_ms))
		return;
	buffer = irc_buffer_make(network, name);
	/* One that was never heard of begins with what is new. */
	if (buffer && !buffer->last_ms)
		buffer->last_ms = at_ms;
	if (buffer)
		irc_gap_open(up, buffer);
}

static struct irc_gap *gap_of_batch(const struct irc_upstream *up, struct bytes ref)
{
	for (struct irc_gap *gap = up->gaps; gap; gap = gap->next)
		if (gap->in_batch && bytes_equal(ref, bytes_str(gap->ref)))
			return gap;
	return NULL;
}

/* What is said where a gap is open. */
static bool is_held(const struct irc_upstream *up, const struct irc_line *line,
		    const struct irc_buffer **buffer)
{
	const struct irc_network *network = up->network;
	struct bytes name = irc_param(line, 0);
	const struct irc_gap *gap;

	if (!irc_verb_is(line, "PRIVMSG") && !irc_verb_is(line, "NOTICE"))
		return false;
	if (irc_same(network->is.casemap, name, bytes_str(network->nick)))
		name = irc_source_of(line->source).nick;
	*buffer = irc_buffer_find(network, name);
	gap = *buffer ? gap_of(up, *buffer) : NULL;
	return gap && !gap->lets;
}

/* One that does not wait. */
static void pass(struct irc_upstream *up, const struct irc_buffer *buffer, struct bytes tags,
		 int64_t at_ms, const struct irc_line *line)
{
	struct irc_gap *gap = buffer ? gap_of(up, buffer) : NULL;
	struct bytes time;
	struct known known;

	if (!gap)
		return;
	if (irc_tag_get(tags, "time", &time))
		(void)irc_time_parse(time, &at_ms);
	known = known_of(tags, at_ms, line);
	know_passed(gap, &known);
}

void irc_gap_said(struct irc_upstream *up, const struct irc_buffer *buffer,
		  const struct irc_record *record)
{
	struct irc_line line;

	if (up->gaps && irc_lines_parse(record->line, &line))
		pass(up, buffer, record->tags, record->at_ms, &line);
}

static bool hold(struct irc_upstream *up, const struct irc_line *line)
{
	const struct irc_buffer *buffer = NULL;
	char tags[IRC_TAGS_MAX + 2];
	struct writer w = writer_of(tags, sizeof tags);
	struct bytes label;

	/* Our own words come back with a label, and somebody waits for it. */
	if (!is_held(up, line, &buffer) || irc_tag_get(line->tags, "label", &label) ||
	    irc_pipe_len(&up->held) + line->rest.len > HELD_MAX) {
		pass(up, buffer, line->tags, wall_now_us() / 1000, line);
		return false;
	}
	if (line->tags.len) {
		writer_u8(&w, '@');
		writer_put(&w, line->tags);
		writer_u8(&w, ' ');
	}
	return writer_ok(&w) && irc_pipe_put(&up->held, writer_done(&w)) &&
	       irc_pipe_put(&up->held, line->rest) && irc_pipe_put(&up->held, bytes_of("", 1));
}

bool irc_gap_hear(struct irc_upstream *up, const struct irc_line *line)
{
	struct bytes ref = irc_param(line, 0), batch;
	struct irc_gap *gap;

	if (irc_verb_is(line, "CHATHISTORY")) {
		target(up, line);
		return true;
	}
	if (irc_verb_is(line, "BATCH")) {
		bool is_history = bytes_equal(irc_param(line, 1), BYTES("chathistory"));

		if (ref.len > 1 && ref.at[0] == '+' && is_history)
			batch_begins(up, line);
		gap = ref.len > 1 && ref.at[0] == '-' ? gap_of_batch(up, bytes_skip(ref, 1)) : NULL;
		if (gap)
			batch_ends(up, gap);
		return gap || is_history;
	}
	if (!up->gaps)
		return false;
	if (irc_tag_get(line->tags, "batch", &batch) && (gap = gap_of_batch(up, batch))) {
		take(up, gap, line);
		return true;
	}
	/* It will not tell: no more is to be had. */
	if (irc_verb_is(line, "FAIL") && bytes_equal_nocase(ref, BYTES("CHATHISTORY"))) {
		for (unsigned i = 2; i < line->count; i++) {
			struct irc_buffer *buffer = irc_buffer_find(up->network, line->param[i]);

			gap = buffer ? gap_of(up, buffer) : NULL;
			if (gap) {
				gap_close(up, gap);
				return true;
			}
		}
		return false;
	}
	return hold(up, line);
}

void irc_gaps_tick(struct irc_upstream *up, mono_t now)
{
	for (struct irc_gap *gap = up->gaps, *next; gap; gap = next) {
		next = gap->next;
		/* Its time begins when the server has the question. */
		if (gap->ready && (!gap->asked || up->sent < gap->goes))
			gap->deadline = in_time();
		if (!gap->lets && !mono_before(now, gap->held_until)) {
			gap_let(up, gap);
			next = up->gaps;
			irc_network_turn(up->network);
		} else if (!mono_before(now, gap->deadline)) {
			gap_close(up, gap);
			/* What was held may have changed the list, or ended it all. */
			next = up->gaps;
			irc_network_turn(up->network);
		}
	}
}

void irc_gaps_finish(struct irc_upstream *up)
{
	/* No more are asked for. */
	for (struct irc_gap *gap = up->gaps; gap; gap = gap->next)
		gap->ready = false;
	while (up->gaps && up->phase == IRC_PHASE_TALKS)
		gap_close(up, up->gaps);
}

void irc_gaps_drop(struct irc_upstream *up)
{
	while (up->gaps) {
		struct irc_gap *gap = up->gaps;

		up->gaps = gap->next;
		gap_free(gap);
	}
	irc_pipe_fini(&up->held);
}

void irc_gap_forget(struct irc_upstream *up, const struct irc_buffer *buffer)
{
	struct irc_gap *gap = gap_of(up, buffer);

	if (!gap)
		return;
	gap_unlink(up, gap);
	gap_free(gap);
}
