/* radio_tap: one worker's view of one feed that somebody here listens to.
 *
 * It keeps the last few titles of the feed as ready ICY blocks, so that a title is formatted once a
 * worker and not once a listener, and it knows whether the feed is over. Lives on its worker; the
 * feed's memory is the control thread's, who sends a baton before it goes away. */
#pragma once

#include "core/feed.h"
#include "core/worker.h"
#include "radio/proto/icy.h"

#define TAP_TITLES 4u

struct tap_title {
	uint64_t seq; /* of the note; 0: none */
	uint64_t pos; /* from where on it holds */
	uint32_t len; /* of block */
	uint8_t block[ICY_BLOCK_MAX];
};

struct tap {
	struct tap *next;
	struct feed *feed;
	uint64_t id; /* feed->id */
	bool ended;  /* no more will be published */
	unsigned title_next;
	struct tap_title titles[TAP_TITLES];
};

/* The tap on a feed, made when it is not there; NULL when there is no memory. */
RUNS_ON(on_worker) struct tap *tap_open(struct feed *feed);
RUNS_ON(on_worker) struct tap *tap_find(uint64_t feed_id);
RUNS_ON(on_worker) void tap_close(uint64_t feed_id);
RUNS_ON(on_worker) void tap_close_all(void);

static inline const struct ring *tap_ring(const struct tap *tap)
{
	return &tap->feed->ring[FEED_RECORDS];
}

/* The title that holds at pos; NULL when there is none. */
RUNS_ON(on_worker) const struct tap_title *tap_title_at(struct tap *tap, uint64_t pos);

/* The title with this number, if it is still known. */
RUNS_ON(on_worker) const struct tap_title *tap_title_seq(struct tap *tap, uint64_t seq);

/* A note's payload is the title, a NUL, and the URL. */
bool tap_note_text(const struct feed *feed, const struct record *note, char *buf, size_t size,
		   struct bytes *title, struct bytes *url);
