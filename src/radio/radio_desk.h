/* radio_desk: what the writer of a feed must not forget when its process dies: one memfd each.
 *
 *   ┌ feed, which slot ┐┌ slot 0: consumed, owner's words, framer, begun unit, headers ┐┌ slot 1 ┐
 *
 *   peek at input ─▶ publish its units ─▶ desk_save() ─▶ take the input off the socket
 *
 * Saving writes the slot that is not current, and then makes it so: there is always a whole one. A
 * writer that died in between is repeated from its last save: the input is still there, or desk_save
 * has counted it and it is dropped; units that are in the ring already are not published twice
 * (radio_publish.h). So no byte of an encoder is lost or doubled, at whatever instruction it stops.
 *
 * Owned by one writer, on its thread; the memory is the descriptor's. Nothing in it is a pointer. */
#pragma once

#include "radio/radio_publish.h"

#define DESK_OWNER_MAX 16384u
#define DESK_INTAKE    32768u /* bytes of input that lie on it before they are taken */

struct desk {
	int fd;
	struct desk_page *page;
};

/* What is saved: the caller lends owner (len bytes of it). */
struct desk_words {
	uint64_t consumed; /* bytes of input that this state has seen */
	const void *owner;
	size_t owner_len;
};

/* 0 or -errno. */
MUST_CHECK int desk_create(struct desk *desk);

/* The desk in fd. 0, -EPROTO when it is none of this layout, or -errno; then fd is the caller's. */
MUST_CHECK int desk_open(struct desk *desk, int fd);

/* Unmaps and closes. Accepts a zeroed one. */
void desk_close(struct desk *desk);

/* Unmaps and does not close. */
void desk_leave(struct desk *desk);

void desk_save(struct desk *desk, const struct publisher *publisher,
	       const struct desk_words *words);

/* Where the publisher notes which feed it writes: its place member, for as long as the desk is open. */
struct publish_place *desk_place(struct desk *desk);

/* DESK_INTAKE bytes for input that comes but once. */
uint8_t *desk_intake(struct desk *desk);

/* Something was saved. */
bool desk_has_state(const struct desk *desk);

/* Gives back what was saved last: owner_len bytes into owner, and the publisher, which must have been
 * made with publisher_init; its feed is found with publisher_resume(). False: it makes no sense. */
MUST_CHECK bool desk_load(const struct desk *desk, struct publisher *publisher, uint64_t *consumed,
			  void *owner, size_t owner_len);
