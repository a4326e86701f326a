/* irc_face: FACE of the bouncer: its part of the admin API. */
#pragma once

#include "edge/api.h"

extern const struct api_operation irc_operations[];

/* ringmainctl irc USER ORDER … */
struct family_order;
RUNS_ON(on_control) void irc_face_order(struct family_order *order);

/* The data directory. */
const char *irc_face_directory(void);
