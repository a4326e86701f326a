/* radio_api: the FACE towards /api/v1: what the radio adds to edge/api.h. Control thread. */
#pragma once

#include "edge/api.h"

/* Hands in what the radio has for API, events, bans, trends and health; before the workers start. */
void radio_api_configure(void);
