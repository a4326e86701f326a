/* radio_limit: how many may listen, in all, from one address, at what bandwidth.
 *
 * A listener takes its place before it is answered and gives it back when it goes. Totals are
 * atomics. The count per address is exact and shared by all workers behind one mutex, taken once a
 * join and once a leave: never on the path of the stream. So is the count of listeners who were let in
 * by the same name. */
#pragma once

#include "edge/proto/address.h"
#include "radio/radio_mount.h"

enum limit {
	LIMIT_NONE,      /* the place is taken */
	LIMIT_SERVER,    /* radio.max_listeners */
	LIMIT_MOUNT,     /* the mount's max_listeners */
	LIMIT_ADDRESS,   /* too many from this address */
	LIMIT_BANDWIDTH, /* radio.max_bandwidth or the mount's */
	LIMIT_MEMORY,
};

struct limit_rules {
	uint64_t max_listeners;             /* of the server; 0: no limit, as all here */
	uint64_t max_listeners_per_address; /* of the server */
	uint64_t max_bandwidth;             /* bytes a second */
	const struct mount_conf *mount;
};

/* bytes_per_second: what this listener will cost. On LIMIT_NONE, limit_give must follow one day
 * with the same values. */
enum limit limit_take(const struct limit_rules *rules, struct mount_count *count,
		      const struct address *peer, uint32_t bytes_per_second);
void limit_give(struct mount_count *count, const struct address *peer, uint32_t bytes_per_second);

/* Counts in a listener who was let in as this user ("" is nobody: always true). alone: only if no
 * other of that name listens there. False: one does, or there is no memory. On true, limit_user_give
 * must follow one day. */
MUST_CHECK bool limit_user_take(struct mount_count *count, const char *user, bool alone);
void limit_user_give(struct mount_count *count, const char *user);

/* Counts in a listener that another process has let in, whatever the limits are now. False: no
 * memory. */
bool limit_adopt(struct mount_count *count, const struct address *peer, uint32_t bytes_per_second);

/* Listeners on all mounts. */
uint32_t limit_listeners(void);

/* The listener goes from one mount to another, whatever the limits there. False: no memory, and it
 * stays where it was. */
bool limit_move(struct mount_count *from, struct mount_count *to, const struct address *peer);
