/* radio_network_api: relays, pushes and directories over the API. Control thread. */
#pragma once

#include "edge/api.h"

extern const struct api_operation network_operations[];

/* For health_add. */
void network_health(json_t *list);
