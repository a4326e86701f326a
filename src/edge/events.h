/* events: what changes, to whoever looks: server-sent events (WHATWG HTML 9.2) at /api/v1/events for
 * the dashboard and at /events for everybody.
 *
 *   control, each 500 ms:   sections' state ─ what differs from before ─▶ one text, a frame
 *   worker:                 frames, the last few ─▶ each reader, one send
 *
 *   event: snapshot   data: {"server":{…},"mounts":{"/live":{…}}}      first, and after a gap
 *   event: delta      data: {"mounts":{"/live":{"listeners":5}}}       a merge patch (RFC 7396)
 *   event: log        data: {"lines":[{"number":7,"text":"…"}]}        the dashboard's only
 *
 * The work is done once a tick for all readers, and none while there is none. A reader is a
 * connection and the number of the last frame it got. Who is slow gets, when there is room again,
 * what it lacks or, when that is no longer kept, a snapshot: never a queue of its own. A connection
 * of the dashboard ends within a quarter of a second when who follows may no longer (access_stays), and
 * after some minutes in any case, so that the browser comes again: so a session in use does not run out. */
#pragma once

#include "edge/api.h"

enum events_stream { EVENTS_ADMIN, EVENTS_PUBLIC, EVENTS_STREAMS };

extern const struct api_operation events_operations[];
extern const struct route events_routes[];
extern const struct worker_hooks events_hooks;

/* A room's part of a stream: state() gives an object, on the control thread, each tick. Before the
 * workers start. */
void events_add(enum events_stream stream, const char *name, json_t *(*state)(void));

RUNS_ON(on_control) void events_start(uv_loop_t *loop);
/* Before the workers stop. */
RUNS_ON(on_control) void events_stop(void);

/* The head of any stream of such events: no length and no chunks, it ends when the connection does. shared:
 * pages of other sites may read it. */
void events_write_head(struct writer *w, bool shared);

/* What makes a of b: NULL when they are the same. A member that is gone is null. */
json_t *events_patch(const json_t *a, const json_t *b);
