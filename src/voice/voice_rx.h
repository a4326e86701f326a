/* voice_rx: IN of voice over UDP: the datagrams of this worker.
 *
 *   datagram ─▶ known address? ─▶ open ─▶ ping: echoed │ voice: voice_heard() ─▶ its crowd
 *                 └─ no: a list ping? answered, rationed │ somebody of this address whose port has
 *                                                          changed? tried, rationed │ junk: counted
 *
 * What an address sends comes out at one worker (core/udp.h), so all state of receiving has one owner,
 * and a peer whose NAT has given him another port comes out where he is known already. Nobody is sent
 * datagrams before one of his own was opened. */
#pragma once

#include "voice/voice_peer.h"

MUST_CHECK int voice_rx_start(struct worker *worker);
RUNS_ON(on_worker) void voice_rx_stop(void);

/* This worker's socket of a door comes or goes. */
RUNS_ON(on_worker) MUST_CHECK int voice_rx_open(struct worker *worker, unsigned door, int fd);
RUNS_ON(on_worker) void voice_rx_close(unsigned door);

/* NULL: there is no such door any more. */
RUNS_ON(on_worker) struct udp *voice_rx_socket(unsigned door);
RUNS_ON(on_worker) void voice_rx_flush(void);

/* From control, to the worker that the peer's address leads to: he may come, he is gone, he has told
 * his nonce. */
RUNS_ON(on_control) void voice_rx_expect(struct voice_peer *peer);
/* He was here under another server: in, way, bound and last_good of peer->rx stand already. */
RUNS_ON(on_control) void voice_rx_resume(struct voice_peer *peer);
RUNS_ON(on_control) void voice_rx_forget(struct voice_peer *peer);
RUNS_ON(on_control) void voice_rx_nonce(struct voice_peer *peer, struct crypt_nonce last);

/* A packet of this peer, opened, over UDP or through the tunnel: voice_tx_room() holds it. False: it
 * was no voice. *frame (or NULL): its number, of 10 ms each. */
RUNS_ON(on_worker) bool voice_heard(struct voice_peer *peer, struct bytes plain, uint64_t *frame);

/* Whether he may still send so many bytes of voice now, by a budget that refills. */
bool voice_budget_take(int64_t *budget, mono_t *at, size_t len, mono_t now);

/* What the list of servers is told. Any thread. */
extern _Atomic uint32_t voice_users_now;
