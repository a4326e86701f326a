/* link: the two ends of a byte stream with a peer, plain or over TLS, told apart by one number.
 *
 *   room ── link_send, link_recv ──▶ tls == 0: the socket
 *                                    else:     the record layer of row tls - 1, then the socket
 *
 * A link is a value of eight bytes without a pointer: it can lie in a row of a shared table, and
 * another process that has the descriptor and the row goes on with it. Whoever holds it owns the
 * descriptor and closes it once. Results are those of core/tcp.h.
 *
 * What TLS adds for those who use it: link_send may have taken bytes that the kernel has not yet (at
 * most one record), so who has nothing more to say calls link_flush until it says 1; and link_recv may
 * hold bytes that no poll tells of (of a record larger than the buffer), so who waits for the socket
 * asks link_ready first. Runs on the worker that the connection lives on. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/check.h"
#include "core/role.h"
#include "core/tcp.h"

struct link {
	int32_t fd;
	uint32_t tls; /* 0: plain */
};

static_assert(sizeof(struct link) == 8, "a link is a word of a row");

static inline struct link link_plain(int fd)
{
	return (struct link){.fd = fd};
}

/* Bytes taken, 0 when the socket is full, or -errno (-EPIPE, -ECONNRESET: the peer is gone). */
RUNS_ON(on_worker) MUST_CHECK ssize_t link_send(struct link link, struct bytes out);
RUNS_ON(on_worker)
MUST_CHECK ssize_t link_sendv(struct link link, const struct bytes *out, size_t count);

/* 1: all that was taken is with the kernel. 0: not yet, the socket is full. Or -errno. */
RUNS_ON(on_worker) MUST_CHECK int link_flush(struct link link);

/* Bytes read, 0 at the end of the stream, -EAGAIN when there are none yet, or -errno. */
RUNS_ON(on_worker) MUST_CHECK ssize_t link_recv(struct link link, void *buf, size_t size);

/* The next link_recv has bytes, whatever the socket says. */
RUNS_ON(on_worker) bool link_ready(struct link link);

/* False when the peer closed or reset the connection, as far as is known by now. For a peer of whom
 * nothing is expected any more. */
RUNS_ON(on_worker) bool link_alive(struct link link);

/* How many bytes of ours it has ever taken, and how many of the peer's it has given us, both counted
 * from some beginning of its own. 0 or -errno. */
RUNS_ON(on_worker) MUST_CHECK int link_taken(struct link link, uint64_t *bytes);
RUNS_ON(on_worker) MUST_CHECK int link_given(struct link link, uint64_t *bytes);

/* Goes on with one that the last server left; crashed: perhaps in the middle of a call of the above,
 * which is made good. False: it cannot be gone on with. Once for each. */
RUNS_ON(on_worker) MUST_CHECK bool link_adopt(struct link link, bool crashed);

/* Closes; gently such that what the peer still sends does not turn what we sent into a reset. */
RUNS_ON(on_worker) void link_close(struct link link);
RUNS_ON(on_worker) void link_close_gently(struct link link);
