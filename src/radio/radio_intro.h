/* radio_intro: a file that each listener of a mount hears first, before it joins live.
 *
 *   file ─ read and cut into whole units on the thread pool ─▶ intro ─▶ mount->intro     (control)
 *   listener: answer ─▶ its intro, from intro_sent on ─▶ burst, live                     (worker)
 *
 * One piece of memory for all who hear it. It is counted by the mount and once by each worker that has
 * somebody in it; the last to let go frees it, so that a file that changes or goes away under its
 * listeners is heard by them to its end. What a mount has been told to leave behind, workers may still
 * be about to take until a baton has been everywhere.
 *
 * A row has no pointer: intro is a number made of the bytes, intro_sent how many of them went out. The
 * file is looked at again every few seconds. One that cannot be used, or is of another format than what
 * is heard, is said in the log once and left out.
 *
 * It mixes nothing and makes no format fit another: only such as may follow one another in a stream
 * (MP3, AAC in ADTS, Ogg, MPEG-TS) can be introduced. */
#pragma once

#include "core/worker.h"

struct intro;
struct intro_desk;
struct listener;
struct mount;
struct outlet;

/* What a mount has of its intro. */
struct intro_place {
	_Atomic(struct intro *) intro; /* what who comes now hears first; NULL: nothing */
	struct intro_desk *desk;       /* the control thread's; NULL: none is wanted */
};

/* Looks at the file, when one is wanted and it is time; lets go of it when not. */
RUNS_ON(on_control) void intro_follow(struct mount *mount, uv_loop_t *loop);

/* Nothing more is looked at: the server stops. */
RUNS_ON(on_control) void intro_stop(struct mount *mount);

/* The mount goes; no worker knows it any more. */
RUNS_ON(on_control) void intro_leave(struct mount *mount);

/* A listener that comes is to hear the mount's intro first, if it has one of its format: then it has
 * LISTENER_INTRO, until intro_end. */
RUNS_ON(on_worker) void intro_begin(const struct outlet *outlet, struct listener *listener);

/* More of it, as much as the socket takes. Who was in it when the last server ended waits until it is
 * loaded here, but not for long. 1: all is sent. 0: the socket is full. Or -errno. */
RUNS_ON(on_worker) int intro_send(struct outlet *outlet, uint32_t row, mono_t now);

/* It hears no intro any more. */
RUNS_ON(on_worker) void intro_end(struct listener *listener);

/* Behind the last listener. */
RUNS_ON(on_worker) void intro_worker_stop(void);
