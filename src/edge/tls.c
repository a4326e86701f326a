#include "edge/tls.h"

#include <errno.h>
#include <sys/mman.h>

#include "core/metric.h"
#include "edge/edge.h"
#include "edge/tls_part.h"

#define ROWS_MAX (1u << 20)

/* RFC 8446 section 5.5 gives AES-GCM 2^24.5 records; this is well before. */
uint64_t tls_key_limit = 1u << 23;

_Thread_local struct tls_worker tls_here;
static struct tls_tables adopted[WORKERS_MAX];
static bool is_adopted[WORKERS_MAX];
static struct tls_tables running[WORKERS_MAX];

/* --- tables --------------------------------------------------------------------------------- */

void tls_adopt(unsigned worker, const struct tls_tables *tables)
{
	adopted[worker] = *tables;
	is_adopted[worker] = true;
}

struct tls_tables tls_tables_of(unsigned worker)
{
	return running[worker];
}

void tls_set_key_limit(uint64_t records)
{
	tls_key_limit = records;
}

static uint32_t at_most(uint64_t n, uint32_t most)
{
	return n < most ? (uint32_t)n : most;
}

static int tables_open(struct tls_worker *worker, const struct tls_tables *fds)
{
	int error = table_open(&worker->rows, fds->rows, TLS_ROW_LAYOUT, sizeof(struct tls_row));

	if (!error)
		error = table_open(&worker->slots, fds->slots, TLS_SLOT_LAYOUT,
				   sizeof(struct tls_slot));
	if (!error)
		error = table_open(&worker->batches, fds->batch, TLS_BATCH_LAYOUT,
				   sizeof(struct tls_batch));
	if (!error && worker->batches.used != 1)
		error = -EPROTO;
	if (!error)
		worker->batch = table_row(&worker->batches, 0);
	return error;
}

static int tables_make(struct tls_worker *worker)
{
	uint64_t connections = edge_settings()->conf.http_connections;
	uint32_t row;
	int error = table_create(&worker->rows, TLS_ROW_LAYOUT, sizeof(struct tls_row),
				 at_most(connections, ROWS_MAX));

	if (!error)
		error = table_create(&worker->slots, TLS_SLOT_LAYOUT, sizeof(struct tls_slot),
				     at_most(2 * connections, TLS_SLOTS_MAX));
	if (!error)
		error = table_create(&worker->batches, TLS_BATCH_LAYOUT, sizeof(struct tls_batch),
				     1);
	if (!error)
		worker->batch = table_take(&worker->batches, &row);
	if (worker->batch)
		table_settle(&worker->batches, row);
	return error;
}

static void tables_close(struct tls_worker *worker)
{
	table_close(&worker->rows);
	table_close(&worker->slots);
	table_close(&worker->batches);
	free(worker->sides);
	*worker = (struct tls_worker){0};
}

/* Keys are in it: no core dump shows them. */
static void table_hide(const struct table *table)
{
	(void)madvise(table->map + table->row_size * (size_t)table->capacity - table->map_len,
		      table->map_len, MADV_DONTDUMP);
}

int tls_worker_start(struct worker *worker)
{
	unsigned id = worker->id;
	int error;

	tls_here = (struct tls_worker){.rows.fd = -1, .slots.fd = -1, .batches.fd = -1};
	error = is_adopted[id] ? tables_open(&tls_here, &adopted[id]) : tables_make(&tls_here);
	is_adopted[id] = false;
	if (!error) {
		tls_here.sides = calloc(tls_here.rows.capacity, sizeof *tls_here.sides);
		error = tls_here.sides ? 0 : -ENOMEM;
	}
	if (error) {
		tables_close(&tls_here);
		return error;
	}
	/* What was taken over is there. */
	metric_add(METRIC_edge_tls_connections, tls_here.rows.used);
	metric_add(METRIC_edge_tls_slots, tls_here.slots.used);
	table_hide(&tls_here.rows);
	table_hide(&tls_here.slots);
	table_hide(&tls_here.batches);
	running[id] = (struct tls_tables){tls_here.rows.fd, tls_here.slots.fd, tls_here.batches.fd};
	return 0;
}

void tls_worker_stop(void)
{
	for (uint32_t i = 0; i < tls_here.rows.high; i++) {
		tls_side_forget(&tls_here.sides[i].seals);
		tls_side_forget(&tls_here.sides[i].opens);
	}
	tables_close(&tls_here);
}

/* --- parts ---------------------------------------------------------------------------------- */

struct tls_row *tls_row_of(struct link link)
{
	return table_row(&tls_here.rows, link.tls - 1);
}

struct tls_slot *tls_slot_of(uint32_t number)
{
	return table_row(&tls_here.slots, number - 1);
}

