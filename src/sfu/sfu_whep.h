/* sfu_whep: FACE of what WHEP has besides offers (the draft "WHEP Core Extensions"): events, and the viewer's own
 * choice among the layers of a simulcast.
 *
 *   POST   /whep/ROOM/ID/layer        {"mediaId": "1", "rid": "h"} ─▶ 200; without rid: what fits
 *   POST   /whep/ROOM/ID/sse          ["active", …], or nothing: all ─▶ 201, Location
 *   GET    /whep/ROOM/ID/sse/STREAM   the events (sfu_sse.h)
 *   DELETE /whep/ROOM/ID/sse/STREAM   ─▶ 200
 *
 * Who may is asked as for the session itself; but a stream is read by whoever knows its name, as a browser's
 * EventSource shows no token. */
#pragma once

#include "edge/call.h"

/* Whether the path is of these; then the request has been served. */
RUNS_ON(on_worker) bool whep_serve(struct conn *conn);

/* Tells a viewer of them; path: of its session. */
void whep_put_links(struct reply *reply, struct bytes path);
