/* irc_identd: tells a server of IRC which of our users a connection is (RFC 1413), so that it can ban one
 * of them and not all.
 *
 *   irc.identd: "6193, 23" ─▶ every worker: whose connection has these ports and this peer? ─▶ answer
 *
 * The name is a hash of the user's, the same on each network and known to nobody else. Who connects is
 * asked for on the spot, as servers do while we register. */
#pragma once

#include "core/conf.h"
#include "core/worker.h"

/* Before the workers start. */
void irc_identd_configure(void);

/* As family.listen. */
RUNS_ON(on_control)
int irc_identd_listen(uv_loop_t *loop, const struct conf_list *listen, char *at, size_t size);
