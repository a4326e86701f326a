/* radio_crowd: orders and questions about listeners, which live on all workers.
 *
 *   API (control) ─▶ crowd ─▶ worker 0 ─▶ … ─▶ worker n-1 ─▶ home(crowd) (control) ─▶ answer
 *
 * A baton goes around and does to each listener that fits what it is for: copies it, ends it or moves
 * it. One that came to a worker behind the baton's back is not seen. */
#pragma once

#include "edge/api.h"
#include "edge/proto/address.h"
#include "radio/radio_listener.h"

enum crowd_deed { CROWD_COPY, CROWD_END, CROWD_MOVE };

struct crowd_copy {
	struct listener row;
	int64_t lag_ms;
	uint32_t name; /* which of names */
};

struct crowd {
	struct baton baton;
	enum crowd_deed deed;
	char mount[FEED_NAME_MAX + 1]; /* "": on all mounts */
	uint64_t id;                   /* 0: any */
	bool by_network;
	struct cidr network;
	char find[64];                     /* in address or agent, whatever the case; "": any */
	char to[FEED_NAME_MAX + 1];        /* CROWD_MOVE */
	void (*home)(struct crowd *crowd); /* on control; crowd_free() follows */
	struct call *call;
	/* what came of it */
	uint64_t done; /* to how many */
	bool no_memory;
	struct crowd_copy *copies; /* CROWD_COPY */
	size_t copy_count, copy_size;
	char (*names)[FEED_NAME_MAX + 1];
	uint32_t name_count;
	/* for home() */
	uint64_t offset, limit;
	unsigned order;
	bool descending;
};

/* NULL when there is no memory. */
struct crowd *crowd_make(enum crowd_deed deed, struct call *call,
			 void (*home)(struct crowd *crowd));
/* Goes around; then home(), and the crowd is gone. */
void crowd_send(struct crowd *crowd);
