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

#include "core/worker.h"
#include "sfu/proto/answer.h"
#include "sfu/sfu_conf.h"
#include "sfu/sfu_peer.h"
#include "sfu/sfu_track.h"

struct cascade;

#define ROOM_TRACKS_MAX SOURCE_TRACKS_MAX
#define SESSION_ID      32u /* hexadecimal digits: 128 bits, which nobody guesses */

/* What a worker has of a room. */
struct room_here {
	struct sfu_sender *senders; /* sfu_sender.in_room */
	struct sfu_track *tracks[ROOM_TRACKS_MAX];
	unsigned count;
};

struct sfu_room {
	struct sfu_room *prev, *next;
	char name[ROOM_NAME_MAX + 1];
	struct sfu_session *publisher; /* NULL: nobody */
	struct sfu_track *tracks[ROOM_TRACKS_MAX];
	unsigned track_count;
	uint64_t viewers, sessions; /* sessions: all, that are not freed */
	unsigned batons;            /* under way */
	uint64_t serial;
	int64_t since_us;
	struct room_here here[];
};

struct tuning;

/* A publisher or viewer, as HTTP knows it. */
struct sfu_session {
	struct message message;          /* from its worker: it is gone */
	struct message farewell;         /* to it: free the peer */
	struct message news;             /* from it: it is up */
	struct sfu_session *prev, *next; /* of all */
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
	struct cascade
		*pull; /* of a publisher that is another server's room; NULL: it came by itself */
	bool edge;     /* of a viewer that is a server: ends with the publisher */
	bool up, ending, gone;
	const char *why;
};

/* --- rooms ---------------------------------------------------------------------------------------------- */

RUNS_ON(on_control) struct sfu_room *room_first(void);
RUNS_ON(on_control) struct sfu_room *room_find(struct bytes name);
RUNS_ON(on_control) uint64_t room_count(void);
RUNS_ON(on_control) uint64_t room_viewers(void); /* in all */

/* Counts up whenever a room comes, goes, or gets or loses its publisher. */
RUNS_ON(on_control) uint64_t room_serial(void);

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
	/* Of a publisher that we call, else NULL. dial is the peer's if it begins, else the caller's. */
	const struct session_names *names;
	struct sfu_dial *dial;
	struct cascade *pull;
};

enum session_status {
	SESSION_OK,
	SESSION_BUSY,   /* there is a publisher */
	SESSION_NOBODY, /* there is none */
	SESSION_CODEC,  /* none of the viewer's codecs is the room's */
	SESSION_FULL,   /* too many rooms or viewers */
	SESSION_NO_MEMORY,
	SESSION_STOPPED, /* the server ends */
};

/* Begins one: answer's ssrcs are set. */
RUNS_ON(on_control)
enum session_status session_begin(const struct session_order *order, struct answer *answer,
				  struct sfu_session **out);

RUNS_ON(on_control) struct sfu_session *session_first(void);
RUNS_ON(on_control) struct sfu_session *session_find(struct bytes id);
RUNS_ON(on_control) struct sfu_session *session_find_subuuid(struct bytes subuuid);

/* Lets it go; its worker is told. */
RUNS_ON(on_control) void session_end(struct sfu_session *session, const char *why);

/* A viewer watches that room from now on. */
RUNS_ON(on_control)
enum session_status session_switch(struct sfu_session *session, struct bytes room);

/* Which layer a viewer is shown; "": what fits through. */
RUNS_ON(on_control) bool session_layer(struct sfu_session *session, const char *layer);

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
