/* irc_leave: what the bouncer leaves to the next server: connections to networks, and how far lines are numbered.
 *
 *   halted ─▶ a row for each network that is up: socket, who we are there, who is in which channel, bytes that wait
 *          ─▶ a row for each ring: the seq of its next line
 *   the next server ─▶ loads what is stored ─▶ takes the rows ─▶ goes on where the socket stands
 *
 * Plain connections move, and those over TLS whose record layer is ours too. What does not fit into a row (a
 * channel of thousands) is asked of the server again; a connection that cannot move at all is closed and made
 * anew. Clients connect anew: their places are in a file, and lines are numbered on, so nobody misses or hears
 * twice. The last lines may still be on their way to the store: irc_leave_is_settling().
 *
 * Two tables a worker; a user is on the same worker of the next server, which has as many. Runs on workers. */
#pragma once

#include "irc/irc_part.h"

/* Before there is an estate. */
void irc_leave_know(void);

/* The tables of this worker. 0 or -errno. */
RUNS_ON(on_worker) MUST_CHECK int irc_leave_open(struct worker *worker);
RUNS_ON(on_worker) void irc_leave_close(void);

/* A while before: neither servers nor clients are heard any more, and what waited for more of the same is
 * heard as it is. What was asked for until now can get to disk, where the next server finds it. */
RUNS_ON(on_worker) void irc_leave_hush(void);
/* At the moment; and when it did not come: all are heard again. */
RUNS_ON(on_worker) void irc_leave_all(void);
RUNS_ON(on_worker) void irc_leave_stay(void);

/* In the next server: the seq that a ring went up to; 0: not said. */
RUNS_ON(on_worker) uint64_t irc_leave_head(uint64_t buffer);
/* When networks and buffers are loaded: goes on with their connections. */
RUNS_ON(on_worker) void irc_leave_adopt(void);

/* Whether the last server may still be writing what it heard. */
RUNS_ON(on_worker) bool irc_leave_is_settling(void);
