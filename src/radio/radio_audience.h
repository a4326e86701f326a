/* radio_audience: with what, and from where, people listen: counts over all listeners. Control
 * thread, on the copies that a crowd brought home. */
#pragma once

#include "radio/radio_crowd.h"

/* Schema Audience. */
RUNS_ON(on_control) json_t *audience_tree(const struct crowd *crowd);
