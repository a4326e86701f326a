/* sfu_room: HUB. Rooms, who publishes and watches in them, and what of that the workers know.
 *
 *   control: POST ─▶ session ─ peer ─▶ its worker         rooms ── tuning (baton) ──▶ all workers
 *            gone ◀── room_peer_gone ──┘                          tracks that are over: the same baton
 *                                                                 takes them from all, then they are freed
 *
 * A room is there while somebody is in it. Its publisher's media are its tracks; when it goes they go,
 * and the viewers stay and wait for the next one. Workers have their own part of each room and track,
 * and know of changes by batons only: what has been round is known to all.
 *
 * Owner: the control thread, all calls but those for workers. */
#pragma once

#include <limits.h>

#include "core/worker.h"
#include "sfu/proto/answer.h"
#include "sfu/sfu_conf.h"
#include "sfu/sfu_peer.h"
#include "sfu/sfu_seen.h"
#include "sfu/sfu_shelf.h"
#include "sfu/sfu_track.h"

struct cascade;
struct sse_stream;

#define ROOM_TRACKS_MAX SOURCE_TRACKS_MAX
#define SESSION_ID      32u /* hexadecimal digits: 128 bits, which nobody guesses */

/* What a worker has of a room. */
struct room_here {
	struct sfu_sender *senders; /* by sfu_sender.next_room */
	struct sfu_track *tracks[ROOM_TRACKS_MAX];
	unsigned count;
};

struct sfu_room {
	struct sfu_room *prev, *next;
	struct shelf_link shelf;
	char name[ROOM_NAME_MAX + 1];
	struct sfu_session *publisher; /* NULL: nobody */
	struct sfu_session *edges;     /* by next_edge */
	struct sfu_track *tracks[ROOM_TRACKS_MAX];
	unsigned track_count;
	uint64_t viewers, ways; /* ways: of plain RTP out, which are no viewers */
	uint64_t sessions;      /* all, that are not freed */
	unsigned batons;        /* under way */
	int64_t since_us;
	struct room_here here[];
};

struct tuning;

/* A publisher or viewer, as HTTP knows it. */
struct sfu_session {
	struct message message;          /* from its worker: it is gone */
	struct message farewell;         /* to it: free the peer */
	struct message news;             /* from it: it is up */
	struct message last;             /* to it: end, because of */
	struct sfu_session *prev, *next; /* of all */
	struct shelf_links shelf;
	char id[SESSION_ID + 1];
	char etag[20];
	enum peer_role role;
	struct sfu_room *room;
	struct sfu_peer *peer;
	struct worker *worker;
	char ufrag[ICE_UFRAG + 1], pwd[ICE_PWD + 1];
	char subuuid[64]; /* the name that a viewer gave itself, for /switchRoom */
	char agent[64];
	struct address from;
	int64_t since_us;
	struct tuning *end; /* of a publisher: takes its tracks from all */
	struct cascade *
		cascade; /* of a publisher that is another server's room; NULL: it came by itself */
	bool edge; /* of a viewer that is a server: ends with the publisher, never goes to another room */
	struct sfu_session *next_edge, **at_edge; /* of its room's */
	bool each;                                /* likewise: each of its media is one track */
	bool dialled; /* we called it, or it has no keys: see session_order */
	bool up, ending, gone;
	const char *because;       /* of the order to end; of ours */
	const char *why;           /* it has ended; of the worker's */
	struct seen seen;          /* of a viewer that tells */
	struct sse_stream *stream; /* of a viewer that is told of its room; NULL: none */
};

/* --- rooms ---------------------------------------------------------------------------------------------- */

RUNS_ON(on_control) struct sfu_room *room_first(void);
RUNS_ON(on_control) struct sfu_room *room_find(struct bytes name);
/* Whether one of the pictures that are published there comes in several sizes. */
RUNS_ON(on_control) bool room_has_layers(struct bytes name);

RUNS_ON(on_control) uint64_t room_count(void);

