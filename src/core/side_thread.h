/* side_thread: a thread beside the loops, for one who writes to a disk all the time.
 *
 *   control ── side_thread_give(message) ──▶ list ──▶ side_thread_take ── the thread's own main
 *           ── side_thread_wake ───────────▶ sleep ends
 *
 * It has no loop: its main sleeps in side_thread_take until there is something for it or a round is due,
 * and ends once that has said stop. What it was given is its own then, in the order it was given; deliver()
 * is not called: control_post is its way back. What both of them use of a thing meanwhile is under the
 * mutex.
 *
 * Thread: take is for the thread's main, all else for control. A zeroed one has not begun. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/mailbox.h"

#define SIDE_THREAD_ANY UINT64_MAX /* sleeps for as long as there is nothing */

struct side_thread {
	uv_thread_t thread;
	uv_mutex_t mutex; /* there from the first start on, until fini */
	uv_cond_t wake;
	struct message *first, **last; /* given: under mutex */
	bool stop, woken;              /* under mutex */
	bool runs, made;               /* control's */
};

/* Nothing where it runs already. What main reads was stored before. 0 or -errno. */
MUST_CHECK int side_thread_start(struct side_thread *side, void (*main)(void *unused));

/* Only while it runs. */
void side_thread_give(struct side_thread *side, struct message *message);

/* Sooner than it would. */
void side_thread_wake(struct side_thread *side);

/* Sleeps, at most so many nanoseconds. All that was given, or NULL; after *stop nothing comes. */
struct message *side_thread_take(struct side_thread *side, uint64_t at_most, bool *stop);

/* Returns when its main has; it may be started again. */
void side_thread_stop(struct side_thread *side);
void side_thread_fini(struct side_thread *side);
