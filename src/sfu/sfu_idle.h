/* sfu_idle: what viewers see and hear while nobody publishes: a grey picture, or films from files
 * (sfu.idle_clip; of single rooms: room.NAME.idle_clip), over and over, and silence. The files are read at the start and at each reload. Each is
 * a track like any other, of VP8, H.264 or Opus, but has no room.
 *
 *   timers on worker 0 ─▶ track_publish ─▶ feed ─▶ sfu_stage, which shows it to who has nothing else
 *
 * Opened and closed by the control thread while no worker knows of it. */
#pragma once

#include "sfu/sfu_sender.h"
#include "sfu/sfu_track.h"

void idle_open(void);
void idle_close(void);

/* Other files, or what is in them now, take the place of what is shown, where they differ. */
RUNS_ON(on_control) void idle_reload(void);

RUNS_ON(on_worker) void idle_worker_start(struct worker *worker);
RUNS_ON(on_worker) void idle_worker_stop(struct worker *worker);

/* One of its kind that the viewer has a codec for, films first; NULL: none. */
struct sfu_track *idle_track(const struct sfu_sender *sender);

bool idle_is(const struct sfu_track *track);
