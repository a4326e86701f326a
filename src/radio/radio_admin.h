/* radio_admin: the calls of the administrator: what /admin/NAME does, as one table.
 *
 * Runs on the control thread, after the worker has checked who asks. */
#pragma once

#include "edge/call.h"

/* Answers now, or after a baton's round. */
void admin_answer(struct call *call);
