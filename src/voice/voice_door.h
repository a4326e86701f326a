/* voice_door: where voice can be reached: each end is a TCP socket of control's and a UDP socket of each
 * worker's, at the same address and port. */
#pragma once

#include "core/worker.h"
#include "voice/voice_conf.h"

struct tls_identity;

/* Announces what it leaves in the estate; opens it, and goes on with what the last server left there. 0 or
 * -errno. */
void voice_door_know(void);
RUNS_ON(on_control) MUST_CHECK int voice_door_start(uv_loop_t *loop);

/* Opens what is new and closes what is not wanted any more. 0; or -errno with at saying where, and
 * what was open stays so. */
RUNS_ON(on_control)
MUST_CHECK int voice_door_listen(uv_loop_t *loop, const struct conf_list *listen, char *at,
				 size_t size);
/* What is known of before is read: who knocks is let in from now on. */
RUNS_ON(on_control) void voice_door_go(void);
RUNS_ON(on_control) void voice_door_stop(void);
/* Another server has the doors: ours close, and stay open there. */
RUNS_ON(on_control) void voice_door_part(void);

/* When the workers have stopped. */
void voice_door_fini(void);

/* For those who call us by no name that we have a certificate for. Never NULL once a door is open. */
const struct tls_identity *voice_door_identity(void);
