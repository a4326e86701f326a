/* sfu_peer: a publisher or a viewer, from its first datagram to its last: ICE, DTLS, SRTP.
 *
 *   NEW ──authentic check──▶ CHECKED ──handshake done──▶ UP ──silence, farewell, order──▶ GONE
 *                              │ no path in 10 s, no keys in 10 s more ─▶ GONE
 *
 *   datagram ─ sfu_door ─▶ peer_stun │ peer_dtls │ peer_media ─▶ source_… (publisher)
 *                                                            └─▶ sender_… (viewer)
 *
 * Nothing but STUN is taken from an address whose owner has not shown that it knows the password.
 * Made by the control thread, which gives it to its worker; lives there; when it ends the control
 * thread is told, and gives it back to be freed, so that no order ever meets a freed peer. */
#pragma once

#include "core/udp.h"
#include "core/worker.h"
#include "sfu/dtls.h"
#include "sfu/proto/ice.h"
#include "sfu/proto/rtcp.h"
#include "sfu/sfu_sender.h"
#include "sfu/sfu_source.h"

#define PEER_PATHS_MAX 4u

enum peer_role { PEER_PUBLISHER, PEER_VIEWER };
enum peer_state { PEER_NEW, PEER_CHECKED, PEER_UP, PEER_GONE };

struct bandwidth;
struct sfu_peer;
struct sfu_dial;
struct sfu_stream;
struct sfu_session;
struct sfu_room;

/* An address that was shown to be the peer's. In the table of its worker, and in that of the
 * worker on whose socket its datagrams come out, when that is another. */
struct peer_path {
	struct peer_path *next; /* in its bucket */
	struct udp_path path;
	struct sfu_peer *peer;
	unsigned landed;           /* the worker where they come out */
	struct sfu_stream *stream; /* NULL: UDP; else it alone says what path it is */
	struct sfu_dial *dial; /* NULL: by the door's socket; else by this one, and in no table */
	bool lost;             /* its stream has ended: the place is free */
};

/* Under which names it is known. */
struct peer_name {
	struct peer_name *next; /* in its bucket */
	struct sfu_peer *peer;
	struct ice_names names;
};

/* What is needed until there are keys. */
struct peer_start {
	char hash[16];
	char print[192];
	struct dtls *dtls;
};

struct sfu_peer {
	struct message message; /* it begins */
	struct sfu_session *session;
	struct worker *worker;
	struct sfu_room *room;
	enum peer_role role;
	enum peer_state state;
	struct peer_name *name;
	struct peer_name *next_name;            /* of a restart, until it is used */
	struct sfu_peer *prev, *next;           /* of its worker's */
	struct sfu_peer *prev_busy, *next_busy; /* of those that are looked at in each tick */
	bool busy;
	unsigned path_count;
	struct peer_path paths[PEER_PATHS_MAX];
	struct sfu_dial *dial;    /* of a server that we called; NULL: it called us */
	struct peer_start *start; /* NULL: done */
	struct dtls_rest rest;    /* UP: of the handshake */
	struct srtp in;
	/* What every packet to a viewer needs, together: sender_fetch(). */
	const struct peer_path *active; /* NULL: none yet */
	uint64_t bytes_out;
	struct srtp out;
	mono_t born, heard, checked;
	struct sfu_source *source; /* of a publisher */
	unsigned sender_count;     /* of a viewer */
	struct sfu_sender *senders;
	struct bandwidth *bandwidth; /* NULL: it says by REMB what fits through, or not at all */
	uint64_t bytes_in;
};

/* --- datagrams: called by sfu_door ------------------------------------------------------------------ */

/* name NULL: nobody's. stream NULL: over UDP. */
RUNS_ON(on_worker)
void peer_stun(struct peer_name *name, const struct stun *stun, const struct udp_path *path,
	       unsigned landed, struct sfu_stream *stream);
RUNS_ON(on_worker) void peer_dtls(struct sfu_peer *peer, struct bytes datagram);
RUNS_ON(on_worker) void peer_media(struct sfu_peer *peer, struct bytes datagram);

/* RTP or RTCP without keys. */
RUNS_ON(on_worker) void peer_plain(struct sfu_peer *peer, struct bytes datagram);

/* The server that we called has answered a check. */
RUNS_ON(on_worker) void peer_answered(struct sfu_peer *peer);

/* Another worker's peer has shown that this address is its own: who was there before has left. */
RUNS_ON(on_worker) void peer_path_taken(struct peer_path *path);

/* That one ends. */
RUNS_ON(on_worker)
void peer_path_lost(struct sfu_peer *peer, const struct sfu_stream *stream);

/* --- for source and sender -------------------------------------------------------------------------- */

/* Seals and sends a compound of RTCP. */
RUNS_ON(on_worker) void peer_send_rtcp(struct sfu_peer *peer, struct bytes compound);

static inline bool peer_is_up(const struct sfu_peer *peer)
{
	return peer->state == PEER_UP;
}

/* --- orders --------------------------------------------------------------------------------------- */

/* The worker has it from now on. */
RUNS_ON(on_worker) void peer_begin(struct sfu_peer *peer);

/* Ends it; the control thread is told. Does nothing to one that is gone. */
RUNS_ON(on_worker) void peer_end(struct sfu_peer *peer, const char *why);

/* Its path is to be found anew, with these names, which it takes. */
RUNS_ON(on_worker) void peer_restart(struct sfu_peer *peer, struct peer_name *name);

/* The last word: the memory. Any thread. */
void peer_free(struct sfu_peer *peer);

/* Looks after deadlines; about once a second, and more often while it starts. */
RUNS_ON(on_worker) void peer_tick(struct sfu_peer *peer, mono_t now);
