/* upgrade: the old server's part when another one takes over, on the control thread.
 *
 *   SIGUSR2, ringmainctl ─▶ keeper ─▶ a new server, and a socket to it
 *     HELLO came ─▶ accept nobody, let requests end (QUIET_MS at most)
 *       ─▶ halt all workers ─▶ handover_give() ─▶ given: part, answer what is left, end
 *                                             └─▶ kept: go on as if nothing had been */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "core/role.h"

struct upgrade_hooks {
	void (*ended)(void); /* the keeper is gone: end the server */
	void (*given)(void); /* another server has all: stop what is not a connection */
	void (*outcome)(bool done, const char *why); /* of every upgrade that began */
};

/* Listens to the keeper. 0 or -errno. */
RUNS_ON(on_control)
MUST_CHECK int upgrade_start(uv_loop_t *loop, const struct upgrade_hooks *hooks);
RUNS_ON(on_control) void upgrade_stop(void);

/* Asks the keeper for one; false: there is no keeper, or one is under way. */
RUNS_ON(on_control) bool upgrade_ask(void);

/* The server is to end: leaves everything to systemd, for the one that it starts next (core/stow.h), and
 * ends by itself. False: systemd does not offer that. */
RUNS_ON(on_control) bool upgrade_stow(void);

/* Another server has all: there is nothing to stop, and nothing of ours to close. */
RUNS_ON(on_control) bool upgrade_is_given(void);
