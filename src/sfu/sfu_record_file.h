/* sfu_record_file: the thread that writes recordings of rooms, and what it is handed.
 *
 *   feed of a track ─ ring_read ─▶ order ─▶ unpack ─▶ lipsync ─▶ mkv ─▶ DIRECTORY/ROOM-TIME.mkv
 *   (its own view,                 what is   frames    one        clusters, each
 *    a cursor like a               lost       │        clock      written when whole
 *    viewer's)                                └ shape: another one is another file
 *
 * Nobody waits for it: where the disk is slow it is lapped, loses pictures and counts them. A job is control's
 * until it is given, and the thread's until it comes back as a message; fields say whose they are meanwhile. */
#pragma once

#include <stdatomic.h>

#include "core/feed.h"
#include "core/mailbox.h"
#include "sfu/sfu_room.h"

#define RECORD_PATH     4096u
#define RECORD_CHANNELS 2u /* RFC 7587 7: of Opus, whatever an offer says and a packet holds */

/* One track of a publisher. */
struct record_track {
	struct feed feed; /* a view of our own: the track may go */
	enum codec codec;
	bool video;
	unsigned place;
	uint32_t clock;
	char rid[TRACK_RID_MAX + 1];
};

struct record_job {
	struct message message; /* there, and back when it is over */
	/* Said by control before it is given. */
	char room[ROOM_NAME_MAX + 1], session[SESSION_ID + 1];
	char folder[RECORD_PATH];
	char layer[TRACK_RID_MAX + 1];              /* "": the highest that is there */
	uint64_t bytes_most, files_most, keep_free; /* 0: any */
	int64_t length_us, keep_us;
	uint64_t uid;
	bool fresh; /* the publisher has just come: all that is there belongs to it */
	unsigned count;
	struct record_track track[ROOM_TRACKS_MAX];

	_Atomic bool end;       /* control says so */
	_Atomic bool wants_key; /* the thread says so, control takes it back */
	const char *ended;      /* control's: why it said so */
	/* The thread's, for people: relaxed. */
	_Atomic uint64_t bytes, frames, lost;
	_Atomic uint64_t files;
	/* When it is over: the thread's. */
	const char *why; /* NULL: control has ended it */
	int error;
	/* Between both, under the thread's lock. */
	char file[RECORD_PATH];
};

/* Views of what there is of a track. 0 or -errno. */
MUST_CHECK int record_track_open(struct record_track *out, const struct sfu_track *track);
void record_job_free(struct record_job *job);

/* The thread begins with the first job and sleeps while there is none. over is delivered on control. 0 or
 * -errno. */
MUST_CHECK int sfu_record_thread_give(struct record_job *job,
				      void (*over)(struct message *message));

/* Which file is written; "": none yet. */
void sfu_record_file(struct record_job *job, char out[RECORD_PATH]);

/* Sooner than it would. */
void sfu_record_thread_wake(void);

/* Ends all: their files are whole when it returns, and the jobs are freed; nobody is told. */
void sfu_record_thread_stop(void);
