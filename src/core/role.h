/* role: which thread runs what, written where it is declared and checked twice.
 *
 * RUNS_ON(on_worker) on a function and OWNED_BY(on_worker) on a field are read by clang's
 * -Wthread-safety: whoever calls or touches must hold the role. A callback, which the compiler
 * cannot follow, begins with enter_worker(), enter_control() or enter_store(); that asserts at run
 * time that this thread has the role, and tells the compiler so. A forgotten line is a compile
 * error.
 *
 * There is one role for all workers: that one worker never touches another's objects is kept by
 * handing each object a worker pointer of its own, and by mailboxes. */
#pragma once

#include "core/check.h"

#ifdef __clang__
#	define ROLE_ATTRIBUTE(x) __attribute__((x))
#else
#	define ROLE_ATTRIBUTE(x)
#endif

struct ROLE_ATTRIBUTE(capability("role")) role {
	char name;
};

extern struct role on_worker;
extern struct role on_control;
extern struct role on_store; /* the thread of the database */

#define RUNS_ON(role)  ROLE_ATTRIBUTE(requires_capability(role))
#define OWNED_BY(role) ROLE_ATTRIBUTE(guarded_by(role))

/* What this thread is; set once by whoever starts it. */
enum role_of_thread { ROLE_NONE, ROLE_CONTROL, ROLE_WORKER, ROLE_STORE };

extern _Thread_local enum role_of_thread role_here;

static inline void enter_worker(void) ROLE_ATTRIBUTE(assert_capability(on_worker))
{
	CHECK(role_here == ROLE_WORKER);
}

static inline void enter_control(void) ROLE_ATTRIBUTE(assert_capability(on_control))
{
	CHECK(role_here == ROLE_CONTROL);
}

static inline void enter_store(void) ROLE_ATTRIBUTE(assert_capability(on_store))
{
	CHECK(role_here == ROLE_STORE);
}
