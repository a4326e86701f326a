/* audit: what is kept of who did what. A line of the store's audit log for each order that was
 * carried out, each login, and each password that was wrong; never a secret.
 *
 * Thread: the call's or the connection's; never waits. */
#pragma once

#include "edge/call.h"

/* An order of the API or of /admin: its method and path are what was done, target is to what. What
 * encoders do by their own password is no order. */
void audit_call(const struct call *call, const char *target, const char *result);

/* Anything else. */
void audit_say(const char *who, const char *how, const struct address *peer, const char *action,
	       const char *result);
