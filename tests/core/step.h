/* step: runs an action so that something else happens after any one of its instructions.
 *
 *   in this thread:  step_through ── action │ there() │ action goes on
 *   in a child:      step_start ── step_once ── step_once … ── step_run or step_kill
 *
 * So the other side of a ring can look, write or read at each point at which another core could,
 * and a death at each instruction can be tried, all without timing: what is found once is found
 * each time. step_through() is the fast one, by the processor's trap flag and a signal; a child is
 * stepped by ptrace, and shares with its parent what they both mapped. x86-64. One at a time.
 *
 * Trying each of N instructions in a run of its own costs N²; step_stride() says how many to go
 * forward from one to the next where a sanitizer makes N large. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Runs action(arg), and there(arg) after its n-th instruction, in between. Returns how many there
 * were up to there, or in all when they were fewer than n. */
unsigned step_through(void (*action)(void *arg), void *arg, unsigned n, void (*there)(void *arg));

/* The same with there(arg) after each instruction. */
unsigned step_through_each(void (*action)(void *arg), void *arg, void (*there)(void *arg));

/* The same for one who waits on a futex, of which the kernel is not asked: how it went. Needs
 * -Wl,--wrap=syscall. */
enum step_wait {
	STEP_AWAKE,  /* there(arg) came before it had to sleep */
	STEP_ASLEEP, /* it fell asleep in less than n instructions; then came there(arg) */
	STEP_MISSED, /* it would have slept although there(arg) was over */
};

enum step_wait step_through_wait(void (*action)(void *arg), void *arg, unsigned n,
				 void (*there)(void *arg));

/* The distance between the points to try of n instructions, 1 where all can be. */
unsigned step_stride(unsigned n);

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

/* Runs the action at full speed until it calls step_mark(). */
void step_to_mark(struct step *step);
void step_mark(void);

/* Runs the action to its end. The child is gone then. */
void step_run(struct step *step);

/* Kills the child where it is. */
void step_kill(struct step *step);