struct tls_slot *tls_slot_take(uint32_t *number)
{
	uint32_t row;
	struct tls_slot *slot = table_take(&tls_here.slots, &row);

	if (!slot) {
		metric_add(METRIC_edge_out_of_memory, 1);
		return NULL;
	}
	table_settle(&tls_here.slots, row);
	*number = row + 1;
	metric_add(METRIC_edge_tls_slots, 1);
	return slot;
}

void tls_slot_give(uint32_t *number)
{
	if (*number == 0)
		return;
	table_give(&tls_here.slots, *number - 1);
	metric_add(METRIC_edge_tls_slots, -1);
	*number = 0;
}

void tls_side_forget(EVP_CIPHER_CTX **context)
{
	if (*context)
		tls_cipher_destroy(context);
}

/* --- life ----------------------------------------------------------------------------------- */

int tls_begin(int fd, const struct tls_start *start, struct link *link)
{
	uint32_t number;
	struct tls_row *row = table_take(&tls_here.rows, &number);

	if (!row)
		return -ENOSPC;
	row->shape = (uint8_t)start->shape;
	row->suite = (uint8_t)start->suite;
	row->record_max = start->record_max;
	row->out_seq = start->out_seq;
	row->in_seq = start->in_seq;
	row->inbound.from_server = start->from_server;
	memcpy(row->out_iv, start->out.iv, sizeof row->out_iv);
	memcpy(row->in_iv, start->in.iv, sizeof row->in_iv);
	memcpy(row->out_key, start->out.key, sizeof row->out_key);
	memcpy(row->in_key, start->in.key, sizeof row->in_key);
	memcpy(row->out_secret, start->out.secret, sizeof row->out_secret);
	memcpy(row->in_secret, start->in.secret, sizeof row->in_secret);
	/* Without, the row counts from here: no successor can correct it then, but all else works. */
	if (!tcp_carried(fd, &row->wire_out, &row->wire_in))
		row->wire_out = row->wire_in = 0;
	tls_here.sides[number].claimed = true;
	table_settle(&tls_here.rows, number);
	metric_add(METRIC_edge_tls_connections, 1);
	*link = (struct link){.fd = fd, .tls = number + 1};
	return 0;
}

void tls_fail(struct link link, enum tls_alert alert)
{
	struct tls_row *row = tls_row_of(link);
	uint8_t message[2];

	if (row->flags & TLS_ROW_DEAD)
		return;
	tls_alert_write(message, alert);
	if (tls_flush(link) == 1)
		(void)!tls_send_control(link, TLS_ALERT, bytes_of(message, sizeof message));
	row->flags |= TLS_ROW_DEAD;
	metric_add(METRIC_edge_tls_faults, 1);
}

RUNS_ON(on_worker) static void row_give(uint32_t tls)
{
	struct tls_row *row = table_row(&tls_here.rows, tls - 1);
	struct tls_side *side = &tls_here.sides[tls - 1];

	tls_slot_give(&row->out_slot);
	tls_slot_give(&row->in_slot);
	tls_side_forget(&side->seals);
	tls_side_forget(&side->opens);
	table_doubt(&tls_here.rows, tls - 1);
	tls_wipe(&row->out_seq, sizeof *row - offsetof(struct tls_row, out_seq));
	table_give(&tls_here.rows, tls - 1);
	side->claimed = false;
	metric_add(METRIC_edge_tls_connections, -1);
}

void tls_end(struct link link)
{
	const struct tls_row *row = tls_row_of(link);
	uint8_t message[2];

	tls_alert_write(message, TLS_CLOSE_NOTIFY);
	if (!(row->flags & TLS_ROW_DEAD) && tls_flush(link) == 1)
		(void)!tls_send_control(link, TLS_ALERT, bytes_of(message, sizeof message));
	row_give(link.tls);
}

/* --- from worker to worker ------------------------------------------------------------------ */

struct tls_moved {
	struct tls_row row;
	struct tls_slot out, in;
};

static void slot_copy(struct tls_slot *to, const struct tls_slot *from)
{
	to->at = from->at;
	to->len = from->len;
	memcpy(to->bytes, from->bytes, from->len);
}

void tls_moved_free(struct tls_moved *moved)
{
	if (!moved)
		return;
	tls_wipe(moved, sizeof *moved);
	free(moved);
}

struct tls_moved *tls_leave(struct link *link)
{
	struct tls_row *row = tls_row_of(*link);
	struct tls_moved *moved = malloc(sizeof *moved);

	if (!moved)
		return NULL;
	moved->row = *row;
	if (row->out_slot)
		slot_copy(&moved->out, tls_slot_of(row->out_slot));
	if (row->in_slot)
		slot_copy(&moved->in, tls_slot_of(row->in_slot));
	row_give(link->tls);
	link->tls = 0;
	return moved;
}

