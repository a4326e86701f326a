/* slot_thumb: FACE of the frame cache: GET /api/v1/slots/{slot}/thumbnail, the newest frame in small.
 *
 *   call ──▶ control: a picture younger than half a second? ── yes ──▶ answer
 *              └─ no: the slot's shot waits ──▶ libuv's pool, one at a time: a reader of its own,
 *                 the newest frame, thumbnail_draw(), was it whole until then? ──▶ answers all who ask
 *
 * Whoever asks meanwhile waits for the same shot: any number of pages cost two shots a second of a slot.
 * SHOTS_MAX pictures are kept; the one made longest ago gives way. Thread: control. */
#pragma once

#include <uv.h>

#include "core/role.h"
#include "edge/api.h"

extern const struct api_operation thumb_operations[];

RUNS_ON(on_control) void thumb_start(uv_loop_t *loop);

/* Waits for the shot under way; who waits for one gets a fault. */
RUNS_ON(on_control) void thumb_stop(void);
