/* irc_outside: who may come in by HTTP what IRC lets in: app passwords, and who is known elsewhere.
 *
 *   access (no account fits) ─▶ worker of the user: an app password? ─▶ back ─▶ irc_auth: HTTP, PAM
 *                            └▶ a token that is none of ours ─▶ irc_auth: introspection
 *
 * For uploads and for what is one's own on IRC in the API, nothing else. What was found right elsewhere is remembered for
 * a minute, as each request brings it. Runs on the connection's worker. */
#pragma once

#include <stdbool.h>

/* Before doors open. */
void irc_outside_prepare(void);

/* Whether this worker is still asking. */
bool irc_outside_busy(void);
