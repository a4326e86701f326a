/* stow: systemd keeps what is open while no server runs: "systemctl restart" disconnects nobody.
 *
 *   server ── FDSTORE=1, 253 descriptors a message ──▶ systemd ── LISTEN_FDS ──▶ the next keeper
 *             and, last of all, the map: a memfd                                  └─▶ its first holder:
 *             which inode had which number                                            each under its number
 *
 * The map is what says that all is there. systemd does not keep the order of what it is sent and has no
 * room for names of ten thousand, so the map tells descriptors by what they lead to: sockets and memfds
 * have an inode of their own each.
 *
 * Offered when NOTIFY_SOCKET is there and FDSTORE says how many (systemd 254 sets it; the unit does for
 * older ones). The keeper allocates nothing; a map of any content is refused, never believed.
 *
 * Thread: stow_put on control with workers halted; the rest before there are threads, or in keepers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/check.h"

/* How many descriptors systemd will keep; 0: none. */
size_t stow_offered(void);

/* Gives these (rising numbers) to systemd, which has them when this returns. 0 or -errno: then what it
 * has is of no use to the next server, and that one closes it. */
MUST_CHECK int stow_put(int estate, const int *fds, size_t count);

/* In the keeper, before it opens anything: looks at what systemd passed. */
void stow_look(void);

/* In the first holder: puts everything under its number, and closes what was not asked for. The estate;
 * -1: there is none. crashed: another server went on with it before, and did not get far. */
int stow_take(bool *crashed);

/* In the keeper: closes its own copies. */
void stow_close(void);

/* systemd is to let go of its copies: a server serves, or what it kept is of no use and its doors and
 * locks are in the way. at_once: it has when this returns. */
void stow_forget(bool at_once);
