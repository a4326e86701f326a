/* conf_standing: settings of a room that hold until the next start, whatever a reload says of them.
 *
 *   start: conf_standing_take ─▶ what is in force ─▶ reload: conf_standing_doubt names what differs
 *
 * Owner: who takes it, mostly a static of the room. Thread: the owner's. Before it was taken nothing is told. */
#pragma once

#include "core/conf.h"

struct conf_standing {
	const char *item; /* NULL ends a list of them */
	char *value;      /* as conf_value_print writes it; NULL: not taken, or no memory */
};

void conf_standing_take(struct conf_standing *list, const struct conf *conf,
			const struct conf_room *room);
void conf_standing_doubt(const struct conf_standing *list, const struct conf *conf,
			 const struct conf_room *room, struct conf_errors *errors);
void conf_standing_drop(struct conf_standing *list);
