/* sfu_shelf: sessions and rooms by what requests name them by, so that one of many thousands is found at once:
 *
 *   session: its own name │ the name that a viewer gave itself │ where it came from          room: its name
 *
 * Anybody may choose some of these, so a key that nobody knows says on which shelf one lies, and nobody can crowd one.
 * Owner: the control thread. */
#pragma once

#include "core/bytes.h"
#include "core/role.h"

struct shelf_link {
	struct shelf_link *next, **at;
};

/* Of a session. */
struct shelf_links {
	struct shelf_link id, subuuid, from;
};

struct address;
struct sfu_room;
struct sfu_session;

RUNS_ON(on_control) void shelf_put(struct sfu_session *session);
RUNS_ON(on_control) void shelf_take(struct sfu_session *session);
/* NULL: there is none. */
RUNS_ON(on_control) struct sfu_session *shelf_find(struct bytes id);
/* The newest viewer that calls itself so. */
RUNS_ON(on_control) struct sfu_session *shelf_find_subuuid(struct bytes subuuid);
/* How many, up to most, stay here from that address (of IPv6: from its /64); but for one. */
RUNS_ON(on_control)
uint64_t shelf_count_from(const struct address *from, const struct sfu_session *but, uint64_t most);

RUNS_ON(on_control) void shelf_put_room(struct sfu_room *room);
RUNS_ON(on_control) void shelf_take_room(struct sfu_room *room);
/* NULL: there is none. */
RUNS_ON(on_control) struct sfu_room *shelf_find_room(struct bytes name);
