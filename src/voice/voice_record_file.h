/* voice_record_file: the thread that writes recordings; what workers and control hand it.
 *
 * Orders are taken under a lock, packets out of a ring for each worker (one writer, one reader). Only
 * control gives orders; a recording's number is never used twice. */
#pragma once

#include "core/mono.h"
#include "voice/voice_peer.h"

#define RECORD_NAME 256u

enum record_order_kind { RECORD_BEGIN, RECORD_SPEAKER, RECORD_END };

struct record_order {
	enum record_order_kind kind;
	uint32_t record;
	uint32_t session;       /* of a speaker */
	mono_t began;           /* with BEGIN */
	char name[RECORD_NAME]; /* the speaker's, or the room's */
	char folder[4096];      /* with BEGIN: made already */
};

/* Runs on control when the files of a recording could not be written on. */
struct record_fault {
	struct message message;
	uint32_t record;
	int error;
};

/* Starts the thread if it does not run. fault is delivered on control, and freed there. 0 or -errno. */
MUST_CHECK int record_thread_start(void (*fault)(struct message *message));

/* False: no memory. */
bool record_order(const struct record_order *order);

/* A packet of a worker's; false: its ring is full. */
RUNS_ON(on_worker)
bool record_packet(uint32_t record, uint32_t session, uint64_t frame, bool last,
		   struct bytes payload);

/* Writes all that there is, closes all files, ends the thread. */
void record_thread_stop(void);
/* When no worker can call record_packet any more. */
void record_thread_fini(void);
