/* acme: obtains a certificate for the names in tls.acme.domains and renews it, by itself.
 *
 *   timer ─▶ uacme ─▶ authority ─▶ GET /.well-known/acme-challenge/TOKEN ─▶ us (or a TLS handshake)
 *               └─▶ hook ─▶ descriptor 3 ─▶ us: which token is asked for, and what the answer is
 *
 * uacme does the protocol and the files, in DATA/acme; we run it at the start, every tls.acme.check,
 * and after a failure later and later. What it obtained is put in force by tls_room, which sees that
 * the files have changed. Control thread. */
#pragma once

#include "core/worker.h"
#include "edge/route.h"
#include "edge/tls_conf.h"

enum acme_phase {
	ACME_OFF,     /* no domains */
	ACME_RUNNING, /* the authority is being asked */
	ACME_GOOD,    /* there is a certificate, and it is not due */
	ACME_FAILED,  /* the last attempt failed; there may still be a good certificate */
	ACME_WAITING, /* nothing was tried yet */
};

/* For the dashboard. Texts hold until the next turn of the loop. */
struct acme_state {
	enum acme_phase phase;
	const char *error;  /* what uacme said last; "" */
	unsigned failures;  /* in a row */
	int64_t tried;      /* Unix seconds; 0: never */
	int64_t obtained;   /* when the certificate was obtained by this process; 0: it was not */
	int64_t next;       /* when it is tried or looked at again; 0: nothing is planned */
	const char *domain; /* the first */
};

RUNS_ON(on_control) struct acme_state acme_state(void);
const char *acme_phase_text(enum acme_phase phase);

extern const struct route acme_routes[];

/* Where things are: the data directory and the hook. Before all else; the texts are copied. */
RUNS_ON(on_control) void acme_place(const char *data, const char *hook);

/* That directory. */
RUNS_ON(on_control) const char *acme_data(void);

/* The files of the certificate for these settings: the one that was obtained, or a self-signed one,
 * which is made. False: there are no domains, or the disk refuses; fault says what. */
RUNS_ON(on_control)
MUST_CHECK bool acme_files(const struct tls_conf *conf, bool make, char *certificate, char *key,
			   size_t size, char *fault, size_t fault_size);

/* Starts; after a reload looks at the settings again, and tries at once if they are others. */
RUNS_ON(on_control) void acme_start(uv_loop_t *loop);
RUNS_ON(on_control) void acme_reload(void);

/* Tries now, whenever it was to be: for a person who has mended something. */
RUNS_ON(on_control) void acme_retry(void);

/* Ends a uacme that runs. */
RUNS_ON(on_control) void acme_stop(void);
