/* radio_journal: what a worker is doing, for who comes after it should it die while doing so.
 *
 *   journal_listener(row)   the listener as it is now, whole: copied
 *     … its row changes, step by step …
 *   journal_listener(row)   whole again: copied, and something is about to be sent
 *     send()                the kernel has it, or not
 *     … the row says how much …
 *   journal_end()
 *
 * A process can die between any two instructions. The one listener that its worker was at may then be
 * half changed, and the kernel may have been given bytes that the row does not know of. The copy says
 * what the row was before, and the socket how many bytes it ever took (tcp_taken): their difference
 * is made good by radio_went(). All other rows are whole. The copy stays until that is done, for who
 * comes after it may die as well.
 *
 * It also tells which connection was being handled when a thread faulted (SIGSEGV, CHECK …): one that
 * was twice is not restored. A row in the estate for each worker, written by that worker alone. */
#pragma once

#include "core/estate.h"
#include "core/worker.h"
#include "radio/radio_listener.h"

enum journal_kind { JOURNAL_NOTHING, JOURNAL_LISTENER, JOURNAL_SOURCE };

struct journal {
	uint64_t in_use;
	uint32_t kind; /* stored when the rest is whole */
	uint32_t row;
	uint32_t faulted; /* this worker's thread is what brought the process down */
	uint32_t pad;
	uint8_t listener[LISTENER_CHANGES];
};

static_assert(sizeof(struct journal) % 64 == 0, "rows are whole cache lines");

extern const struct estate_kind journal_kind;

/* Opens this worker's; *left is what the worker before it was doing: who has made it good says
 * journal_end(). 0 or -errno. */
RUNS_ON(on_worker)
MUST_CHECK int journal_worker_start(const struct worker *worker, struct journal *left);
RUNS_ON(on_worker) void journal_worker_stop(void);

RUNS_ON(on_worker) void journal_listener(const struct listener *listener, uint32_t row);
RUNS_ON(on_worker) void journal_source(uint32_t row);
RUNS_ON(on_worker) void journal_end(void);
