/* sfu_stage: a worker's turns: all that has come on the tracks that its viewers are shown goes out, one
 * viewer after the other, so that what is for one leaves in one piece.
 *
 *   doorbell or own packet ─▶ turn (2 ms) ─▶ for each track: copy what is new once
 *                                             ├─ a key picture: those that wait for it come over
 *                                             ├─ for each viewer: number, time, seal, into the socket
 *                                             └─ those behind: a piece of the past
 *   nothing moves ─▶ sleep on the rings' doorbells
 *
 * Also keeps the list of this worker's peers and looks after their deadlines. Thread: the worker's;
 * stage_wake from any. */
#pragma once

#include "core/worker.h"
#include "sfu/sfu_track.h"

struct sfu_peer;

extern const struct worker_hooks stage_hooks;

/* When the doors are open. 0 or -errno: then nobody can be served here. */
RUNS_ON(on_worker) int stage_start(struct worker *worker);

/* The workers with these bits asked to be woken. */
void stage_wake(uint64_t workers);

RUNS_ON(on_worker) void stage_peer_add(struct sfu_peer *peer);
RUNS_ON(on_worker) void stage_peer_remove(struct sfu_peer *peer);

/* Whether this worker's part has started and not stopped. */
RUNS_ON(on_worker) bool stage_is_on(void);

/* So many peers more are gone, and not freed yet: the worker waits for them. */
RUNS_ON(on_worker) void stage_owes(int count);

/* A viewer's senders belong to its room from now on; and are shown something once it is up. */
RUNS_ON(on_worker) void stage_viewer_add(struct sfu_peer *peer);
RUNS_ON(on_worker) void stage_viewer_up(struct sfu_peer *peer);
RUNS_ON(on_worker) void stage_viewer_remove(struct sfu_peer *peer);

/* The layer that its pictures are to be of, of one medium or of SESSION_ALL_MEDIA; "": what fits. */
RUNS_ON(on_worker)
void stage_viewer_layer(struct sfu_peer *peer, unsigned medium, const char *layer);

/* Its feedback says something else of what fits. */
RUNS_ON(on_worker) void stage_viewer_heard(struct sfu_peer *peer, mono_t now);

/* This worker's peers, by their next. */
RUNS_ON(on_worker) struct sfu_peer *stage_peers(void);

/* It watches another room from now on. */
RUNS_ON(on_worker) void stage_viewer_move(struct sfu_peer *peer, struct sfu_room *room);

/* The room has these tracks now: what its viewers here are shown is chosen anew. */
RUNS_ON(on_worker)
void stage_tune(struct sfu_room *room, struct sfu_track *const *tracks, unsigned count);

/* Who is shown an idle picture, or waits for it, is shown that which idle_track() names now. */
RUNS_ON(on_worker) void stage_renew_idle(void);

/* Nobody here is shown this track any more. */
RUNS_ON(on_worker) void stage_forget(struct sfu_track *track);
