/* voiceswarm: what the processes of ringmain-voiceswarm share: the orders, the ears and the counts.
 *
 *     parent ── phase ──▶ shared memory ◀── clients, ears ── process 0 … P-1, and one of junk
 *       └── makes the rooms; a progress line each second, the report at the end
 *
 * One mapping, made before the fork. Client i is in room i % rooms and belongs to process i % P, which
 * alone writes it and its ears; the first rooms * talkers clients talk. */
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>

#include "core/mono.h"
#include "mumble_link.h"
#include "spread.h"
#include "voice_oracle.h"

enum { VSWARM_PROCESSES = 16, VSWARM_ROOMS = 256 };

/* What clients send from their own sockets, beside what they say. */
enum forge_kind {
	FORGE_TAG,    /* the next number, another tag */
	FORGE_BODY,   /* a good one with a bit turned */
	FORGE_REPLAY, /* a good one once more */
	FORGE_MOVED,  /* a good one once more, from another port */
	FORGE_STALE,  /* one of long ago */
	FORGE_SHORT,
	FORGE_LONG,
	FORGE_XEX,   /* eprint 2019/311 section 4.1: fits its tag, was never sealed */
	FORGE_PLAIN, /* sealed rightly, but no packet is in it */
	FORGE_KINDS
};
extern const char *const forge_names[FORGE_KINDS];

struct vswarm_options {
	const char *host, *password, *superuser;
	uint16_t port;
	unsigned clients, rooms, talkers, processes, sources, tunnel;
	bool mixed;   /* every second client is 1.5 */
	bool hush;    /* first round: some are deaf, some are mute */
	bool any_way; /* UDP need not work */
	double rate, seconds, join_seconds, tick_ms;
	size_t size, vary;
	double rebind_s;                /* one client changes its port each so often; 0: never */
	double junk, list_pings, forge; /* a second */
	unsigned forge_mask;            /* bits by enum forge_kind */
};

enum phase { PHASE_JOIN, PHASE_HUSH, PHASE_LIFT, PHASE_TALK, PHASE_DRAIN, PHASE_END };

struct vswarm_client {
	_Atomic uint32_t session;
	_Atomic unsigned ready; /* for so manieth phase */
	_Atomic uint64_t said;  /* numbers 0 … said - 1 */
	_Atomic bool gone;
	char why[256];
	/* read when the processes have ended */
	uint64_t sent_udp, sent_tunnel, heard_udp, heard_tunnel, dropped, own_drops;
	uint32_t stale, repeated, forged; /* datagrams that were not taken: see mumble_crypt.h */
	uint64_t torn, own, outside, stranger, muted_heard, deaf_heard;
};

struct vswarm_crew {
	_Atomic uint64_t said, heard;
	struct spread latency_us;
	struct spread heal_us; /* first datagram from the new port … first one to it */
	uint64_t rebinds, healed;
	uint64_t forged[FORGE_KINDS];
	int64_t cpu_us;
};

struct vswarm_junk {
	uint64_t sent, answers;                        /* nothing of it may be answered */
	uint64_t asked, asked_bytes, told, told_bytes; /* lists of servers */
};

struct vswarm {
	struct vswarm_options options;
	struct sockaddr_storage to;
	uint32_t run;
	uint32_t room_ids[VSWARM_ROOMS];
	_Atomic unsigned phase, phase_number;
	struct vswarm_crew crew[VSWARM_PROCESSES];
	struct vswarm_junk junk;
	struct voice_ear *ears; /* [client][talker] */
	struct vswarm_client clients[];
};

static inline unsigned vswarm_talkers(const struct vswarm *swarm)
{
	return swarm->options.talkers * swarm->options.rooms;
}

static inline struct voice_ear *vswarm_ear(struct vswarm *swarm, unsigned client, unsigned talker)
{
	return &swarm->ears[(size_t)client * vswarm_talkers(swarm) + talker];
}

/* 127.0.0.2 and on for clients; NULL: the system's choice. */
const char *vswarm_address(const struct vswarm *swarm, unsigned client, char out[16]);

/* One process's work (voiceswarm_client.c, voiceswarm_junk.c); returns when the phase is END. */
void vswarm_work(struct vswarm *swarm, unsigned process);
void vswarm_junk(struct vswarm *swarm);

/* One datagram of that kind from this client's own socket. keep: some memory for each client. */
struct forge_memory {
	uint8_t old[64];
	size_t old_len;
	uint64_t sent_then; /* numbers that have passed since */
};
void vswarm_forge(struct mumble_link *link, enum forge_kind kind, struct forge_memory *memory);

/* The final line (voiceswarm_report.c); true when nothing was wrong. */
bool vswarm_report(struct vswarm *swarm);
