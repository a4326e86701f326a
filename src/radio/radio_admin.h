/* radio_admin: the calls of the administrator: what /admin/NAME does, as one table.
 *
 * Runs on the control thread, after the worker has checked who asks. */
#pragma once

#include "edge/call.h"

/* The rank that /admin/… needs, for the mount it names; *changes: whether it changes something, even
 * when it is asked by GET. Of a call that there is not: the least that is of use. Any thread. */
enum rank admin_rank(struct bytes path, bool *changes);

/* Answers now, or after a baton's round. */
void admin_answer(struct call *call);