/* Counts up whenever a room comes, goes, or gets or loses its publisher. */
RUNS_ON(on_control) uint64_t room_serial(void);
/* It does when what is said of a room elsewhere is another. */
RUNS_ON(on_control) void room_changed(void);

/* How many tracks of each kind there are; and in which order they go to a server that asks for each: audios
 * first. */
RUNS_ON(on_control)
void room_tracks(const struct sfu_room *room, unsigned *audios, unsigned *videos);
RUNS_ON(on_control)
const struct sfu_track *room_track(const struct sfu_room *room, bool video, unsigned n);

/* --- sessions ------------------------------------------------------------------------------------------- */

/* By which a peer is asked for before there is a session. */
struct session_names {
	struct worker *worker;
	char ufrag[ICE_UFRAG + 1], pwd[ICE_PWD + 1];
};

RUNS_ON(on_control) void session_names_make(struct session_names *names);

struct session_order {
	enum peer_role role;
	struct bytes room;
	const struct sdp *offer;
	const struct answer *answer; /* ssrcs are filled in for a viewer */
	struct address from;
	struct bytes agent, subuuid;
	bool edge; /* a viewer that is a server: gets what there is, in one codec, and does not wait */
	/* Of one that we call or that has no keys, else NULL. dial is the peer's if it begins, else the
	 * caller's. A viewer of ours waits for whatever comes. */
	const struct session_names *names;
	struct sfu_dial *dial;
	struct cascade *cascade;
	/* Of another server's room: whose layer each medium is; NULL: each is a video of its own. */
	const struct room_layer *layers;
	bool each; /* edge: each medium is one track, all of them; see room_track */
};

/* Which of a room's tracks a medium between two servers is. */
struct room_layer {
	unsigned place, layer;
	char rid[TRACK_RID_MAX + 1];
};

enum session_status {
	SESSION_OK,
	SESSION_BUSY,   /* there is a publisher */
	SESSION_NOBODY, /* there is none */
	SESSION_CODEC,  /* none of the viewer's codecs is the room's */
	SESSION_FULL,   /* too many rooms or viewers */
	SESSION_CROWD,  /* too many from that address */
	SESSION_NO_MEMORY,
	SESSION_STOPPED, /* the server ends */
};

/* Begins one: answer's ssrcs are set. */
RUNS_ON(on_control)
enum session_status session_begin(const struct session_order *order, struct answer *answer,
				  struct sfu_session **out);

RUNS_ON(on_control) struct sfu_session *session_find(struct bytes id);
RUNS_ON(on_control) struct sfu_session *session_find_subuuid(struct bytes subuuid);

/* Lets it go; its worker is told. */
RUNS_ON(on_control) void session_end(struct sfu_session *session, const char *why);

/* A viewer watches that room from now on. */
RUNS_ON(on_control)
enum session_status session_switch(struct sfu_session *session, struct bytes room);

/* Whether it has a codec for each kind of media that is published in its room. */
RUNS_ON(on_control) bool session_fits(const struct sfu_session *session);

/* Which layer a viewer is shown of a medium, by its place in the offer, or of all; "": what fits through. */
#define SESSION_ALL_MEDIA UINT_MAX
RUNS_ON(on_control)
bool session_layer(struct sfu_session *session, unsigned medium, const char *layer);
/* Whether the room's publisher has it. */
RUNS_ON(on_control)
bool session_has_layer(const struct sfu_session *session, unsigned medium, const char *layer);

/* New names for a session whose path is to be found anew (RFC 8445 9); those of before are good
 * until they are used. */
RUNS_ON(on_control)
bool session_restart(struct sfu_session *session, struct bytes ufrag, struct bytes pwd);

/* Ends all; nothing begins any more. */
RUNS_ON(on_control) void rooms_stop(void);
RUNS_ON(on_control) void rooms_start(void);

/* --- for workers ----------------------------------------------------------------------------------------- */

/* Its peer does nothing any more. */
RUNS_ON(on_worker) void room_peer_gone(struct sfu_session *session, const char *why);
RUNS_ON(on_worker) void room_peer_up(struct sfu_session *session);
