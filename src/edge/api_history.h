/* api_history: what was kept, over the API: songs, listeners, sources, numbers of listeners, and who
 * did what; a page at a time as JSON, or all of it as a file (format=csv, format=json).
 *
 * The answer is written on the store's thread. Thread: control. */
#pragma once

#include "edge/api.h"

extern const struct api_operation history_operations[];

/* For health_add: whether history is kept. */
void history_health(json_t *list);
