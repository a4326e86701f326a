/* tls_room: TLS as the rest of the server sees it: its settings, the certificates in force, and that
 * both follow the files.
 *
 *   start, reload:  tls_prepare ─▶ (all else is fine too) ─▶ tls_commit     or tls_abandon
 *   every check_interval: have the files changed? ─▶ load ─▶ in force, or what is wrong in the log
 *
 * Control thread, but for tls_settings. Connections that are over TLS already are never touched. */
#pragma once

#include "core/worker.h"
#include "edge/tls_conf.h"

/* The settings in force; valid for the event at hand. Any thread, after the first tls_commit. */
const struct tls_conf *tls_settings(void);

/* Loads what these settings name. 0: ready for tls_commit. -EINVAL: fault says what is wrong, and
 * nothing has changed. Or -ENOMEM. */
RUNS_ON(on_control)
MUST_CHECK int tls_prepare(const struct tls_conf *conf, char *fault, size_t size);
RUNS_ON(on_control) void tls_commit(void);
RUNS_ON(on_control) void tls_abandon(void);

/* A certificate that the server gives itself and keeps in the data directory, made the first time: for
 * families that never do without TLS. The caller's; NULL: fault says why not. */
struct tls_identity;
RUNS_ON(on_control) struct tls_identity *tls_self_signed(char *fault, size_t size);

/* Looks whether the files have changed, now. */
RUNS_ON(on_control) void tls_look(void);

/* Watches files, changes the keys of tickets, and obtains certificates (acme.h). 0 or -errno. */
RUNS_ON(on_control) MUST_CHECK int tls_start(uv_loop_t *loop);
RUNS_ON(on_control) void tls_stop(void);

/* After the workers have stopped. */
void tls_fini(void);
