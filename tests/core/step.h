/* step: a child process that is stopped after any one of its instructions.
 *
 *   parent:  step_start(action) ── step_once() ── step_once() … ── step_run() or step_kill()
 *   child:        stopped before action │ one instruction │ …      action done, exits
 *
 * So another can look, write or read at each point that a thread on another core could hit, and a
 * death at each instruction can be tried, all without timing. The action shares memory with the
 * parent through its views of a memfd and whatever it mapped shared. x86-64. Thread: the caller's.
 *
 * What N instructions cost when each is tried in a run of its own grows with N²; step_stride()
 * keeps that in bounds where a sanitizer makes N large. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct step {
	int pid;
	struct step_shared *shared;
};

/* A child, stopped before the first instruction of action(arg). */
struct step step_start(void (*action)(void *arg), void *arg);

/* One instruction more. False when the action is over. */
bool step_once(struct step *step);

/* count instructions more. False when the action was over before that. */
bool step_by(struct step *step, unsigned count);

/* Runs the action to its end. The child is gone then. */
void step_run(struct step *step);

/* Kills the child where it is. */
void step_kill(struct step *step);

/* How many instructions action(arg) takes. It is done then. */
unsigned step_count(void (*action)(void *arg), void *arg);

/* The distance between the points to try of n instructions, 1 where all can be. */
unsigned step_stride(unsigned n);
