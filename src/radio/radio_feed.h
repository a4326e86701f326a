/* radio_feed: all feeds of sources and players: made and freed here, and listed in the estate, so that
 * the next server finds them.
 *
 * A feed is announced to the hub when its first unit is out, and is the hub's from then on. It comes
 * with the baton that will one day take it away from all workers, so that the end needs no memory.
 * Thread: make and free on any; the list is behind a mutex, taken once at either. */
#pragma once

#include "core/estate.h"
#include "core/feed.h"
#include "core/worker.h"

struct radio_feed {
	struct feed feed;
	uint32_t row;
	struct baton farewell;
};

extern const struct estate_kind radio_feed_kind;

/* Opens the list. 0 or -errno. */
MUST_CHECK int radio_feeds_open(void);
void radio_feeds_close(void);

/* A feed of a new number. NULL when there is no memory. */
struct feed *radio_feed_make(struct bytes name, struct bytes type, uint32_t kind,
			     const struct feed_shape *shape);

/* Closes and frees; no worker may know it. */
void radio_feed_free(struct radio_feed *radio);

/* Opens the feeds that the last server left. 0 or -errno. */
RUNS_ON(on_control) MUST_CHECK int radio_feeds_adopt(void);

/* One of those, by its number, until radio_feeds_settle(); NULL when there is none. */
struct feed *radio_feed_left(uint64_t id);

/* Calls each() for all of those. */
void radio_feeds_each(void (*each)(struct feed *feed, void *what), void *what);

/* Somebody here owns it now. */
void radio_feed_claim(struct feed *feed);

/* Frees those that nobody claimed; no worker may know them. */
RUNS_ON(on_control) void radio_feeds_settle(void (*drop)(struct feed *feed));
