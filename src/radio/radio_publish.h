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
#define MEAN_RECORD    256u         /* bytes: how many records a ring must have room for */
#define PUBLISH_HELD   16u          /* header units that a rejoining chain may begin with */
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

/* Which feed is written: noted before the first record, for who goes on after a crash. */
struct publish_place {
	uint64_t feed;
	uint64_t first_pos;
};

/* All that a publisher knows, without a pointer (radio_desk.h). */
struct publish_state {
	uint64_t first_pos; /* of this writer in the feed */
	uint64_t pos;       /* where its next record goes */
	mono_t last_unit;
	uint64_t rubbish; /* bytes skipped since the last unit */
	int64_t media_us;
	uint64_t chain_pos;
	size_t len;         /* of what waits in buffer */
	size_t headers_len; /* of HEADER units of the chain under way, in headers */
	uint32_t headers_version;
	bool headers_open; /* not yet published */
	bool framing;      /* the format is known */
	bool live;
	char type[FEED_TYPE_MAX + 1]; /* the plan's, as corrected */
	size_t note_len;              /* the last title published */
	char note[FEED_NOTE_MAX];
	struct framer framer;
};

struct publisher {
	struct publish_plan plan;
	char name[FEED_NAME_MAX + 1];
	struct feed *feed; /* NULL: the format is not known yet */
	bool joining;      /* nothing new has come yet: see plan.rejoins */
	uint64_t join_seq; /* the record that its next unit may be; 0: none was found yet */
	struct {
		uint32_t len, flags;
	} held[PUBLISH_HELD]; /* header units, in headers: of a chain that may be ours already */
	uint32_t held_count;
	unsigned news;    /* PUBLISH_…; the owner clears it */
	char title[1024]; /* UTF-8, clean */
	struct publish_state state;
	struct publish_place *place; /* NULL: nobody will go on */
	uint8_t *buffer;             /* PUBLISH_BUFFER */
	uint8_t *headers;            /* HEADERS_MAX */
};

enum publish_status {
	PUBLISH_OK,
	PUBLISH_RUBBISH, /* more than RUBBISH_MAX bytes in a row were no unit */
	PUBLISH_FAILED,  /* no memory, or no feed could be made */
};

/* 0, or -ENOMEM. */
MUST_CHECK int publisher_init(struct publisher *publisher, const struct publish_plan *plan);

/* Goes on with what was loaded from a desk. find: the feed of a number that the last server left, or
 * NULL. What is put next is what was put last, from that moment on: units that are in the feed already
 * are not published again. False: it cannot. */
MUST_CHECK bool publisher_resume(struct publisher *publisher, struct feed *(*find)(uint64_t id));

/* Undoes publisher_resume: the feed is as it was. */
void publisher_forget(struct publisher *publisher);

/* Another process writes all feeds from now on: nothing of this one changes them any more. */
void publishers_silence(void);

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
