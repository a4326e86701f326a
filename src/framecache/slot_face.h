/* slot_face: FACE of the frame cache: its own HTTP API (/slots, /health), as JSON.
 *
 * Who asks from this machine is let in, unless a proxy or, from another site, a browser brings it; others need
 * the token of the settings or to be an operator (edge/access.h). */
#pragma once

#include "edge/api.h"
#include "edge/route.h"
#include "framecache/framecache_conf.h"

/* conf lasts until another was given and a baton has passed. */
void slot_face_configure(const struct framecache_conf *conf);

extern const struct route slot_routes[];
/* The same under /api/v1, for operators, from wherever. */
extern const struct api_operation slot_operations[];
