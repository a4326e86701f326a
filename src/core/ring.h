/* ring: the recent past of one feed in shared memory: one writer, any number of readers, none of
 * whom the writer knows.
 *
 *   header page             index, a power of two of entries       data, a power of two of bytes
 *   ┌──────────────────┐    ┌───────────────────────────────┐      ┌─────────────┬ ─ ─ ─ ─ ─ ─ ┐
 *   │ layout, sizes    │    │ entry of record n: n % count  │      │ byte at pos │  mapped again │
 *   │ intent, head     │    │ seq pos len flags times words │      │ pos % size  │               │
 *   │ sleepers, epoch  │    └───────────────────────────────┘      └─────────────┴ ─ ─ ─ ─ ─ ─ ┘
 *   └──────────────────┘
 *
 * A record is a run of bytes with a few words about it. Records are numbered from 1 (seq) and their
 * bytes lie one behind the other at positions that count up for ever (pos). The data area is
 * mapped twice in a row, so that any run up to its size is contiguous.
 *
 * The contract (DESIGN "The ring's contract"):
 *  - The writer announces what it will overwrite (intent), writes, then publishes (head). It never
 *    waits and touches no reader.
 *  - A reader is a cursor, or a bare pos when it sends bytes. It loads head, uses what lies
 *    between, and asks afterwards whether intent passed it. If so, what it used is void.
 *  - Who gives ring memory to the kernel cannot take it back: it stays a guard distance away from
 *    intent (ring_keeps) and asks afterwards all the same.
 *  - A writer that dies at any instruction leaves a ring that is read on; ring_claim() by the next
 *    one completes or drops what was half done and counts up the epoch.
 *
 * Ownership: struct ring is one process's (or thread's) view; the memory belongs to the memfd.
 * Views may be copied and read by any thread. The writer's half is used by one thread at a time.
 * Nothing here allocates after ring_open. Only ring.c touches ring memory. */
#pragma once

#include <stdatomic.h>

#include "core/bytes.h"
#include "core/check.h"

#define RING_MAGIC  0x6e69616d676e6972ull /* "ringmain" read as little-endian */
#define RING_LAYOUT 1u

/* What the writer says of one record, and what a reader is told of it. */
struct record {
	uint64_t seq;     /* 1, 2, 3 …; set by ring_publish */
	uint64_t pos;     /* of its first byte; set by ring_publish */
	uint32_t len;     /* bytes; set by ring_publish */
	uint32_t flags;   /* RECORD_… */
	int64_t media_us; /* time in the stream, microseconds since its beginning */
	int64_t wall_us;  /* when it came in, microseconds since 1970 */
	uint64_t word[2]; /* the family's own */
};

#define RECORD_KEY    1u /* a new reader may start here */
#define RECORD_HEADER 2u /* part of the headers that a late reader needs first */
#define RECORD_CHAIN  4u /* headers before this one are void */
#define RECORD_PART   8u /* goes on with the record before it: not a place to start or stop */

struct ring_shape {
	uint64_t data_size;   /* bytes: a power of two, at least a page */
	uint32_t entry_count; /* records: a power of two, at least 64 */
};

struct ring_shared; /* the header page; its fields are ring.c's */
struct ring_entry;

struct ring {
	struct ring_shared *shared;
	struct ring_entry *index;
	uint8_t *data;
	uint64_t data_mask;
	uint64_t entry_mask;
	void *map;
	size_t map_len;
	/* the writer's own copies; a reader's view leaves them zero */
	uint64_t next_seq, next_pos, kept_seq, kept_pos;
	bool writing;
};

/* A reader: the number of the next record it wants, and where that record begins. {1, 0} is the
 * beginning of all; ring_cursor_of() is any record's. */
struct ring_cursor {
	uint64_t seq;
	uint64_t pos;
};

static inline struct ring_cursor ring_cursor_of(const struct record *record)
{
	return (struct ring_cursor){record->seq, record->pos};
}

/* What a lapped reader lost, exactly. */
struct ring_loss {
	uint64_t records;
	uint64_t bytes;
};

enum ring_status {
	RING_RECORD, /* a record was read */
	RING_EMPTY,  /* the reader has all there is */
	RING_LAPPED, /* the writer overran the reader, who was put on the oldest record kept */
	RING_SMALL, /* the record is larger than the buffer: record says how large, the cursor stays */
};

/* Bytes of file that a ring of this shape takes (a multiple of the page size); 0 when the shape is
 * not valid. */
size_t ring_file_size(const struct ring_shape *shape);

