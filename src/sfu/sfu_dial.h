/* sfu_dial: a path with a socket of its own. To a server that we call, whose room is carried on here, as one and
 * the same server may be called for many rooms; with the controlling half of ICE. Or, plain, from a program that
 * sends RTP without keys.
 *
 *   control: dial_create ─▶ offer, answer ─▶ dial_aim ─▶ peer ─▶ its worker
 *   worker:  dial_begin ─ check ─▶ server ─ answer ─▶ peer_answered      then a check each second:
 *            its STUN is answered, DTLS and media go to the peer         who does not answer is gone
 *   plain:   whatever comes is RTP or RTCP, from whomever; ours goes to who sent last
 *
 * Owner: the peer, on its worker; before dial_begin, and of one that never began, who made it. */
#pragma once

#include "core/check.h"
#include "core/mono.h"
#include "core/role.h"
#include "core/udp.h"
#include "sfu/proto/stun.h"

struct sfu_peer;

struct sfu_dial {
	struct udp udp;
	int fd; /* -1: udp has it */
	struct sfu_peer *peer;
	struct udp_path to;
	bool client; /* we speak first in DTLS */
	bool plain;
	uint8_t id[STUN_ID];
	mono_t asked, answered;
};

/* A socket there. 0 or -errno. Any thread. */
MUST_CHECK int dial_create(const struct tcp_end *at, bool plain, struct sfu_dial **out);
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
/* Frees itself in a later turn. */
RUNS_ON(on_worker) void dial_end(struct sfu_dial *dial);
