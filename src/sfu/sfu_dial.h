/* sfu_dial: a path with a socket of its own. To a server that we call, whose room is carried on here, as one and
 * the same server may be called for many rooms; with the controlling half of ICE. Or, plain, from a program that
 * sends RTP without keys, or to receivers of such.
 *
 *   control: dial_create ─▶ offer, answer ─▶ dial_aim ─▶ peer ─▶ its worker
 *   worker:  dial_begin ─ check ─▶ server ─ answer ─▶ peer_answered      then a check each second:
 *            its STUN is answered, DTLS and media go to the peer         who does not answer is gone
 *   in:      whatever comes is RTP or RTCP, from whomever; ours goes to who sent last
 *   out:     what goes where the settings say waits for dial_flush; what comes from there is RTCP
 *
 * Owner: the peer, on its worker; before dial_begin, and of one that never began, who made it. */
#pragma once

#include "core/check.h"
#include "core/mono.h"
#include "core/role.h"
#include "core/udp.h"
#include "sfu/proto/stun.h"

struct sfu_peer;

enum dial_kind { DIAL_CALL, DIAL_RTP_IN, DIAL_RTP_OUT };

struct sfu_dial {
	struct udp udp;
	struct sfu_dial *next_full; /* of those that something waits in */
	enum dial_kind kind;
	bool full;
	struct tcp_end out[4]; /* OUT: each medium's RTP and its RTCP */
	int fd;                /* -1: udp has it */
	struct sfu_peer *peer;
	struct udp_path to;
	bool client; /* we speak first in DTLS */
	uint8_t id[STUN_ID];
	mono_t asked, answered;
};

/* A socket there. 0 or -errno. Any thread. */
MUST_CHECK
int dial_create(const struct tcp_end *at, enum dial_kind kind, struct sfu_dial **out);
/* Of one that was not begun: joins that group (IN), or sends so far to groups (OUT), at the interface of this
 * address. 0 or -errno. */
MUST_CHECK int dial_join(struct sfu_dial *dial, const uint8_t group[16], const uint8_t at[16]);
MUST_CHECK int dial_reach(struct sfu_dial *dial, const uint8_t at[16], unsigned ttl);
bool dial_is_v4(const uint8_t ip[16]);
bool dial_is_group(const uint8_t ip[16]);
uint16_t dial_port(const struct sfu_dial *dial);
void dial_aim(struct sfu_dial *dial, const struct tcp_end *to, bool client);

/* For one that never began. Accepts NULL. */
void dial_free(struct sfu_dial *dial);

/* The first check goes out. 0 or -errno: it is gone then. */
RUNS_ON(on_worker) MUST_CHECK int dial_begin(struct sfu_dial *dial, struct sfu_peer *peer);
/* Asks again, when it is time. False: the server has been silent for too long. */
RUNS_ON(on_worker) MUST_CHECK bool dial_tick(struct sfu_dial *dial, mono_t now);
/* Goes out at once: all that is not media is rare. */
RUNS_ON(on_worker) void dial_put(struct sfu_dial *dial, struct bytes datagram);
/* The same to that end, with the next flush of this worker's. */
RUNS_ON(on_worker)
void dial_put_to(struct sfu_dial *dial, const struct udp_path *to, struct bytes datagram);
RUNS_ON(on_worker) void dial_flush(void);
/* Frees itself in a later turn. */
RUNS_ON(on_worker) void dial_end(struct sfu_dial *dial);
