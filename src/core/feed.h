/* feed: a named ring with its format, and the two small rings that belong to it.
 *
 *   memfd:  ┌ page ┐┌── records ──────────────┐┌─ notes ─┐┌─ headers ─┐
 *           │ name ││ what is sent to readers ││ words   ││ what a    │
 *           │ type ││                         ││ bound to││ late      │
 *           └──────┘└─────────────────────────┘│ a place ││ reader    │
 *                                              └─────────┘│ needs     │
 *                                                         └───────────┘
 * All three keep the contract of ring.h and have the same one writer. A note (a title, say) has in
 * word[0] the position in records from which on it holds. A header record is the whole run of
 * header bytes of one chain; word[0] is the position in records where that chain begins, word[1]
 * the one where its headers end. A note can therefore be late or lost and the records are not.
 *
 * Ownership: struct feed is one view; the memory lives as long as any descriptor or mapping. The
 * name and type never change: another format is another feed. Thread: as ring.h. */
#pragma once

#include "core/ring.h"

#define FEED_NAME_MAX 255
#define FEED_TYPE_MAX 127
#define FEED_NOTE_MAX 8192 /* bytes of one note */

enum feed_ring { FEED_RECORDS, FEED_NOTES, FEED_HEADERS, FEED_RINGS };

struct feed_shape {
	struct ring_shape ring[FEED_RINGS];
};

struct feed {
	int fd;
	uint64_t id; /* unique in this server: what a cursor in a table refers to */
	char name[FEED_NAME_MAX + 1];
	char type[FEED_TYPE_MAX + 1];
	uint32_t kind; /* the family's own word for the format */
	struct ring ring[FEED_RINGS];
};

/* A shape for records_size bytes of past, rounded up to a power of two, with records of about
 * mean_len bytes and headers of up to headers_max bytes. */
struct feed_shape feed_shape_for(uint64_t records_size, uint32_t mean_len, uint64_t headers_max);

/* Makes a feed in a new memfd. 0, -EINVAL for a bad shape or too long a name or type, or -errno. */
MUST_CHECK int feed_create(struct feed *feed, uint64_t id, struct bytes name, struct bytes type,
			   uint32_t kind, const struct feed_shape *shape);

/* A view of the feed in fd, which stays the caller's when this fails and is the feed's when not.
 * 0, -EPROTO when it is no feed of this layout, or -errno. */
MUST_CHECK int feed_open(struct feed *feed, int fd);

/* Unmaps and closes. Accepts a zeroed feed. */
void feed_close(struct feed *feed);

/* The newest note that holds at records position pos. False when there is none or it is gone. */
bool feed_note_at(const struct feed *feed, uint64_t pos, struct record *note);

/* The headers of the chain that position pos lies in. False when that chain has none. */
bool feed_headers_at(const struct feed *feed, uint64_t pos, struct record *headers);
