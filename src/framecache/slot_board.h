/* slot_board: HUB of the frame cache: which slots there are, how they are, and what they may take.
 *
 *   FC_DIR ── once a second, and after each order ──▶ board ──▶ registry.json (replaced whole)
 *     ▲                                                 │
 *     └── create (on libuv's pool), remove, collect ◀───┘
 *
 * The files are the truth, their headers say all there is to say, and the board is what was seen of them
 * last. So nothing is lost when the server is: the next one finds the slots as they are, and neither their
 * writers nor their readers notice. Slots that other programs make are the board's too; files that are none
 * are left alone. A slot without a living writer goes when its grace is over.
 *
 * No frame passes through here. Thread: control. */
#pragma once

#include <uv.h>

#include "core/role.h"
#include "fc_client.h"
#include "framecache/framecache_conf.h"

struct board_slot {
	struct board_slot *next; /* by name */
	fc_slot_t *handle;
	fc_info_t info;
	int state; /* of fc_state() */
	bool seen; /* at the look under way */
	double fps;
	uint64_t fps_cursor, fps_ns; /* where fps was measured from */
	uint64_t alone_ns;           /* since when it has no living writer; 0: it has */
};

/* Names the directory to the library. Before there are threads. */
void board_place(const struct framecache_conf *conf);

/* conf must last until another is given. 0, or -errno when there is no directory to be had. */
RUNS_ON(on_control) MUST_CHECK int board_start(uv_loop_t *loop, const struct framecache_conf *conf);
RUNS_ON(on_control) void board_configure(const struct framecache_conf *conf);
/* Ends what is being created, and forgets the slots; their files stay. */
RUNS_ON(on_control) void board_stop(void);

/* Whether it was started. When not there are no slots, and none can be made. */
RUNS_ON(on_control) bool board_is_open(void);

/* Looks now, and not only in a while. */
RUNS_ON(on_control) void board_look(void);
/* Whether the last look found the directory closed or could not write the registry; then what, and why. */
RUNS_ON(on_control) bool board_fault(char *fault, size_t size);
RUNS_ON(on_control) const struct board_slot *board_first(void);
RUNS_ON(on_control) const struct board_slot *board_find(const char *slot_id);

/* FC_DIR. */
const char *board_directory(void);

/* Bytes that slots have or are about to get; what they may have; what the file system has left. */
RUNS_ON(on_control) uint64_t board_taken(void);
RUNS_ON(on_control) uint64_t board_budget(void);
RUNS_ON(on_control) uint64_t board_room(void);

/* One that is to be made. done() runs on the control thread, once, and owns it again. */
struct board_order {
	uv_work_t work;
	fc_config_t config;
	char slot_id[FC_SLOT_ID_MAX + 1], source_type[32];
	int flags;  /* of fc_slot_create */
	bool owned; /* it becomes theirs, where the server may give it away */
	uid_t uid;
	gid_t gid;
	uint64_t size;
	int error; /* 0, or -errno: -EINVAL, -EEXIST, -EBUSY, -EDQUOT over the budget, -ENOSPC … */
	void (*done)(struct board_order *order);
};

RUNS_ON(on_control) void board_create(struct board_order *order);

/* 0, -ENOENT, or -EBUSY: a living writer has it. */
RUNS_ON(on_control) int board_remove(const char *slot_id, bool force);
