#include "radio/radio_tail.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "radio/radio.h"

#define TAIL_LAYOUT 1u
#define PAGE        4096u

struct tail {
	uint64_t in_use;
	uint32_t owner; /* row of the listener */
	uint8_t pad[52];
	uint8_t bytes[];
};

static_assert(sizeof(struct tail) == 64, "rows are whole cache lines");

const struct estate_kind tail_short_kind = {
	.name = "radio.tails",
	.layout = TAIL_LAYOUT,
	.row_size = sizeof(struct tail) + TAIL_SHORT_MAX,
};
const struct estate_kind tail_long_kind = {
	.name = "radio.long_tails",
	.layout = TAIL_LAYOUT,
	.row_size = sizeof(struct tail) + TAIL_LONG_MAX,
};

static _Thread_local struct table short_tails, long_tails;

/* Bytes in all tails of this worker, at most its share of radio.tails. */
static _Thread_local uint64_t bytes_kept;

static struct table *table_of(const struct listener *listener)
{
	return listener->flags & LISTENER_TAIL_LONG ? &long_tails : &short_tails;
}

int tail_worker_start(const struct worker *worker, uint32_t capacity)
{
	int error = estate_table(&short_tails, &tail_short_kind, worker->id, capacity);

	if (error)
		return error;
	error = estate_table(&long_tails, &tail_long_kind, worker->id, capacity);
	if (error)
		estate_close(&short_tails);
	return error;
}

void tail_worker_stop(void)
{
	estate_close(&short_tails);
	estate_close(&long_tails);
	bytes_kept = 0;
}

bool tail_keep(struct listener *listener, uint32_t row, const struct ring *ring, uint64_t most)
{
	struct record record;
	struct tail *tail;
	struct table *table;
	uint64_t end, len;
	uint32_t at;

	if (listener->flags & LISTENER_AT_EDGE || listener->pos == ring_head_pos(ring))
		return true;
	if (!ring_find_pos(ring, listener->pos, &record))
		return false;
	if (record.pos == listener->pos)
		return true;
	end = record.pos + record.len;
	len = end - listener->pos;
	if (len > most || len > TAIL_LONG_MAX ||
	    bytes_kept + len > radio_conf()->tails / workers_count())
		return false;
	table = len > TAIL_SHORT_MAX ? &long_tails : &short_tails;
	tail = table_take(table, &at);
	if (!tail)
		return false;
	tail->owner = row;
	ring_copy(ring, listener->pos, tail->bytes, (size_t)len);
	if (!ring_keeps(ring, listener->pos, 0)) {
		table_give(table, at);
		return false;
	}
	table_settle(table, at);
	bytes_kept += len;
	listener->tail_row = at;
	listener->tail_len = (uint32_t)len;
	listener->tail_sent = 0;
	listener->tail_pos = listener->pos;
	listener->pos = end;
	listener->flags |=
		LISTENER_TAIL | LISTENER_AT_EDGE | (table == &long_tails ? LISTENER_TAIL_LONG : 0);
	return true;
}

struct bytes tail_rest(const struct listener *listener)
{
	const struct tail *tail = table_row(table_of(listener), listener->tail_row);

	return bytes_of(tail->bytes + listener->tail_sent,
			listener->tail_len - listener->tail_sent);
}

/* A long one's pages go back: few listeners ever have one, and none for long. */
static void tail_give(struct table *table, uint32_t row)
{
	table_give(table, row);
	if (table == &long_tails) {
		off_t from = (off_t)(PAGE + (size_t)row * table->row_size) + PAGE;

		from -= from % PAGE;
		(void)fallocate(table->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from,
				(off_t)(TAIL_LONG_MAX - PAGE));
	}
}

void tail_free(struct listener *listener)
{
	struct table *table = table_of(listener);

	listener->flags &= ~(LISTENER_TAIL | LISTENER_TAIL_LONG);
	bytes_kept -= listener->tail_len;
	tail_give(table, listener->tail_row);
}

static void adopt(struct table *table, bool is_long, const struct table *listeners)
{
	for (uint32_t at = 0; at < table->high; at++) {
		const struct tail *tail = table_settled(table, at);
		const struct listener *owner = tail ? table_settled(listeners, tail->owner) : NULL;

		if (tail && !(owner && owner->flags & LISTENER_TAIL && owner->tail_row == at &&
			      is_long == !!(owner->flags & LISTENER_TAIL_LONG)))
			tail_give(table, at);
	}
}

/* And a listener whose tail was just sent and given back may still say that it has one. */
void tails_adopt(const struct table *listeners)
{
	adopt(&short_tails, false, listeners);
	adopt(&long_tails, true, listeners);
	for (uint32_t row = 0; row < listeners->high; row++) {
		struct listener *listener = table_settled(listeners, row);

		if (!listener || !(listener->flags & LISTENER_TAIL))
			continue;
		if (!table_settled(table_of(listener), listener->tail_row)) {
			listener->flags &= ~(LISTENER_TAIL | LISTENER_TAIL_LONG);
			continue;
		}
		bytes_kept += listener->tail_len;
		if (listener->tail_sent >= listener->tail_len)
			tail_free(listener);
	}
}
