/* sfu_cascade: FACE to servers whose rooms are carried on here. While a room has viewers and no publisher of
 * its own it is asked for by WHEP, one server of sfu.origins after the other, and what comes back is its
 * publisher like any other.
 *
 *   room with a viewer ─▶ IDLE ─ POST origin/whep/ROOM ─▶ ASKING ─ 201 ─▶ UP ─ media, as of a publisher
 *                          ▲  └────────── refused, no answer ──┘           │
 *                          └──── the next origin ◀── it fell silent, its publisher left
 *   nobody watches for sfu.origin_linger, or a publisher of our own comes ─▶ DELETE
 *
 * A server names itself in what it asks, and in its answers the servers that the media came through: who
 * finds himself there refuses with 508, so no two servers feed on each other. An origin gives such a
 * caller only what is there: no publisher, 409; when its publisher leaves the call ends.
 *
 * Owner: the control thread. */
#pragma once

#include <uv.h>

#include "core/role.h"
#include "edge/fetch.h"

#define CASCADE_HEADER "X-Ringmain-Edge" /* of a request: who asks */
#define CASCADE_PATH   "X-Ringmain-Path" /* of an answer: through whom it comes, the nearest last */

struct cascade;
struct sfu_room;
struct sfu_session;

RUNS_ON(on_control) void cascade_start(uv_loop_t *loop);
/* Asks nobody any more. Sessions end with all others. */
RUNS_ON(on_control) void cascade_stop(void);
RUNS_ON(on_control) void cascade_fini(void);

/* Somebody wants that room now. */
RUNS_ON(on_control) void cascade_want(struct bytes room);

/* The session of a cascade has ended. */
RUNS_ON(on_control) void cascade_gone(struct cascade *pull);

/* The origin that a session's media come from, as people may see it; NULL: it is no cascade's. */
RUNS_ON(on_control) const char *cascade_shown(const struct sfu_session *session);

/* Whether media of this room would go round in a circle if they went to that server. */
RUNS_ON(on_control) bool cascade_is_loop(const struct sfu_room *room, struct bytes edge);

/* The servers that a room's media come through, us among them. */
RUNS_ON(on_control) void cascade_write_path(const struct sfu_room *room, struct writer *w);
