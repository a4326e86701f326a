/* irc_face: FACE of the bouncer: its part of the admin API. */
#pragma once

#include "edge/api.h"

extern const struct api_operation irc_operations[];

/* The data directory. */
const char *irc_face_directory(void);
