/* voice_tx: OUT of voice: what was said, to each who hears it.
 *
 *   speech, crowd ─▶ voice_say ─┬▶ (more of this turn) ─▶ voice_tx_flush ─┬▶ sealed for each hearer
 *                               └▶ (more of voice.gather) ─▶ timer ───────┘
 *                                     ├─▶ over UDP: this worker's socket, one sendmmsg a batch
 *                                     ├─▶ tunnel, connection here: its buffer
 *                                     ├─▶ tunnel, connection elsewhere ─┐
 *                                     └─▶ slices of a very large crowd ─┴─▶ voice_relay ─▶ that worker
 *
 * Speeches to the same crowd go out together, hearer by hearer, so that what goes to the same one can
 * be one trip through the stack (core/udp.h): those of one turn, and where a worker sends much and
 * several speak in a room, those of the next voice.gather too. What one speaker says to the same
 * people stays in order. No lock, no allocation. Runs on any worker. */
#pragma once

#include "voice/voice_peer.h"

MUST_CHECK int voice_tx_start(struct worker *worker);
void voice_tx_stop(void);

/* In this turn, or voice.gather later. packet.payload must last until the flush: keep it in
 * voice_tx_room(). False: dropped, too many. */
RUNS_ON(on_worker)
bool voice_say(const struct voice_speech *speech, const struct voice_crowd *crowd);

/* Where the next packet may be decrypted to: VOICE_PACKET_MAX bytes that are kept when it is said. */
RUNS_ON(on_worker) uint8_t *voice_tx_room(void);

/* Says what waits for the end of the turn. At the end of each callback that may have said something. */
RUNS_ON(on_worker) void voice_tx_flush(void);

/* And what waits for others who speak. Before a baton passes on: it holds peers and crowds. */
RUNS_ON(on_worker) void voice_tx_flush_all(void);

/* One sealed datagram to this peer along this way. */
RUNS_ON(on_worker)
void voice_tx_seal(struct voice_peer *peer, const struct voice_way *way, struct bytes plain);

/* A part of a crowd that another worker has left to us, with the flush. */
RUNS_ON(on_worker)
void voice_tx_slice(const struct voice_speech *speech, const struct voice_crowd *crowd, size_t from,
		    size_t to);
