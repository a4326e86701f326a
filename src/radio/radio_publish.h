/* radio_publish: cuts what an encoder sends into units and publishes them in a feed.
 *
 *   bytes ─▶ buffer ─▶ framer ─▶ unit ──▶ records    a chain's HEADER units ──▶ headers
 *                                  └─ title of a Vorbis comment, or publisher_title() ──▶ notes
 *
 * The writer of one feed: of a source on its worker, of the file player on the control thread. The
 * feed is made when the format is known: from the Content-Type, or else from the first bytes; one of
 * the same format that the mount already has is gone on with. What the owner should tell others
 * (the first unit is out, a title came by) it finds in news after each call.
 *
 * It owns its buffers; the feed, once announced by PUBLISH_LIVE, is the hub's to free. */
#pragma once

#include "core/feed.h"
#include "core/mono.h"
#include "radio/proto/framer.h"

#define PUBLISH_BUFFER (FRAMER_UNIT_MAX + 32768u)
#define HEADERS_MAX    (256u << 10)
#define RUBBISH_MAX    (256u << 10) /* bytes in a row that are no unit */

#define PUBLISH_LIVE  1u /* the first unit is out: feed and first_pos hold */
#define PUBLISH_TITLE 2u /* title holds the stream's own */

struct publish_plan {
	struct bytes name;            /* of the feed */
	char type[FEED_TYPE_MAX + 1]; /* Content-Type; "": none was said */
	struct feed *old_feed;        /* to go on with when it is of the same format; or NULL */
	struct feed_shape shape;      /* of a new one */
	uint64_t writer;              /* not 0 */
	bool rejoins; /* may begin with what the old feed has already: that is left out */
};

struct publisher {
	struct publish_plan plan;
	char name[FEED_NAME_MAX + 1];
	struct feed *feed;        /* NULL: the format is not known yet */
	bool joining;             /* nothing new has come yet: see plan.rejoins */
	uint64_t join_seq;        /* the record that its next unit may be; 0: none was found yet */
	uint64_t first_pos;       /* of this writer in the feed */
	unsigned news;            /* PUBLISH_…; the owner clears it */
	char title[1024];         /* UTF-8, clean */
	char note[FEED_NOTE_MAX]; /* the last one published */
	size_t note_len;
	mono_t last_unit;
	struct framer framer;
	bool framing; /* the format is known */
	bool live;
	uint8_t *buffer; /* PUBLISH_BUFFER */
	size_t len;
	uint64_t rubbish; /* bytes skipped since the last unit */
	int64_t media_us;
	uint8_t *headers; /* HEADER units of the chain under way; HEADERS_MAX */
	size_t headers_len;
	uint64_t chain_pos;
	bool headers_open; /* not yet published */
};

enum publish_status {
	PUBLISH_OK,
	PUBLISH_RUBBISH, /* more than RUBBISH_MAX bytes in a row were no unit */
	PUBLISH_FAILED,  /* no memory, or no feed could be made */
};

/* 0, or -ENOMEM. */
MUST_CHECK int publisher_init(struct publisher *publisher, const struct publish_plan *plan);

/* Gives out what is left in the buffer: nothing more will come. Look at news once more. */
void publisher_finish(struct publisher *publisher);

/* Lets go of the feed (and frees one that never was announced) and frees the buffers. Accepts a
 * zeroed one. */
void publisher_fini(struct publisher *publisher);

/* Tells the type late, before the first byte: header lines of a SHOUTcast encoder. */
void publisher_set_type(struct publisher *publisher, struct bytes type);

/* More of the stream. */
enum publish_status publisher_put(struct publisher *publisher, struct bytes in, mono_t now);

/* The title from here on: UTF-8, clean. Before the first unit it waits for it. */
void publisher_set_title(struct publisher *publisher, struct bytes title, struct bytes url);
