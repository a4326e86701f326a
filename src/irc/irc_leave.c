#include "irc/irc_leave.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/estate.h"
#include "core/log.h"
#include "irc/irc_buffer.h"
#include "irc/irc_gap.h"
#include "irc/irc_multiline.h"
#include "irc/irc_network.h"
#include "irc/irc_upstream.h"
#include "irc/irc_user.h"

/* Address space, of which only what is used costs memory; a network beyond is connected to anew. */
#define ROWS_MAX   16384u     /* networks of a worker */
#define HEADS_MAX  (1u << 20) /* and rings */
#define TEXT_MAX   64000u
#define SETTLES_MS 5000
#define TABLE_PAGE 4096 /* rows begin behind it */

/* Of variable length, one behind the other in a row's text. */
enum left_text {
	LEFT_USER,
	LEFT_NICK,
	LEFT_USERHOST,
	LEFT_ACCOUNT,
	LEFT_ISUPPORT,
	LEFT_IN,    /* came, and is no whole line yet */
	LEFT_OUT,   /* goes out at once */
	LEFT_QUEUE, /* in its turn */
	LEFT_CHANNELS,
	LEFT_TEXTS,
};

struct left_row {
	uint64_t in_use; /* struct table_row */
	int32_t fd;
	uint32_t tls;
	uint64_t network, label, queued, caps;
	struct irc_place place;
	struct irc_isupport is;
	uint32_t len[LEFT_TEXTS];
	bool is_away;
	uint8_t gap[3]; /* was zero before */
	uint32_t multiline_bytes, multiline_lines;
	uint8_t pad[52];
	uint8_t text[TEXT_MAX];
};

#define ROW_SIZE ((sizeof(struct left_row) + 63) / 64 * 64)

struct head_row {
	uint64_t in_use;
	uint64_t buffer, head;
	uint64_t pad[5];
};

static_assert(sizeof(struct head_row) == 64, "rows are whole cache lines");

static const struct estate_kind network_kind = {
	.name = "irc.networks",
	.layout = 1,
	.row_size = ROW_SIZE,
	.fds_at = offsetof(struct left_row, fd),
	.fds = 1,
};

static const struct estate_kind head_kind = {
	.name = "irc.heads",
	.layout = 1,
	.row_size = sizeof(struct head_row),
};

static _Thread_local struct table rows, heads;
static _Thread_local struct head_row *sorted;
static _Thread_local size_t sorted_count;
static _Thread_local mono_t settles;

void irc_leave_know(void)
{
	estate_know(&network_kind);
	estate_know(&head_kind);
}

/* --- what is said of channels ---------------------------------------------------------------- */

/* Lines that begin with a letter; one that has no room is left out with all of its channel's members, who are
 * asked for again then. */
static bool put_field(struct writer *w, char letter, const char *text)
{
	if (!text || !text[0])
		return true;
	writer_u8(w, (uint8_t)letter);
	writer_str(w, text);
	writer_u8(w, '\n');
	return writer_ok(w);
}

static bool put_members(struct writer *w, const struct irc_channel *channel)
{
	struct writer before = *w;

	for (uint32_t i = 0; i < channel->count; i++) {
		writer_u8(w, 'N');
		writer_dec(w, channel->members[i].prefix);
		writer_u8(w, ' ');
		writer_str(w, channel->members[i].nick->text);
		writer_u8(w, '\n');
	}
	writer_str(w, "E\n");
	if (writer_ok(w))
		return true;
	*w = before;
	return false;
}

static bool put_channels(struct writer *w, const struct irc_network *network)
{
	struct irc_named *named;
	uint32_t at = 0;

	while ((named = irc_index_next(&network->buffers, &at))) {
		const struct irc_buffer *buffer = container_of(named, struct irc_buffer, named);
		const struct irc_channel *channel = buffer->channel;
		char number[32];

		if (!channel)
			continue;
		snprintf(number, sizeof number, "%lld", (long long)channel->topic_at);
		if (!put_field(w, 'C', named->name) || !put_field(w, 'T', channel->topic) ||
		    !put_field(w, 'W', channel->topic_who) || !put_field(w, 'A', number) ||
		    !put_field(w, 'M', channel->modes))
			return false;
		if (channel->names_done)
			(void)put_members(w, channel);
	}
	return true;
}

