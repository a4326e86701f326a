/* tcp: sockets of the kernel, as far as rooms need them: open, accept, send, say who is there.
 *
 * All sockets are non-blocking and close-on-exec. Results are 0 or a count, or -errno. The loop is
 * the caller's. Any thread. */
#pragma once

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "core/bytes.h"
#include "core/check.h"

/* A peer or a local end: 16 bytes of address (IPv4 as ::ffff:a.b.c.d) and a port. */
struct tcp_end {
	uint8_t ip[16];
	uint16_t port;
};

/* A listening socket at this end, backlog as large as the kernel allows. ::, any address, serves
 * IPv4 too. The descriptor, or -errno. */
MUST_CHECK int tcp_listen(const struct tcp_end *end);

/* The next connection: its descriptor, or -EAGAIN, -EMFILE, … */
MUST_CHECK int tcp_accept(int listener, struct tcp_end *peer);

/* The port a listening socket has (for one opened with port 0). */
uint16_t tcp_port(int fd);

/* The local end of a connection. */
struct tcp_end tcp_local(int fd);

/* Bytes taken, 0 when the socket is full, or -errno (-EPIPE, -ECONNRESET: the peer is gone). */
MUST_CHECK ssize_t tcp_send(int fd, struct bytes out);
MUST_CHECK ssize_t tcp_sendv(int fd, const struct bytes *out, size_t count);

/* Bytes read, 0 at the end of the stream, -EAGAIN when there are none yet, or -errno. */
MUST_CHECK ssize_t tcp_recv(int fd, void *buf, size_t size);

/* False when the peer closed or reset the connection, as far as the kernel knows by now. */
bool tcp_alive(int fd);

/* What the connection has carried since it began: bytes that the kernel took of us (whether the peer
 * has them or not), and bytes that it gave us. False: no TCP connection, or one so busy that its
 * numbers do not stand still. */
MUST_CHECK bool tcp_carried(int fd, uint64_t *out, uint64_t *in);

/* For a connection that is sent a stream: no delay, and at most send_buffer bytes (0: the kernel's
 * choice) queued for it in the kernel. */
void tcp_tune_stream(int fd, size_t send_buffer);

/* For what is soon stale: the kernel takes no more while it holds so many bytes that it has not sent. */
void tcp_tune_live(int fd, unsigned unsent);

/* How many bytes this socket has ever taken to send, and how many of those that it ever received
 * were read from it: both counted from some beginning of its own, the second one only while nobody
 * reads. Exact, whatever the peer does meanwhile. 0 or -errno. */
MUST_CHECK int tcp_taken(int fd, uint64_t *bytes);
MUST_CHECK int tcp_read(int fd, uint64_t *bytes);

/* Bytes that a later tcp_recv gets too, as tcp_recv. */
MUST_CHECK ssize_t tcp_peek(int fd, void *buf, size_t size);

/* Drops bytes that were peeked at. 0 or -errno. */
MUST_CHECK int tcp_skip(int fd, size_t len);

/* Closes such that what the peer still sends does not turn what we sent into a reset. */
void tcp_close_gently(int fd);