/* Writes an empty ring at offset at of fd, which must be large enough there. 0, or -EINVAL for a
 * bad shape, or -errno. */
MUST_CHECK int ring_format(int fd, int64_t at, const struct ring_shape *shape);

/* Maps the ring at offset at of fd. writable: this view may become the writer, and sleep. 0, -EPROTO when it
 * is no ring of this layout or its sizes do not fit the file, or -errno. */
MUST_CHECK int ring_open(struct ring *ring, int fd, int64_t at, bool writable);
void ring_close(struct ring *ring);

/* --- the writer ----------------------------------------------------------------------------- */

/* Becomes the writer under a name other than 0. -EBUSY when there is one and force is not set,
 * -EPROTO when what the former one left makes no sense: there is no writer then. force: the caller
 * knows that the former writer is dead. The epoch counts up. */
MUST_CHECK int ring_claim(struct ring *ring, uint64_t writer, bool force);
void ring_release(struct ring *ring);

/* Publishes one record; fills in record->seq, pos and len. Returns the sleepers to wake (see
 * ring_sleep), mostly 0. A record may be at most half the data area: -EMSGSIZE. */
MUST_CHECK int ring_publish(struct ring *ring, struct record *record, struct bytes payload,
			    uint64_t *wake);

/* --- readers -------------------------------------------------------------------------------- */

/* The seq and pos that the next record will have. */
uint64_t ring_head_seq(const struct ring *ring);
uint64_t ring_head_pos(const struct ring *ring);

/* The oldest seq and pos that the writer has not announced to overwrite. */
uint64_t ring_kept_seq(const struct ring *ring);
uint64_t ring_kept_pos(const struct ring *ring);
uint64_t ring_epoch(const struct ring *ring);

/* What is known of record seq, without its bytes. False when it is not kept (any more or yet). */
bool ring_peek(const struct ring *ring, uint64_t seq, struct record *out);

/* Copies the record at the cursor out and moves the cursor on. Exact: on RING_RECORD, record and
 * the first record->len bytes of buf are what was published. On RING_LAPPED, the cursor is on the
 * oldest kept and *loss (may be NULL) is what lies between. */
enum ring_status ring_read(const struct ring *ring, struct ring_cursor *cursor,
			   struct record *record, void *buf, size_t size, struct ring_loss *loss);

/* Bytes from pos up to the head, in place: contiguous, at most data_size. The caller loads
 * head_pos first, then asks ring_keeps() with a guard (so the two cannot lie further apart than the
 * ring is large), then uses the bytes, and asks again with 0. */
struct bytes ring_bytes(const struct ring *ring, uint64_t pos, uint64_t head_pos);

/* Copies len bytes from pos on out; ask ring_keeps(pos, 0) afterwards. */
void ring_copy(const struct ring *ring, uint64_t pos, void *to, size_t len);

/* Whether all from pos on was still whole at this moment, and intent is at least guard bytes away
 * from it. With guard 0 after use: false means that what was used is void. guard: what may be
 * written while the bytes are used, and one record of the largest kind, as intent moves by whole
 * records. In a ring whose entries run out before its bytes it is an estimate from the mean record,
 * and at most a quarter of what is kept: there, leave room. */
bool ring_keeps(const struct ring *ring, uint64_t pos, uint64_t guard);

/* The record that holds the byte at pos. False when it is not kept. */
bool ring_find_pos(const struct ring *ring, uint64_t pos, struct record *out);

/* Where a reader starts that wants at most back_bytes (and, where back_us is not 0, at most so much
 * time by wall clock) of the past: the oldest KEY record within, else the newest KEY one. False
 * when no KEY record is kept. */
bool ring_find_start(const struct ring *ring, uint64_t back_bytes, int64_t back_us,
		     struct record *out);

/* The first KEY record at or behind pos. False when there is none yet. */
bool ring_find_key(const struct ring *ring, uint64_t pos, struct record *out);

/* --- doorbells: for views that were opened writable ----------------------------------------- */

/* Says that the sleeper with this bit (0 … 63) wants to be woken by the next publish. False when
 * records from seq on are there already: do not sleep. The publisher gets the bit back once, and
 * knocks. */
bool ring_sleep(const struct ring *ring, unsigned bit, uint64_t seq);

/* Waits (futex; works between processes) until record seq is published or timeout_ms passed.
 * 0, or -ETIMEDOUT, or -EINTR. */
int ring_wait(const struct ring *ring, uint64_t seq, int timeout_ms);