/* --- leaving -------------------------------------------------------------------------------- */

static bool put_text(struct left_row *row, struct writer *w, enum left_text which,
		     struct bytes text)
{
	writer_put(w, text);
	row->len[which] = (uint32_t)text.len;
	return writer_ok(w);
}

static bool row_fill(struct left_row *row, const struct irc_network *network)
{
	const struct irc_upstream *up = network->up;
	struct writer w = writer_of(row->text, sizeof row->text);
	struct bytes in = irc_pipe_bytes(&up->in);
	size_t before;

	row->fd = up->link.fd;
	row->tls = up->link.tls;
	row->network = network->id;
	row->label = up->label;
	row->queued = up->queued;
	row->caps = up->on;
	row->place = up->place;
	row->is = network->is;
	row->is_away = network->is_away;
	row->multiline_bytes = network->multiline_bytes;
	row->multiline_lines = network->multiline_lines;
	if (!put_text(row, &w, LEFT_USER, bytes_str(network->user->name)) ||
	    !put_text(row, &w, LEFT_NICK, bytes_str(network->nick)) ||
	    !put_text(row, &w, LEFT_USERHOST, bytes_str(network->userhost)) ||
	    !put_text(row, &w, LEFT_ACCOUNT, irc_str(network->account)) ||
	    !put_text(row, &w, LEFT_ISUPPORT, irc_str(network->isupport)) ||
	    !put_text(row, &w, LEFT_IN, in))
		return false;
	/* What was set aside while the store was busy comes behind it. */
	row->len[LEFT_IN] += irc_pipe_len(&up->unheard);
	writer_put(&w, irc_pipe_bytes(&up->unheard));
	if (!put_text(row, &w, LEFT_OUT, irc_pipe_bytes(&up->out)) ||
	    !put_text(row, &w, LEFT_QUEUE, irc_pipe_bytes(&up->queue)))
		return false;
	before = w.len;
	if (!put_channels(&w, network))
		return false;
	row->len[LEFT_CHANNELS] = (uint32_t)(w.len - before);
	return true;
}

static void leave_network(struct irc_network *network)
{
	struct irc_upstream *up = network->up;
	struct left_row *row;

	/* One that is about to be told something is not left: it is made anew. */
	if (!up || up->phase != IRC_PHASE_TALKS || !up->ready || up->skips)
		return;
	row = table_take(&rows, &network->left);
	if (!row)
		return;
	if (!row_fill(row, network)) {
		table_give(&rows, network->left);
		return;
	}
	network->is_left = true;
	table_settle(&rows, network->left);
}

static void leave_head(const struct irc_buffer *buffer)
{
	struct head_row *row;
	uint32_t at;

	if (!buffer->ring.count || !(row = table_take(&heads, &at)))
		return;
	row->buffer = buffer->id;
	row->head = buffer->ring.head;
	table_settle(&heads, at);
}

void irc_leave_hush(void)
{
	struct irc_named *named;
	uint32_t at = 0;

	irc_here.hushed = true;
	while ((named = irc_index_next(&irc_here.users, &at)))
		for (struct irc_network *n = container_of(named, struct irc_user, named)->networks;
		     n; n = n->next) {
			if (!n->up)
				continue;
			irc_upstream_pause(n->up);
			irc_multiline_finish(n->up);
			if (n->up)
				irc_gaps_finish(n->up);
			/* Who goes on knows nothing of it: the lines go with the queue. */
			if (n->up && n->up->join_at.us) {
				n->up->join_at.us = 0;
				irc_network_join_all(n);
			}
		}
}

