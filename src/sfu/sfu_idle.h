/* sfu_idle: the picture that viewers see while nobody publishes: a track like any other, of VP8 and of
 * H.264, whose pictures all are key pictures. It has no room.
 *
 *   timer on worker 0 ─▶ track_publish ─▶ feed ─▶ sfu_stage, which shows it to who has nothing else
 *
 * Sound is silent by itself. Opened and closed by the control thread while no worker knows of it. */
#pragma once

#include "sfu/sfu_sender.h"
#include "sfu/sfu_track.h"

void idle_open(void);
void idle_close(void);

RUNS_ON(on_worker) void idle_worker_start(struct worker *worker);
RUNS_ON(on_worker) void idle_worker_stop(struct worker *worker);

/* One that the viewer has a codec for; NULL: none. */
struct sfu_track *idle_track(const struct sfu_sender *sender);

bool idle_is(const struct sfu_track *track);
