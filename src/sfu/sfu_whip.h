/* sfu_whip: FACE of publishers and viewers: WHIP (RFC 9725), WHEP (draft-ietf-wish-whep-03; its extensions are
 * sfu_whep's), and the paths of deadsfu.
 *
 *   POST   /whip/ROOM  /whep/ROOM        offer ─▶ 201, answer, Location, ETag
 *   PATCH  /whip/ROOM/ID  …              more candidates ─▶ 204; another path (ICE restart) ─▶ 200
 *   DELETE /whip/ROOM/ID  …              ─▶ 200
 *   OPTIONS, GET, HEAD                   what is to be known before
 *   /whip?room=ROOM  /whep?room=  /whap?room=&subuuid=  /switchRoom?room=&subuuid=  /getRoomList?serial=
 *
 * Worker: who may? Control: the rest. */
#pragma once

#include "edge/route.h"

extern const struct route whip_routes[];

RUNS_ON(on_control) void whip_start(uv_loop_t *loop);
/* Who waits for a change of the rooms is answered. */
RUNS_ON(on_control) void whip_stop(void);
