/* worker: the threads that carry traffic, and the control thread's door.
 *
 *   control thread ── places connections ──▶ worker 0 … worker n-1, one loop and mailbox each
 *
 * What a worker owns, no other thread touches; what crosses is a mailbox message. A baton is a
 * message that visits every worker in turn and then comes home to the control thread: the way to
 * gather something from all, or to be sure that all have let go of something.
 *
 * Each second every worker is asked for a sign of life. One that has not given it for WORKERS_PATIENCE
 * of these is stuck, in a callback that does not return or because the system gives it no time: that
 * is logged and counted until it turns again, as nothing else can be done about a thread.
 *
 * Rooms hang their per-worker state into hooks, which run on the worker's own thread. The first
 * one starts when all workers can be posted to. When the last one has stopped, workers and control
 * turn on until no room is busy and no baton is under way, so that nobody is left waiting for an
 * answer; what arrives finds the rooms stopped. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

#include "core/mailbox.h"
#include "core/mono.h"
#include "core/role.h"

#define WORKERS_MAX      64 /* one bit each in a ring's sleepers */
#define WORKERS_PATIENCE 5u

struct worker {
	unsigned id;
	uv_loop_t loop;
	struct mailbox mailbox;
	uv_thread_t thread;
	_Atomic uint32_t load; /* connections placed here; relaxed: a hint for placement */
	struct message errand; /* start, stop, job, end: one at a time, so none is allocated */
	uv_sem_t go_on;        /* what a halted worker waits for */
	unsigned hooked;       /* hooks that have started */
	int error;
	uv_check_t turn_began;   /* after the wait of a turn */
	uv_prepare_t turn_ended; /* before the wait of the next */
	mono_t began;
	uv_timer_t last_turns; /* once stopped: looks whether anybody is busy */
	_Atomic bool idle;     /* once stopped: nobody is; relaxed, by the worker */
	struct message beat;   /* the question whether it turns */
	_Atomic bool asked;    /* acquire by control; release by the worker, which answers */
	unsigned owes;         /* control's: questions that it let pass */
};

struct worker_hooks {
	int (*start)(struct worker *worker); /* 0 or -errno; on the worker's thread */
	void (*stop)(struct worker *worker); /* ends what it can, closes its handles; likewise */
	bool (*busy)(struct worker *worker); /* after stop: others still owe it a word; or NULL */
};

struct baton {
	struct message message;
	unsigned at;
	void (*visit)(struct baton *baton, struct worker *worker); /* on each worker */
	void (*home)(struct baton *baton);                         /* on control; frees it */
};

/* Starts count workers (1 … WORKERS_MAX) with these hooks (NULL-terminated; must outlive them), and
 * the control thread's mailbox on control_loop. 0 or -errno; then nothing runs. */
MUST_CHECK int workers_start(unsigned count, const struct worker_hooks *const *hooks,
			     uv_loop_t *control_loop);

/* Stops the hooks of all workers, in reverse order, and joins all. Turns the control loop meanwhile,
 * which needs one more turn before workers are started on it again. */
void workers_stop(void) RUNS_ON(on_control);

/* Runs job on all workers and waits until it is done on each. The control loop does not turn
 * meanwhile: a job may post, and not wait for an answer. */
void workers_run(void (*job)(struct worker *worker)) RUNS_ON(on_control);

/* Stops all workers where they are, between two events, each after before (or NULL); only the caller
 * runs until it lets them go on, each with job (or NULL) first. Threads of libuv's pool go on. */
void workers_halt(void (*before)(struct worker *worker)) RUNS_ON(on_control);
void workers_go_on(void (*job)(struct worker *worker)) RUNS_ON(on_control);

/* Asks each for a sign of life, and how many are stuck. Control does so each second by itself. */
unsigned workers_watch(void) RUNS_ON(on_control);

unsigned workers_count(void);
struct worker *worker_of(unsigned id);

/* The worker that this thread is; only on a worker. */
struct worker *worker_here(void) RUNS_ON(on_worker);

/* The worker that carries least. */
struct worker *worker_place(void) RUNS_ON(on_control);

void worker_post(struct worker *worker, struct message *message);
void control_post(struct message *message);

/* The visit of a baton that only wants to have been everywhere: when it comes home, no worker still
 * uses what it found before the baton left. */
void baton_pass(struct baton *baton, struct worker *worker);

/* Sends a baton off. Any thread. */
void baton_send(struct baton *baton);
