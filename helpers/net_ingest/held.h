/* held: decoded pictures or pieces of sound that wait for each other, in the order in which they came.
 *
 *   held_put ─▶ │ oldest … newest │ ─▶ held_first, held_drop       count ≤ size, bytes < most + one
 *
 * Bounded by their number and by their memory, as one picture may be as large as a hundred others. When it
 * is full, the oldest has to go before more may come. One thread. */
#pragma once

#include <libavutil/frame.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct held_frame {
	AVFrame *frame;
	int64_t pts_us;
	size_t bytes;
};

struct held {
	struct held_frame *at;
	size_t size, first, count;
	size_t bytes, bytes_most;
};

/* False: no memory. */
bool held_init(struct held *held, size_t size, size_t bytes_most);
void held_fini(struct held *held);

/* Takes what frame refers to. False: it is full or there is no memory, and the frame is gone. */
bool held_put(struct held *held, AVFrame *frame, int64_t pts_us);

/* The oldest, lent until it is dropped; NULL: there is none. */
struct held_frame *held_first(struct held *held);
void held_drop(struct held *held);

/* Whether no more may come. */
bool held_is_full(const struct held *held);

/* From the oldest to the newest. */
int64_t held_span_us(const struct held *held);
