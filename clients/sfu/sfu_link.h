/* sfu_link: the calling side of a WebRTC session, from keys of an answer to media that can be read.
 *
 *   LINK_ASKING ──authentic answer──▶ LINK_SHAKING ──DTLS──▶ LINK_UP          LINK_BROKEN
 *
 * Thousands share one socket: each has an address of its own in 127.0.0.0/8, which is set and read with
 * each datagram (IP_PKTINFO). Thread: the loop's, but link_local. */
#pragma once

#include "core/mono.h"
#include "sfu_lock.h"
#include "sfu_signal.h"

enum link_state { LINK_ASKING, LINK_SHAKING, LINK_UP, LINK_BROKEN };

struct link {
	struct signal_peer peer;
	enum link_state state;
	struct lock *lock;
	int fd;
	struct in_addr local;
	uint8_t id[STUN_ID];
	mono_t asked;
	unsigned asks;
};

/* A socket of the load: wildcard, with large buffers. -errno. */
int link_socket(void);

/* The address of the n-th: 127.1.0.0 and up. And back; UINT32_MAX: nobody's. */
struct in_addr link_local(uint32_t number);
uint32_t link_number(struct in_addr local);

/* When link.peer is known: the first check goes out. */
void link_begin(struct link *link, int fd, uint32_t number, bool sends, mono_t now);
void link_end(struct link *link);
void link_send(struct link *link, struct bytes datagram);

/* Takes STUN and DTLS; what is media is left to the caller. */
void link_take(struct link *link, struct bytes datagram, mono_t now);

/* Asks again; each 10 ms or so. */
void link_tick(struct link *link, mono_t now);

/* One run of datagrams of one sender to one of ours. */
typedef void link_arrived(void *owner, uint32_t number, struct bytes datagram, mono_t now);

/* Reads what is there, cut into datagrams where the kernel put them together. How many. */
unsigned link_receive(int fd, link_arrived *arrived, void *owner);
