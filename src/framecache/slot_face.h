/* slot_face: FACE of the frame cache: its own HTTP API (/slots, /health), as JSON.
 *
 * Who asks from this machine is let in, unless a browser brings it from another site; others need to be an
 * operator (edge/access.h). */
#pragma once

#include "edge/route.h"

extern const struct route slot_routes[];
