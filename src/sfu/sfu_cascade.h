/* sfu_cascade: FACE to servers whose rooms are carried on here. While a room has viewers and no publisher of
 * its own it is asked for by WHEP, one server of sfu.origins after the other, and what comes back is its
 * publisher like any other.
 *
 *   room with a viewer ─▶ IDLE ─ POST origin/whep/ROOM ─▶ ASKING ─ 201 ─▶ UP ─ media, as of a publisher
 *                          ▲  └────────── refused, no answer ──┘           │
 *                          └──── the next origin ◀── it fell silent, its publisher left
 *   nobody watches for sfu.origin_linger, or a publisher of our own comes ─▶ DELETE
 *
 * Each track of the origin's room is a medium of the call, the layers of a simulcast too, so viewers here have
 * the same choice; as only the origin knows how many there are, who asks for other numbers is told them and
 * asks again. Other servers, that know nothing of that, are asked for one audio and one video.
 *
 * A server names itself in what it asks, and in its answers the servers that the media came through: who
 * finds himself there refuses with 508, so no two servers feed on each other. An origin gives such a
 * caller only what is there: no publisher, 409; when its publisher leaves the call ends. Who asks because it
 * was asked names the askers too: who finds himself there does not ask on, or servers in a ring would ask each
 * other for ever for whom nobody watches.
 *
 * Owner: the control thread. */
#pragma once

#include <uv.h>

#include "core/role.h"
#include "edge/fetch.h"

#define CASCADE_HEADER "X-Ringmain-Edge" /* of a request: for whom it is, who asks last */
#define CASCADE_PATH   "X-Ringmain-Path" /* of an answer: through whom it comes, the nearest last */

#define CASCADE_TRACKS \
	"X-Ringmain-Tracks" /* of a request and of 409: how many audios and videos, "1 4" */
#define CASCADE_LAYERS \
	"X-Ringmain-Layers" /* of an answer: of each medium "place:layer:rid", of audios too */

struct cascade;
struct sfu_room;
struct sfu_session;

RUNS_ON(on_control) void cascade_start(uv_loop_t *loop);
/* Asks nobody any more. Sessions end with all others. */
RUNS_ON(on_control) void cascade_stop(void);
RUNS_ON(on_control) void cascade_fini(void);

/* That room is wanted now: by viewers of ours, or by a server that says for whom. */
RUNS_ON(on_control) void cascade_want(struct bytes room, struct bytes edge);

/* The session of a cascade has ended. */
RUNS_ON(on_control) void cascade_gone(struct cascade *cascade);

/* The origin that a session's media come from, as people may see it; NULL: it is no cascade's. */
RUNS_ON(on_control) const char *cascade_shown(const struct sfu_session *session);

/* Whether media of this room would go round in a circle if they went to who says this of himself. */
RUNS_ON(on_control) bool cascade_is_loop(const struct sfu_room *room, struct bytes edge);

/* For who asks: what CASCADE_TRACKS and CASCADE_LAYERS say. */
RUNS_ON(on_control) void cascade_write_tracks(const struct sfu_room *room, struct writer *w);
RUNS_ON(on_control) void cascade_write_layers(const struct sfu_room *room, struct writer *w);

/* The servers that a room's media come through, us among them. */
RUNS_ON(on_control) void cascade_write_path(const struct sfu_room *room, struct writer *w);
