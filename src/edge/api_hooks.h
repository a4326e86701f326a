/* api_hooks: webhooks over the API. Control thread. */
#pragma once

#include "edge/api.h"

extern const struct api_operation hook_operations[];

/* For health_add. */
void hooks_health(json_t *list);
