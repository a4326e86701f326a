/* api_certificate: the certificate over the API: whose, until when, and how its renewal does. Control
 * thread. */
#pragma once

#include "edge/api.h"

extern const struct api_operation certificate_operations[];

/* For health_add. */
void certificate_health(json_t *list);
