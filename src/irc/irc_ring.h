/* irc_ring: the recent past of one channel or query, in this worker's memory: core/ring's contract for a
 * feed that one thread writes and reads, so that it can be small and grow.
 *
 *   index: entries                            data: bytes
 *   line n at n % count: off len kind time    tags and line at off, never cut by the end
 *
 * Lines are numbered from 1 on without end (seq), also beyond what is kept: seq is a line's place in the
 * store too. A reader is a seq, nothing else; one below irc_ring_kept() was lapped and pages from the
 * store. Nothing is allocated before the first line; the ring grows by quarters up to its limit, and then
 * the oldest lines go. Thread: the worker's. */
#pragma once

#include "core/bytes.h"
#include "core/check.h"

struct irc_record {
	uint64_t seq;
	int64_t at_ms;
	uint32_t kind;   /* irc_kind.h */
	uint32_t origin; /* the connection that said it; 0: none of ours */
	struct bytes tags, line;
};

struct irc_entry;

struct irc_ring {
	uint8_t *data;
	struct irc_entry *index;
	uint32_t size, count; /* of data and index; 0: nothing yet */
	uint64_t head, kept;  /* seqs: the next one; the oldest that is there */
	uint64_t head_pos;    /* where the next one's bytes go */
	uint64_t kept_pos;
	uint32_t slot; /* its number among the rings of its network; for readers */
};

/* first: the seq of the first line. */
void irc_ring_init(struct irc_ring *ring, uint64_t first);
void irc_ring_fini(struct irc_ring *ring);

/* Puts a line in (its seq is set here), growing to at most limit bytes of data. False: no memory and
 * nothing kept to give up for it, or longer than half the limit. */
MUST_CHECK bool irc_ring_put(struct irc_ring *ring, struct irc_record *record, uint32_t limit);

/* The line of that seq; false: it is not kept, or not there yet. Holds until the next put. */
bool irc_ring_get(const struct irc_ring *ring, uint64_t seq, struct irc_record *record);

/* Bytes of data from the line of that seq on. */
uint64_t irc_ring_bytes_from(const struct irc_ring *ring, uint64_t seq);

/* Lets go of all lines before that seq. */
void irc_ring_forget(struct irc_ring *ring, uint64_t before);

/* Bytes of memory. */
size_t irc_ring_memory(const struct irc_ring *ring);
