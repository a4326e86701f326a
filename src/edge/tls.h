/* tls: the record layer of connections whose handshake is over: ours, on EVP, so that a connection is
 * a row of a shared table and no object of a library.
 *
 *   link_send ─▶ cut, seal ─▶ batch ─▶ one send() ─▶ socket      what a full socket left of a record
 *   link_recv ◀─ open, look ◀─ slot ◀──── recv() ◀───┘           that it began: in a slot, until it is out
 *
 * Three tables a worker (core/table.h), none of them in a core dump: rows (keys, sequence numbers,
 * counts), slots (a record that is half sent or half received, only while it is) and one batch (what
 * is being sent at this moment). Contexts of OpenSSL hang beside the rows in the process's own
 * memory and are made from the row when they are missing.
 *
 * How another process goes on with a connection: it opens the three tables (tls_adopt before the
 * workers start), has the descriptor under the same or another number, and uses a link of it with the
 * same row: nothing else is needed. After a crash it first says tls_recover(link, out, in) with what
 * the kernel has taken and given since the connection began (tcp_carried); the row then is exact, and
 * row->taken counts the bytes of rooms that are on their way, as tcp_carried does for a plain link.
 *
 * Rows that nobody claims are given back with tls_drop_unclaimed. Tables belong to a worker: a successor
 * with fewer workers has to start as many as there are tables. Stopping a worker takes nothing out of
 * them.
 *
 * Records that were sealed but of which the kernel took nothing are forgotten and their numbers used
 * again: no one has seen them. Runs on the worker that the connection lives on. */
#pragma once

#include "core/table.h"
#include "core/worker.h"
#include "edge/link.h"
#include "edge/tls_crypto.h"

#define TLS_ROW_LAYOUT   1u
#define TLS_SLOT_LAYOUT  1u
#define TLS_BATCH_LAYOUT 1u

#define TLS_SLOTS_MAX     (1u << 14)
#define TLS_BATCH_RECORDS 4u
#define TLS_SLOT_ROOM     16688u

#define TLS_ROW_DEAD         1u  /* nothing goes in or out any more */
#define TLS_ROW_CLOSED       2u  /* the peer has said that it sends no more */
#define TLS_ROW_OPENED       4u  /* the slot for what comes in holds data, not a record */
#define TLS_ROW_OWES_KEYS    8u  /* a key update goes out before the next data */
#define TLS_ROW_OWES_REFUSAL 16u /* a "no renegotiation" likewise */
#define TLS_ROW_MUTE         32u /* nothing goes out any more; what came in is read yet */

struct tls_row {
	uint64_t in_use; /* struct table_row */
	/* what a send needs */
	uint64_t out_seq;  /* of the next record */
	uint64_t taken;    /* bytes of rooms */
	uint64_t wire_out; /* bytes that the kernel took since the connection began */
	uint8_t out_iv[TLS_IV_LEN];
	uint32_t out_slot; /* number + 1; 0: none */
	uint32_t flags;
	uint16_t record_max; /* RFC 6066 section 4: data of one record */
	uint8_t shape;       /* enum tls_shape */
	uint8_t suite;       /* enum tls_suite */
	uint64_t given;      /* bytes to rooms */
	/* what comes in */
	uint64_t in_seq;
	uint64_t wire_in;
	uint32_t in_slot;
	uint8_t in_iv[TLS_IV_LEN];
	uint8_t head[TLS_HEADER_LEN];
	uint8_t head_len;
	uint8_t pad[2];
	struct tls_inbound inbound;
	/* what contexts and the next keys are made from */
	uint8_t out_key[TLS_KEY_MAX], in_key[TLS_KEY_MAX];
	uint8_t out_secret[TLS_SECRET_MAX], in_secret[TLS_SECRET_MAX];
	uint8_t reserved[48];
};

static_assert(offsetof(struct tls_row, in_seq) == 64, "one cache line for a send");
static_assert(sizeof(struct tls_row) % 64 == 0, "rows are whole cache lines");

