/* people: users, tokens and browser sessions on their way between the store and the book of
 * accounts (account.h).
 *
 *   start:  store ──▶ book            then: book ── who was seen, now and then ──▶ store
 *
 * Where the store cannot be read the server starts without them, says so, and tries again: the
 * administrator of the settings is let in all the same. Thread: control. */
#pragma once

#include "edge/account.h"

/* Begins to load, and turns the loop until that is done, or for a moment when the disk is slow: who
 * knocks first is known. After the store and the workers have started, before the doors open. */
RUNS_ON(on_control) void people_start(uv_loop_t *loop);

/* Whether the book is the store's: before that nobody is made or changed. */
RUNS_ON(on_control) bool people_loaded(void);

/* The loop of the control thread. */
RUNS_ON(on_control) uv_loop_t *people_loop(void);

/* Hands the store what it is to know of a browser's session; that it is over. */
RUNS_ON(on_control) void people_keep_session(const struct session *session);
RUNS_ON(on_control) void people_forget_session(const uint8_t *id);

/* Tells the store who was seen. Before the store stops. */
RUNS_ON(on_control) void people_stop(void);
