/* sfu_record: rooms that are recorded: by the setting sfu.record, or because somebody ordered it.
 *
 *   control: publisher comes ─▶ job: views of its tracks ─▶ the recorder's thread (sfu_record_file)
 *            publisher gone  ─▶ end of the job ─▶ it comes back: files are whole
 *
 * A room that was ordered to be recorded is, whoever publishes there, until it is ordered to end or a
 * recording of it ends by itself: it is long or large enough, the disk is full. Such an order outlives the server
 * (sfu_record_order.h); what it had written is a file of its own. The room goes on in any case.
 * Owner: the control thread. */
#pragma once

#include "edge/kept.h"
#include "sfu/sfu_room.h"

extern const struct api_operation sfu_record_operations[];
extern const struct kept_family sfu_record_kept;

/* Goes on with what the last server was ordered to. 0 or -errno. */
RUNS_ON(on_control) MUST_CHECK int sfu_record_start(uv_loop_t *loop);

/* Somebody publishes to it from now on; and does no more. */
RUNS_ON(on_control) void sfu_record_publishes(const struct sfu_session *session);
RUNS_ON(on_control) void sfu_record_gone(const struct sfu_session *session);

/* Whether what is published there is being written. */
RUNS_ON(on_control) bool sfu_record_is_on(const struct sfu_room *room);

/* All files are whole when it returns. */
RUNS_ON(on_control) void sfu_record_stop(void);
