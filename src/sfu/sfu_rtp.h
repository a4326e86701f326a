/* sfu_rtp: IN for programs that send RTP without keys (ffmpeg, GStreamer, encoders): each entry of the
 * settings "rtp" is a publisher of its room, from the start to the end of the entry.
 *
 *   rtp.studio.listen ─▶ socket ─▶ session like any publisher's ─▶ source_rtp, by payload type
 *
 * Where the room has a publisher already, or the port is somebody else's, it is tried again each second.
 * Owner: the control thread. */
#pragma once

#include <uv.h>

#include "core/conf.h"
#include "core/role.h"
#include "core/writer.h"

struct rtp_conf {
#define ITEM CONF_FIELD
#include "sfu/rtp.def"
};

extern const struct conf_section rtp_conf_section;

/* What such a source would say of itself if it could: an offer without keys. False: it does not fit. */
#define RTP_OFFER_MAX 1024u
bool rtp_conf_offer(const struct rtp_conf *entry, struct writer *w);

/* What is wrong with the entries. */
void rtp_conf_check(const struct conf *conf, struct conf_errors *errors);

RUNS_ON(on_control) void rtp_start(uv_loop_t *loop);
/* The entries are these now. */
RUNS_ON(on_control) void rtp_take(const struct conf *conf);
RUNS_ON(on_control) void rtp_stop(void);