void irc_leave_all(void)
{
	struct irc_named *named, *inner;
	uint32_t at = 0;

	while ((named = irc_index_next(&irc_here.users, &at)))
		for (struct irc_network *n = container_of(named, struct irc_user, named)->networks;
		     n; n = n->next) {
			uint32_t k = 0;

			leave_network(n);
			while ((inner = irc_index_next(&n->buffers, &k)))
				leave_head(container_of(inner, struct irc_buffer, named));
		}
	irc_buffers_save();
}

/* No row is in use any more, and their pages go back. */
static void give_all(struct table *table)
{
	for (uint32_t at = 0; at < table->high; at++)
		if (table_settled(table, at)) {
			table_doubt(table, at);
			table_give(table, at);
		}
	(void)fallocate(table->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, TABLE_PAGE,
			(off_t)table->capacity * (off_t)table->row_size);
}

void irc_leave_stay(void)
{
	struct irc_named *named;
	uint32_t at = 0;

	irc_here.hushed = false;
	while ((named = irc_index_next(&irc_here.users, &at)))
		for (struct irc_network *n = container_of(named, struct irc_user, named)->networks;
		     n; n = n->next) {
			n->is_left = false;
			if (n->up)
				irc_upstream_resume(n->up);
		}
	give_all(&rows);
	give_all(&heads);
}

/* --- going on ------------------------------------------------------------------------------- */

static int by_buffer(const void *a, const void *b)
{
	const struct head_row *x = a, *y = b;

	return x->buffer < y->buffer ? -1 : x->buffer > y->buffer;
}

uint64_t irc_leave_head(uint64_t buffer)
{
	struct head_row key = {.buffer = buffer}, *found;

	if (!sorted_count)
		return 0;
	found = bsearch(&key, sorted, sorted_count, sizeof key, by_buffer);
	return found ? found->head : 0;
}

int irc_leave_open(struct worker *worker)
{
	int error = estate_table(&rows, &network_kind, worker->id, ROWS_MAX);

	if (!error)
		error = estate_table(&heads, &head_kind, worker->id, HEADS_MAX);
	if (error)
		return error;
	for (uint32_t at = 0; at < heads.high; at++)
		sorted_count += table_settled(&heads, at) != NULL;
	sorted = sorted_count ? calloc(sorted_count, sizeof *sorted) : NULL;
	if (sorted_count && !sorted)
		return -ENOMEM;
	sorted_count = 0;
	for (uint32_t at = 0; at < heads.high; at++) {
		const struct head_row *row = table_settled(&heads, at);

		if (!row)
			continue;
		sorted[sorted_count++] = *row;
		irc_id_used(IRC_ID_BUFFER, row->buffer);
	}
	if (sorted_count)
		qsort(sorted, sorted_count, sizeof *sorted, by_buffer);
	settles = mono_add_ms(mono_now(), SETTLES_MS);
	return 0;
}

void irc_leave_close(void)
{
	free(sorted);
	sorted = NULL;
	sorted_count = 0;
	estate_close(&rows);
	estate_close(&heads);
}

bool irc_leave_is_settling(void)
{
	return mono_before(mono_now(), settles);
}

static void channel_begin(struct irc_network *network, struct bytes name,
			  struct irc_buffer **buffer)
{
	*buffer = irc_buffer_make(network, name);
	if (!*buffer || !irc_channel_enter(*buffer))
		*buffer = NULL;
}

