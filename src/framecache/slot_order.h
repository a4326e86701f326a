/* slot_order: FACE of the frame cache: the body of POST /slots, and what is wrong with it.
 *
 *   {"slot_id": "studio1", "width": 1920, …} ─▶ struct board_order, or "heights: there is no such member; …"
 *
 * A member that is not known is refused, so that one which is misspelt does not pass for one that was left
 * out. Any thread. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "framecache/slot_board.h"

#define SLOT_FAULT_SIZE 320u

/* False: fault says which member is wrong, and why. */
bool slot_order_read(const json_t *body, struct board_order *order, char fault[SLOT_FAULT_SIZE]);
