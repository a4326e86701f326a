/* sfu_door: the sockets of the media, and whose each datagram is. What comes over TCP: sfu_stream.h.
 *
 *   socket of worker j ─▶ STUN ─────────▶ name: whose? ─┬─ ours ─▶ peer_stun
 *                     └─▶ DTLS, RTP, RTCP ─▶ path: whose? ─┴─ worker i's ─ message ─▶ port of worker i
 *
 * With one port for all, the kernel deals datagrams out by their ends, and the worker of a peer may
 * be another: the first letter of our ufrag says which. Its path is then noted in the table of
 * the worker where it lands, once the owner has found it authentic, and the answer to its check goes
 * the same way: what the peer sends when it has that finds the path known. All else leaves from the
 * owner's own socket, which has the same port. With a port for each worker there is no such way.
 *
 * Thread: control to open; everything else the worker's. */
#pragma once

#include "core/udp.h"
#include "core/worker.h"
#include "sfu/sfu_conf.h"
#include "sfu/sfu_peer.h"

/* Opens the sockets, before the workers start. 0 or -errno, with at saying where. */
MUST_CHECK int door_open(const struct sfu_conf *conf, unsigned workers, char *at, size_t size);

/* Whether there are any. */
bool door_is_open(void);

/* The candidates of a peer of that worker, whole lines of an answer. Any thread. */
void door_write_candidates(struct writer *w, unsigned worker);

/* Those of a socket of that port at the address of ours. */
void door_write_dialled(struct writer *w, uint16_t port);

/* Where we are. */
struct tcp_end door_end(void);

/* The port of that worker. */
uint16_t door_number(unsigned worker);

RUNS_ON(on_worker) MUST_CHECK int door_worker_start(struct worker *worker);
RUNS_ON(on_worker) void door_worker_stop(struct worker *worker);

/* Room for len bytes that go somewhere; NULL: the doors are closed. Then, when they are written, where,
 * with the next flush. */
RUNS_ON(on_worker) uint8_t *door_room(size_t len);
RUNS_ON(on_worker) void door_put(const struct peer_path *to, const uint8_t *room, size_t len);
RUNS_ON(on_worker) void door_flush(void);

/* A packet that came over TCP. False: the stream has gone to another worker, and the packet with it. */
RUNS_ON(on_worker) bool door_arrived_in(struct sfu_stream *stream, struct bytes packet);

/* The first letter of a ufrag of that worker's. */
char door_letter(unsigned worker);

/* Notes by which names and from where a peer is known. */
RUNS_ON(on_worker) void door_name_add(struct peer_name *name);
RUNS_ON(on_worker) void door_name_remove(struct peer_name *name);
RUNS_ON(on_worker) void door_path_add(struct peer_path *path);
RUNS_ON(on_worker) void door_path_remove(struct peer_path *path);
/* Of two peers that were seen there who was seen last has it. */
RUNS_ON(on_worker) void door_path_renew(struct peer_path *path);

/* The answer to an authentic check, which makes the path known where its datagrams come out. */
RUNS_ON(on_worker) void door_answer(const struct peer_path *path, struct bytes answer);

/* HMAC-SHA1 by OpenSSL, for STUN. */
void door_hmac(struct bytes key, struct bytes in, uint8_t out[20]);
