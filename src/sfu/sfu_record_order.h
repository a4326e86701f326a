/* sfu_record_order: which rooms were ordered to be recorded, written down where the next server finds it.
 *
 *   order ─▶ row ─ crash, upgrade, restart by systemd ─▶ row ─▶ the room waits for a publisher, a new file begins
 *
 * A row is there from the order to its end, whatever ends the server meanwhile. Owner: the control thread. */
#pragma once

#include "core/check.h"
#include "core/role.h"
#include "sfu/sfu_conf.h"

#define RECORD_ORDER_NONE UINT32_MAX

/* Before there is an estate. */
void record_order_know(void);

/* found() for each order that the last server left. 0 or -errno. */
RUNS_ON(on_control)
MUST_CHECK int record_order_start(void (*found)(const char *room, int64_t since_us, uint32_t row));

/* NONE: there is no room for it; it ends with this server. */
RUNS_ON(on_control) uint32_t record_order_put(const char *room, int64_t since_us);

/* It is over. */
RUNS_ON(on_control) void record_order_end(uint32_t row);

/* The rows stay. */
RUNS_ON(on_control) void record_order_fini(void);
