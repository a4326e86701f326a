/* voice_tx: OUT of voice: what was said, to each who hears it.
 *
 *   speech, crowd ─▶ voice_say ─▶ (more of this turn) ─▶ voice_tx_flush ─▶ sealed for each hearer
 *                                     ├─▶ over UDP: this worker's socket, one sendmmsg a batch
 *                                     ├─▶ tunnel, connection here: its buffer
 *                                     ├─▶ tunnel, connection elsewhere ─┐
 *                                     └─▶ slices of a very large crowd ─┴─▶ voice_relay ─▶ that worker
 *
 * Speeches of one turn to the same crowd go out together, hearer by hearer, so that what goes to the
 * same one can be one trip through the stack (core/udp.h). No lock, no allocation. Runs on any
 * worker. */
#pragma once

#include "voice/voice_peer.h"

MUST_CHECK int voice_tx_start(void);
void voice_tx_stop(void);

/* In this turn. packet.payload must last until the flush: keep it in
 * voice_tx_room(). False: dropped, too many. */
RUNS_ON(on_worker)
bool voice_say(const struct voice_speech *speech, struct voice_crowd *crowd);

/* Where the next packet may be decrypted to: VOICE_PACKET_MAX bytes that are kept when it is said. */
RUNS_ON(on_worker) uint8_t *voice_tx_room(void);

/* Says what waits. At the end of each callback that may have said something. */
RUNS_ON(on_worker) void voice_tx_flush(void);

/* One sealed datagram to this peer along this way. */
RUNS_ON(on_worker)
void voice_tx_seal(struct voice_peer *peer, const struct voice_way *way, struct bytes plain);

/* A part of a crowd that another worker has left to us. */
RUNS_ON(on_worker)
void voice_tx_slice(const struct voice_speech *speech, const struct voice_crowd *crowd, size_t from,
		    size_t to);
