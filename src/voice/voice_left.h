/* voice_left: what a server leaves to the one that takes over, so that nobody in the rooms notices.
 *
 *   hush:   nothing more is read over TLS ─▶ a baton has been everywhere, the store has all ─▶ hushed
 *   leave:  workers are halted ─▶ estate: a row for each connection (descriptor, record layer)
 *                                         a row for a memfd: who they are, keys, numbers, rooms
 *   part:   descriptors are closed here, not a word is said
 *                       ─ ─ ─ the other server ─ ─ ─
 *   start:  links are adopted, the rows are free again ─▶ what was kept is read ─▶ restore
 *
 * Datagrams wait in the kernel meanwhile. Not left: who is not let in yet, pages (they come again by
 * themselves), and who has megabytes to read. After a crash there are no rows: clients come again.
 *
 * Control thread. It knows what a user is made of, and nothing of how he is served. */
#pragma once

#include "voice/voice_part.h"

void voice_left_know(void);

/* 0 or -errno. Workers run. */
RUNS_ON(on_control) MUST_CHECK int voice_left_start(void);
/* Those whom the last server left are in the rooms again: once, when what was kept is read. And when
 * datagrams can be sent: their connections go on. */
RUNS_ON(on_control) void voice_left_restore(void);
RUNS_ON(on_control) void voice_left_go(void);

RUNS_ON(on_control) void voice_left_hush(void);
RUNS_ON(on_control) bool voice_left_is_hushed(void);
RUNS_ON(on_control) void voice_left_leave(void);
RUNS_ON(on_control) void voice_left_stay(void);

/* Lets go of the tables. */
void voice_left_fini(void);
