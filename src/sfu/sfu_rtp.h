/* sfu_rtp: IN and OUT for programs that speak RTP without keys (ffmpeg, GStreamer, encoders): each entry of
 * the settings "rtp" is a publisher or a viewer of its room, from the start to the end of the entry.
 *
 *   rtp.studio.listen ─▶ socket ─▶ session like any publisher's ─▶ source_rtp, by payload type
 *   rtp.wall.send ◀──── socket ◀── session like any viewer's ◀──── sender_send
 *
 * Where the room has a publisher already, or the port is somebody else's, it is tried again each second. What
 * is sent goes where the settings say and nowhere else, whatever comes from there.
 * Owner: the control thread. */
#pragma once

#include <uv.h>

#include "core/conf.h"
#include "core/role.h"
#include "core/tcp.h"
#include "core/writer.h"
#include "sfu/sfu_room.h"

enum rtp_start { RTP_START_ALWAYS, RTP_START_ORDER };

struct rtp_conf {
#define ITEM CONF_FIELD
#include "sfu/rtp.def"
};

extern const struct conf_section rtp_conf_section;

/* What such a program would say of itself if it could: an offer without keys. False: it does not fit. */
#define RTP_OFFER_MAX 1700u
bool rtp_conf_offer(const struct rtp_conf *entry, struct writer *w);

/* What a receiver of an entry that sends is to be told (RFC 4566). Likewise. */
#define RTP_SDP_MAX 2200u
bool rtp_conf_describe(const char *name, const struct rtp_conf *entry, struct writer *w);

/* Where it goes: of each medium RTP and RTCP, pictures first. How many ends. */
unsigned rtp_conf_ends(const struct rtp_conf *entry, struct tcp_end ends[4]);

/* What is wrong with the entries. */
void rtp_conf_check(const struct conf *conf, struct conf_errors *errors);

RUNS_ON(on_control) void rtp_start(uv_loop_t *loop);
/* The entries are these now. */
RUNS_ON(on_control) void rtp_take(const struct conf *conf);
RUNS_ON(on_control) void rtp_stop(void);

/* What the settings say of one way in or out. */
struct rtp_spec {
	bool out, order;
	uint8_t ttl;
	char room[ROOM_NAME_MAX + 1];
	char end[64], from[64]; /* as written; from "": anywhere */
	char offer[RTP_OFFER_MAX];
	char sdp[RTP_SDP_MAX];  /* of one that sends: for its receivers */
	struct tcp_end ends[4]; /* likewise: where to */
};

struct rtp_way {
	struct rtp_way *next;
	char name[64];
	struct rtp_spec spec;
	char id[SESSION_ID + 1]; /* of its session; "": it does not run */
	char why[96];            /* it waits; "" */
	bool on, seen;
};

RUNS_ON(on_control) struct rtp_way *rtp_first(void);
RUNS_ON(on_control) struct rtp_way *rtp_find(const char *name);

/* Starts or stops it, until the next order or the server's next start. */
RUNS_ON(on_control) void rtp_order(struct rtp_way *way, bool on);
