/* ban: addresses that may not connect, as people have said, and until when.
 *
 *   API ─▶ ban_add, ban_remove (control) ─▶ bans.json in the data directory
 *                        └─▶ a list that every thread reads: ban_holds(peer) at accept and at each
 *                            request; who is there already is sent away by the rooms (ban_on_new)
 *
 * In force at once, and after a restart. Owner of the list: the control thread; ban_holds may be
 * asked by any, and takes no lock. Separate from http.deny, which is the file's. */
#pragma once

#include <jansson.h>

#include "core/role.h"
#include "edge/api.h"
#include "edge/proto/address.h"

#define BAN_MAX        10000u
#define BAN_REASON_MAX 200u

extern const struct api_operation ban_operations[];

/* Reads the list from the directory and keeps it there. A list that cannot be read is put aside
 * under another name, and the log says so. */
RUNS_ON(on_control) void ban_start(const char *directory);
/* When all workers have stopped. */
RUNS_ON(on_control) void ban_fini(void);

/* What the rooms do with those of a network who are connected; before the workers start. */
void ban_on_new(void (*send_away)(const struct cidr *network));

/* Whether somebody with this address is banned now. Any thread. */
bool ban_holds(const struct address *peer);
