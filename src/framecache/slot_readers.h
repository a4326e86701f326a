/* slot_readers: who reads the slots and how far behind, as far as readers tell (lib/report.h).
 *
 *   reader ── a datagram a second ──▶ FC_DIR/.readers ──▶ this table ──▶ slot_face
 *
 * The kernel says which process sends, so that one that has stopped and tells nothing is still known to be
 * there, with the place where it was last. Forgotten are those that say goodbye, those whose process is gone,
 * and those that are silent for long. Nothing depends on it. Thread: control. */
#pragma once

#include <uv.h>

#include "core/role.h"
#include "fc_client.h"

struct slot_reader {
	struct slot_reader *next;
	char slot_id[FC_SLOT_ID_MAX + 8], name[16];
	uint64_t generation, handle; /* of the slot; of the reader, within its process */
	uint64_t position, lost;
	uint32_t pid;     /* 0: of a namespace that we do not see */
	uint64_t seen_ns; /* when it told something last */
	uint64_t cursor;  /* how many frames there were then */
};

/* 0, or -errno. */
RUNS_ON(on_control) MUST_CHECK int readers_start(uv_loop_t *loop, const char *directory);
RUNS_ON(on_control) void readers_stop(void);

/* Forgets who is gone. */
RUNS_ON(on_control) void readers_look(uint64_t now);

/* The next one of a slot behind one, or the first. */
RUNS_ON(on_control)
const struct slot_reader *readers_next(const struct slot_reader *after, const char *slot_id,
				       uint64_t generation);