/* A slot for what was in one; false: there is none left. */
RUNS_ON(on_worker) static bool slot_arrive(uint32_t *number, const struct tls_slot *from)
{
	struct tls_slot *slot = NULL;

	if (*number == 0)
		return true;
	*number = 0;
	slot = tls_slot_take(number);
	if (slot)
		slot_copy(slot, from);
	return slot != NULL;
}

int tls_arrive(int fd, struct tls_moved *moved, struct link *link)
{
	uint32_t number;
	struct tls_row *row = table_take(&tls_here.rows, &number);
	bool whole = false;

	if (row) {
		memcpy(&row->out_seq, &moved->row.out_seq,
		       sizeof *row - offsetof(struct tls_row, out_seq));
		whole = slot_arrive(&row->out_slot, &moved->out);
		if (!whole)
			row->in_slot = 0;
		whole = whole && slot_arrive(&row->in_slot, &moved->in);
		tls_here.sides[number].claimed = true;
		table_settle(&tls_here.rows, number);
		metric_add(METRIC_edge_tls_connections, 1);
	}
	tls_moved_free(moved);
	if (row && !whole)
		row_give(number + 1);
	if (!whole)
		return -ENOSPC;
	*link = (struct link){.fd = fd, .tls = number + 1};
	return 0;
}

/* --- after a crash -------------------------------------------------------------------------- */

/* The slot of what goes out may have been sent further than it says, a batch not be booked, and what
 * came in lie behind what is known of it. */
bool tls_recover(struct link link, uint64_t out, uint64_t in)
{
	struct tls_row *row = tls_row_of(link);
	uint64_t more_out = out - row->wire_out, more_in = in - row->wire_in;
	struct tls_batch *batch = tls_here.batch;

	if (out < row->wire_out || in < row->wire_in)
		return false;
	if (batch->row == link.tls) {
		uint64_t n = out - batch->wire_out;

		if (out < batch->wire_out || n > batch->len || tls_batch_book(row, (size_t)n) < 0)
			return false;
	} else if (more_out) {
		struct tls_slot *slot = row->out_slot ? tls_slot_of(row->out_slot) : NULL;

		if (!slot || more_out > slot->len - slot->at)
			return false;
		slot->at += (uint32_t)more_out;
		row->wire_out = out;
	}
	if (more_in == 0)
		return true;
	if (row->head_len < TLS_HEADER_LEN) {
		if (more_in > TLS_HEADER_LEN - row->head_len)
			return false;
		row->head_len = (uint8_t)(row->head_len + more_in);
	} else {
		struct tls_slot *slot = row->in_slot ? tls_slot_of(row->in_slot) : NULL;

		if (!slot || more_in > TLS_SLOT_ROOM - slot->len)
			return false;
		slot->len += (uint32_t)more_in;
	}
	row->wire_in = in;
	return true;
}

/* --- what the last server left -------------------------------------------------------------- */

bool tls_claim(struct link link)
{
	if (link.tls == 0 || !table_settled(&tls_here.rows, link.tls - 1) ||
	    tls_here.sides[link.tls - 1].claimed)
		return false;
	tls_here.sides[link.tls - 1].claimed = true;
	metric_add(METRIC_edge_tls_connections, 1);
	return true;
}

uint64_t tls_taken(struct link link)
{
	return tls_row_of(link)->taken;
}

uint64_t tls_given(struct link link)
{
	return tls_row_of(link)->given;
}

/* A row that counts no slot that is not its own. */
RUNS_ON(on_worker) static bool slot_is_used(uint32_t number)
{
	for (uint32_t at = 0; at < tls_here.rows.high; at++) {
		const struct tls_row *row = table_settled(&tls_here.rows, at);

		if (row && (row->out_slot == number || row->in_slot == number))
			return true;
	}
	return false;
}

void tls_drop_unclaimed(void)
{
	for (uint32_t at = 0; at < tls_here.rows.high; at++) {
		struct tls_row *row = table_settled(&tls_here.rows, at);

		if (!row || tls_here.sides[at].claimed)
			continue;
		table_doubt(&tls_here.rows, at);
		tls_wipe(&row->out_seq, sizeof *row - offsetof(struct tls_row, out_seq));
		table_give(&tls_here.rows, at);
	}
	for (uint32_t at = 0; at < tls_here.slots.high; at++) {
		if (!table_settled(&tls_here.slots, at))
			continue;
		if (slot_is_used(at + 1))
			metric_add(METRIC_edge_tls_slots, 1);
		else
			table_give(&tls_here.slots, at);
	}
	tls_here.batch->row = 0;
}
