/* pam_login: asks PAM, the machine's own logins, whether a password is right.
 *
 *   pam_login_start() ─▶ thread pool: a process, ringmain-pam ─▶ modules of PAM
 *                 done() ◀── its answer, or that there was none in time ──┘
 *
 * Modules are other people's: they block, hang, crash and leave threads behind. So each login has a
 * process of its own, which is killed when it is late; so many run at a time, and one that even a kill
 * does not end (it waits for a dead disk) counts until it is gone. No loop waits for any of it.
 *
 * done() is called once, never from within pam_login_start(), on the thread that asked; afterwards the
 * struct is at rest. Thread: a loop's owner. Nobody becomes more than a user by this: what he may do is
 * said elsewhere. */
#pragma once

#include "core/worker.h"
#include "edge/auth.h"

struct pam_run;

struct pam_login {
	struct pam_run *run; /* NULL: at rest */
	void (*done)(struct pam_login *login, enum auth_result result);
};

/* All of it is copied. */
struct pam_question {
	const char *service; /* see pam_service.h */
	const char *user, *password;
	const char *address; /* of whom it is that wants to log in; "": unknown */
	uint64_t timeout_ms;
	unsigned most; /* at a time, in this process */
};

extern const struct worker_hooks pam_login_hooks;

/* The path of ringmain-pam; before threads. */
void pam_login_program(const char *path);

/* False: it cannot be asked now; done() is not called. */
MUST_CHECK bool pam_login_start(uv_loop_t *loop, struct pam_login *login,
				const struct pam_question *question,
				void (*done)(struct pam_login *login, enum auth_result result));

/* Forgets about the answer: done() is not called. */
void pam_login_cancel(struct pam_login *login);

/* Ends what this thread has under way, with AUTH_BUSY; and whether something still ends. */
void pam_logins_stop(void);
bool pam_logins_busy(void);
