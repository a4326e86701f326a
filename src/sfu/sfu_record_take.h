/* sfu_record_take: one track of a recording: frames, in order and with their times, out of its feed.
 *
 *   records as they came ─▶ order: waits a second for what is lost ─▶ unpack ─▶ held: the next frame
 *
 * Behind a loss pictures are left out until one that a decoder can begin with. Thread: the recorder's. */
#pragma once

#include "sfu/proto/lipsync.h"
#include "sfu/proto/order.h"
#include "sfu/proto/shape.h"
#include "sfu/proto/unpack.h"
#include "sfu/sfu_record_file.h"

#define TAKE_FRAME_MAX (4u << 20)
#define TAKE_WAIT_US   1000000 /* for what is lost: longer than it is asked for again */

struct take {
	const struct record_track *of;
	struct ring_cursor cursor; /* what is known of the feed */
	struct ring_cursor notes;
	struct order order;
	struct unpack unpack;
	struct lipsync sync;
	uint8_t *room;
	uint8_t packet[2048];
	size_t packet_len; /* 0: none waits */
	int64_t packet_ts, packet_wall_us;
	bool packet_marker;
	int packet_turn; /* how it is to be turned, in quarters clockwise; -1: nobody says */
	bool needs_key;
	bool complained; /* that it says no shape */

	/* What is next: lies in room. */
	bool held, shaped; /* shaped: shape was read from a frame */
	struct unpacked frame;
	int64_t frame_wall_us;     /* when its last packet came */
	struct shape shape, filed; /* filed: the file's */
	unsigned turn, filed_turn; /* likewise */
	uint64_t lost;             /* frames and packets, since it was asked */
	int number;                /* of the file's track; -1: it is not in it */
};

/* False: no memory. fresh: from the first record that is there. */
bool take_begin(struct take *take, const struct record_track *of, bool fresh);
void take_end(struct take *take);

/* From the newest place to begin, or where one comes. */
void take_again(struct take *take);

/* Whether there is a frame; of pictures the first is a key picture that says its shape. all: what is not
 * there now does not come any more. */
bool take_hold(struct take *take, int64_t wall_us, bool all);

/* Whether the publisher has said what its clock is. */
bool take_is_told(const struct take *take);
/* What is held lies there; unless the publisher has said where. */
void take_place(struct take *take, struct lipsync_base *base, int64_t us);
/* What the publisher says of its clock since. fresh: no time was asked for yet. */
void take_listen(struct take *take, struct lipsync_base *base, bool fresh);

/* When its last packet came, wall time; 0: none. */
int64_t take_last_us(const struct take *take);
/* Whether half of what the feed keeps lies before us. */
bool take_is_late(const struct take *take);
