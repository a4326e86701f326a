/* radio_audience: with what, and from where, people listen: counts over all listeners. Control
 * thread, on the copies that a crowd brought home. */
#pragma once

#include "radio/radio_crowd.h"

/* "VLC" of "VLC/3.0.20 LibVLC/3.0.20"; what is not known is named by its first word. */
void audience_agent(const char *agent, char *out, size_t size);

/* Schema Audience. */
RUNS_ON(on_control) json_t *audience_tree(const struct crowd *crowd);
