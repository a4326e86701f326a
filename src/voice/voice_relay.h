/* voice_relay: speech from worker to worker: a ring for each pair, one writer and one reader.
 *
 *   worker a ── voice_relay_… ──▶ ring a→b ──▶ worker b, once a turn of its loop: voice_relay_drain
 *
 * What finds its ring full is dropped and counted: nobody waits. Records hold peers and crowds by
 * pointer; batons drain before they pass on, so these outlive the record (voice_peer.h). */
#pragma once

#include "voice/voice_peer.h"

/* The rings that lead to this worker. 0 or -errno. When it has stopped others may still write. */
MUST_CHECK int voice_relay_start(struct worker *worker);
RUNS_ON(on_worker) void voice_relay_stop(struct worker *worker);

/* When all workers have stopped. */
void voice_relay_free(void);

/* This packet, for the tunnel of a peer whose connection is on that worker. */
RUNS_ON(on_worker) void voice_relay_tunnel(struct voice_peer *peer, struct bytes packet);

/* A slice of a crowd, for that worker to send. */
RUNS_ON(on_worker)
void voice_relay_slice(unsigned to_worker, const struct voice_speech *speech,
		       const struct voice_crowd *crowd, size_t from, size_t to);

/* Does what others have left for this worker. */
RUNS_ON(on_worker) void voice_relay_drain(void);
