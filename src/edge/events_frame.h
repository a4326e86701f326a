/* events_frame: between the two halves of events: texts that many readers get, and who they are.
 *
 * A frame is made on the control thread, lent to workers, never changed, and freed by whoever lets go
 * of it last. */
#pragma once

#include <stdatomic.h>

#include "core/buffer.h"
#include "edge/events.h"

struct frame {
	_Atomic unsigned refs;
	enum events_stream stream;
	uint64_t seq;
	bool snapshot;
	size_t len;
	uint8_t text[];
};

/* NULL when there is no memory for it, or was none for its text. */
struct frame *frame_make(enum events_stream stream, uint64_t seq, bool snapshot,
			 const struct buffer *text);
void frame_unref(struct frame *frame);

/* A reference of its own goes to the worker. */
void frame_post(struct frame *frame, struct worker *worker);

/* How many read; any thread. */
unsigned events_readers(enum events_stream stream);
unsigned events_readers_on(enum events_stream stream, unsigned worker);

/* A worker asks for a snapshot: on control. */
void events_answer_snapshot(enum events_stream stream, struct worker *worker);

/* What ids begin with: another one after each start. After events_start; any thread. */
const char *events_epoch(void);