static void take_channels(struct irc_network *network, struct bytes text)
{
	struct irc_buffer *buffer = NULL;

	while (text.len) {
		struct bytes line = bytes_cut(&text, '\n'), rest = bytes_skip(line, 1);
		struct irc_channel *channel = buffer ? buffer->channel : NULL;
		uint64_t number = 0;

		if (!line.len || (!channel && line.at[0] != 'C'))
			continue;
		switch (line.at[0]) {
		case 'C': channel_begin(network, rest, &buffer); break;
		case 'T': irc_set(&channel->topic, rest); break;
		case 'W': irc_set(&channel->topic_who, rest); break;
		case 'A':
			(void)bytes_to_u64(rest, INT64_MAX, &number);
			channel->topic_at = (int64_t)number;
			break;
		case 'M': irc_set(&channel->modes, rest); break;
		case 'N':
			(void)bytes_to_u64(bytes_cut(&rest, ' '), UINT32_MAX, &number);
			(void)irc_member_put(buffer, rest, (unsigned)number);
			break;
		case 'E': channel->names_done = true; break;
		default: break;
		}
	}
}

/* Those whose members had no room in the row. */
static void ask_names(struct irc_network *network)
{
	struct irc_named *named;
	uint32_t at = 0;

	while (network->up && (named = irc_index_next(&network->buffers, &at))) {
		const struct irc_buffer *buffer = container_of(named, struct irc_buffer, named);

		if (buffer->channel && !buffer->channel->names_done)
			irc_upstream_later(network->up, "NAMES %s", named->name);
	}
}

static struct bytes text_of(const struct left_row *row, enum left_text which)
{
	size_t at = 0;

	for (unsigned i = 0; i < which; i++)
		at += row->len[i];
	if (at + row->len[which] > TEXT_MAX)
		return bytes_of(row->text, 0);
	return bytes_of(row->text + at, row->len[which]);
}

/* False: there is no such network any more, or no memory. */
RUNS_ON(on_worker) static bool adopt(const struct left_row *row)
{
	struct irc_user *user = irc_user_find(text_of(row, LEFT_USER));
	struct irc_network *network = user ? irc_network_of_id(user, row->network) : NULL;
	struct irc_upstream_left left = {
		.link = {row->fd, row->tls},
		.place = row->place,
		.caps = row->caps,
		.label = row->label,
		.queued = (uint32_t)row->queued,
		.in = text_of(row, LEFT_IN),
		.out = text_of(row, LEFT_OUT),
		.queue = text_of(row, LEFT_QUEUE),
	};

	if (!network || !network->conf.enabled || network->up)
		return false;
	network->is = row->is;
	irc_index_rehash(&network->buffers, network->is.casemap);
	irc_index_rehash(&network->nicks, network->is.casemap);
	irc_index_rehash(&network->watches, network->is.casemap);
	irc_set(&network->nick, text_of(row, LEFT_NICK));
	irc_set(&network->userhost, text_of(row, LEFT_USERHOST));
	irc_set(&network->account, text_of(row, LEFT_ACCOUNT));
	irc_set(&network->isupport, text_of(row, LEFT_ISUPPORT));
	network->caps = row->caps;
	network->is_away = row->is_away;
	network->multiline_bytes = row->multiline_bytes;
	network->multiline_lines = row->multiline_lines;
	/* With which words is asked for again when it changes. */
	irc_set(&network->away_said, row->is_away ? BYTES("*") : BYTES(""));
	network->welcome_done = true;
	take_channels(network, text_of(row, LEFT_CHANNELS));
	if (!irc_upstream_adopt(network, &left)) {
		irc_network_forget(network);
		return false;
	}
	ask_names(network);
	return true;
}

void irc_leave_adopt(void)
{
	uint32_t moved = 0;

	enter_worker();
	for (uint32_t at = 0; at < rows.high; at++) {
		const struct left_row *row = table_settled(&rows, at);

		if (!row)
			continue;
		/* Ours from here on, and no row's. */
		table_doubt(&rows, at);
		if (!link_adopt((struct link){row->fd, row->tls}, estate_of_crashed()))
			close(row->fd);
		else if (adopt(row))
			moved++;
		else
			link_close_gently((struct link){row->fd, row->tls});
		table_give(&rows, at);
	}
	give_all(&rows);
	give_all(&heads);
	free(sorted);
	sorted = NULL;
	sorted_count = 0;
	if (moved)
		log_info("irc", "networks kept", kv_u64("count", moved));
}
