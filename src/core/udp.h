/* udp: datagrams in batches: many received and many sent in one call of the kernel.
 *
 *   udp_open ─▶ one socket a worker, all at one address and port
 *
 *   socket ─ recvmmsg ─▶ arrived(packets …) ─▶ udp_room, udp_put, udp_lend … ─▶ sendmmsg ─▶ socket
 *                                                   └─ a run to one peer: one send (UDP_SEGMENT)
 *
 * An answer leaves from the address that the question came to, which the path says, also where the
 * socket is bound to all addresses. Paths are plain values: keep them, compare them, print them.
 *
 * Steering: which of the sockets gets a datagram. BY_FLOW is the kernel's hash of both ends: a peer
 * whose port changes may come out elsewhere. BY_ADDRESS looks at the sender's address alone (of IPv6
 * the /64), so that all that comes from one address is one worker's, whatever its ports.
 *
 * All memory is taken in udp_start. Nothing is kept for later when the kernel takes no more: what a
 * full socket refuses is gone, and counted. Thread: the loop's, but udp_open. Knows no protocol. */
#pragma once

#include <uv.h>

#include "core/tcp.h"

/* Where a datagram came from, and where an answer goes. */
struct udp_path {
	struct tcp_end peer;
	uint8_t local[16]; /* our own address; zeroes: the kernel chooses */
	uint32_t scope;    /* the interface, of link-local addresses only */
};

static inline bool udp_path_equal(const struct udp_path *a, const struct udp_path *b)
{
	return a->peer.port == b->peer.port && a->scope == b->scope &&
	       memcmp(a->peer.ip, b->peer.ip, sizeof a->peer.ip) == 0 &&
	       memcmp(a->local, b->local, sizeof a->local) == 0;
}

enum udp_steer {
	UDP_STEER_FLOW,
	UDP_STEER_ADDRESS,
};

/* Opens count sockets at this end (port 0: any, the same for all) and puts their descriptors into
 * fds: the n-th is the n-th worker's. -EADDRINUSE also when somebody shares the port already. 0, or
 * -errno and nothing is open. Any thread. */
MUST_CHECK int udp_open(const struct tcp_end *end, enum udp_steer steer, unsigned count, int fds[]);

/* Which of count sockets gets what this address sends, of those opened with UDP_STEER_ADDRESS. */
unsigned udp_steered_to(const uint8_t ip[16], unsigned count);

struct udp_packet {
	struct udp_path path;
	struct bytes data; /* until arrived() returns */
	uint8_t ecn;       /* RFC 3168: 0 to 3; 0 unless the shape asks for it */
	bool cut;          /* it was longer than the buffers */
};

struct udp_shape {
	unsigned in_count;  /* datagrams of one receive; 0: 64 */
	unsigned in_size;   /* bytes of the longest that is taken whole; 0: 2048 */
	unsigned out_count; /* messages of one send; 0: 256 */
	unsigned out_size;  /* bytes that wait for a send, all together; 0: 256 KiB */
	bool segments;      /* runs of datagrams to one peer leave as one (UDP_SEGMENT) */
	bool ecn;           /* say how datagrams were marked on their way */
};

/* Counted by the loop's thread. */
struct udp_counts {
	uint64_t received, bytes_in;
	uint64_t cut;             /* of these, longer than the buffers */
	uint64_t sent, bytes_out; /* datagrams */
	uint64_t trips;           /* through the kernel's stack: fewer than sent where runs were */
	uint64_t blocked;         /* not sent: the socket was full */
	uint64_t refused; /* not sent: the kernel said no (unreachable, too long, firewall) */
};

struct udp_store; /* buffers and headers of both directions */

struct udp {
	uv_poll_t poll;
	int fd;
	bool v6, segments, any, reads, stopping;
	struct udp_counts counts;
	struct udp_store *store;
	void (*arrived)(struct udp *udp, const struct udp_packet *packets, size_t count);
	void (*stopped)(struct udp *udp);
};

/* Takes fd, also when it fails, and watches it. 0 or -errno. */
MUST_CHECK int udp_start(struct udp *udp, uv_loop_t *loop, int fd, const struct udp_shape *shape,
			 void (*arrived)(struct udp *udp, const struct udp_packet *packets,
					 size_t count));

/* Closes; *udp must stay until stopped() (or NULL) is called, in a later turn. */
void udp_stop(struct udp *udp, void (*stopped)(struct udp *udp));

/* Room for len bytes of the next datagram, at most 65507 and the shape's out_size; sends what waits
 * when there is none. Valid until the next call of any function here. */
uint8_t *udp_room(struct udp *udp, size_t len);

/* What was written into the last room, len bytes, goes to that peer at the next flush. */
void udp_put(struct udp *udp, const struct udp_path *to, size_t len);

/* So do these bytes, which stay the caller's and are not copied: until the flush. */
void udp_lend(struct udp *udp, const struct udp_path *to, struct bytes data);

/* Sends what waits. What was put during arrived() is flushed when it returns. How many datagrams the
 * kernel did not take. */
size_t udp_flush(struct udp *udp);

/* Datagrams that the kernel dropped because they were not fetched in time. */
uint64_t udp_dropped(const struct udp *udp);