struct tls_slot {
	uint64_t in_use; /* struct table_row */
	uint32_t at, len;
	uint8_t bytes[TLS_SLOT_ROOM];
};

static_assert(sizeof(struct tls_slot) % 64 == 0, "slots are whole cache lines");
static_assert(TLS_SLOT_ROOM >= TLS_SEALED_MAX + TLS_HEADER_LEN, "a slot holds any record");

/* What is being sent, written before the send: a successor finds here what the kernel may have taken
 * without our knowing. */
struct tls_batch {
	uint64_t in_use;          /* struct table_row */
	uint64_t seq;             /* of its first record */
	uint64_t taken, wire_out; /* of the row, before */
	uint32_t row;             /* number + 1; 0: nothing is being sent */
	uint32_t data_len;
	uint32_t len;
	uint32_t control; /* it is one record that is no data of a room's */
	uint8_t pad[16];
	uint8_t bytes[TLS_BATCH_RECORDS * (TLS_DATA_MAX + 64)];
};

/* What a handshake leaves. */
struct tls_start {
	enum tls_shape shape;
	enum tls_suite suite;
	uint16_t record_max;
	struct tls_keys out, in;
	uint64_t out_seq, in_seq;
	bool from_server; /* what comes in is a server's */
};

/* The descriptors of one worker's tables. */
struct tls_tables {
	int rows, slots, batch;
};

/* The worker will open these instead of making its own. Before workers start; each only once. */
void tls_adopt(unsigned worker, const struct tls_tables *tables);

/* Those of a worker that runs. Any thread. */
struct tls_tables tls_tables_of(unsigned worker);

int tls_worker_start(struct worker *worker);
RUNS_ON(on_worker) void tls_worker_stop(void);

/* Makes a row for a connection. 0 and *link, or -ENOMEM, -ENOSPC (all rows are in use). */
RUNS_ON(on_worker)
MUST_CHECK int tls_begin(int fd, const struct tls_start *start, struct link *link);

/* Takes a connection out of this worker's tables, for another worker to go on with it. link->tls is 0
 * then. NULL: no memory, and it stays. A plain link needs none of this. */
struct tls_moved;
RUNS_ON(on_worker) MUST_CHECK struct tls_moved *tls_leave(struct link *link);

/* Goes on with it; moved is freed. 0 and *link, or -ENOSPC: the connection is lost, and fd the
 * caller's to close. */
RUNS_ON(on_worker) MUST_CHECK int tls_arrive(int fd, struct tls_moved *moved, struct link *link);
void tls_moved_free(struct tls_moved *moved);

/* After a crash: out and in are what the kernel has taken and given on this descriptor. False: the
 * row and the kernel cannot both be right, the connection is lost. */
RUNS_ON(on_worker) MUST_CHECK bool tls_recover(struct link link, uint64_t out, uint64_t in);

/* A connection that the last server left goes on with its row; false: there is none, or another has
 * it. When all have been claimed: the others' rows are freed. */
RUNS_ON(on_worker) MUST_CHECK bool tls_claim(struct link link);
RUNS_ON(on_worker) void tls_drop_unclaimed(void);

/* For tests: after so many records we renew our keys (1.3). */
void tls_set_key_limit(uint64_t records);

/* --- for link.c ----------------------------------------------------------------------------- */

RUNS_ON(on_worker) uint64_t tls_taken(struct link link);
RUNS_ON(on_worker) uint64_t tls_given(struct link link);
RUNS_ON(on_worker) ssize_t tls_sendv(struct link link, const struct bytes *out, size_t count);
RUNS_ON(on_worker) int tls_flush(struct link link);
RUNS_ON(on_worker) ssize_t tls_recv(struct link link, void *buf, size_t size);
RUNS_ON(on_worker) bool tls_ready(struct link link);
RUNS_ON(on_worker) bool tls_alive(struct link link);
RUNS_ON(on_worker) void tls_end(struct link link); /* says close_notify if it can; frees the row */
