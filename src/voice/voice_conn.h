/* voice_conn: IN and OUT of voice over TLS: one control connection, on its worker.
 *
 *   accept (control) ─▶ HANDSHAKE ─▶ OPEN: frames ─┬─ Ping: answered here
 *   websocket of a page ──────────────▶            ├─ UDPTunnel: voice_heard()
 *                                                  └─ all others: letters to the hub, in order
 *   hub ─ parcels ─▶ out ─▶ TLS          voice_conn_speak() ─▶ out, if there is room for what is live
 *
 * It knows what is a frame, not what is in it. A peer that asks too much, too long or too slowly is
 * closed; the hub is told once (VOICE_LETTER_GONE) and lets go of the peer. */
#pragma once

#include "edge/link.h"
#include "edge/proto/address.h"
#include "voice/voice_peer.h"

/* A new connection, placed on this worker by edge_joined's count. */
RUNS_ON(on_worker)
void voice_conn_start(struct worker *worker, int fd, const struct tcp_end *peer);

/* The same with a page's, which has become a websocket: its messages are runs of the same frames. early
 * came behind its request and holds during the call. Takes the link. */
RUNS_ON(on_worker)
void voice_conn_start_web(struct worker *worker, struct link link, const struct address *peer,
			  struct bytes early);

MUST_CHECK int voice_conn_worker_start(struct worker *worker);
RUNS_ON(on_worker) void voice_conn_worker_stop(void);
bool voice_conn_worker_busy(void);

/* Bytes of control frames. */
RUNS_ON(on_worker) void voice_conn_put(struct voice_peer *peer, struct bytes frames);

/* Closes, when what is on its way is out. */
RUNS_ON(on_worker) void voice_conn_end(struct voice_peer *peer);

/* A packet of voice for the tunnel; dropped when it would come too late. */
RUNS_ON(on_worker) void voice_conn_speak(struct voice_peer *peer, struct bytes packet);

/* Sends what was put. At the end of each callback that put something. */
RUNS_ON(on_worker) void voice_conn_flush(void);

/* --- another server takes over: see voice_left.h ------------------------------------------------ */

/* Nothing more is read of those who are in, or it is again. */
RUNS_ON(on_worker) void voice_conn_worker_hush(bool hushed);

/* What the next server needs of a connection; in and out hold while its worker is halted. */
struct voice_conn_left {
	struct link link;
	struct bytes in, out; /* begun frames; what was not sent yet */
	int64_t began_us, tunnelled_us;
	uint64_t sealed;
	uint32_t far_good;
};

/* False: it cannot be handed on, and ends. From control, with the worker halted. */
bool voice_conn_left(const struct voice_peer *peer, struct voice_conn_left *left);

/* Lets go of all: those that were left without a word. */
RUNS_ON(on_worker) void voice_conn_worker_part(void);

/* Goes on with one whose link is adopted; takes the link. */
RUNS_ON(on_worker)
void voice_conn_resume(struct voice_peer *peer, const struct voice_conn_left *left);
